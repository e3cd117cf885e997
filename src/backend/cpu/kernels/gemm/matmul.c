/* MatMul in float32: act(alpha A B + bias + residual), with NumPy's broadcasting of batches. A constant two-dimensional B is packed when
 * the engine is built (row `matmul`); any other is packed while running, a block of panels at a time (`matmul_dynamic`). A is read in
 * place, or, where transposed, a tile's rows are copied first. */
#include "backend/cpu/kernels/gemm/tile.h"

enum { MAX_BATCH = INGOT_MAX_RANK };

typedef struct matmul {
  const ingot__call *call;
  const ingot__tiles *tiles;
  ingot__finish finish;
  size_t m, n, k, panels, parts, block;
  size_t a_m, a_k, b_k, b_n, c_m, r_m;                                  /* strides in floats */
  size_t batches, rank, batch[MAX_BATCH];                               /* in all, and by axis, outermost first */
  size_t a_b[MAX_BATCH], b_b[MAX_BATCH], c_b[MAX_BATCH], r_b[MAX_BATCH]; /* strides by axis; 0: broadcast */
  bool constant, bias, residual, by_panels;
  size_t bias_bytes, panel_bytes, per_thread;                           /* of a thread's workspace: bias, packed block, all */
} matmul;

static bool is_float(const ingot__view *v) { return v->dtype == INGOT_FLOAT32; }

/* The stride of batch axis i of `rank`, for a view whose batch axes are its first `own`. */
static size_t batch_stride(const ingot__view *v, size_t own, size_t i, size_t rank) {
  if (i + own < rank) return 0;
  const size_t axis = i + own - rank;
  return v->dim[axis] == 1 ? 0 : (size_t)v->stride[axis];
}

/* Batch axes become rows as long as B is the same for them and the rows continue evenly. */
static void merge_batches(matmul *d) {
  while (d->rank > 0) {
    const size_t i = d->rank - 1, count = d->batch[i];
    if (count != 1) {
      if (d->b_b[i] != 0) return;
      const bool one = d->m == 1; /* then the batch's strides are the rows' */
      if (!one && (d->a_b[i] != d->m * d->a_m || d->c_b[i] != d->m * d->c_m || (d->residual && d->r_b[i] != d->m * d->r_m))) return;
      if (one) d->a_m = d->a_b[i], d->c_m = d->c_b[i], d->r_m = d->r_b[i];
      d->m *= count;
    }
    d->rank--;
  }
}

static bool prepare(const ingot__call *call, bool constant, const ingot__tiles *tiles, matmul *d) {
  *d = (matmul){.call = call, .tiles = tiles, .constant = constant};
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(call, MatMul);
  const ingot__view *a = &call->in[0], *b = &call->in[1], *c = &call->out[0], *r = &call->in[3];
  if (!is_float(a) || !is_float(b) || !is_float(c) || a->rank < 1 || b->rank < 1) return false;
  if (a->layout != INGOT__PLAIN || b->layout != INGOT__PLAIN || c->layout != INGOT__PLAIN) return false;
  const size_t a_own = a->rank > 1 ? (size_t)a->rank - 2 : 0, b_own = b->rank > 1 ? (size_t)b->rank - 2 : 0;
  const size_t inner = (size_t)(a->rank > 1) + (size_t)(b->rank > 1);
  if (c->rank < inner) return false;
  d->rank = (size_t)c->rank - inner;
  d->bias = ingot__has_in(call, 2), d->residual = ingot__has_in(call, 3);

  const int a_row = a->rank - 2 + (attrs->trans_a ? 1 : 0), a_in = a->rank - 2 + (attrs->trans_a ? 0 : 1);
  const int b_in = b->rank - 2 + (attrs->trans_b ? 1 : 0), b_col = b->rank - 2 + (attrs->trans_b ? 0 : 1);
  d->m = a->rank > 1 ? (size_t)a->dim[a_row] : 1, d->k = (size_t)a->dim[a->rank > 1 ? a_in : 0];
  d->n = b->rank > 1 ? (size_t)b->dim[b_col] : 1;
  if ((size_t)b->dim[b->rank > 1 ? b_in : 0] != d->k || d->n == 0) return false;
  d->a_m = a->rank > 1 ? (size_t)a->stride[a_row] : 0, d->a_k = (size_t)a->stride[a->rank > 1 ? a_in : 0];
  d->b_k = (size_t)b->stride[b->rank > 1 ? b_in : 0], d->b_n = b->rank > 1 ? (size_t)b->stride[b_col] : 1;
  const int last = c->rank - 1, row = b->rank > 1 ? last - 1 : last;
  d->c_m = a->rank > 1 ? (size_t)c->stride[row] : 0;
  if (b->rank > 1 && d->n > 1 && c->stride[last] != 1) return false;
  if (constant && (b_own > 0 || !b->constant)) return false;
  if (d->bias) {
    const ingot__view *bias = &call->in[2];
    if (!is_float(bias) || bias->rank < 1 || (size_t)bias->dim[bias->rank - 1] != d->n || (size_t)ingot__view_count(bias) != d->n) return false;
    if (constant ? !bias->constant : !bias->dense) return false;
  }
  if (d->residual) {
    if (!is_float(r) || r->rank != c->rank || (b->rank > 1 && d->n > 1 && r->stride[last] != 1)) return false;
    for (int i = 0; i < c->rank; i++)
      if (r->dim[i] != c->dim[i]) return false;
    d->r_m = a->rank > 1 ? (size_t)r->stride[row] : 0;
  }
  for (size_t i = 0; i < d->rank; i++) {
    d->batch[i] = (size_t)c->dim[i];
    d->a_b[i] = batch_stride(a, a_own, i, d->rank), d->b_b[i] = batch_stride(b, b_own, i, d->rank);
    d->c_b[i] = (size_t)c->stride[i], d->r_b[i] = d->residual ? (size_t)r->stride[i] : 0;
  }
  merge_batches(d);
  d->batches = 1;
  for (size_t i = 0; i < d->rank; i++) d->batches *= d->batch[i];
  ingot__finish_set(&d->finish, attrs->act, attrs->act_alpha, attrs->act_beta);
  d->panels = ingot__panels(d->n);
  if (!tiles) return true;
  const size_t most = ingot__tile_rows(tiles, d->panels, d->a_k == 1 ? d->a_m : d->k), n = call->threads > 1 ? (size_t)call->threads : 1;
  d->parts = (d->m + most - 1) / most;
  d->block = ingot__panel_block(d->k, d->panels);
  const double by_panels = ingot__imbalance((d->batches * d->panels + 1) / 2, n), by_parts = ingot__imbalance(d->parts, n);
  d->by_panels = !constant || d->n > d->m ? by_panels <= by_parts * 1.2 : by_panels * 1.1 < by_parts;
  d->bias_bytes = !constant && d->bias ? ingot__align(d->panels * INGOT__PANEL * sizeof(float), 64) : 0;
  d->panel_bytes = constant ? 0 : d->block * d->k * INGOT__PANEL * sizeof(float);
  d->per_thread = d->bias_bytes + d->panel_bytes;
  if (d->a_k != 1 && d->k > 1) d->per_thread += ingot__align(most * d->k * sizeof(float), 64);
  return true;
}

/* Panels [begin, end) of one batch element, for the tiles [part_begin, part_end). */
static void multiply(const matmul *d, size_t batch, size_t begin, size_t end, size_t part_begin, size_t part_end, const float *bias, float *space) {
  const ingot__call *call = d->call;
  size_t a_at = 0, b_at = 0, c_at = 0, r_at = 0;
  for (size_t i = d->rank, rest = batch; i-- > 0; rest /= d->batch[i]) {
    const size_t x = rest % d->batch[i];
    a_at += x * d->a_b[i], b_at += x * d->b_b[i], c_at += x * d->c_b[i], r_at += x * d->r_b[i];
  }
  const float *a = (const float *)call->in[0].data + a_at;
  float *c = (float *)call->out[0].data + c_at;
  const float *residual = d->residual ? (const float *)call->in[3].data + r_at : NULL;
  const size_t zero = 0;
  float *rows = space ? space + d->panel_bytes / sizeof(float) : NULL; /* a transposed A's */
  for (size_t first = begin; first < end; first += d->block) {
    const size_t last = end - first < d->block ? end : first + d->block;
    const float *b = space;
    if (d->constant) b = (const float *)call->packed + first * d->k * INGOT__PANEL;
    else {
      const float alpha = INGOT__ATTRS(call, MatMul)->alpha;
      ingot__pack_panels((const float *)call->in[1].data + b_at, d->b_k, d->b_n, d->k, d->n, alpha, first, last, space);
    }
    for (size_t part = part_begin; part < part_end; part++) {
      const size_t row = d->m * part / d->parts, count = d->m * (part + 1) / d->parts - row;
      const float *from = a + row * d->a_m;
      ingot__tile tile = {.a = &from, .b_row = &zero, .runs = 1, .length = d->k, .a_stride = d->a_m, .b = b, .b_stride = d->k * INGOT__PANEL,
                          .bias = bias, .c = c + row * d->c_m, .c_stride = d->c_m, .residual = residual ? residual + row * d->r_m : NULL,
                          .residual_stride = d->r_m};
      if (d->a_k != 1 && d->k > 1) {
        for (size_t k = 0; k < d->k; k++)
          for (size_t i = 0; i < count; i++) rows[i * d->k + k] = from[k * d->a_k + i * d->a_m];
        from = rows;
        tile.a_stride = d->k;
      }
      ingot__tile_panels(d->tiles, &tile, &d->finish, count, d->n, first, last);
    }
  }
}

static void work(void *arg, int index, int n) {
  const matmul *d = arg;
  float *space = d->per_thread ? (float *)(void *)((char *)d->call->workspace + (size_t)index * d->per_thread) : NULL;
  const float *bias = d->bias && d->constant ? (const float *)d->call->packed + d->panels * d->k * INGOT__PANEL : NULL;
  if (d->bias && !d->constant) { /* padded to whole panels */
    memset(space, 0, d->bias_bytes);
    memcpy(space, d->call->in[2].data, d->n * sizeof(float));
    bias = space;
    space += d->bias_bytes / sizeof(float);
  }
  if (d->by_panels) {
    size_t begin, end;
    ingot__share(d->batches * d->panels, 2, index, n, &begin, &end);
    while (begin < end) {
      const size_t p = begin % d->panels, count = d->panels - p < end - begin ? d->panels - p : end - begin;
      multiply(d, begin / d->panels, p, p + count, 0, d->parts, bias, space);
      begin += count;
    }
  } else {
    size_t begin, end;
    ingot__share(d->parts, 1, index, n, &begin, &end);
    if (begin < end)
      for (size_t batch = 0; batch < d->batches; batch++) multiply(d, batch, 0, d->panels, begin, end, bias, space);
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
  const double threads = call->threads > 1 ? call->threads : 1, rows = (double)d.m * (double)d.batches;
  double compute = ingot__product_seconds(tiles, rows, d.m, d.k, d.n, 1);
  const double b = (double)d.k * (double)d.n * (double)(constant ? 1 : d.batches) * 4;
  if (!constant) compute += b / 16e9;
  const double bytes = b + 4 * rows * (double)(d.k + d.n);
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
  return ingot__mul(ingot__panel_floats(1, d.k, d.n), sizeof(float), &bytes) ? bytes : SIZE_MAX;
}

static void pack(const ingot__call *call, void *packed) {
  matmul d;
  if (!prepare(call, true, NULL, &d)) return;
  float *bias = (float *)packed + d.panels * d.k * INGOT__PANEL;
  ingot__pack_panels(call->in[1].data, d.b_k, d.b_n, d.k, d.n, INGOT__ATTRS(call, MatMul)->alpha, 0, d.panels, packed);
  memset(bias, 0, d.panels * INGOT__PANEL * sizeof(float));
  if (d.bias) memcpy(bias, call->in[2].data, d.n * sizeof(float));
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
