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

/* An 8-bit tensor less its zero point, as floats: exact. Of weights, the zero point may be one an output channel. */
static ingot__value *centred(ingot__onnx_node *n, ingot__value *v, ingot__value *zero, ingot_dtype to, int64_t rank) {
  ingot__node *wide = ingot__onnx_emit(n, INGOT__OP_Cast, &v, 1);
  if (!wide) return NULL;
  ((ingot__attrs_Cast *)wide->attrs)->to = to;
  if (!zero) return wide->out[0];
  ingot__node *offset = ingot__onnx_emit(n, INGOT__OP_Cast, &zero, 1);
  if (!offset) return NULL;
  ((ingot__attrs_Cast *)offset->attrs)->to = to;
  ingot__value *z = offset->out[0];
  const ingot__type *type = ingot__onnx_type(n, zero);
  if (type->rank == 1 && type->dim[0] != 1 && rank > 1) {
    int64_t shape[INGOT_MAX_RANK] = {type->dim[0] > 0 ? type->dim[0] : -1, 1, 1, 1, 1, 1, 1, 1};
    z = ingot__onnx_binary(n, INGOT__OP_Reshape, z, ingot__onnx_ints(n, shape, (size_t)rank));
  }
  return ingot__onnx_binary(n, INGOT__OP_Sub, wide->out[0], z);
}

/* The largest magnitude that a sum of an output channel's products can have, for the channels [from, to) of its inputs; the weights' zero
 * points and values where they are constants, else their extremes. */
static double largest_sum(const ingot__value *w, const ingot__value *zero, int64_t from, int64_t to) {
  const ingot__type *t = &w->type;
  double taps = 1, most = 0;
  for (int i = 2; i < t->rank; i++) taps *= (double)t->dim[i];
  bool known = w->data && (!zero || zero->data) && ingot__dtype_size(t->dtype) == 1;
  if (!known) return (double)(to - from) * taps * 255 * 255;
  for (int64_t m = 0; m < t->dim[0]; m++) {
    double sum = 0;
    int64_t z = zero ? ingot__get_int(zero->type.dtype, zero->data, zero->bytes == (size_t)t->dim[0] ? (size_t)m : 0) : 0;
    for (int64_t i = from * (int64_t)taps; i < to * (int64_t)taps; i++) {
      int64_t v = ingot__get_int(t->dtype, w->data, (size_t)(m * t->dim[1] * (int64_t)taps + i)) - z;
      sum += (double)(v < 0 ? -v : v) * 255;
    }
    most = sum > most ? sum : most;
  }
  return most;
}

static bool parts_fit(const ingot__value *w, const ingot__value *zero, int64_t channels, int64_t part) {
  for (int64_t c = 0; c < channels; c += part)
    if (largest_sum(w, zero, c, c + part < channels ? c + part : channels) >= 1 << 24) return false;
  return true;
}

static ingot__value *part_of(ingot__onnx_node *n, ingot__value *v, int64_t from, int64_t to) {
  static const int64_t axis = 1;
  ingot__value *in[] = {v, ingot__onnx_ints(n, &from, 1), ingot__onnx_ints(n, &to, 1), ingot__onnx_ints(n, &axis, 1)};
  ingot__node *slice = v && in[1] && in[2] && in[3] ? ingot__onnx_emit(n, INGOT__OP_Slice, in, 4) : NULL;
  return slice ? slice->out[0] : NULL;
}

enum { MOST_PARTS = 1024 };

/* ConvInteger(x, w, x_zero, w_zero) gives int32: a convolution of floats, whose sums are exact up to 2^24. Where they may get larger, the
 * input's channels are taken in parts that keep below, and the parts added as integers; with groups, in float64. */
ingot_status ingot__onnx_convert_conv_integer(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 2, 4));
  ingot__attrs_Conv attrs;
  ingot__attrs_default(INGOT__OP_Conv, &attrs);
  INGOT_TRY(ingot__onnx_set_attrs(n, INGOT__OP_Conv, &attrs));
  attrs.exact = 1;
  ingot__value *x_zero = INGOT__ONNX_IN(n, 2), *w_zero = INGOT__ONNX_IN(n, 3);
  const ingot__type *w = ingot__onnx_type(n, n->in[1]);
  bool shaped = w->rank >= 3;
  for (int i = 0; i < w->rank; i++) shaped = shaped && w->dim[i] > 0 && w->dim[i] < 1 << 20; /* more: a hostile file's */
  int64_t channels = shaped ? w->dim[1] : 1, part = channels, rank = w->rank;
  while (shaped && part > 1 && !parts_fit(n->in[1], w_zero, channels, part)) part = (part + 1) / 2;
  bool fits = shaped && parts_fit(n->in[1], w_zero, channels, part) && (part == channels || attrs.group == 1) && channels / part < MOST_PARTS;
  ingot_dtype type = fits ? INGOT_FLOAT32 : INGOT_FLOAT64;
  if (!fits) part = channels;
  ingot__value *in[] = {centred(n, n->in[0], x_zero, type, 0), centred(n, n->in[1], w_zero, type, rank)}, *sum = NULL;
  INGOT__ONNX_NEED(n, in[0] && in[1]);
  for (int64_t c = 0; c < channels; c += part) {
    bool whole = part >= channels, last = whole || c + part >= channels;
    ingot__value *parts[] = {whole ? in[0] : part_of(n, in[0], c, c + part), whole ? in[1] : part_of(n, in[1], c, c + part)};
    INGOT__ONNX_NEED(n, parts[0] && parts[1]);
    ingot__node *conv = ingot__onnx_emit(n, INGOT__OP_Conv, parts, 2);
    INGOT__ONNX_NEED(n, conv);
    memcpy(conv->attrs, &attrs, sizeof attrs);
    ingot__node *cast = whole ? ingot__onnx_finish(n, INGOT__OP_Cast, &conv->out[0], 1) : ingot__onnx_emit(n, INGOT__OP_Cast, &conv->out[0], 1);
    INGOT__ONNX_NEED(n, cast);
    ((ingot__attrs_Cast *)cast->attrs)->to = INGOT_INT32;
    ingot__value *both[] = {sum, cast->out[0]};
    if (!sum) sum = cast->out[0];
    else if (last) INGOT__ONNX_NEED(n, ingot__onnx_finish(n, INGOT__OP_Add, both, 2));
    else INGOT__ONNX_NEED(n, sum = ingot__onnx_binary(n, INGOT__OP_Add, sum, cast->out[0]));
  }
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

/* The result in levels of inputs `at` and `at` + 1; without a scale it stays in floats. */
static ingot_status finish_levels(ingot__onnx_node *n, ingot__value *v, size_t at) {
  ingot__value *out[] = {v, INGOT__ONNX_IN(n, at), INGOT__ONNX_IN(n, at + 1)};
  ingot__op op = out[1] ? INGOT__OP_QuantizeLinear : INGOT__OP_Identity;
  INGOT__ONNX_NEED(n, v && ingot__onnx_finish(n, op, out, !out[1] ? 1 : out[2] ? 3 : 2));
  return INGOT_OK;
}

/* QGemm(a, a_scale, a_zero, b, b_scale, b_zero, C, y_scale, y_zero); C is in units of alpha * a_scale * b_scale. */
ingot_status ingot__onnx_convert_qgemm(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 6, 9));
  ingot__attrs_Gemm attrs;
  ingot__attrs_default(INGOT__OP_Gemm, &attrs);
  INGOT_TRY(ingot__onnx_set_attrs(n, INGOT__OP_Gemm, &attrs));
  ingot__value **i = n->in, *c = INGOT__ONNX_IN(n, 6);
  ingot__value *in[] = {dequantize(n, i[0], i[1], i[2], 1), dequantize(n, i[3], i[4], i[5], attrs.transB ? 0 : 1), NULL};
  if (c) {
    ingot__value *unit = ingot__onnx_binary(n, INGOT__OP_Mul, i[1], i[4]);
    if (attrs.alpha != 1) unit = ingot__onnx_binary(n, INGOT__OP_Mul, unit, ingot__onnx_float(n, attrs.alpha));
    in[2] = dequantize(n, c, unit, NULL, -1);
  }
  INGOT__ONNX_NEED(n, in[0] && in[1] && (in[2] || !c));
  ingot__node *gemm = ingot__onnx_emit(n, INGOT__OP_Gemm, in, c ? 3 : 2);
  INGOT__ONNX_NEED(n, gemm);
  memcpy(gemm->attrs, &attrs, sizeof attrs);
  return finish_levels(n, gemm->out[0], 7);
}

/* QLinearSoftmax(x, x_scale, x_zero, y_scale, y_zero). Its attribute opset tells what Softmax it was; those before 13 took all dims from the
 * axis on as one. */
ingot_status ingot__onnx_convert_qlinear_softmax(ingot__onnx_node *n) {
  int64_t axis, opset;
  INGOT_TRY(ingot__onnx_inputs(n, 4, 5));
  INGOT_TRY(ingot__onnx_get_int(n, "axis", -1, &axis));
  INGOT_TRY(ingot__onnx_get_int(n, "opset", 13, &opset));
  int rank = ingot__onnx_type(n, n->in[0])->rank;
  if (opset < 13 && axis != -1 && axis != rank - 1)
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "takes the dims from %lld on as one", (long long)axis);
  ingot__value *x = dequantize(n, n->in[0], n->in[1], n->in[2], 1);
  ingot__node *softmax = x ? ingot__onnx_emit(n, INGOT__OP_Softmax, &x, 1) : NULL;
  INGOT__ONNX_NEED(n, softmax);
  ((ingot__attrs_Softmax *)softmax->attrs)->axis = axis;
  return finish_levels(n, softmax->out[0], 3);
}

/* QLinearWhere(condition, x, x_scale, x_zero, y, y_scale, y_zero, z_scale, z_zero). */
ingot_status ingot__onnx_convert_qlinear_where(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 8, 9));
  ingot__value **i = n->in, *in[] = {i[0], dequantize(n, i[1], i[2], i[3], 1), dequantize(n, i[4], i[5], i[6], 1)};
  INGOT__ONNX_NEED(n, in[1] && in[2]);
  ingot__node *where = ingot__onnx_emit(n, INGOT__OP_Where, in, 3);
  INGOT__ONNX_NEED(n, where);
  return finish_levels(n, where->out[0], 7);
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

/* MatMulInteger of in[0..3] (a, b, their zero points), times the scales, plus the bias: output 0. */
static ingot_status scaled_product(ingot__onnx_node *n, ingot__value *const *in, ingot__value *a_scale, ingot__value *b_scale, ingot__value *bias) {
  ingot__node *product = ingot__onnx_emit(n, INGOT__OP_MatMulInteger, in, 4);
  ingot__node *cast = product ? ingot__onnx_emit(n, INGOT__OP_Cast, &product->out[0], 1) : NULL; /* to float32, the row's default */
  INGOT__ONNX_NEED(n, cast);
  ingot__value *v = ingot__onnx_binary(n, INGOT__OP_Mul, cast->out[0], ingot__onnx_binary(n, INGOT__OP_Mul, a_scale, b_scale));
  if (bias) v = ingot__onnx_binary(n, INGOT__OP_Add, v, bias);
  INGOT__ONNX_NEED(n, v && ingot__onnx_finish(n, INGOT__OP_Identity, &v, 1));
  return INGOT_OK;
}

/* MatMulIntegerToFloat(a, b, a_scale, b_scale, a_zero, b_zero, bias). */
ingot_status ingot__onnx_convert_integer_to_float(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 4, 7));
  ingot__value *in[] = {n->in[0], n->in[1], INGOT__ONNX_IN(n, 4), INGOT__ONNX_IN(n, 5)};
  return scaled_product(n, in, n->in[2], n->in[3], INGOT__ONNX_IN(n, 6));
}

/* DynamicQuantizeMatMul(a, b, b_scale, b_zero, bias): a is quantised to uint8 over its range first. */
ingot_status ingot__onnx_convert_dynamic_matmul(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 3, 5));
  const char *name = ingot__arena_printf(n->o->scratch, "%s/quantized", n->name);
  INGOT__ONNX_NEED(n, name);
  ingot__node *a = ingot__node_new(n->scope->graph, INGOT__OP_DynamicQuantizeLinear, name, NULL, n->in, 1, 3, NULL);
  INGOT__ONNX_NEED(n, a);
  ingot__value *in[] = {a->out[0], n->in[1], a->out[2], INGOT__ONNX_IN(n, 3)};
  return scaled_product(n, in, a->out[1], n->in[2], INGOT__ONNX_IN(n, 4));
}
