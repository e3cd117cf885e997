/* From a MatMul node's views to sizes and strides; see the header. */
#include "backend/cpu/kernels/gemm/matmul.h"

/* The stride of batch axis i of `rank`, for a view whose batch axes are its first `own`. */
static size_t batch_stride(const ingot__view *v, size_t own, size_t i, size_t rank) {
  if (i + own < rank) return 0;
  const size_t axis = i + own - rank;
  return v->dim[axis] == 1 ? 0 : (size_t)v->stride[axis];
}

/* Batch axes become rows as long as B is the same for them and the rows continue evenly. */
static void merge_batches(ingot__matmul *d) {
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

bool ingot__matmul_get(const ingot__call *call, ingot_dtype type, bool constant, ingot__matmul *d) {
  *d = (ingot__matmul){0};
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(call, MatMul);
  const ingot__view *a = &call->in[0], *b = &call->in[1], *c = &call->out[0], *r = &call->in[3];
  if (a->dtype != type || b->dtype != type || c->dtype != type || a->rank < 1 || b->rank < 1) return false;
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
    if (bias->dtype != type || bias->rank < 1 || (size_t)bias->dim[bias->rank - 1] != d->n || (size_t)ingot__view_count(bias) != d->n) return false;
    if (constant ? !bias->constant : !bias->dense) return false;
  }
  if (d->residual) {
    if (r->dtype != type || r->rank != c->rank || (b->rank > 1 && d->n > 1 && r->stride[last] != 1)) return false;
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
  return true;
}

ingot__matmul_at ingot__matmul_place(const ingot__matmul *d, size_t batch) {
  ingot__matmul_at at = {0};
  for (size_t i = d->rank; i-- > 0; batch /= d->batch[i]) {
    const size_t x = batch % d->batch[i];
    at.a += x * d->a_b[i], at.b += x * d->b_b[i], at.c += x * d->c_b[i], at.r += x * d->r_b[i];
  }
  return at;
}
