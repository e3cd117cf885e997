/* Transposed convolution in float32, CHANNELS_LAST. The outputs of one phase (their position modulo the stride) are an ordinary convolution
 * without stride over the taps of one class (ky * dilation modulo the stride), so each phase is a product per tile of input pixels, stored
 * with the stride's gaps straight into place; nothing is added up in memory. 2x2 with stride 2 is four 1x1 convolutions.
 *
 * Packed ("panel16_classes"): for each class of taps, y then x: panel16 with K in the order ky, kx, channel; then the bias of all panels. */
#include "backend/cpu/kernels/gemm/tile.h"
#include "ops/window.h"

typedef struct transposed {
  const ingot__call *call;
  const ingot__tiles *tiles;
  ingot__finish finish;
  size_t groups, c, oc, panels, n, h, w, oh, ow, kh, kw, sh, sw, dh, dw;
  int64_t ph, pw;
  size_t in_n, in_y, in_x, out_n, out_y, out_x, res_n, res_y, res_x;
  bool bias, residual, by_units;
  size_t qh, qw, parts, units;       /* input-grid rows and columns of outputs, tiles in a row, panels of all classes and groups */
  size_t border, per_thread;         /* floats of copied pixels; bytes of workspace */
} transposed;

/* How many of `kernel` taps are of class `r`. */
static size_t class_taps(size_t kernel, size_t dilation, size_t stride, size_t r) {
  size_t n = 0;
  for (size_t k = 0; k < kernel; k++) n += k * dilation % stride == r;
  return n;
}

/* Taps of the class that is `class_`th in the packed form. */
static size_t taps_of(const transposed *d, size_t class_) {
  return class_taps(d->kh, d->dh, d->sh, class_ / d->sw) * class_taps(d->kw, d->dw, d->sw, class_ % d->sw);
}

/* Taps of the classes before (ry, rx). */
static size_t taps_before(const transposed *d, size_t ry, size_t rx) {
  size_t y = 0, x = 0;
  for (size_t r = 0; r < ry; r++) y += class_taps(d->kh, d->dh, d->sh, r);
  for (size_t r = 0; r < rx; r++) x += class_taps(d->kw, d->dw, d->sw, r);
  return y * d->kw + class_taps(d->kh, d->dh, d->sh, ry) * x;
}

static bool prepare(const ingot__call *call, const ingot__tiles *tiles, transposed *d) {
  *d = (transposed){.call = call, .tiles = tiles};
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__attrs_ConvTranspose *attrs = INGOT__ATTRS(call, ConvTranspose);
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0], *r = &call->in[3];
  const int rank = x->rank;
  if ((rank != 3 && rank != 4) || w->rank != rank || y->rank != rank || !w->constant || attrs->group < 1) return false;
  if (x->dtype != INGOT_FLOAT32 || w->dtype != INGOT_FLOAT32 || y->dtype != INGOT_FLOAT32) return false;
  if (x->dim[1] != w->dim[0] || x->dim[1] % attrs->group || y->dim[1] != w->dim[1] * attrs->group || w->dim[1] < 1) return false;
  d->bias = ingot__has_in(call, 2), d->residual = ingot__has_in(call, 3);
  if (d->bias && (call->in[2].dtype != INGOT_FLOAT32 || call->in[2].rank != 1 || !call->in[2].constant)) return false;
  ingot__window window;
  const ingot__window_attrs window_attrs = INGOT__WINDOW_ATTRS(attrs);
  if (ingot__window_read(NULL, call->node, &window_attrs, rank - 2, &w->dim[2], &window) != INGOT_OK) return false;
  if (attrs->output_shape.n || window.auto_pad == INGOT__PAD_SAME_UPPER || window.auto_pad == INGOT__PAD_SAME_LOWER)
    for (int i = 0; i < rank - 2; i++) { /* ONNX splits what the given output cuts off */
      const int64_t extra = attrs->output_padding.n ? attrs->output_padding.v[i] : 0;
      int64_t total = window.stride[i] * (x->dim[2 + i] - 1) + extra + (window.kernel[i] - 1) * window.dilation[i] + 1 - y->dim[2 + i];
      if (total < 0) total = 0;
      window.begin[i] = window.auto_pad == INGOT__PAD_SAME_UPPER ? total / 2 : total - total / 2;
    }
  const bool image = rank == 4;
  const int iy = 2, ix = image ? 3 : 2, wx = image ? 1 : 0;
  d->groups = (size_t)attrs->group, d->c = (size_t)(x->dim[1] / attrs->group), d->oc = (size_t)w->dim[1];
  d->n = (size_t)x->dim[0], d->h = image ? (size_t)x->dim[iy] : 1, d->w = (size_t)x->dim[ix];
  d->oh = image ? (size_t)y->dim[iy] : 1, d->ow = (size_t)y->dim[ix];
  d->kh = image ? (size_t)w->dim[iy] : 1, d->kw = (size_t)w->dim[ix];
  d->sh = image ? (size_t)window.stride[0] : 1, d->sw = (size_t)window.stride[wx];
  d->dh = image ? (size_t)window.dilation[0] : 1, d->dw = (size_t)window.dilation[wx];
  d->ph = image ? window.begin[0] : 0, d->pw = window.begin[wx];
  if ((x->dim[1] > 1 && x->stride[1] != 1) || (y->dim[1] > 1 && y->stride[1] != 1) || d->ph < 0 || d->pw < 0) return false;
  d->in_n = (size_t)x->stride[0], d->in_y = image ? (size_t)x->stride[iy] : 0, d->in_x = (size_t)x->stride[ix];
  d->out_n = (size_t)y->stride[0], d->out_y = image ? (size_t)y->stride[iy] : 0, d->out_x = (size_t)y->stride[ix];
  if (d->residual) {
    if (r->dtype != INGOT_FLOAT32 || r->rank != rank || (r->dim[1] > 1 && r->stride[1] != 1)) return false;
    for (int i = 0; i < rank; i++)
      if (r->dim[i] != y->dim[i]) return false;
    d->res_n = (size_t)r->stride[0], d->res_y = image ? (size_t)r->stride[iy] : 0, d->res_x = (size_t)r->stride[ix];
  }
  ingot__finish_set(&d->finish, attrs->act, attrs->act_alpha, attrs->act_beta);
  d->panels = ingot__panels(d->oc);
  d->units = d->sh * d->sw * d->groups * d->panels;
  if (!tiles) return true;
  const size_t most = ingot__tile_rows(tiles, d->panels, d->in_x), n = call->threads > 1 ? (size_t)call->threads : 1;
  d->qh = (d->oh + d->sh - 1) / d->sh, d->qw = (d->ow + d->sw - 1) / d->sw;
  d->parts = (d->qw + most - 1) / most;
  const size_t taps = d->kh * d->kw;
  d->border = taps * most * d->c;
  d->per_thread = ingot__align(taps * (sizeof(float *) + sizeof(size_t)), 64) + ingot__align(d->border * sizeof(float), 64);
  const double by_tiles = ingot__imbalance(d->n * d->qh * d->parts, n), by_units = ingot__imbalance((d->units + 1) / 2, n);
  const bool heavy = taps * d->oc > d->n * d->h * d->w;
  d->by_units = n > 1 && (heavy ? by_units <= by_tiles * 1.1 : by_units * 1.1 < by_tiles);
  return true;
}

typedef struct scratch { const float **a; size_t *b_row; float *border; } scratch;

/* Fills the runs of class (ry, rx) for `count` outputs whose input-grid position starts at (q, x0), phase (py, px). */
static void set_runs(const transposed *d, const scratch *s, const float *image, size_t ry, size_t rx, size_t py, size_t px, size_t q, size_t x0,
                     size_t count, ingot__tile *tile) {
  size_t runs = 0, k = 0;
  bool inside = true;
  for (size_t kx = 0; kx < d->kw; kx++) {
    if (kx * d->dw % d->sw != rx) continue;
    const int64_t ix = (int64_t)x0 + ((int64_t)px + d->pw - (int64_t)(kx * d->dw)) / (int64_t)d->sw; /* exact: see the class */
    if (ix < 0 || ix + (int64_t)count > (int64_t)d->w) inside = false;
  }
  for (size_t ky = 0; ky < d->kh; ky++) {
    if (ky * d->dh % d->sh != ry) continue;
    const int64_t iy = (int64_t)q + ((int64_t)py + d->ph - (int64_t)(ky * d->dh)) / (int64_t)d->sh;
    for (size_t kx = 0; kx < d->kw; kx++) {
      if (kx * d->dw % d->sw != rx) continue;
      const size_t row = k;
      k += d->c;
      if (iy < 0 || iy >= (int64_t)d->h) continue;
      const int64_t ix = (int64_t)x0 + ((int64_t)px + d->pw - (int64_t)(kx * d->dw)) / (int64_t)d->sw;
      if (inside) s->a[runs] = image + (size_t)iy * d->in_y + (size_t)ix * d->in_x;
      else {
        float *to = s->border + runs * count * d->c;
        s->a[runs] = to;
        for (size_t i = 0; i < count; i++, to += d->c) {
          const int64_t at = ix + (int64_t)i;
          if (at < 0 || at >= (int64_t)d->w) memset(to, 0, d->c * sizeof(float));
          else memcpy(to, image + (size_t)iy * d->in_y + (size_t)at * d->in_x, d->c * sizeof(float));
        }
      }
      s->b_row[runs++] = row;
    }
  }
  tile->runs = runs;
  tile->length = d->c;
  tile->a_stride = inside ? d->in_x : d->c;
}

/* Units [first, last), all of one class and group, for one tile; `taps` and `before` are the class's taps and those of the ones before. */
static void compute(const transposed *d, const scratch *s, size_t tile_index, size_t class_, size_t group, size_t begin, size_t end, size_t taps,
                    size_t before) {
  const ingot__call *call = d->call;
  const size_t part = tile_index % d->parts, row = tile_index / d->parts, image = row / d->qh, q = row % d->qh;
  const size_t ry = class_ / d->sw, rx = class_ % d->sw;
  const size_t py = (ry + d->sh - (size_t)d->ph % d->sh) % d->sh, px = (rx + d->sw - (size_t)d->pw % d->sw) % d->sw;
  const size_t x0 = d->qw * part / d->parts, oy = q * d->sh + py, ox = x0 * d->sw + px;
  size_t count = d->qw * (part + 1) / d->parts - x0;
  if (oy >= d->oh || ox >= d->ow) return;
  if (ox + (count - 1) * d->sw >= d->ow) count--;
  if (!count) return;
  const size_t k = taps * d->c, all = d->groups * d->panels;
  const float *weights = call->packed, *bias = weights + all * d->kh * d->kw * d->c * INGOT__PANEL;
  ingot__tile tile = {.a = s->a, .b_row = s->b_row, .b_stride = k * INGOT__PANEL, .c_stride = d->sw * d->out_x, .residual_stride = d->sw * d->res_x};
  tile.b = weights + (before * d->c * all + (group * d->panels + begin) * k) * INGOT__PANEL;
  if (d->bias) tile.bias = bias + group * d->panels * INGOT__PANEL;
  tile.c = (float *)call->out[0].data + image * d->out_n + oy * d->out_y + ox * d->out_x + group * d->oc;
  if (d->residual) tile.residual = (const float *)call->in[3].data + image * d->res_n + oy * d->res_y + ox * d->res_x + group * d->oc;
  set_runs(d, s, (const float *)call->in[0].data + image * d->in_n + group * d->c, ry, rx, py, px, q, x0, count, &tile);
  ingot__tile_panels(d->tiles, &tile, &d->finish, count, d->oc, begin, end);
}

static void work(void *arg, int index, int n) {
  const transposed *d = arg;
  const size_t tiles = d->n * d->qh * d->parts, all = d->groups * d->panels, taps = d->kh * d->kw, room = ingot__cpu_info()->l2 / 2;
  size_t tile_begin = 0, tile_end = tiles, unit_begin = 0, unit_end = d->units;
  if (d->by_units) ingot__share(d->units, 2, index, n, &unit_begin, &unit_end);
  else ingot__share(tiles, 1, index, n, &tile_begin, &tile_end);
  scratch s = {0};
  if (d->call->workspace) { /* NULL where nothing needs any */
    char *space = (char *)d->call->workspace + (size_t)index * d->per_thread;
    s = (scratch){.a = (const float **)(void *)space, .b_row = (size_t *)(void *)(space + taps * sizeof(float *)),
                  .border = (float *)(void *)(space + ingot__align(taps * (sizeof(float *) + sizeof(size_t)), 64))};
  }
  for (size_t first = unit_begin; first < unit_end;) {
    /* As many units as stay in L2, at least four. */
    size_t last = first, bytes = 0;
    while (last < unit_end && (bytes < room || last < first + 4)) {
      bytes += taps_of(d, last / all) * d->c * INGOT__PANEL * sizeof(float);
      last++;
    }
    for (size_t t = tile_begin; t < tile_end; t++)
      for (size_t u = first; u < last;) {
        const size_t class_ = u / all, group = u % all / d->panels, begin = u % d->panels;
        const size_t end = d->panels - begin < last - u ? d->panels : begin + (last - u);
        compute(d, &s, t, class_, group, begin, end, taps_of(d, class_), taps_before(d, class_ / d->sw, class_ % d->sw));
        u += end - begin;
      }
    first = last;
  }
}

static bool supports(const ingot__call *call) {
  transposed d;
  return prepare(call, NULL, &d);
}

static double cost(const ingot__call *call, const ingot__tiles *tiles) {
  transposed d;
  if (!prepare(call, tiles, &d)) return 1e9;
  const ingot__cpu_rates *rates = ingot__cpu_rates_get(tiles->isa);
  const double threads = call->threads > 1 ? call->threads : 1, outputs = (double)d.n * (double)d.oh * (double)d.ow;
  const size_t k = (d.kh * d.kw * d.c + d.sh * d.sw - 1) / (d.sh * d.sw);
  const double compute = ingot__product_seconds(tiles, outputs, d.qw, k, d.oc, d.groups);
  const double bytes = 4 * outputs * (double)(d.oc * d.groups) + 4.0 * (double)(d.n * d.h * d.w * d.c * d.groups);
  return 1e-6 + (compute + bytes / (rates->memory_bytes * 2)) / threads;
}

static size_t workspace(const ingot__call *call, const ingot__tiles *tiles) {
  transposed d;
  return prepare(call, tiles, &d) ? d.per_thread * (call->threads > 1 ? (size_t)call->threads : 1) : 0;
}

static size_t pack_size(const ingot__call *call) {
  transposed d;
  size_t k, bytes;
  if (!prepare(call, NULL, &d)) return 0;
  if (!ingot__mul(d.kh * d.kw, d.c, &k)) return SIZE_MAX;
  return ingot__mul(ingot__panel_floats(d.groups, k, d.oc), sizeof(float), &bytes) ? bytes : SIZE_MAX;
}

static void pack(const ingot__call *call, void *packed) {
  transposed d;
  if (!prepare(call, NULL, &d)) return;
  const float *w = call->in[1].data, *bias = d.bias ? call->in[2].data : NULL;
  float *to = packed;
  for (size_t class_ = 0; class_ < d.sh * d.sw; class_++)
    for (size_t p = 0; p < d.groups * d.panels; p++)
      for (size_t tap = 0; tap < d.kh * d.kw; tap++) {
        const size_t ky = tap / d.kw, kx = tap % d.kw, first = p % d.panels * INGOT__PANEL, group = p / d.panels;
        if (ky * d.dh % d.sh != class_ / d.sw || kx * d.dw % d.sw != class_ % d.sw) continue;
        for (size_t c = 0; c < d.c; c++)
          for (size_t lane = 0; lane < INGOT__PANEL; lane++)
            *to++ = first + lane < d.oc ? w[((group * d.c + c) * d.oc + first + lane) * d.kh * d.kw + tap] : 0;
      }
  for (size_t p = 0; p < d.groups * d.panels; p++)
    for (size_t lane = 0; lane < INGOT__PANEL; lane++) {
      const size_t o = p % d.panels * INGOT__PANEL + lane;
      *to++ = bias && o < d.oc ? bias[p / d.panels * d.oc + o] : 0;
    }
}

static ingot_status run(const ingot__call *call, const ingot__tiles *tiles) {
  transposed d;
  if (!prepare(call, tiles, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  ingot__pool_run(call->pool, work, &d);
  return INGOT_OK;
}

#define ROW(name, tiles) \
  static double name##_cost(const ingot__call *call) { return cost(call, &tiles); } \
  static size_t name##_workspace(const ingot__call *call) { return workspace(call, &tiles); } \
  static ingot_status name##_run(const ingot__call *call) { return run(call, &tiles); } \
  const ingot__kernel_functions ingot__cpu_##name = { \
    .supports = supports, .cost = name##_cost, .workspace = name##_workspace, .pack_size = pack_size, .pack = pack, \
    .pack_format = "panel16_classes", .packs_inputs = 1u << 1 | 1u << 2, .run = name##_run};
ROW(conv_transpose_nhwc_f32_avx512, ingot__tiles_avx512)
ROW(conv_transpose_nhwc_f32_avx2, ingot__tiles_avx2)
ROW(conv_transpose_nhwc_f32_portable, ingot__tiles_portable)
