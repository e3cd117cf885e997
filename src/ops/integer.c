/* MatMulInteger: products of 8-bit matrices less their zero points, summed in 32 bits; and DynamicQuantizeLinear, which makes such matrices.
 *
 * MatMulInteger(A, B, a_zero, b_zero, scale, bias): with a scale, which is ours, the result is float32: sum * scale + bias, of one element or one
 * a column each. */
#include "ops/ints.h"
#include "ops/move.h"
#include <math.h>

static bool is_byte(ingot_dtype t) { return t == INGOT_UINT8 || t == INGOT_INT8; }

static ingot_status check_zero(ingot__infer *f, size_t i, const ingot__type *of) {
  if (!ingot__infer_has(f, i)) return INGOT_OK;
  const ingot__type *z = f->in[i];
  size_t n;
  if (z->dtype != of->dtype) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "zero point %zu has another type than its matrix", i - 2);
  if (z->rank <= 0 || of->rank < 0 || (ingot__type_count(z, &n) && n == 1)) return INGOT_OK;
  bool rows = i == 2, fits = z->rank == 1 || z->rank == of->rank;
  ingot__dim d;
  if (z->rank == 1) {
    ingot__dim want = of->rank == 1 ? 1 : of->dim[of->rank - (rows ? 2 : 1)];
    return ingot__dim_merge(f, z->dim[0], want, "matrix and zero point", &d);
  }
  for (int k = 0; fits && k < z->rank; k++) {
    if (k == z->rank - (rows ? 1 : 2)) fits = z->dim[k] < 0 || z->dim[k] == 1;
    else fits = z->dim[k] < 0 || of->dim[k] < 0 || z->dim[k] == of->dim[k];
  }
  return fits ? INGOT_OK : INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "zero point %zu doesn't fit its matrix", i - 2);
}

ingot_status ingot__infer_MatMulInteger(ingot__infer *f) {
  bool unknown, unknown_b, scaled = ingot__infer_has(f, 4);
  INGOT_TRY(ingot__infer_rank(f, 0, 1, -1, &unknown));
  INGOT_TRY(ingot__infer_rank(f, 1, 1, -1, &unknown_b));
  const ingot__type *a = f->in[0], *b = f->in[1];
  if (!is_byte(a->dtype) || !is_byte(b->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "takes matrices of int8 or uint8");
  INGOT_TRY(check_zero(f, 2, a));
  INGOT_TRY(check_zero(f, 3, b));
  ingot__type *out = &f->out[0];
  ingot__type_unknown(out, scaled ? INGOT_FLOAT32 : INGOT_INT32);
  if (unknown || unknown_b) return INGOT_OK;
  ingot__dim n = b->rank > 1 ? b->dim[b->rank - 1] : 1, k;
  INGOT_TRY(ingot__dim_merge(f, a->dim[a->rank - 1], b->dim[b->rank > 1 ? b->rank - 2 : 0], "inner dims", &k));
  for (size_t i = 4; i < 6; i++) {
    size_t count;
    if (!ingot__infer_has(f, i)) continue;
    if (!scaled || f->in[i]->dtype != INGOT_FLOAT32) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "scale and bias must be float32");
    if (!ingot__type_count(f->in[i], &count)) continue;
    if (count != 1 && (n < 0 || count != (size_t)n)) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "input %zu has %zu elements", i, count);
  }
  ingot__type batch_a = *a, batch_b = *b;
  batch_a.rank = (int8_t)(a->rank > 2 ? a->rank - 2 : 0);
  batch_b.rank = (int8_t)(b->rank > 2 ? b->rank - 2 : 0);
  INGOT_TRY(ingot__infer_broadcast(f, &batch_a, &batch_b, out));
  out->dtype = scaled ? INGOT_FLOAT32 : INGOT_INT32;
  if (a->rank > 1) out->dim[out->rank++] = a->dim[a->rank - 2];
  if (b->rank > 1) out->dim[out->rank++] = n;
  return INGOT_OK;
}

static int32_t byte_at(const ingot__view *v, int64_t i) {
  return v->dtype == INGOT_UINT8 ? ((const uint8_t *)v->data)[i] : ((const int8_t *)v->data)[i];
}

/* The zero point for row (of A) or column (of B) r of matrix `batch`, counted over the operand's own leading dims. */
static int32_t zero_at(const ingot__call *call, size_t slot, int64_t batch, int64_t r, int64_t rows) {
  if (!ingot__has_in(call, slot)) return 0;
  const ingot__view *z = &call->in[slot];
  int64_t n = ingot__view_count(z);
  return n == 1 ? byte_at(z, 0) : n == rows ? byte_at(z, r) : byte_at(z, batch * rows + r);
}

/* Which matrix of an operand the output's matrix `at` is made of. */
static int64_t matrix_of(const ingot__view *out, int batch, const ingot__view *v, int64_t at) {
  int64_t index = 0, step = 1;
  for (int i = batch - 1, k = v->rank - 3; i >= 0; i--, k--) {
    int64_t c = at % out->dim[i];
    at /= out->dim[i];
    if (k < 0) continue;
    if (v->dim[k] != 1) index += c * step;
    step *= v->dim[k];
  }
  return index;
}

typedef struct job { const ingot__call *call; int64_t m, n, k; int batch; } job;

static void rows_of(void *arg, int i, int threads) {
  const job *j = arg;
  const ingot__call *call = j->call;
  const ingot__view *a = &call->in[0], *b = &call->in[1], *out = &call->out[0];
  size_t begin, end;
  int64_t count = j->n ? ingot__view_count(out) / j->n : 0;
  ingot__share((size_t)count, 1, i, threads, &begin, &end);
  for (int64_t row = (int64_t)begin; row < (int64_t)end; row++) {
    int64_t at = row / j->m, r = row % j->m, from = matrix_of(out, j->batch, a, at), by = matrix_of(out, j->batch, b, at);
    int32_t za = zero_at(call, 2, from, r, j->m);
    for (int64_t c = 0; c < j->n; c++) {
      int32_t zb = zero_at(call, 3, by, c, j->n);
      uint32_t sum = 0;
      for (int64_t k = 0; k < j->k; k++) {
        int32_t x = byte_at(a, (from * j->m + r) * j->k + k) - za, y = byte_at(b, (by * j->k + k) * j->n + c) - zb;
        sum += (uint32_t)(x * y);
      }
      if (!ingot__has_in(call, 4)) {
        ((int32_t *)out->data)[row * j->n + c] = (int32_t)sum;
        continue;
      }
      double v = (double)(int32_t)sum * ingot__get_double(INGOT_FLOAT32, call->in[4].data, ingot__view_count(&call->in[4]) == 1 ? 0 : (size_t)c);
      if (ingot__has_in(call, 5)) v += ingot__get_double(INGOT_FLOAT32, call->in[5].data, ingot__view_count(&call->in[5]) == 1 ? 0 : (size_t)c);
      ((float *)out->data)[row * j->n + c] = (float)v;
    }
  }
}

ingot_status ingot__ref_MatMulInteger(const ingot__call *call) {
  const ingot__view *a = &call->in[0], *b = &call->in[1], *out = &call->out[0];
  bool has_m = a->rank > 1, has_n = b->rank > 1;
  job j = {.call = call, .m = has_m ? a->dim[a->rank - 2] : 1, .n = has_n ? b->dim[b->rank - 1] : 1, .k = a->dim[a->rank - 1]};
  j.batch = out->rank - (has_m ? 1 : 0) - (has_n ? 1 : 0);
  ingot__pool_run(call->pool, rows_of, &j);
  return INGOT_OK;
}

/* ---- DynamicQuantizeLinear: y = x in uint8 over the range of x and 0; scale = range / 255, zero = round(-min / scale). A range of 0 has
 * scale 1, so that nothing is divided by it. */

ingot_status ingot__infer_DynamicQuantizeLinear(ingot__infer *f) {
  if (!ingot__infer_has(f, 0) || f->in[0]->dtype != INGOT_FLOAT32) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "quantises float32");
  f->out[0] = *f->in[0];
  f->out[0].dtype = INGOT_UINT8;
  if (f->n_out > 1) f->out[1] = (ingot__type){.dtype = INGOT_FLOAT32};
  if (f->n_out > 2) f->out[2] = (ingot__type){.dtype = INGOT_UINT8};
  return INGOT_OK;
}

ingot_status ingot__ref_DynamicQuantizeLinear(const ingot__call *call) {
  const float *x = call->in[0].data;
  size_t n = (size_t)ingot__view_count(&call->in[0]);
  float low = 0, high = 0;
  for (size_t i = 0; i < n; i++) low = x[i] < low ? x[i] : low, high = x[i] > high ? x[i] : high;
  float scale = high - low == 0 ? 1 : (high - low) / 255, zero = rintf(fminf(fmaxf(-low / scale, 0), 255));
  uint8_t *y = ingot__has_out(call, 0) ? call->out[0].data : NULL;
  for (size_t i = 0; y && i < n; i++) {
    float v = rintf(x[i] / scale) + zero;
    y[i] = v > 0 ? v < 255 ? (uint8_t)v : 255 : 0; /* NaN is 0 */
  }
  if (ingot__has_out(call, 1)) memcpy(call->out[1].data, &scale, sizeof scale);
  if (ingot__has_out(call, 2)) *(uint8_t *)call->out[2].data = (uint8_t)zero;
  return INGOT_OK;
}
