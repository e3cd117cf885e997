/* Products of matrices, and convolutions of points, by cuBLASLt, where that is what it computes to the letter: a bias is a row that all rows get, a
 * residual a matrix of the result's size, and the activation one that it has. Weights are packed as for product/mma.cu, whose rows take the place
 * of these where the library isn't. */
#include "backend/cuda/cublaslt.h"
#include "backend/cuda/kernels/product/conv.h"
#include "backend/cuda/kernels/product/matrices.h"

/* cuBLASLt's GELU is the one by tanh; how exactly it computes tanh isn't said, so float32 keeps ours. */
static bool has_act(int64_t act, ingot_dtype t) {
  return act == INGOT__ACT_NONE || act == INGOT__ACT_RELU || (act == INGOT__ACT_GELU_TANH && t != INGOT_FLOAT32);
}

/* What may vary within a profile is told by types alone: dims are the optimum's when it is asked. */
static bool is_number(ingot__dim d, int64_t number) { return ingot__dim_is_number(d) && d == number; }

static bool is_row(const ingot__value *v, int64_t n) {
  const ingot__type *t = &v->type;
  if (t->rank < 1 || !is_number(t->dim[t->rank - 1], n)) return false;
  for (int i = 0; i < t->rank - 1; i++)
    if (!is_number(t->dim[i], 1)) return false;
  return true;
}

static bool has_addends(const ingot__call *call, int64_t n) {
  const ingot__node *node = call->node;
  if (ingot__has_in(call, 2) && !is_row(node->in[2], n)) return false;
  return !ingot__has_in(call, 3) || ingot__type_same(&node->in[3]->type, &node->out[0]->type);
}

static void set_common(const ingot__call *call, bool tf32, const ingot__product *from, ingot__cublaslt_product *to) {
  const product_params *p = &from->p;
  *to = (ingot__cublaslt_product){.dtype = call->in[0].dtype, .tf32 = tf32, .m = from->m, .n = p->n, .k = p->k, .batches = 1, .alpha = p->alpha,
                                  .a = p->a.data, .b = p->b.data, .out = p->out, .bias = p->add[0].data, .residual = p->add[1].data,
                                  .a_row = p->a.row, .b_row = p->b.row, .out_row = p->out_row, .residual_row = p->add[1].row};
  to->has_bias = ingot__has_in(call, 2), to->has_residual = ingot__has_in(call, 3);
}

/* ---- Matrices */

static bool takes_matmul(const ingot__call *call) {
  if (!call->node || !ingot__matrices_take(call) || call->in[0].rank < 2 || call->in[1].rank < 2) return false;
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(call, MatMul);
  if (!has_act(attrs->act, call->in[0].dtype)) return false;
  const ingot__type *a = &call->node->in[0]->type, *b = &call->node->in[1]->type;
  const ingot__dim k = a->dim[a->rank - (attrs->trans_a ? 2 : 1)], n = b->dim[b->rank - (attrs->trans_b ? 2 : 1)];
  /* Of no products the sum is nothing, and then nothing may be added to it. */
  if ((!ingot__dim_is_number(k) || k == 0) && (ingot__has_in(call, 2) || ingot__has_in(call, 3))) return false;
  return !(ingot__has_in(call, 2) && !ingot__dim_is_number(n)) && has_addends(call, (int64_t)n);
}

static ingot_status read_matmul(const ingot__call *call, bool tf32, ingot__cublaslt_product *to) {
  ingot__matrices d;
  INGOT_TRY(ingot__matrices_prepare(call, &d));
  set_common(call, tf32, &d.product, to);
  const product_params *p = &d.product.p;
  to->a_transposed = d.a_strided, to->b_transposed = !d.b_strided;
  to->act = (int)INGOT__ATTRS(call, MatMul)->act;
  to->k = d.k; /* a packed row is longer, by zeros: A's isn't */
  int last = p->batch_rank - 1; /* the innermost of the batches by one call */
  if (last >= 0) {
    to->batches = p->batch[last].by;
    to->a_batch = p->a.batch[last], to->b_batch = p->b.batch[last], to->out_batch = p->out_batch[last], to->residual_batch = p->add[1].batch[last];
  }
  if (d.product.batches == 0) to->batches = 0;
  _Static_assert((int)INGOT__CUBLASLT_OUTER >= (int)PRODUCT_BATCH, "all batches fit");
  for (int i = 0; i < last; i++) {
    to->outer[i] = p->batch[i].by;
    to->a_outer[i] = p->a.batch[i], to->b_outer[i] = p->b.batch[i], to->out_outer[i] = p->out_batch[i], to->residual_outer[i] = p->add[1].batch[i];
  }
  to->outer_rank = last > 0 ? last : 0;
  return INGOT_OK;
}

/* ---- Points of images */

static bool takes_conv(const ingot__call *call) {
  if (!call->node || !ingot__conv_is_point(call)) return false;
  const int64_t act = INGOT__ATTRS(call, Conv)->act;
  return has_act(act, call->in[0].dtype) && has_addends(call, call->in[1].dim[0]);
}

/* Where images follow each other as their pixels do they are one matrix, else a batch. */
static ingot_status read_conv(const ingot__call *call, bool tf32, ingot__cublaslt_product *to) {
  ingot__product product;
  INGOT_TRY(ingot__conv_point(call, &product));
  set_common(call, tf32, &product, to);
  to->k = call->in[1].dim[1];
  to->b_transposed = true;
  to->act = (int)INGOT__ATTRS(call, Conv)->act;
  const int64_t images = call->in[0].dim[0];
  if (images <= 1 || (product.a_unit == product.unit * to->a_row)) return INGOT_OK;
  to->m = product.unit;
  to->batches = images;
  to->a_batch = product.a_unit, to->out_batch = product.out_unit, to->residual_batch = product.add_unit[1];
  return INGOT_OK;
}

/* ---- What all rows have */

typedef ingot_status (*read_fn)(const ingot__call *call, bool tf32, ingot__cublaslt_product *to);

static size_t workspace(const ingot__call *call, bool tf32, read_fn read) {
  ingot__cublaslt_product p;
  return read(call, tf32, &p) == INGOT_OK ? ingot__cublaslt_workspace(call, &p) : 0;
}

static double cost(const ingot__call *call, bool tf32, read_fn read) {
  ingot__cublaslt_product p;
  if (read(call, tf32, &p) != INGOT_OK || ingot__cublaslt_workspace(call, &p) == SIZE_MAX) return INGOT__NEVER;
  int64_t batches = p.batches;
  for (int i = 0; i < p.outer_rank; i++) batches *= p.outer[i];
  return ingot__product_library_cost(call, p.m, p.n, p.k, batches, tf32);
}

static ingot_status run(const ingot__call *call, bool tf32, read_fn read) {
  ingot__cublaslt_product p;
  INGOT_TRY(read(call, tf32, &p));
  return ingot__cublaslt_run(call, &p);
}

#define ROW(op, kind, in_tf32, floats, size, packing, format) \
  static bool op##kind##_supports(const ingot__call *call) { return takes_##op(call) && (call->in[0].dtype == INGOT_FLOAT32) == (floats); } \
  static double op##kind##_cost(const ingot__call *call) { return cost(call, in_tf32, read_##op); } \
  static size_t op##kind##_workspace(const ingot__call *call) { return workspace(call, in_tf32, read_##op); } \
  static ingot_status op##kind##_run(const ingot__call *call) { return run(call, in_tf32, read_##op); } \
  const ingot__kernel_functions ingot__cuda_cublaslt_##op##kind = { \
    .supports = op##kind##_supports, .cost = op##kind##_cost, .workspace = op##kind##_workspace, .pack_size = size, .pack = packing, \
    .pack_format = format, .packs_inputs = 1u << 1, .run = op##kind##_run, .library = &ingot__cublaslt};
ROW(matmul, , false, false, ingot__matrices_pack_size, ingot__matrices_pack, "columns")
ROW(matmul, _tf32, true, true, ingot__matrices_pack_size, ingot__matrices_pack_tf32, "columns_tf32")
ROW(matmul, _f32, false, true, ingot__matrices_pack_size, ingot__matrices_pack, "columns")
ROW(conv, , false, false, ingot__conv_pack_size, ingot__conv_pack, "taps")
ROW(conv, _tf32, true, true, ingot__conv_pack_size, ingot__conv_pack_tf32, "taps_tf32")
ROW(conv, _f32, false, true, ingot__conv_pack_size, ingot__conv_pack, "taps")
