/* MatMul and Gemm: inference and one reference, out = act(alpha * A B + beta * bias + residual), summed in double (integers: modulo 2^64).
 * MatMul has NumPy's meaning: 1-D operands count as a row and a column and their dim goes from the result, leading dims broadcast. */
#include "ops/ints.h"
#include "ops/rows.h"

static bool is_product_type(ingot_dtype t) {
  return ingot__dtype_is_real(t) || t == INGOT_INT32 || t == INGOT_INT64 || t == INGOT_UINT32 || t == INGOT_UINT64;
}

static ingot_status check_types(ingot__infer *infer) {
  ingot_dtype t = infer->in[0]->dtype;
  if (!is_product_type(t)) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(t));
  for (size_t i = 1; i < infer->n_in; i++) {
    if (infer->in[i] && infer->in[i]->dtype != t) {
      return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "input %zu is %s, the first is %s", i, ingot_dtype_name(infer->in[i]->dtype),
                               ingot_dtype_name(t));
    }
  }
  return INGOT_OK;
}

/* Whether input i, if there, broadcasts to out. */
static ingot_status check_addend(ingot__infer *infer, size_t i, const ingot__type *out) {
  if (i >= infer->n_in || !infer->in[i] || infer->in[i]->rank < 0) return INGOT_OK;
  const ingot__type *t = infer->in[i];
  bool fits = t->rank <= out->rank;
  for (int k = 1; fits && k <= t->rank; k++) {
    ingot__dim have = t->dim[t->rank - k], want = out->dim[out->rank - k];
    fits = have == 1 || have < 0 || want < 0 || have == want;
  }
  return fits ? INGOT_OK : INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "input %zu does not broadcast to the product", i);
}

static ingot_status check_inner(ingot__infer *infer, ingot__dim a, ingot__dim b) {
  if (a < 0 || b < 0 || a == b) return INGOT_OK;
  return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "rows of the first operand have %lld elements, columns of the second %lld", (long long)a,
                           (long long)b);
}

ingot_status ingot__infer_MatMul(ingot__infer *infer) {
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(infer, MatMul);
  bool unknown, unknown_b;
  INGOT_TRY(ingot__infer_rank(infer, 0, 1, -1, &unknown));
  INGOT_TRY(ingot__infer_rank(infer, 1, 1, -1, &unknown_b));
  INGOT_TRY(check_types(infer));
  if (unknown || unknown_b) return INGOT_OK;
  const ingot__type *a = infer->in[0], *b = infer->in[1];
  bool ta = attrs->trans_a && a->rank > 1, tb = attrs->trans_b && b->rank > 1;
  ingot__dim m = a->rank > 1 ? a->dim[a->rank - (ta ? 1 : 2)] : 1, ka = a->dim[a->rank - (ta ? 2 : 1)];
  ingot__dim n = b->rank > 1 ? b->dim[b->rank - (tb ? 2 : 1)] : 1, kb = b->rank > 1 ? b->dim[b->rank - (tb ? 1 : 2)] : b->dim[0];
  INGOT_TRY(check_inner(infer, ka, kb));
  ingot__type batch_a = *a, batch_b = *b, *out = &infer->out[0];
  batch_a.rank = (int8_t)(a->rank > 2 ? a->rank - 2 : 0);
  batch_b.rank = (int8_t)(b->rank > 2 ? b->rank - 2 : 0);
  INGOT_TRY(ingot__infer_broadcast(infer, &batch_a, &batch_b, out));
  if (a->rank > 1) out->dim[out->rank++] = m;
  if (b->rank > 1) out->dim[out->rank++] = n;
  INGOT_TRY(check_addend(infer, 2, out));
  return check_addend(infer, 3, out);
}

ingot_status ingot__infer_Gemm(ingot__infer *infer) {
  const ingot__attrs_Gemm *attrs = INGOT__ATTRS(infer, Gemm);
  bool unknown, unknown_b;
  INGOT_TRY(ingot__infer_rank(infer, 0, 2, 2, &unknown));
  INGOT_TRY(ingot__infer_rank(infer, 1, 2, 2, &unknown_b));
  INGOT_TRY(check_types(infer));
  ingot__type *out = &infer->out[0];
  *out = (ingot__type){.dtype = infer->in[0]->dtype, .rank = 2, .dim = {INGOT__DIM_UNKNOWN, INGOT__DIM_UNKNOWN}};
  if (!unknown) out->dim[0] = infer->in[0]->dim[attrs->transA ? 1 : 0];
  if (!unknown_b) out->dim[1] = infer->in[1]->dim[attrs->transB ? 0 : 1];
  if (!unknown && !unknown_b) INGOT_TRY(check_inner(infer, infer->in[0]->dim[attrs->transA ? 0 : 1], infer->in[1]->dim[attrs->transB ? 1 : 0]));
  return check_addend(infer, 2, out);
}

enum { BLOCK = 16, MAX_BATCH = INGOT_MAX_RANK };
typedef struct product {
  const ingot__call *call;
  int64_t m, n, k, a_row, a_col, b_row, b_col; /* strides of the two operands' last two dims, as multiplied */
  int batch;                                   /* leading dims */
  int64_t dim[MAX_BATCH], a_batch[MAX_BATCH], b_batch[MAX_BATCH];
  /* bias and residual: strides along the leading dims, m and n */
  int64_t add_batch[2][MAX_BATCH], add_row[2], add_col[2];
  float alpha, beta, act_alpha, act_beta;
  int64_t act;
} product;

static void place(const product *p, int64_t batch, int64_t *a, int64_t *b, int64_t add[2]) {
  *a = *b = add[0] = add[1] = 0;
  for (int i = p->batch - 1; i >= 0; i--) {
    int64_t c = batch % p->dim[i];
    batch /= p->dim[i];
    *a += c * p->a_batch[i];
    *b += c * p->b_batch[i];
    for (int k = 0; k < 2; k++) add[k] += c * p->add_batch[k][i];
  }
}

static void compute(const product *p, int64_t batch, int64_t m0, int64_t n0, size_t n) {
  const ingot__call *call = p->call;
  ingot_dtype t = call->out[0].dtype;
  double acc[BLOCK][INGOT__ROW], row[INGOT__ROW] = {0}, left[INGOT__ROW][BLOCK];
  int64_t a, b, add[2];
  place(p, batch, &a, &b, add);
  size_t rows = (size_t)(p->m - m0 < BLOCK ? p->m - m0 : BLOCK);
  for (size_t r = 0; r < BLOCK; r++)
    for (size_t i = 0; i < INGOT__ROW; i++) acc[r][i] = 0;
  for (int64_t k0 = 0; k0 < p->k; k0 += INGOT__ROW) {
    int64_t kn = p->k - k0 < INGOT__ROW ? p->k - k0 : INGOT__ROW;
    for (size_t r = 0; r < rows; r++) {
      ingot__row_load(t, call->in[0].data, a + (m0 + (int64_t)r) * p->a_row + k0 * p->a_col, p->a_col, (size_t)kn, row);
      for (int64_t k = 0; k < kn; k++) left[k][r] = row[k];
    }
    for (int64_t k = 0; k < kn; k++) {
      ingot__row_load(t, call->in[1].data, b + (k0 + k) * p->b_row + n0 * p->b_col, p->b_col, n, row);
      ingot__row_mac(acc, left[k], 1, rows, row, n);
    }
  }
  for (size_t r = 0; r < rows; r++) {
    int64_t m = m0 + (int64_t)r;
    for (size_t i = 0; i < n; i++) acc[r][i] *= (double)p->alpha;
    for (int s = 0; s < 2; s++) {
      if (!ingot__has_in(call, (size_t)(2 + s))) continue;
      ingot__row_load(t, call->in[2 + s].data, add[s] + m * p->add_row[s] + n0 * p->add_col[s], p->add_col[s], n, row);
      double f = s == 0 ? (double)p->beta : 1;
      for (size_t i = 0; i < n; i++) acc[r][i] += f * row[i];
    }
    for (size_t i = 0; p->act && i < n; i++) acc[r][i] = ingot__row_act(t, p->act, p->act_alpha, p->act_beta, acc[r][i]);
    ingot__row_store(t, call->out[0].data, (batch * p->m + m) * p->n + n0, 1, n, acc[r]);
  }
}

static void compute_integers(const product *p, int64_t batch, int64_t m0, int64_t n0, size_t n) {
  const ingot__call *call = p->call;
  ingot_dtype t = call->out[0].dtype;
  int64_t a, b, add[2], end = p->m - m0 < BLOCK ? p->m : m0 + BLOCK;
  place(p, batch, &a, &b, add);
  for (int64_t m = m0; m < end; m++)
    for (int64_t i = n0; i < n0 + (int64_t)n; i++) {
      uint64_t sum = 0;
      for (int64_t k = 0; k < p->k; k++) {
        sum += (uint64_t)ingot__get_int(t, call->in[0].data, (size_t)(a + m * p->a_row + k * p->a_col)) *
               (uint64_t)ingot__get_int(t, call->in[1].data, (size_t)(b + k * p->b_row + i * p->b_col));
      }
      if (p->alpha != 1) sum = (uint64_t)(int64_t)(p->alpha * (double)(int64_t)sum);
      for (int s = 0; s < 2; s++) {
        if (!ingot__has_in(call, (size_t)(2 + s))) continue;
        int64_t v = ingot__get_int(t, call->in[2 + s].data, (size_t)(add[s] + m * p->add_row[s] + i * p->add_col[s]));
        sum += s == 0 && p->beta != 1 ? (uint64_t)(int64_t)(p->beta * (double)v) : (uint64_t)v;
      }
      size_t at = (size_t)((batch * p->m + m) * p->n + i);
      if (ingot__dtype_size(t) == 4) ((uint32_t *)call->out[0].data)[at] = (uint32_t)sum;
      else ((uint64_t *)call->out[0].data)[at] = sum;
    }
}

static void work(void *arg, int i, int n) {
  const product *p = arg;
  int64_t rows = (p->m + BLOCK - 1) / BLOCK, columns = (p->n + INGOT__ROW - 1) / INGOT__ROW, batches = 1;
  for (int k = 0; k < p->batch; k++) batches *= p->dim[k];
  size_t begin, end;
  ingot__share((size_t)(batches * rows * columns), 1, i, n, &begin, &end);
  bool real = ingot__dtype_is_real(p->call->out[0].dtype);
  for (size_t u = begin; u < end; u++) {
    int64_t row = (int64_t)u % rows, rest = (int64_t)u / rows, n0 = rest % columns * INGOT__ROW;
    size_t count = (size_t)(p->n - n0 < INGOT__ROW ? p->n - n0 : INGOT__ROW);
    (real ? compute : compute_integers)(p, rest / columns, row * BLOCK, n0, count);
  }
}

/* Strides of bias (s 0) and residual (s 1) along the product's dims; `has_m`, `has_n`: whether out has these dims. */
static void set_addend(product *p, int s, bool has_m, bool has_n) {
  const ingot__call *call = p->call;
  if (!ingot__has_in(call, (size_t)(2 + s))) return;
  const ingot__view *v = &call->in[2 + s];
  int at = v->rank - 1;
  if (has_n && at >= 0) p->add_col[s] = v->dim[at] == 1 ? 0 : v->stride[at], at--;
  if (has_m && at >= 0) p->add_row[s] = v->dim[at] == 1 ? 0 : v->stride[at], at--;
  for (int i = p->batch - 1; i >= 0 && at >= 0; i--, at--) p->add_batch[s][i] = v->dim[at] == 1 ? 0 : v->stride[at];
}

ingot_status ingot__ref_MatMul(const ingot__call *call) {
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(call, MatMul);
  const ingot__view *a = &call->in[0], *b = &call->in[1], *out = &call->out[0];
  product p = {.call = call, .alpha = attrs->alpha, .beta = 1, .act = attrs->act, .act_alpha = attrs->act_alpha, .act_beta = attrs->act_beta};
  bool has_m = a->rank > 1, has_n = b->rank > 1, ta = attrs->trans_a && has_m, tb = attrs->trans_b && has_n;
  int last = a->rank - 1;
  p.m = has_m ? a->dim[last - (ta ? 0 : 1)] : 1, p.k = a->dim[last - (ta ? 1 : 0)];
  p.a_row = has_m ? a->stride[last - (ta ? 0 : 1)] : 0, p.a_col = a->stride[last - (ta ? 1 : 0)];
  last = b->rank - 1;
  p.n = has_n ? b->dim[last - (tb ? 1 : 0)] : 1;
  p.b_row = b->stride[has_n ? last - (tb ? 0 : 1) : 0], p.b_col = has_n ? b->stride[last - (tb ? 1 : 0)] : 0;
  p.batch = out->rank - (has_m ? 1 : 0) - (has_n ? 1 : 0);
  for (int i = 0; i < p.batch; i++) {
    int ia = i - (p.batch - (a->rank - 2)), ib = i - (p.batch - (b->rank - 2));
    p.dim[i] = out->dim[i];
    p.a_batch[i] = has_m && ia >= 0 && a->dim[ia] != 1 ? a->stride[ia] : 0;
    p.b_batch[i] = has_n && ib >= 0 && b->dim[ib] != 1 ? b->stride[ib] : 0;
  }
  for (int s = 0; s < 2; s++) set_addend(&p, s, has_m, has_n);
  if (ingot__view_count(out)) ingot__pool_run(call->pool, work, &p);
  return INGOT_OK;
}

ingot_status ingot__ref_Gemm(const ingot__call *call) {
  const ingot__attrs_Gemm *attrs = INGOT__ATTRS(call, Gemm);
  const ingot__view *a = &call->in[0], *b = &call->in[1], *out = &call->out[0];
  product p = {.call = call, .alpha = attrs->alpha, .beta = attrs->beta, .m = out->dim[0], .n = out->dim[1]};
  int ta = attrs->transA != 0, tb = attrs->transB != 0;
  p.k = a->dim[1 - ta];
  p.a_row = a->stride[ta], p.a_col = a->stride[1 - ta];
  p.b_row = b->stride[tb], p.b_col = b->stride[1 - tb];
  set_addend(&p, 0, true, true);
  if (ingot__view_count(out)) ingot__pool_run(call->pool, work, &p);
  return INGOT_OK;
}
