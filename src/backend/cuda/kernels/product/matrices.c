/* Reads a MatMul's views and attributes, with NumPy's meaning of batches: those that can be are made rows, the rest are merged. */
#include <string.h>
#include "backend/cuda/kernels/product/matrices.h"
#include "backend/cuda/kernels/product/weights.h"

bool ingot__matrices_take(const ingot__call *call) {
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__view *a = &call->in[0], *b = &call->in[1], *y = &call->out[0];
  if (!ingot__cuda_is_float(a->dtype) || b->dtype != a->dtype || y->dtype != a->dtype) return false;
  if (a->rank < 1 || b->rank < 1 || y->rank < (a->rank > 1) + (b->rank > 1)) return false;
  if (a->layout != INGOT__PLAIN || b->layout != INGOT__PLAIN || y->layout != INGOT__PLAIN) return false;
  for (size_t i = 2; i < 4; i++)
    if (ingot__has_in(call, i) && (call->in[i].dtype != a->dtype || call->in[i].rank > y->rank || call->in[i].layout != INGOT__PLAIN)) return false;
  return INGOT__ATTRS(call, MatMul)->act <= INGOT__ACT_MISH;
}

void ingot__matrices_shape(const ingot__call *call, ingot__matrices *d) {
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(call, MatMul);
  const ingot__view *a = &call->in[0], *b = &call->in[1];
  *d = (ingot__matrices){.product = {.size = ingot__dtype_size(a->dtype)}};
  const int la = a->rank - 1, lb = b->rank - 1;
  d->a_strided = attrs->trans_a && a->rank > 1;
  const bool b_columns = b->rank == 1 || attrs->trans_b; /* k side by side */
  d->packed = b->constant;
  d->b_strided = !b_columns && !d->packed;
  d->m = a->rank > 1 ? a->dim[la - (d->a_strided ? 0 : 1)] : 1, d->k = a->dim[la - (d->a_strided ? 1 : 0)];
  d->n = b->rank > 1 ? b->dim[lb - (attrs->trans_b ? 1 : 0)] : 1;
  const int64_t chunk = ingot__product_chunk(d->product.size);
  d->padded = ingot__divide_up(d->k, chunk) * chunk;
  d->b_batches = 1;
  for (int i = 0; i < lb - 1; i++) d->b_batches *= b->dim[i];
}

size_t ingot__matrices_pack_size(const ingot__call *call) {
  ingot__matrices d;
  size_t n;
  if (!call->in[1].constant) return 0;
  ingot__matrices_shape(call, &d);
  if (!ingot__mul((size_t)d.b_batches, (size_t)d.n, &n) || !ingot__mul(n, (size_t)d.padded, &n) ||
      !ingot__mul(n, d.product.size, &n)) return SIZE_MAX;
  return n;
}

static void pack(const ingot__call *call, void *packed, bool tf32) {
  const ingot__view *b = &call->in[1];
  ingot__matrices d;
  if (!b->constant) return;
  ingot__matrices_shape(call, &d);
  const bool columns = b->rank == 1 || INGOT__ATTRS(call, MatMul)->trans_b;
  const int64_t k_stride = columns ? 1 : d.n, n_stride = columns ? d.k : 1;
  int64_t to = 0;
  for (int64_t i = 0; i < d.b_batches; i++)
    for (int64_t n = 0; n < d.n; n++)
      for (int64_t k = 0; k < d.padded; k++, to++)
        ingot__put_weight(packed, to, b->data, k < d.k ? i * d.n * d.k + n * n_stride + k * k_stride : -1, d.product.size, tf32);
}
void ingot__matrices_pack(const ingot__call *call, void *packed) { pack(call, packed, false); }
void ingot__matrices_pack_tf32(const ingot__call *call, void *packed) { pack(call, packed, true); }

/* Batch axes while they are read: A, B, out, and what is added. */
enum { A, B, OUT, ADD, TABLES = ADD + 2 };
typedef struct axes { int n; int64_t dim[PRODUCT_BATCH], stride[TABLES][PRODUCT_BATCH]; int64_t row[TABLES]; bool has[TABLES]; } axes;

/* The stride along axis i of `n` batch axes, for a view whose last `own` axes are no batch's. */
static int64_t batch_stride(const ingot__view *v, int own, int i, int n) {
  const int axis = v->rank - own - n + i;
  return axis < 0 || v->dim[axis] == 1 ? 0 : v->stride[axis];
}

/* The innermost batch axes become rows as long as B is the same for them and everything's rows continue evenly. */
static void batches_to_rows(axes *x, ingot__matrices *d) {
  while (x->n > 0) {
    const int i = x->n - 1;
    if (x->dim[i] != 1) {
      if (x->stride[B][i] != 0 || d->a_strided) return;
      for (int t = 0; t < TABLES; t++)
        if (t != B && x->has[t] && d->m != 1 && x->stride[t][i] != d->m * x->row[t]) return;
      for (int t = 0; t < TABLES; t++)
        if (t != B && d->m == 1) x->row[t] = x->stride[t][i];
      d->m *= x->dim[i];
    }
    x->n--;
  }
}

/* Axes that are steps of the same lengths everywhere are one; those of 1 are none. */
static void merge(axes *x) {
  int n = 0;
  for (int i = 0; i < x->n; i++) {
    const int64_t dim = x->dim[i];
    if (dim == 1) continue;
    bool even = n > 0;
    for (int t = 0; even && t < TABLES; t++) even = x->stride[t][n - 1] == dim * x->stride[t][i];
    if (even) x->dim[n - 1] *= dim;
    else x->dim[n++] = dim;
    for (int t = 0; t < TABLES; t++) x->stride[t][n - 1] = x->stride[t][i];
  }
  x->n = n;
}

static void set_addend(const ingot__call *call, size_t in, bool has_m, bool has_n, int n, axes *x, product_addend *add) {
  const ingot__view *v = &call->in[in];
  const int t = ADD + (int)in - 2;
  int own = 0;
  add->data = v->data;
  if (has_n && v->rank > own) add->column = v->dim[v->rank - 1] == 1 ? 0 : v->stride[v->rank - 1], own = 1;
  if (has_m && v->rank > own) x->row[t] = v->dim[v->rank - 1 - own] == 1 ? 0 : v->stride[v->rank - 1 - own], own++;
  for (int i = 0; i < n; i++) x->stride[t][i] = batch_stride(v, (has_n ? 1 : 0) + (has_m ? 1 : 0), i, n);
  x->has[t] = true;
}

ingot_status ingot__matrices_prepare(const ingot__call *call, ingot__matrices *d) {
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(call, MatMul);
  const ingot__view *a = &call->in[0], *b = &call->in[1], *y = &call->out[0];
  ingot__matrices_shape(call, d);
  product_params *p = &d->product.p;
  const bool has_m = a->rank > 1, has_n = b->rank > 1;
  axes x = {.n = y->rank - (has_m ? 1 : 0) - (has_n ? 1 : 0), .has = {[A] = true, [OUT] = true}};
  if (x.n > PRODUCT_BATCH) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "too many dims for this kernel");
  if (d->n > INT32_MAX / 2 || d->padded > INT32_MAX / 2) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "a matrix is too large for this kernel");
  const int ym = y->rank - (has_n ? 2 : 1);
  x.row[A] = has_m ? a->stride[a->rank - (d->a_strided ? 1 : 2)] : 0;
  x.row[OUT] = has_m ? y->stride[ym] : 0;
  for (int i = 0; i < x.n; i++) {
    x.dim[i] = y->dim[i];
    x.stride[A][i] = has_m ? batch_stride(a, 2, i, x.n) : 0;
    x.stride[B][i] = has_n ? batch_stride(b, 2, i, x.n) : 0;
    x.stride[OUT][i] = y->dim[i] == 1 ? 0 : y->stride[i];
  }
  if (d->packed) { /* its own strides */
    int64_t step = d->n * d->padded;
    for (int i = b->rank - 3; i >= 0; step *= b->dim[i], i--) x.stride[B][x.n - (b->rank - 2) + i] = b->dim[i] == 1 ? 0 : step;
  }
  for (size_t i = 2; i < 4; i++)
    if (ingot__has_in(call, i)) set_addend(call, i, has_m, has_n, x.n, &x, &p->add[i - 2]);
  batches_to_rows(&x, d);
  merge(&x);
  p->a = (product_operand){.data = a->data, .row = d->a_strided ? a->stride[a->rank - 2] : x.row[A]};
  p->b = d->packed ? (product_operand){.data = call->packed, .row = d->padded, .copy = 16}
                   : (product_operand){.data = b->data, .row = has_n ? b->stride[b->rank - 2] : 0};
  p->b_early = d->packed;
  p->out = y->data, p->out_row = x.row[OUT];
  p->n = (uint32_t)d->n, p->k = (uint32_t)d->k;
  p->batch_rank = x.n;
  d->product.batches = 1;
  int64_t strides[TABLES][PRODUCT_BATCH + 1];
  for (int t = 0; t < TABLES; t++) memcpy(strides[t], x.stride[t], sizeof x.stride[t]);
  for (int i = 0; i < x.n; i++) {
    if (x.dim[i] > INT32_MAX / 2) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "too many matrices for this kernel");
    p->batch[i] = ingot__divisor(x.dim[i] > 0 ? x.dim[i] : 1);
    p->a.batch[i] = x.stride[A][i], p->b.batch[i] = x.stride[B][i], p->out_batch[i] = x.stride[OUT][i];
    for (int s = 0; s < 2; s++) p->add[s].batch[i] = x.stride[ADD + s][i];
    d->product.batches *= x.dim[i];
    if (d->product.batches > INT32_MAX / 2) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "too many matrices for this kernel");
  }
  strides[A][x.n] = p->a.row, strides[B][x.n] = p->b.row, strides[OUT][x.n] = p->out_row;
  p->a.copy = ingot__product_align(a->data, d->product.size, strides[A], x.n + 1);
  if (!d->packed) p->b.copy = ingot__product_align(b->data, d->product.size, strides[B], x.n + 1);
  p->out_vector = ingot__product_align(y->data, d->product.size, strides[OUT], x.n + 1) == 16;
  for (int s = 0; s < 2; s++) {
    product_addend *add = &p->add[s];
    if (!x.has[ADD + s]) continue;
    add->row = strides[ADD + s][x.n] = x.row[ADD + s];
    add->vector = add->column == 1 && ingot__product_align(add->data, d->product.size, strides[ADD + s], x.n + 1) == 16;
    d->product.add_unit[s] = add->row;
  }
  d->product.m = d->m, d->product.unit = 1;
  d->product.a_unit = d->a_strided ? 1 : p->a.row, d->product.out_unit = p->out_row;
  p->alpha = attrs->alpha, p->act_alpha = attrs->act_alpha, p->act_beta = attrs->act_beta;
  return INGOT_OK;
}
