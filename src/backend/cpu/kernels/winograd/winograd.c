/* 3x3 and 5x5 convolutions without stride by Winograd's F(4x4, 3x3) and F(2x2, 5x5), CHANNELS_LAST. A block of tiles at a time: its
 * patches are transformed to V (36 points of tiles x channels), then, a few panels of output channels at a time, the 36 products go to M
 * and from there through the output's transform, bias, residual and activation into place, so that M stays in L1 and L2 and the weights
 * are read once a block. Threads take blocks each, or, where the weights are large or the tiles few, share a block's V and split the
 * panels.
 *
 * Packed ("winograd6"): [ceil(N/16)][36][C][16] floats, then the bias. */
#include "backend/cpu/kernels/conv/geometry.h"
#include "backend/cpu/kernels/winograd/winograd.h"

enum { POINTS = INGOT__WINOGRAD_POINTS, IN = INGOT__WINOGRAD_IN };

typedef struct winograd {
  const ingot__call *call;
  const ingot__winograd *set;
  ingot__conv conv;
  ingot__finish finish;
  size_t out;                          /* outputs of a tile, each way: 4 or 2 */
  size_t down, across, tiles;          /* tiles of an image, of all */
  size_t panels, blocks;
  size_t block;                        /* most tiles of a block */
  size_t line, point;                  /* floats of a tile in V, and from a point of V to the next: padded, so that they spread over L1 */
  size_t v_bytes, m_bytes, d_bytes;    /* of V, M, and a patch with its borders */
  bool shared;                         /* threads share V */
  size_t begin, end;                   /* the shared block */
} winograd;

static bool prepare(const ingot__call *call, const ingot__winograd *set, winograd *d) {
  *d = (winograd){.call = call, .set = set};
  if (!ingot__conv_get(call, &d->conv)) return false;
  const ingot__conv *v = &d->conv;
  if (v->kh != v->kw || (v->kh != 3 && v->kh != 5) || v->sh != 1 || v->sw != 1 || v->dh != 1 || v->dw != 1 || v->groups != 1) return false;
  if ((v->in_c != 1 && v->c > 1) || v->c < 8 || v->oc < 8) return false;
  d->out = IN + 1 - v->kh;
  d->down = (v->oh + d->out - 1) / d->out, d->across = (v->ow + d->out - 1) / d->out;
  d->tiles = v->n * d->down * d->across;
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  ingot__finish_set(&d->finish, attrs->act, attrs->act_alpha, attrs->act_beta);
  d->panels = ingot__panels(v->oc);
  if (!set) return true;
  const size_t threads = call->threads > 1 ? (size_t)call->threads : 1, l2 = ingot__cpu_info()->l2;
  const size_t weights = POINTS * v->c * d->panels * INGOT__PANEL * sizeof(float);
  d->line = ingot__align(v->c, INGOT__PANEL) + INGOT__PANEL;
  const size_t tile_bytes = POINTS * d->line * sizeof(float), rows = ingot__tile_rows(set->tiles, d->panels, d->line);
  /* Measured: flat between 40 and 250 tiles as long as V stays in L3. */
  size_t most = 8 * l2 / tile_bytes / rows * rows;
  if (most > 8 * rows) most = 8 * rows;
  if (most < 2 * rows) most = 2 * rows;
  d->shared = threads > 1 && (weights > 4 * l2 || d->tiles < 2 * threads * rows);
  if (d->shared) most *= threads;
  d->blocks = (d->tiles + most - 1) / most;
  if (!d->shared && threads > 1) d->blocks = (d->blocks + threads - 1) / threads * threads;
  d->block = d->blocks ? (d->tiles + d->blocks - 1) / d->blocks : 0;
  d->point = d->block * d->line + INGOT__PANEL;
  d->v_bytes = ingot__align(POINTS * d->point * sizeof(float), 64);
  d->m_bytes = POINTS * (d->block * INGOT__TILE_MAX_PANELS + 1) * INGOT__PANEL * sizeof(float);
  d->d_bytes = ingot__align(IN * IN * v->c * sizeof(float), 64);
  return true;
}

/* Transforms the patches of tiles [begin, end) into V, where tile `first` is the first. */
static void transform(const winograd *d, size_t first, size_t begin, size_t end, float *to, float *patch) {
  const ingot__conv *v = &d->conv;
  for (size_t t = begin; t < end; t++) {
    const size_t image = t / (d->down * d->across), in_image = t % (d->down * d->across);
    const int64_t y = (int64_t)(in_image / d->across * d->out) - v->ph, x = (int64_t)(in_image % d->across * d->out) - v->pw;
    const float *from = (const float *)d->call->in[0].data + image * v->in_n;
    float *line = to + (t - first) * d->line;
    if (y >= 0 && x >= 0 && y + IN <= (int64_t)v->h && x + IN <= (int64_t)v->w) {
      d->set->input(from + (size_t)y * v->in_y + (size_t)x * v->in_x, v->in_y, v->in_x, v->c, line, d->point);
      continue;
    }
    for (int64_t i = 0; i < IN; i++)
      for (int64_t j = 0; j < IN; j++) {
        float *pixel = patch + (size_t)(i * IN + j) * v->c;
        if (y + i < 0 || y + i >= (int64_t)v->h || x + j < 0 || x + j >= (int64_t)v->w) memset(pixel, 0, v->c * sizeof(float));
        else memcpy(pixel, from + (size_t)(y + i) * v->in_y + (size_t)(x + j) * v->in_x, v->c * sizeof(float));
      }
    d->set->input(patch, IN * v->c, v->c, v->c, line, d->point);
  }
}

/* The products of tiles [first, last), whose V is given, with panels [begin, end), and their outputs. */
static void multiply(const winograd *d, size_t first, size_t last, size_t begin, size_t end, const float *from, float *m) {
  const ingot__conv *v = &d->conv;
  const ingot__tiles *tiles = d->set->tiles;
  const size_t count = last - first, at_once = count <= (size_t)tiles->rows[4] ? 4 : 2, most = ingot__tile_rows(tiles, d->panels, d->line);
  const size_t parts = (count + most - 1) / most, width = at_once * INGOT__PANEL, point = count * width + INGOT__PANEL;
  const float *weights = d->call->packed, *bias = weights + d->panels * POINTS * v->c * INGOT__PANEL;
  const ingot__finish none = {.low = -__builtin_inff(), .high = __builtin_inff()};
  const size_t zero = 0;
  for (size_t p = begin; p < end; p += at_once) {
    const size_t panels = end - p < at_once ? end - p : at_once;
    for (size_t i = 0; i < POINTS; i++)
      for (size_t part = 0; part < parts; part++) {
        const size_t row = count * part / parts, rows = count * (part + 1) / parts - row;
        const float *a = from + i * d->point + row * d->line;
        ingot__tile tile = {.a = &a, .b_row = &zero, .runs = 1, .length = v->c, .a_stride = d->line, .c_stride = width,
                            .b = weights + (p * POINTS + i) * v->c * INGOT__PANEL, .b_stride = POINTS * v->c * INGOT__PANEL,
                            .c = m + i * point + row * width};
        ingot__tile_panels(tiles, &tile, &none, rows, panels * INGOT__PANEL, 0, panels);
      }
    const size_t at = p * INGOT__PANEL, left = v->oc - at;
    ingot__winograd_output o = {.point = point, .y_row = v->out_y, .y_pixel = v->out_x, .residual_row = v->res_y, .residual_pixel = v->res_x,
                                .channels = left < panels * INGOT__PANEL ? left : panels * INGOT__PANEL, .low = d->finish.low,
                                .high = d->finish.high};
    if (ingot__has_in(d->call, 2)) o.bias = bias + at;
    for (size_t t = first; t < last; t++) {
      const size_t image = t / (d->down * d->across), in_image = t % (d->down * d->across);
      const size_t y = in_image / d->across * d->out, x = in_image % d->across * d->out;
      o.m = m + (t - first) * width;
      o.y = (float *)d->call->out[0].data + image * v->out_n + y * v->out_y + x * v->out_x + at;
      if (v->residual) o.residual = (const float *)d->call->in[3].data + image * v->res_n + y * v->res_y + x * v->res_x + at;
      o.rows = v->oh - y < d->out ? v->oh - y : d->out, o.columns = v->ow - x < d->out ? v->ow - x : d->out;
      if (d->out == 4) d->set->output4(&o);
      else d->set->output2(&o);
      if (d->finish.act != INGOT__ACT_NONE)
        for (size_t i = 0; i < o.rows; i++)
          tiles->activate(d->finish.act, d->finish.alpha, d->finish.beta, o.y + i * v->out_y, v->out_x, o.columns, o.channels);
    }
  }
}

/* A thread's part of the workspace: V, M and a patch; with a shared V that lies before all parts. */
static float *space(const winograd *d, int index, float **m, float **patch) {
  char *at = d->call->workspace;
  char *own = d->shared ? at + d->v_bytes + (size_t)index * (d->m_bytes + d->d_bytes) : at + (size_t)index * (d->v_bytes + d->m_bytes + d->d_bytes);
  float *v = (float *)(void *)(d->shared ? at : own);
  if (!d->shared) own += d->v_bytes;
  *m = (float *)(void *)own, *patch = (float *)(void *)(own + d->m_bytes);
  return v;
}

static void work(void *arg, int index, int n) {
  const winograd *d = arg;
  float *m, *patch, *v = space(d, index, &m, &patch);
  size_t first_block, last_block;
  ingot__share(d->blocks, 1, index, n, &first_block, &last_block);
  for (size_t block = first_block; block < last_block; block++) {
    const size_t begin = d->tiles * block / d->blocks, end = d->tiles * (block + 1) / d->blocks;
    transform(d, begin, begin, end, v, patch);
    multiply(d, begin, end, 0, d->panels, v, m);
  }
}

static void transform_share(void *arg, int index, int n) {
  const winograd *d = arg;
  float *m, *patch, *v = space(d, index, &m, &patch);
  size_t begin, end;
  ingot__share(d->end - d->begin, 1, index, n, &begin, &end);
  transform(d, d->begin, d->begin + begin, d->begin + end, v, patch);
}

static void multiply_share(void *arg, int index, int n) {
  const winograd *d = arg;
  float *m, *patch, *v = space(d, index, &m, &patch);
  size_t begin, end;
  ingot__share(d->panels, 2, index, n, &begin, &end);
  multiply(d, d->begin, d->end, begin, end, v, m);
}

static ingot_status run(const ingot__call *call, const ingot__winograd *set) {
  winograd d;
  if (!prepare(call, set, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  if (!d.shared) ingot__pool_run(call->pool, work, &d);
  else
    for (size_t block = 0; block < d.blocks; block++) {
      d.begin = d.tiles * block / d.blocks, d.end = d.tiles * (block + 1) / d.blocks;
      ingot__pool_run(call->pool, transform_share, &d);
      ingot__pool_run(call->pool, multiply_share, &d);
    }
  return INGOT_OK;
}

static bool supports(const ingot__call *call) {
  winograd d;
  if (INGOT__ATTRS(call, Conv)->exact || !prepare(call, NULL, &d)) return false;
  /* The weights are four times the filters: with few tiles to use them on, reading them from memory takes longer than is saved. Only the
   * optimum's dims are judged here; run() takes any. */
  return d.tiles >= 9 || d.conv.c * d.conv.oc <= 128 * 128;
}

static size_t workspace(const ingot__call *call, const ingot__winograd *set) {
  winograd d;
  if (!prepare(call, set, &d)) return 0;
  const size_t threads = call->threads > 1 ? (size_t)call->threads : 1;
  return d.shared ? d.v_bytes + threads * (d.m_bytes + d.d_bytes) : threads * (d.v_bytes + d.m_bytes + d.d_bytes);
}

static double cost(const ingot__call *call, const ingot__winograd *set) {
  winograd d;
  if (!prepare(call, set, &d)) return 1e9;
  const ingot__conv *v = &d.conv;
  const ingot__cpu_rates *rates = ingot__cpu_rates_get(set->tiles->isa);
  const double threads = call->threads > 1 ? call->threads : 1, tiles = (double)d.tiles;
  double compute = POINTS * ingot__product_seconds(set->tiles, tiles, d.block, v->c, v->oc, 1);
  /* A transform of 16 channels takes about 200 vector operations and moves. */
  const double vectors = tiles * ((double)ingot__panels(v->c) + (double)d.panels);
  compute += vectors * 200 * 16 / (rates->f32_flops / 2);
  const double weights = (double)POINTS * (double)v->c * (double)v->oc * 4;
  double bytes = weights + 4 * (double)v->n * ((double)(v->h * v->w * v->c) + (double)(v->oh * v->ow * v->oc));
  const double again = (double)d.blocks * weights; /* the weights, from L2 or L3 */
  return 1e-6 + (compute + bytes / (rates->memory_bytes * 3) + again / rates->l2_bytes) / threads;
}

static size_t pack_size(const ingot__call *call) {
  winograd d;
  size_t k, bytes;
  if (!prepare(call, NULL, &d)) return 0;
  if (!ingot__mul(POINTS, d.conv.c, &k)) return SIZE_MAX;
  return ingot__mul(ingot__panel_floats(1, k, d.conv.oc), sizeof(float), &bytes) ? bytes : SIZE_MAX;
}

/* Row `point` of G g, for the 16 channels of a panel: g's polynomial at the point over the product of its distances from the others; at
 * infinity the last coefficient. `step` is from one of the r coefficients to the next. */
static void filter_point(size_t point, size_t r, const double *g, size_t step, double *u) {
  static const double at[] = {0, 1, -1, 2, -2}, product[] = {4, -6, -6, 24, 24};
  for (size_t i = 0; i < INGOT__PANEL; i++) u[i] = g[(r - 1) * step + i];
  if (point == IN - 1) return;
  for (size_t j = r - 1; j-- > 0;)
    for (size_t i = 0; i < INGOT__PANEL; i++) u[i] = u[i] * at[point] + g[j * step + i];
  for (size_t i = 0; i < INGOT__PANEL; i++) u[i] /= product[point];
}

/* U = G g G^T of each filter, in double. */
static void pack(const ingot__call *call, void *packed) {
  winograd d;
  if (!prepare(call, NULL, &d)) return;
  const ingot__conv *v = &d.conv;
  const float *w = call->in[1].data;
  const size_t r = v->kh;
  float *to = packed, *bias = to + d.panels * POINTS * v->c * INGOT__PANEL;
  for (size_t p = 0; p < d.panels; p++) {
    double g[25][INGOT__PANEL] = {{0}}, rows[5][INGOT__PANEL], u[INGOT__PANEL];
    for (size_t lane = 0; lane < INGOT__PANEL; lane++) {
      const size_t o = p * INGOT__PANEL + lane;
      bias[o] = ingot__has_in(call, 2) && o < v->oc ? ((const float *)call->in[2].data)[o] : 0;
    }
    const size_t lanes = v->oc - p * INGOT__PANEL < INGOT__PANEL ? v->oc - p * INGOT__PANEL : INGOT__PANEL;
    for (size_t c = 0; c < v->c; c++) {
      for (size_t lane = 0; lane < lanes; lane++)
        for (size_t i = 0; i < r * r; i++) g[i][lane] = (double)w[((p * INGOT__PANEL + lane) * v->c + c) * r * r + i];
      for (size_t i = 0; i < IN; i++) {
        for (size_t j = 0; j < r; j++) filter_point(i, r, g[j], r * INGOT__PANEL, rows[j]);
        for (size_t j = 0; j < IN; j++) {
          filter_point(j, r, rows[0], INGOT__PANEL, u);
          float *line = to + ((p * POINTS + i * IN + j) * v->c + c) * INGOT__PANEL;
          for (size_t lane = 0; lane < INGOT__PANEL; lane++) line[lane] = (float)u[lane];
        }
      }
    }
  }
}

#define ROW(name, set) \
  static double name##_cost(const ingot__call *call) { return cost(call, &set); } \
  static size_t name##_workspace(const ingot__call *call) { return workspace(call, &set); } \
  static ingot_status name##_run(const ingot__call *call) { return run(call, &set); } \
  const ingot__kernel_functions ingot__cpu_##name = { \
    .supports = supports, .cost = name##_cost, .workspace = name##_workspace, .pack_size = pack_size, .pack = pack, .pack_format = "winograd6", \
    .packs_inputs = 1u << 1 | 1u << 2, .run = name##_run};
ROW(winograd_nhwc_f32_avx512, ingot__winograd_avx512)
ROW(winograd_nhwc_f32_avx2, ingot__winograd_avx2)
ROW(winograd_nhwc_f32_portable, ingot__winograd_portable)
