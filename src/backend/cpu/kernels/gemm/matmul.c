/* MatMul in float32: act(alpha A B + bias + residual), with NumPy's broadcasting of batches. A constant two-dimensional B is packed when
 * the engine is built (row `matmul`); any other is packed while running, a block of panels at a time (`matmul_dynamic`). A is read in
 * place, or, where transposed, a tile's rows are copied first. */
#include "backend/cpu/kernels/gemm/matmul.h"
#include "backend/cpu/kernels/gemm/tile.h"

typedef struct matmul {
  const ingot__call *call;
  const ingot__tiles *tiles;
  ingot__finish finish;
  ingot__matmul g;
  size_t panels, parts, block;
  bool constant, by_panels;
  size_t bias_bytes, panel_bytes, per_thread;                           /* of a thread's workspace: bias, packed block, all */
} matmul;

static bool prepare(const ingot__call *call, bool constant, const ingot__tiles *tiles, matmul *d) {
  *d = (matmul){.call = call, .tiles = tiles, .constant = constant};
  if (!ingot__matmul_get(call, INGOT_FLOAT32, constant, &d->g)) return false;
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(call, MatMul);
  ingot__finish_set(&d->finish, attrs->act, attrs->act_alpha, attrs->act_beta);
  d->panels = ingot__panels(d->g.n);
  if (!tiles) return true;
  const size_t most = ingot__tile_rows(tiles, d->panels, d->g.a_k == 1 ? d->g.a_m : d->g.k), n = call->threads > 1 ? (size_t)call->threads : 1;
  d->parts = (d->g.m + most - 1) / most;
  d->block = ingot__panel_block(d->g.k, d->panels);
  const double by_panels = ingot__imbalance((d->g.batches * d->panels + 1) / 2, n), by_parts = ingot__imbalance(d->parts, n);
  d->by_panels = !constant || d->g.n > d->g.m ? by_panels <= by_parts * 1.2 : by_panels * 1.1 < by_parts;
  d->bias_bytes = !constant && d->g.bias ? ingot__align(d->panels * INGOT__PANEL * sizeof(float), 64) : 0;
  d->panel_bytes = constant ? 0 : d->block * d->g.k * INGOT__PANEL * sizeof(float);
  d->per_thread = d->bias_bytes + d->panel_bytes;
  if (d->g.a_k != 1 && d->g.k > 1) d->per_thread += ingot__align(most * d->g.k * sizeof(float), 64);
  return true;
}

/* Panels [begin, end) of one batch element, for the tiles [part_begin, part_end). */
static void multiply(const matmul *d, size_t batch, size_t begin, size_t end, size_t part_begin, size_t part_end, const float *bias, float *space) {
  const ingot__call *call = d->call;
  const ingot__matmul_at at = ingot__matmul_place(&d->g, batch);
  const float *a = (const float *)call->in[0].data + at.a;
  float *c = (float *)call->out[0].data + at.c;
  const float *residual = d->g.residual ? (const float *)call->in[3].data + at.r : NULL;
  const size_t zero = 0;
  float *rows = space ? space + d->panel_bytes / sizeof(float) : NULL; /* a transposed A's */
  for (size_t first = begin; first < end; first += d->block) {
    const size_t last = end - first < d->block ? end : first + d->block;
    const float *b = space;
    if (d->constant) b = (const float *)call->packed + first * d->g.k * INGOT__PANEL;
    else {
      const float alpha = INGOT__ATTRS(call, MatMul)->alpha;
      ingot__pack_panels((const float *)call->in[1].data + at.b, d->g.b_k, d->g.b_n, d->g.k, d->g.n, alpha, first, last, space);
    }
    for (size_t part = part_begin; part < part_end; part++) {
      const size_t row = d->g.m * part / d->parts, count = d->g.m * (part + 1) / d->parts - row;
      const float *from = a + row * d->g.a_m;
      ingot__tile tile = {.a = &from, .b_row = &zero, .runs = 1, .length = d->g.k, .a_stride = d->g.a_m, .b = b, .b_stride = d->g.k * INGOT__PANEL,
                          .bias = bias, .c = c + row * d->g.c_m, .c_stride = d->g.c_m, .residual = residual ? residual + row * d->g.r_m : NULL,
                          .residual_stride = d->g.r_m};
      if (d->g.a_k != 1 && d->g.k > 1) {
        for (size_t k = 0; k < d->g.k; k++)
          for (size_t i = 0; i < count; i++) rows[i * d->g.k + k] = from[k * d->g.a_k + i * d->g.a_m];
        from = rows;
        tile.a_stride = d->g.k;
      }
      ingot__tile_panels(d->tiles, &tile, &d->finish, count, d->g.n, first, last);
    }
  }
}

static void work(void *arg, int index, int n) {
  const matmul *d = arg;
  float *space = d->per_thread ? (float *)(void *)((char *)d->call->workspace + (size_t)index * d->per_thread) : NULL;
  const float *bias = d->g.bias && d->constant ? (const float *)d->call->packed + d->panels * d->g.k * INGOT__PANEL : NULL;
  if (d->g.bias && !d->constant) { /* padded to whole panels */
    memset(space, 0, d->bias_bytes);
    memcpy(space, d->call->in[2].data, d->g.n * sizeof(float));
    bias = space;
    space += d->bias_bytes / sizeof(float);
  }
  if (d->by_panels) {
    size_t begin, end;
    ingot__share(d->g.batches * d->panels, 2, index, n, &begin, &end);
    while (begin < end) {
      const size_t p = begin % d->panels, count = d->panels - p < end - begin ? d->panels - p : end - begin;
      multiply(d, begin / d->panels, p, p + count, 0, d->parts, bias, space);
      begin += count;
    }
  } else {
    size_t begin, end;
    ingot__share(d->parts, 1, index, n, &begin, &end);
    if (begin < end)
      for (size_t batch = 0; batch < d->g.batches; batch++) multiply(d, batch, 0, d->panels, begin, end, bias, space);
  }
}

static bool supports(const ingot__call *call, bool constant) {
  matmul d;
  return prepare(call, constant, NULL, &d);
}

static double cost(const ingot__call *call, bool constant, const ingot__tiles *tiles) {
  matmul d;
  if (!prepare(call, constant, tiles, &d)) return 1e9;
  const ingot__cpu_rates *rates = ingot__cpu_rates_get(tiles->isa);
  const double threads = call->threads > 1 ? call->threads : 1, rows = (double)d.g.m * (double)d.g.batches;
  double compute = ingot__product_seconds(tiles, rows, d.g.m, d.g.k, d.g.n, 1);
  const double b = (double)d.g.k * (double)d.g.n * (double)(constant ? 1 : d.g.batches) * 4;
  if (!constant) compute += b / 16e9;
  const double bytes = b + 4 * rows * (double)(d.g.k + d.g.n);
  const double move = bytes / (bytes < (double)ingot__cpu_info()->l2 ? rates->l2_bytes : rates->memory_bytes * 2);
  return 1e-6 + (compute > move ? compute : move) / threads;
}

static size_t workspace(const ingot__call *call, bool constant, const ingot__tiles *tiles) {
  matmul d;
  return prepare(call, constant, tiles, &d) ? d.per_thread * (call->threads > 1 ? (size_t)call->threads : 1) : 0;
}

static ingot_status run(const ingot__call *call, bool constant, const ingot__tiles *tiles) {
  matmul d;
  if (!prepare(call, constant, tiles, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a product that this kernel doesn't take");
  ingot__pool_run(call->pool, work, &d);
  return INGOT_OK;
}

static size_t pack_size(const ingot__call *call) {
  matmul d;
  size_t bytes;
  if (!prepare(call, true, NULL, &d)) return 0;
  return ingot__mul(ingot__panel_floats(1, d.g.k, d.g.n), sizeof(float), &bytes) ? bytes : SIZE_MAX;
}

static void pack(const ingot__call *call, void *packed) {
  matmul d;
  if (!prepare(call, true, NULL, &d)) return;
  float *bias = (float *)packed + d.panels * d.g.k * INGOT__PANEL;
  ingot__pack_panels(call->in[1].data, d.g.b_k, d.g.b_n, d.g.k, d.g.n, INGOT__ATTRS(call, MatMul)->alpha, 0, d.panels, packed);
  memset(bias, 0, d.panels * INGOT__PANEL * sizeof(float));
  if (d.g.bias) memcpy(bias, call->in[2].data, d.g.n * sizeof(float));
}

#define ROW(name, constant, tiles, ...) \
  static bool name##_supports(const ingot__call *call) { return supports(call, constant); } \
  static double name##_cost(const ingot__call *call) { return cost(call, constant, &tiles); } \
  static size_t name##_workspace(const ingot__call *call) { return workspace(call, constant, &tiles); } \
  static ingot_status name##_run(const ingot__call *call) { return run(call, constant, &tiles); } \
  const ingot__kernel_functions ingot__cpu_##name = { \
    .supports = name##_supports, .cost = name##_cost, .workspace = name##_workspace, __VA_ARGS__ .run = name##_run};
#define PACKED .pack_size = pack_size, .pack = pack, .pack_format = "panel16", .packs_inputs = 1u << 1 | 1u << 2,
ROW(matmul_f32_avx512, true, ingot__tiles_avx512, PACKED)
ROW(matmul_f32_avx2, true, ingot__tiles_avx2, PACKED)
ROW(matmul_f32_portable, true, ingot__tiles_portable, PACKED)
ROW(matmul_dynamic_f32_avx512, false, ingot__tiles_avx512)
ROW(matmul_dynamic_f32_avx2, false, ingot__tiles_avx2)
ROW(matmul_dynamic_f32_portable, false, ingot__tiles_portable)
