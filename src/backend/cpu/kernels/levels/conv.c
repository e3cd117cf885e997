/* Direct convolution of 8-bit levels: each tile of output pixels of a row is a product of the pixels that its taps read with the weights, read
 * in place, or out of rows that are copied with the zero point around them where taps fall beside the image. 1x1 convolutions without stride
 * see the whole image as one row.
 *
 * quads16, the packed form: [group][panel][kh][quads of kw x channels][16][4] int8, zero where a row of taps isn't whole quads (what is read
 * there of the next pixel then doesn't count); behind it [all panels][16] int32 of bias and as many floats of factors. */
#include "backend/cpu/kernels/levels/levels.h"
#include "backend/cpu/kernels/gemm/tile.h"

typedef struct direct {
  const ingot__call *call;
  const ingot__levels_tiles *tiles;
  ingot__conv conv;
  ingot__levels_finish finish;
  uint8_t zero;
  size_t row_quads, quads;       /* of a row of taps, of a group */
  const uint8_t *end;            /* of the input */
  size_t panels, all;            /* of a group, of all */
  size_t rows, parts;            /* rows of output pixels, tiles in each */
  size_t block;                  /* panels done before moving on */
  bool by_panels;                /* threads split panels, else tiles */
  bool whole;                    /* a pixel's channels are whole quads */
  size_t runs, border, per_thread;
} direct;

static void flatten(ingot__conv *v) {
  if (v->kh != 1 || v->kw != 1 || v->sh != 1 || v->sw != 1 || v->ph || v->pw || v->oh != v->h || v->ow != v->w) return;
  if (v->h > 1 && (v->in_y != v->w * v->in_x || v->out_y != v->w * v->out_x)) return;
  size_t pixels = v->h * v->w;
  bool images = v->in_n == pixels * v->in_x && v->out_n == pixels * v->out_x;
  v->w = v->ow = pixels, v->h = v->oh = 1;
  if (v->n > 1 && !images) return;
  v->w = v->ow = pixels * v->n, v->n = 1;
}

static bool prepare(const ingot__call *call, const ingot__levels_tiles *tiles, direct *d) {
  *d = (direct){.call = call, .tiles = tiles};
  ingot__conv *v = &d->conv;
  if (!ingot__conv_get_levels(call, v)) return false;
  flatten(v);
  d->finish = ingot__levels_finish_get(call);
  d->zero = (uint8_t)INGOT__ATTRS(call, Conv)->x_zero;
  d->whole = v->c % INGOT__QUAD == 0;
  if (!d->whole && v->dw != 1) return false; /* a row of taps must be neighbours */
  d->row_quads = (v->kw * v->c + INGOT__QUAD - 1) / INGOT__QUAD;
  d->quads = v->kh * d->row_quads;
  d->panels = ingot__panels(v->oc);
  d->all = d->panels * v->groups;
  if (!tiles) return true;
  size_t most = (size_t)(d->panels > 1 && tiles->rows[2] ? tiles->rows[2] : tiles->rows[1]);
  d->rows = v->n * v->oh;
  d->parts = (v->ow + most - 1) / most;
  size_t widest = d->parts ? (v->ow + d->parts - 1) / d->parts : 0;
  size_t room = ingot__cpu_info()->l2 / 2 / (d->quads * INGOT__LEVELS_PANEL * INGOT__QUAD + 1);
  d->block = room < 2 ? 2 : room / 2 * 2;
  d->runs = v->kh * v->kw;
  d->border = v->kh * v->c * ((widest ? widest - 1 : 0) * (size_t)v->sw + (v->kw - 1) * (size_t)v->dw + 1) + INGOT__QUAD;
  d->per_thread = ingot__align(d->runs * sizeof(uint8_t *), 64) + ingot__align(d->border, 64);
  if (call->in[0].data && v->n && v->h && v->w) {
    const size_t last = (v->n - 1) * v->in_n + (v->h - 1) * v->in_y + (v->w - 1) * v->in_x;
    d->end = (const uint8_t *)call->in[0].data + last + v->c * v->groups;
  }
  size_t n = call->threads > 1 ? (size_t)call->threads : 1;
  double by_tiles = ingot__imbalance(d->rows * d->parts, n), by_panels = ingot__imbalance((d->all + 1) / 2, n);
  bool heavy = d->quads * 4 * v->oc * v->groups > v->n * v->h * v->w * v->c * v->groups; /* weights outweigh the input */
  d->by_panels = n > 1 && (heavy ? by_panels <= by_tiles * 1.1 : by_panels * 1.1 < by_tiles);
  return true;
}

/* Copies what `width` pixels from x on of a row are, the zero point beside the image. `from` NULL: all of it is beside. */
static void copy_row(const direct *d, const uint8_t *from, int64_t x, size_t width, uint8_t *to) {
  const ingot__conv *v = &d->conv;
  for (size_t i = 0; i < width;) {
    const int64_t ix = x + (int64_t)i;
    if (!from || ix < 0 || ix >= (int64_t)v->w) {
      size_t n = from && ix < 0 && (size_t)-ix < width - i ? (size_t)-ix : width - i;
      memset(to + i * v->c, d->zero, n * v->c);
      i += n;
      continue;
    }
    size_t n = v->w - (size_t)ix < width - i ? v->w - (size_t)ix : width - i;
    const uint8_t *p = from + (size_t)ix * v->in_x;
    if (v->in_x == v->c) memcpy(to + i * v->c, p, n * v->c);
    else
      for (size_t k = 0; k < n; k++) memcpy(to + (i + k) * v->c, p + k * v->in_x, v->c);
    i += n;
  }
}

/* Fills the tile's runs for `count` output pixels from (oy, ox) on; `image` is the group's first channel. */
static void set_runs(const direct *d, const uint8_t **a, uint8_t *border, const uint8_t *image, size_t oy, size_t ox, size_t count,
                     ingot__levels_tile *tile) {
  const ingot__conv *v = &d->conv;
  const int64_t x = (int64_t)ox * v->sw - v->pw, y = (int64_t)oy * v->sh - v->ph, last = y + (int64_t)(v->kh - 1) * v->dh;
  const size_t width = (count - 1) * (size_t)v->sw + (v->kw - 1) * (size_t)v->dw + 1, dw = (size_t)v->dw;
  bool inside = x >= 0 && y >= 0 && x + (int64_t)width <= (int64_t)v->w && last < (int64_t)v->h && (d->whole || v->in_x == v->c);
  if (inside && !d->whole) { /* the last quad of the last row may reach beyond its taps */
    const uint8_t *row = image + (size_t)last * v->in_y + (size_t)x * v->in_x;
    inside = (size_t)(d->end - row) >= (count - 1) * (size_t)v->sw * v->c + d->row_quads * INGOT__QUAD;
  }
  const size_t step = inside ? v->in_x : v->c;
  const bool joined = dw == 1 && step == v->c; /* the taps of a row are one run */
  size_t runs = 0;
  for (size_t ky = 0; ky < v->kh; ky++) {
    const int64_t iy = y + (int64_t)ky * v->dh;
    const uint8_t *row = iy < 0 || iy >= (int64_t)v->h ? NULL : image + (size_t)iy * v->in_y;
    if (inside) row += (size_t)x * v->in_x;
    else {
      copy_row(d, row, x, width, border);
      row = border;
      border += width * v->c;
    }
    for (size_t kx = 0; kx < (joined ? 1 : v->kw); kx++) a[runs++] = row + kx * dw * step;
  }
  tile->a = a;
  tile->runs = runs;
  tile->quads = joined ? d->row_quads : v->c / INGOT__QUAD;
  tile->a_stride = (size_t)v->sw * step;
}

static void multiply(const direct *d, ingot__levels_tile *t, size_t count, size_t begin, size_t end, uint8_t *c) {
  const ingot__levels_fn (*fn)[INGOT__LEVELS_MAX_ROWS + 1] = d->tiles->fn[ingot__levels_vnni(d->tiles->isa)];
  const size_t size = d->quads * INGOT__LEVELS_PANEL * INGOT__QUAD;
  const int8_t *weights = d->call->packed;
  const int32_t *bias = (const int32_t *)(const void *)(weights + d->all * size);
  const float *scale = (const float *)(const void *)(bias + d->all * INGOT__LEVELS_PANEL);
  for (size_t p = begin; p < end;) {
    const size_t group = p / d->panels, first = p % d->panels, at = first * INGOT__LEVELS_PANEL;
    const size_t panels = end - p > 1 && d->panels - first > 1 && count <= (size_t)d->tiles->rows[2] ? 2 : 1;
    t->b = weights + p * size;
    t->b_stride = size;
    t->bias = bias + p * INGOT__LEVELS_PANEL;
    t->scale = scale + p * INGOT__LEVELS_PANEL;
    t->c = c + group * d->conv.oc + at;
    t->channels = d->conv.oc - at;
    fn[panels][count](t);
    p += panels;
  }
}

static void work(void *arg, int index, int n) {
  const direct *d = arg;
  const ingot__conv *v = &d->conv;
  size_t tile_begin = 0, tile_end = d->rows * d->parts, panel_begin = 0, panel_end = d->all;
  if (d->by_panels) ingot__share(d->all, 2, index, n, &panel_begin, &panel_end);
  else ingot__share(d->rows * d->parts, 1, index, n, &tile_begin, &tile_end);
  uint8_t *space = (uint8_t *)d->call->workspace + (size_t)index * d->per_thread;
  const uint8_t **a = (const uint8_t **)(void *)space;
  uint8_t *border = space + ingot__align(d->runs * sizeof(uint8_t *), 64);
  const uint8_t *in = d->call->in[0].data;
  for (size_t first = panel_begin; first < panel_end;) {
    size_t group = first / d->panels, last = panel_end - first < d->block ? panel_end : first + d->block;
    if (last > (group + 1) * d->panels) last = (group + 1) * d->panels;
    for (size_t t = tile_begin; t < tile_end; t++) {
      const size_t row = t / d->parts, part = t % d->parts, image = row / v->oh, oy = row % v->oh;
      const size_t ox = v->ow * part / d->parts, count = v->ow * (part + 1) / d->parts - ox;
      ingot__levels_tile tile = {.c_stride = v->out_x, .finish = d->finish};
      set_runs(d, a, border, in + image * v->in_n + group * v->c, oy, ox, count, &tile);
      multiply(d, &tile, count, first, last, (uint8_t *)d->call->out[0].data + image * v->out_n + oy * v->out_y + ox * v->out_x);
    }
    first = last;
  }
}

static size_t pack_size(const ingot__call *call) {
  direct d;
  size_t bytes;
  if (!prepare(call, NULL, &d)) return 0;
  if (!ingot__mul(d.all * INGOT__LEVELS_PANEL, d.quads * INGOT__QUAD + sizeof(int32_t) + sizeof(float), &bytes)) return SIZE_MAX;
  return bytes;
}

static void pack(const ingot__call *call, void *packed) {
  direct d;
  if (!prepare(call, NULL, &d)) return;
  const ingot__conv *v = &d.conv;
  const int8_t *w = call->in[1].data;
  const size_t taps = v->kh * v->kw, size = d.quads * INGOT__LEVELS_PANEL * INGOT__QUAD;
  int8_t *to = packed;
  int32_t *bias = (int32_t *)(void *)(to + d.all * size);
  float *scale = (float *)(void *)(bias + d.all * INGOT__LEVELS_PANEL);
  memset(packed, 0, pack_size(call));
  for (size_t p = 0; p < d.all; p++)
    for (size_t lane = 0; lane < INGOT__LEVELS_PANEL; lane++) {
      const size_t o = p % d.panels * INGOT__LEVELS_PANEL + lane, m = p / d.panels * v->oc + o;
      if (o >= v->oc) continue;
      bias[p * INGOT__LEVELS_PANEL + lane] = ingot__levels_bias(call, m, v->c * taps);
      scale[p * INGOT__LEVELS_PANEL + lane] = ingot__levels_scale(call, m);
      for (size_t tap = 0; tap < taps; tap++)
        for (size_t c = 0; c < v->c; c++) {
          const size_t at = tap % v->kw * v->c + c, quad = tap / v->kw * d.row_quads + at / INGOT__QUAD;
          to[p * size + (quad * INGOT__LEVELS_PANEL + lane) * INGOT__QUAD + at % INGOT__QUAD] = w[(m * v->c + c) * taps + tap];
        }
    }
}

static bool supports(const ingot__call *call) {
  direct d;
  return prepare(call, NULL, &d);
}

static double cost(const ingot__call *call, const ingot__levels_tiles *tiles) {
  direct d;
  if (!prepare(call, tiles, &d)) return 1e9;
  const ingot__conv *v = &d.conv;
  const ingot__cpu_rates *rates = ingot__cpu_rates_get(tiles->isa);
  const double pixels = (double)(v->n * v->oh * v->ow), threads = call->threads > 1 ? call->threads : 1;
  double flops = 2.0 * pixels * (double)(d.all * INGOT__LEVELS_PANEL) * (double)(d.quads * INGOT__QUAD + 12); /* 12: finishing */
  double bytes = pixels * (double)(v->oc * v->groups) + (double)(v->n * v->h * v->w * v->c * v->groups) + (double)(d.all * d.quads * 64);
  double rate = rates->f32_flops * (ingot__levels_vnni(tiles->isa) ? 3 : 1.2);
  return 1e-6 + (flops / rate + bytes / (bytes < (double)ingot__cpu_info()->l2 ? rates->l2_bytes : rates->memory_bytes * 2)) / threads;
}

static size_t workspace(const ingot__call *call, const ingot__levels_tiles *tiles) {
  direct d;
  return prepare(call, tiles, &d) ? d.per_thread * (call->threads > 1 ? (size_t)call->threads : 1) : 0;
}

static ingot_status run(const ingot__call *call, const ingot__levels_tiles *tiles) {
  direct d;
  if (!prepare(call, tiles, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  ingot__pool_run(call->pool, work, &d);
  return INGOT_OK;
}

#define ROW(isa) \
  static double cost_##isa(const ingot__call *call) { return cost(call, &ingot__levels_tiles_##isa); } \
  static size_t workspace_##isa(const ingot__call *call) { return workspace(call, &ingot__levels_tiles_##isa); } \
  static ingot_status run_##isa(const ingot__call *call) { return run(call, &ingot__levels_tiles_##isa); } \
  const ingot__kernel_functions ingot__cpu_conv_u8s8_##isa = { \
    .supports = supports, .cost = cost_##isa, .workspace = workspace_##isa, .pack_size = pack_size, .pack = pack, .pack_format = "quads16", \
    .packs_inputs = 1u << 1 | 1u << 2 | 1u << 4, .run = run_##isa};
ROW(avx512)
ROW(avx2)
ROW(portable)
