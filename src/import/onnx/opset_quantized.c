/* Conversions of operators that work on quantised tensors: each becomes the plain operator between DequantizeLinear and QuantizeLinear,
 * the form that quantisation's own passes know. */
#include "import/onnx/convert.h"

/* DequantizeLinear(v, scale, zero) along `axis`, if the scale has one. */
static ingot__value *dequantize(ingot__onnx_node *n, ingot__value *v, ingot__value *scale, ingot__value *zero, int64_t axis) {
  ingot__value *in[] = {v, scale, zero};
  ingot__node *node = v && scale ? ingot__onnx_emit(n, INGOT__OP_DequantizeLinear, in, zero ? 3 : 2) : NULL;
  if (!node) return NULL;
  ((ingot__attrs_DequantizeLinear *)node->attrs)->axis = axis;
  return node->out[0];
}

/* QLinearConv(x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, B); B is in units of x_scale * w_scale. */
ingot_status ingot__onnx_convert_qlinear_conv(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 8, 9));
  ingot__value **i = n->in, *in[] = {dequantize(n, i[0], i[1], i[2], 1), dequantize(n, i[3], i[4], i[5], 0), NULL};
  bool has_bias = n->n_in == 9;
  if (has_bias) in[2] = dequantize(n, i[8], ingot__onnx_binary(n, INGOT__OP_Mul, i[1], i[4]), NULL, 0);
  INGOT__ONNX_NEED(n, in[0] && in[1] && (in[2] || !has_bias));
  ingot__node *conv = ingot__onnx_emit(n, INGOT__OP_Conv, in, has_bias ? 3 : 2);
  INGOT__ONNX_NEED(n, conv);
  INGOT_TRY(ingot__onnx_set_attrs(n, INGOT__OP_Conv, conv->attrs));
  ingot__value *out[] = {conv->out[0], i[6], i[7]};
  INGOT__ONNX_NEED(n, ingot__onnx_finish(n, INGOT__OP_QuantizeLinear, out, 3));
  return INGOT_OK;
}

/* QLinearMatMul(a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero); a's scale may be one a row, b's one a column. */
ingot_status ingot__onnx_convert_qlinear_matmul(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 8, 8));
  ingot__value **i = n->in, *a = dequantize(n, i[0], i[1], i[2], -2), *b = dequantize(n, i[3], i[4], i[5], -1);
  ingot__value *out[] = {ingot__onnx_binary(n, INGOT__OP_MatMul, a, b), i[6], i[7]};
  INGOT__ONNX_NEED(n, out[0]);
  return ingot__onnx_build(n, INGOT__OP_QuantizeLinear, out, 3);
}

/* An 8-bit tensor less its zero point, in float: exact. Zero points along a dim that `after` dims follow (the rows of MatMulInteger's A, the
 * output channels of ConvInteger's filters) get as many dims of 1. */
static ingot__value *centred(ingot__onnx_node *n, ingot__value *v, ingot__value *zero, int after) {
  static const int64_t axes[INGOT_MAX_RANK] = {1, 2, 3, 4, 5, 6, 7, 8};
  ingot__node *wide = ingot__onnx_emit(n, INGOT__OP_Cast, &v, 1); /* to float32, the row's default */
  if (!wide || !zero) return wide ? wide->out[0] : NULL;
  const ingot__type *type = ingot__onnx_type(n, zero);
  bool stand = after > 0 && type->rank == 1 && type->dim[0] != 1;
  ingot__node *offset = ingot__onnx_emit(n, INGOT__OP_Cast, &zero, 1);
  ingot__value *z = offset ? offset->out[0] : NULL;
  if (z && stand) z = ingot__onnx_binary(n, INGOT__OP_Unsqueeze, z, ingot__onnx_ints(n, axes, (size_t)after));
  return ingot__onnx_binary(n, INGOT__OP_Sub, wide->out[0], z);
}

/* MatMulInteger and ConvInteger (a, b, a_zero, b_zero) give int32. Computed in float32, whose sums are exact up to 2^24, which is 257
 * products of the largest 8-bit numbers, and else off by a few units of the last place. */
ingot_status ingot__onnx_convert_integer_product(ingot__onnx_node *n) {
  bool conv = ingot__text_is(n->pb->op, "ConvInteger");
  INGOT_TRY(ingot__onnx_inputs(n, 2, 4));
  int filter_rank = ingot__onnx_type(n, n->in[1])->rank;
  ingot__value *in[] = {centred(n, n->in[0], INGOT__ONNX_IN(n, 2), conv ? 0 : 1),
                        centred(n, n->in[1], INGOT__ONNX_IN(n, 3), conv && filter_rank > 1 ? filter_rank - 1 : 0)};
  INGOT__ONNX_NEED(n, in[0] && in[1]);
  ingot__node *product = ingot__onnx_emit(n, conv ? INGOT__OP_Conv : INGOT__OP_MatMul, in, 2);
  INGOT__ONNX_NEED(n, product);
  INGOT_TRY(ingot__onnx_set_attrs(n, product->op, product->attrs));
  ingot__node *cast = ingot__onnx_finish(n, INGOT__OP_Cast, &product->out[0], 1);
  INGOT__ONNX_NEED(n, cast);
  ((ingot__attrs_Cast *)cast->attrs)->to = INGOT_INT32;
  return INGOT_OK;
}

static ingot__value *extreme(ingot__onnx_node *n, ingot__op reduce, ingot__op with, ingot__value *zero) {
  ingot__node *node = ingot__onnx_emit(n, reduce, n->in, 1);
  if (!node) return NULL;
  if (reduce == INGOT__OP_ReduceMax) ((ingot__attrs_ReduceMax *)node->attrs)->keepdims = 0;
  else ((ingot__attrs_ReduceMin *)node->attrs)->keepdims = 0;
  return ingot__onnx_binary(n, with, node->out[0], zero);
}

/* y = x in uint8 over the range of x and 0: scale = range / 255, zero = round(clip(-min / scale)). A range of 0 has scale 1. */
static ingot_status dynamic_range(ingot__onnx_node *n, ingot__value **scale_out, ingot__value **zero_out) {
  ingot__value *nothing = ingot__onnx_float(n, 0), *most = ingot__onnx_float(n, 255);
  ingot__value *min = extreme(n, INGOT__OP_ReduceMin, INGOT__OP_Min, nothing), *max = extreme(n, INGOT__OP_ReduceMax, INGOT__OP_Max, nothing);
  ingot__value *range = ingot__onnx_binary(n, INGOT__OP_Sub, max, min);
  ingot__value *choice[] = {ingot__onnx_binary(n, INGOT__OP_Equal, range, nothing), ingot__onnx_float(n, 1),
                            ingot__onnx_binary(n, INGOT__OP_Div, range, most)};
  INGOT__ONNX_NEED(n, choice[0] && choice[1] && choice[2]);
  ingot__node *scale = n->n_out > 1 && n->out_name[1] ? ingot__onnx_finish_output(n, 1, INGOT__OP_Where, choice, 3)
                                                     : ingot__onnx_emit(n, INGOT__OP_Where, choice, 3);
  INGOT__ONNX_NEED(n, scale);
  ingot__value *bounds[] = {ingot__onnx_binary(n, INGOT__OP_Div, ingot__onnx_unary(n, INGOT__OP_Neg, min), scale->out[0]), nothing, most};
  INGOT__ONNX_NEED(n, bounds[0]);
  ingot__node *clipped = ingot__onnx_emit(n, INGOT__OP_Clip, bounds, 3);
  INGOT__ONNX_NEED(n, clipped);
  ingot__value *rounded = ingot__onnx_unary(n, INGOT__OP_Round, clipped->out[0]);
  INGOT__ONNX_NEED(n, rounded);
  ingot__node *zero = n->n_out > 2 && n->out_name[2] ? ingot__onnx_finish_output(n, 2, INGOT__OP_Cast, &rounded, 1)
                                                    : ingot__onnx_emit(n, INGOT__OP_Cast, &rounded, 1);
  INGOT__ONNX_NEED(n, zero);
  ((ingot__attrs_Cast *)zero->attrs)->to = INGOT_UINT8;
  *scale_out = scale->out[0], *zero_out = zero->out[0];
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_dynamic_quantize(ingot__onnx_node *n) {
  ingot__value *in[] = {n->in[0], NULL, NULL};
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(dynamic_range(n, &in[1], &in[2]));
  if (n->out_name[0]) INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, 0, INGOT__OP_QuantizeLinear, in, 3));
  return INGOT_OK;
}

/* com.microsoft's QuantizeLinear and DequantizeLinear are ONNX's. */
ingot_status ingot__onnx_convert_quantize(ingot__onnx_node *n) {
  return ingot__onnx_straight(n, ingot__text_is(n->pb->op, "QuantizeLinear") ? INGOT__OP_QuantizeLinear : INGOT__OP_DequantizeLinear);
}

/* com.microsoft's QLinearAdd and QLinearMul (a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero), QLinearSigmoid, QLinearLeakyRelu,
 * QLinearAveragePool and QLinearGlobalAveragePool (x, x_scale, x_zero, y_scale, y_zero). */
ingot_status ingot__onnx_convert_qlinear(ingot__onnx_node *n) {
  static const struct { const char *name; ingot__op op; } ops[] = {
    {"QLinearAdd", INGOT__OP_Add}, {"QLinearMul", INGOT__OP_Mul}, {"QLinearSigmoid", INGOT__OP_Sigmoid}, {"QLinearLeakyRelu", INGOT__OP_LeakyRelu},
    {"QLinearAveragePool", INGOT__OP_AveragePool}, {"QLinearGlobalAveragePool", INGOT__OP_GlobalAveragePool}};
  ingot__op op = INGOT__OP_NONE;
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
    if (ingot__text_is(n->pb->op, ops[i].name)) op = ops[i].op;
  bool two = op == INGOT__OP_Add || op == INGOT__OP_Mul;
  int64_t last;
  INGOT_TRY(ingot__onnx_inputs(n, 2, two ? 8 : 5));
  INGOT_TRY(ingot__onnx_get_int(n, "channels_last", 0, &last));
  if (last) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has its channels last");
  size_t y = two ? 6 : 3;
  ingot__value *in[] = {dequantize(n, n->in[0], n->in[1], INGOT__ONNX_IN(n, 2), 1),
                        two ? dequantize(n, INGOT__ONNX_IN(n, 3), INGOT__ONNX_IN(n, 4), INGOT__ONNX_IN(n, 5), 1) : NULL};
  if (!INGOT__ONNX_IN(n, y)) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "lacks the result's scale");
  INGOT__ONNX_NEED(n, in[0] && (in[1] || !two));
  ingot__node *node = ingot__onnx_emit(n, op, in, two ? 2 : 1);
  INGOT__ONNX_NEED(n, node);
  INGOT_TRY(ingot__onnx_set_attrs(n, op, node->attrs));
  ingot__value *out[] = {node->out[0], n->in[y], INGOT__ONNX_IN(n, y + 1)};
  INGOT__ONNX_NEED(n, ingot__onnx_finish(n, INGOT__OP_QuantizeLinear, out, out[2] ? 3 : 2));
  return INGOT_OK;
}

/* QLinearConcat(y_scale, y_zero, x, x_scale, x_zero, ..). */
ingot_status ingot__onnx_convert_qlinear_concat(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 4, SIZE_MAX));
  size_t count = n->n_in >= 2 ? (n->n_in - 2 + 2) / 3 : 0;
  ingot__value **in = INGOT_NEW_ARRAY(n->o->scratch, count, ingot__value *);
  INGOT__ONNX_NEED(n, in);
  for (size_t i = 0; i < count; i++) {
    ingot__value *x = INGOT__ONNX_IN(n, 2 + 3 * i), *scale = INGOT__ONNX_IN(n, 3 + 3 * i);
    if (!x || !scale) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "lacks part %zu or its scale", i);
    INGOT__ONNX_NEED(n, in[i] = dequantize(n, x, scale, INGOT__ONNX_IN(n, 4 + 3 * i), 1));
  }
  ingot__node *concat = ingot__onnx_emit(n, INGOT__OP_Concat, in, count);
  INGOT__ONNX_NEED(n, concat);
  INGOT_TRY(ingot__onnx_set_attrs(n, INGOT__OP_Concat, concat->attrs));
  ingot__value *out[] = {concat->out[0], n->in[0], n->in[1]};
  INGOT__ONNX_NEED(n, ingot__onnx_finish(n, INGOT__OP_QuantizeLinear, out, out[2] ? 3 : 2));
  return INGOT_OK;
}

/* a (centred) times b (centred), times their scales, plus the bias: output 0. */
static ingot_status scaled_product(ingot__onnx_node *n, ingot__value *a, ingot__value *a_scale, ingot__value *b, ingot__value *b_scale,
                                   ingot__value *bias) {
  ingot__value *product = ingot__onnx_binary(n, INGOT__OP_MatMul, a, b);
  ingot__value *v = ingot__onnx_binary(n, INGOT__OP_Mul, product, ingot__onnx_binary(n, INGOT__OP_Mul, a_scale, b_scale));
  if (bias) v = ingot__onnx_binary(n, INGOT__OP_Add, v, bias);
  INGOT__ONNX_NEED(n, v && ingot__onnx_finish(n, INGOT__OP_Identity, &v, 1));
  return INGOT_OK;
}

/* MatMulIntegerToFloat(a, b, a_scale, b_scale, a_zero, b_zero, bias). */
ingot_status ingot__onnx_convert_integer_to_float(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 4, 7));
  return scaled_product(n, centred(n, n->in[0], INGOT__ONNX_IN(n, 4), 1), n->in[2], centred(n, n->in[1], INGOT__ONNX_IN(n, 5), 0), n->in[3],
                        INGOT__ONNX_IN(n, 6));
}

/* DynamicQuantizeMatMul(a, b, b_scale, b_zero, bias): a is quantised to uint8 over its range first. */
ingot_status ingot__onnx_convert_dynamic_matmul(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 3, 5));
  ingot__value *scale, *zero;
  INGOT_TRY(dynamic_range(n, &scale, &zero));
  ingot__value *in[] = {n->in[0], scale, zero};
  ingot__node *a = ingot__onnx_emit(n, INGOT__OP_QuantizeLinear, in, 3);
  INGOT__ONNX_NEED(n, a);
  return scaled_product(n, centred(n, a->out[0], zero, 0), scale, centred(n, n->in[1], INGOT__ONNX_IN(n, 3), 0), n->in[2],
                        INGOT__ONNX_IN(n, 4));
}
