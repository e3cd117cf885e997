/* Conversions of com.microsoft's operators that say in one what ONNX says in a few. */
#include "import/onnx/convert.h"

/* act(Conv(X, W, B) + Z); the activation's numbers are in its operator's order. */
ingot_status ingot__onnx_convert_fused_conv(ingot__onnx_node *n) {
  const char *activation;
  ingot__floats p;
  bool given;
  INGOT_TRY(ingot__onnx_inputs(n, 2, 4));
  INGOT_TRY(ingot__onnx_get_string(n, "activation", "", &activation));
  INGOT_TRY(ingot__onnx_get_floats(n, "activation_params", &p, &given));
  ingot__node *conv = ingot__onnx_emit(n, INGOT__OP_Conv, n->in, INGOT__ONNX_IN(n, 2) ? 3 : 2);
  INGOT__ONNX_NEED(n, conv);
  INGOT_TRY(ingot__onnx_set_attrs(n, INGOT__OP_Conv, conv->attrs));
  ingot__value *sum = conv->out[0];
  if (n->n_in == 4) INGOT__ONNX_NEED(n, sum = ingot__onnx_binary(n, INGOT__OP_Add, sum, n->in[3]));
  if (strcmp(activation, "Clip") == 0) {
    ingot__value *in[] = {sum, ingot__onnx_float_like(n, p.n > 0 ? p.v[0] : -INFINITY, sum),
                          ingot__onnx_float_like(n, p.n > 1 ? p.v[1] : INFINITY, sum)};
    INGOT__ONNX_NEED(n, in[1] && in[2] && ingot__onnx_finish(n, INGOT__OP_Clip, in, 3));
    return INGOT_OK;
  }
  static const ingot__op ops[] = {INGOT__OP_Relu, INGOT__OP_Tanh, INGOT__OP_Sigmoid, INGOT__OP_LeakyRelu, INGOT__OP_HardSigmoid, INGOT__OP_HardSwish};
  ingot__op op = *activation ? INGOT__OP_NONE : INGOT__OP_Identity;
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    if (strcmp(activation, ingot__op_get(ops[i])->name) == 0) op = ops[i];
  }
  if (op == INGOT__OP_NONE) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "the activation '%.40s'", activation);
  ingot__node *act = ingot__onnx_finish(n, op, &sum, 1);
  INGOT__ONNX_NEED(n, act);
  if (op == INGOT__OP_LeakyRelu && p.n > 0) ((ingot__attrs_LeakyRelu *)act->attrs)->alpha = p.v[0];
  if (op == INGOT__OP_HardSigmoid && p.n > 0) ((ingot__attrs_HardSigmoid *)act->attrs)->alpha = p.v[0];
  if (op == INGOT__OP_HardSigmoid && p.n > 1) ((ingot__attrs_HardSigmoid *)act->attrs)->beta = p.v[1];
  return INGOT_OK;
}

/* Gelu(x); BiasGelu(x, b) of their sum; FastGelu(x, b) with the approximation by tanh. */
ingot_status ingot__onnx_convert_gelu(ingot__onnx_node *n) {
  bool fast = ingot__text_is(n->pb->op, "FastGelu"), plain = ingot__text_is(n->pb->op, "Gelu");
  INGOT_TRY(ingot__onnx_inputs(n, fast || plain ? 1 : 2, plain ? 1 : 2));
  ingot__value *x = n->in[0];
  if (n->n_in == 2) INGOT__ONNX_NEED(n, x = ingot__onnx_binary(n, INGOT__OP_Add, x, n->in[1]));
  ingot__node *node = ingot__onnx_finish(n, INGOT__OP_Gelu, &x, 1);
  INGOT__ONNX_NEED(n, node);
  if (fast) ((ingot__attrs_Gelu *)node->attrs)->approximate = "tanh";
  return INGOT_OK;
}

static bool wanted(const ingot__onnx_node *n, size_t i) { return i < n->n_out && n->out_name[i]; }

/* LayerNormalization, or RMSNormalization of `simple` nodes, of x as output 0. */
static ingot_status normalise(ingot__onnx_node *n, ingot__value *x, ingot__value *scale, ingot__value *bias, bool simple, float epsilon) {
  ingot__value *in[] = {x, scale, bias};
  ingot__op op = simple ? INGOT__OP_RMSNormalization : INGOT__OP_LayerNormalization;
  ingot__node *node = ingot__onnx_finish_output(n, 0, op, in, bias ? 3 : 2);
  INGOT__ONNX_NEED(n, node);
  if (simple) ((ingot__attrs_RMSNormalization *)node->attrs)->epsilon = epsilon;
  else ((ingot__attrs_LayerNormalization *)node->attrs)->epsilon = epsilon;
  return INGOT_OK;
}

/* SkipLayerNormalization(x, skip, scale, shift, bias), SkipSimplifiedLayerNormalization(x, skip, scale, bias): the norm of x + skip + bias,
 * which output 3 is. */
ingot_status ingot__onnx_convert_skip_norm(ingot__onnx_node *n) {
  bool simple = ingot__text_is(n->pb->op, "SkipSimplifiedLayerNormalization");
  float epsilon;
  INGOT_TRY(ingot__onnx_inputs(n, 3, simple ? 4 : 5));
  INGOT_TRY(ingot__onnx_get_float(n, "epsilon", simple ? 1e-5f : 1e-12f, &epsilon));
  if (wanted(n, 1) || wanted(n, 2)) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "gives its means or deviations");
  ingot__value *bias = INGOT__ONNX_IN(n, simple ? 3 : 4), *sum = ingot__onnx_binary(n, INGOT__OP_Add, n->in[0], n->in[1]);
  if (bias) sum = ingot__onnx_binary(n, INGOT__OP_Add, sum, bias);
  INGOT__ONNX_NEED(n, sum);
  if (wanted(n, 3)) INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, 3, INGOT__OP_Identity, &sum, 1));
  return normalise(n, sum, n->in[2], simple ? NULL : INGOT__ONNX_IN(n, 3), simple, epsilon);
}

/* SimplifiedLayerNormalization, which ONNX Runtime has in ai.onnx, too. */
ingot_status ingot__onnx_convert_simple_norm(ingot__onnx_node *n) {
  int64_t axis, stash;
  INGOT_TRY(ingot__onnx_inputs(n, 2, 2));
  float epsilon;
  INGOT_TRY(ingot__onnx_get_int(n, "axis", -1, &axis));
  INGOT_TRY(ingot__onnx_get_int(n, "stash_type", 1, &stash));
  INGOT_TRY(ingot__onnx_get_float(n, "epsilon", 1e-5f, &epsilon));
  if (wanted(n, 1)) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "gives its deviations");
  INGOT_TRY(normalise(n, n->in[0], n->in[1], NULL, true, epsilon));
  if (n->out[0]) ((ingot__attrs_RMSNormalization *)n->out[0]->producer->attrs)->axis = axis;
  return INGOT_OK;
}

static ingot__value *look_up(ingot__onnx_node *n, ingot__value *table, ingot__value *ids) {
  return ingot__onnx_binary(n, INGOT__OP_Gather, table, ids);
}

/* Positions 0, 1, .. of dim 1. */
static ingot__value *count_up(ingot__onnx_node *n, ingot__value *ids) {
  ingot__value *in[] = {ingot__onnx_int(n, 0), ingot__onnx_unary(n, INGOT__OP_Squeeze, ingot__onnx_shape_of(n, ids, 1, 2)), ingot__onnx_int(n, 1)};
  ingot__node *range = in[0] && in[1] && in[2] ? ingot__onnx_emit(n, INGOT__OP_Range, in, 3) : NULL;
  return range ? range->out[0] : NULL;
}

/* EmbedLayerNormalization(ids, segments, words, positions, segment table, scale, shift, mask, position ids): the norm of the embeddings' sum;
 * output 1 counts each row of the mask, output 2 is the sum. */
ingot_status ingot__onnx_convert_embed_norm(ingot__onnx_node *n) {
  float epsilon;
  int64_t mask_type;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 9));
  INGOT_TRY(ingot__onnx_get_float(n, "epsilon", 1e-12f, &epsilon));
  INGOT_TRY(ingot__onnx_get_int(n, "mask_index_type", 1, &mask_type));
  ingot__value *segments = INGOT__ONNX_IN(n, 1), *table = INGOT__ONNX_IN(n, 4), *ids = INGOT__ONNX_IN(n, 8);
  for (size_t i = 2; i < 7; i++)
    if (i != 4 && !INGOT__ONNX_IN(n, i)) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "its input %zu is left out, but is needed", i);
  ingot__value *places = look_up(n, n->in[3], ids ? ids : count_up(n, n->in[0]));
  ingot__value *sum = ingot__onnx_binary(n, INGOT__OP_Add, look_up(n, n->in[2], n->in[0]), places);
  if (segments && table) sum = ingot__onnx_binary(n, INGOT__OP_Add, sum, look_up(n, table, segments));
  INGOT__ONNX_NEED(n, sum);
  if (wanted(n, 2)) INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, 2, INGOT__OP_Identity, &sum, 1));
  INGOT_TRY(normalise(n, sum, n->in[5], n->in[6], false, epsilon));
  if (!wanted(n, 1)) return INGOT_OK;
  static const int64_t last = 1;
  ingot__value *mask = INGOT__ONNX_IN(n, 7);
  if (!mask) {
    ingot__value *none = ingot__onnx_cast(n, ingot__onnx_int(n, 0), INGOT_INT32), *shape = ingot__onnx_shape_of(n, n->in[0], 0, 1);
    ingot__value *zeros = ingot__onnx_binary(n, INGOT__OP_Expand, none, shape);
    INGOT__ONNX_NEED(n, zeros && ingot__onnx_finish_output(n, 1, INGOT__OP_Identity, &zeros, 1));
    return INGOT_OK;
  }
  ingot__value *in[] = {mask, ingot__onnx_ints(n, &last, 1)};
  ingot__node *counts = in[1] ? ingot__onnx_finish_output(n, 1, INGOT__OP_ReduceSum, in, 2) : NULL;
  INGOT__ONNX_NEED(n, counts);
  ((ingot__attrs_ReduceSum *)counts->attrs)->keepdims = 0;
  return INGOT_OK;
}

/* FusedMatMul: alpha op(A) op(B). TransposeMatMul is its older name. */
ingot_status ingot__onnx_convert_fused_matmul(ingot__onnx_node *n) {
  int64_t a, b, batch_a, batch_b;
  float alpha;
  INGOT_TRY(ingot__onnx_inputs(n, 2, 2));
  INGOT_TRY(ingot__onnx_get_int(n, "transA", 0, &a));
  INGOT_TRY(ingot__onnx_get_int(n, "transB", 0, &b));
  INGOT_TRY(ingot__onnx_get_int(n, "transBatchA", 0, &batch_a));
  INGOT_TRY(ingot__onnx_get_int(n, "transBatchB", 0, &batch_b));
  INGOT_TRY(ingot__onnx_get_float(n, "alpha", 1, &alpha));
  if (batch_a || batch_b) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "transposes batches");
  ingot__node *node = ingot__onnx_finish(n, INGOT__OP_MatMul, n->in, 2);
  INGOT__ONNX_NEED(n, node);
  ingot__attrs_MatMul *attrs = node->attrs;
  attrs->trans_a = a != 0, attrs->trans_b = b != 0, attrs->alpha = alpha;
  return INGOT_OK;
}

/* The weights of MatMulNBits as float32 (N, K): blocks of `block` columns with a scale each, and a zero point, which is the middle of the
 * levels where none is given. */
static ingot_status unpack_weights(ingot__onnx_node *n, int64_t rows, int64_t columns, int64_t bits, int64_t block, ingot__value **out) {
  const ingot__value *b = n->in[1], *scale = n->in[2], *zero = INGOT__ONNX_IN(n, 3);
  size_t blocks = (size_t)((columns + block - 1) / block), blob = (size_t)(block * bits / 8), zero_row = (blocks * (size_t)bits + 7) / 8, count;
  bool plain = ingot__value_is_const(scale) && (scale->type.dtype == INGOT_FLOAT32 || scale->type.dtype == INGOT_FLOAT16 ||
                                                scale->type.dtype == INGOT_BFLOAT16);
  size_t numbers = plain ? scale->bytes / ingot__dtype_size(scale->type.dtype) : 0;
  bool fits = ingot__value_is_const(b) && ingot__mul((size_t)rows, blocks, &count) && count == numbers && b->bytes / blob == count;
  bool packed = zero && zero->type.dtype == INGOT_UINT8;
  if (zero && (!ingot__value_is_const(zero) || !packed || zero->bytes != (size_t)rows * zero_row)) fits = false;
  if (!fits) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "needs constant weights, scales and packed zero points of the right sizes");
  size_t bytes;
  if (!ingot__mul((size_t)rows, (size_t)columns, &count) || !ingot__mul(count, sizeof(float), &bytes)) return INGOT_E_LIMIT;
  float *data = ingot__arena_alloc(n->o->arena, bytes);
  INGOT__ONNX_NEED(n, data);
  const uint8_t *from = b->data, *zeros = packed ? zero->data : NULL;
  const unsigned per = 8 / (unsigned)bits, mask = (1u << bits) - 1;
  for (size_t r = 0; r < (size_t)rows; r++)
    for (size_t c = 0; c < (size_t)columns; c++) {
      size_t at = c / (size_t)block, in = c % (size_t)block;
      unsigned level = from[(r * blocks + at) * blob + in / per] >> in % per * (unsigned)bits & mask, middle = 1u << (bits - 1);
      if (zeros) middle = zeros[r * zero_row + at / per] >> at % per * (unsigned)bits & mask;
      float step = (float)ingot__get_double(scale->type.dtype, scale->data, r * blocks + at);
      data[r * (size_t)columns + c] = step * (float)((int)level - (int)middle);
    }
  ingot__literal l = {.dtype = INGOT_FLOAT32, .rank = 2, .dim = {rows, columns}, .data = data, .bytes = bytes};
  INGOT__ONNX_NEED(n, *out = ingot__onnx_constant(n, "weights", &l));
  return INGOT_OK;
}

/* MatMulNBits(A, B, scales, zeros, order, bias) of 2, 4 or 8 bits a weight: a product in float32. */
ingot_status ingot__onnx_convert_matmul_bits(ingot__onnx_node *n) {
  int64_t k, columns, bits, block, level, prepacked;
  INGOT_TRY(ingot__onnx_inputs(n, 3, 6));
  INGOT_TRY(ingot__onnx_get_int(n, "K", 0, &k));
  INGOT_TRY(ingot__onnx_get_int(n, "N", 0, &columns));
  INGOT_TRY(ingot__onnx_get_int(n, "bits", 4, &bits));
  INGOT_TRY(ingot__onnx_get_int(n, "block_size", 0, &block));
  INGOT_TRY(ingot__onnx_get_int(n, "accuracy_level", 0, &level));
  INGOT_TRY(ingot__onnx_get_int(n, "weight_prepacked", 0, &prepacked));
  bool good = k > 0 && columns > 0 && k < INT32_MAX && columns < INT32_MAX && (bits == 2 || bits == 4 || bits == 8) && block >= 16 && block <= 65536;
  if (!good || block % 16 || INGOT__ONNX_IN(n, 4) || prepacked) {
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "%lld bits in blocks of %lld, or an order of columns", (long long)bits, (long long)block);
  }
  ingot__value *weights, *bias = INGOT__ONNX_IN(n, 5);
  INGOT_TRY(unpack_weights(n, columns, k, bits, block, &weights));
  if (ingot__onnx_type(n, n->in[0])->dtype != INGOT_FLOAT32) weights = ingot__onnx_binary(n, INGOT__OP_CastLike, weights, n->in[0]);
  INGOT__ONNX_NEED(n, weights);
  ingot__value *in[] = {n->in[0], weights};
  ingot__node *product = bias ? ingot__onnx_emit(n, INGOT__OP_MatMul, in, 2) : ingot__onnx_finish(n, INGOT__OP_MatMul, in, 2);
  INGOT__ONNX_NEED(n, product);
  ((ingot__attrs_MatMul *)product->attrs)->trans_b = 1;
  if (!bias) return INGOT_OK;
  ingot__value *sum[] = {product->out[0], bias};
  INGOT__ONNX_NEED(n, ingot__onnx_finish(n, INGOT__OP_Add, sum, 2));
  return INGOT_OK;
}
