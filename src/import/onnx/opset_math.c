/* Conversions of arithmetic: old broadcasting, sums of many, bounds as attributes. */
#include "import/onnx/convert.h"

static ingot__op own_op(const ingot__onnx_node *n) {
  char name[64] = "";
  if (n->pb->op.n < sizeof name) memcpy(name, n->pb->op.p, n->pb->op.n);
  return ingot__op_find_onnx("", name);
}

/* Puts `count` dims of 1 behind a value's dims; its rank is `rank`. */
static ingot__value *unsqueeze_end(ingot__onnx_node *n, ingot__value *v, int rank, int count) {
  int64_t axes[INGOT_MAX_RANK];
  for (int i = 0; i < count; i++) axes[i] = rank + i;
  return ingot__onnx_binary(n, INGOT__OP_Unsqueeze, v, ingot__onnx_ints(n, axes, (size_t)count));
}

/* Before 7: with `broadcast`, B's dims are those of A from `axis` on, by default its last ones, which is what NumPy does. */
ingot_status ingot__onnx_convert_broadcast(ingot__onnx_node *n) {
  int64_t broadcast, axis;
  bool has_axis = ingot__onnx_has(n, "axis");
  INGOT_TRY(ingot__onnx_inputs(n, 2, 2));
  INGOT_TRY(ingot__onnx_get_int(n, "broadcast", 0, &broadcast));
  INGOT_TRY(ingot__onnx_get_int(n, "axis", 0, &axis));
  ingot__value *in[] = {n->in[0], n->in[1]};
  if (broadcast && has_axis) {
    int rank_a = ingot__onnx_type(n, in[0])->rank, rank_b = ingot__onnx_type(n, in[1])->rank;
    if (rank_a < 0 || rank_b < 0) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "broadcasts along an axis of a value of unknown rank");
    if (axis < 0) axis += rank_a;
    int64_t behind = rank_a - axis - rank_b;
    if (axis < 0 || behind < 0) return INGOT__ONNX_FAIL(n, INGOT_E_SHAPE, "axis %lld doesn't fit ranks %d and %d", (long long)axis, rank_a, rank_b);
    if (behind > 0) INGOT__ONNX_NEED(n, in[1] = unsqueeze_end(n, in[1], rank_b, (int)behind));
  }
  return ingot__onnx_build(n, own_op(n), in, 2);
}

ingot_status ingot__onnx_convert_gemm(ingot__onnx_node *n) {
  int64_t broadcast;
  INGOT_TRY(ingot__onnx_inputs(n, 3, 3));
  INGOT_TRY(ingot__onnx_get_int(n, "broadcast", 0, &broadcast));
  return ingot__onnx_build(n, INGOT__OP_Gemm, n->in, 3);
}

/* Before 7 a slope of more than one element is one a channel. */
ingot_status ingot__onnx_convert_prelu(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 2, 2));
  ingot__value *in[] = {n->in[0], n->in[1]};
  const ingot__type *slope = ingot__onnx_type(n, in[1]);
  if (slope->rank == 1 && slope->dim[0] != 1) {
    int rank = ingot__onnx_type(n, in[0])->rank;
    if (rank < 2) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has a slope for each channel of a value of unknown rank");
    if (rank > 2) INGOT__ONNX_NEED(n, in[1] = unsqueeze_end(n, in[1], 1, rank - 2));
  }
  return ingot__onnx_build(n, INGOT__OP_PRelu, in, 2);
}

/* Max, Min, Sum, Mean of any number of inputs: a chain of binary ones. */
ingot_status ingot__onnx_convert_variadic(ingot__onnx_node *n) {
  bool mean = ingot__text_is(n->pb->op, "Mean");
  ingot__op op = mean || ingot__text_is(n->pb->op, "Sum") ? INGOT__OP_Add : own_op(n);
  INGOT_TRY(ingot__onnx_inputs(n, n->n_in ? n->n_in : 1, SIZE_MAX));
  ingot__value *sum = n->in[0];
  size_t last = mean ? n->n_in : n->n_in - 1;
  for (size_t i = 1; i < last; i++) INGOT__ONNX_NEED(n, sum = ingot__onnx_binary(n, op, sum, n->in[i]));
  ingot__value *in[] = {sum, n->in[n->n_in - 1]};
  if (n->n_in == 1) return ingot__onnx_build(n, INGOT__OP_Identity, in, 1);
  if (mean) {
    INGOT__ONNX_NEED(n, in[1] = ingot__onnx_float_like(n, (float)n->n_in, n->in[0]));
    op = INGOT__OP_Div;
  }
  return ingot__onnx_build(n, op, in, 2);
}

ingot_status ingot__onnx_convert_bit_shift(ingot__onnx_node *n) {
  const char *direction;
  INGOT_TRY(ingot__onnx_inputs(n, 2, 2));
  INGOT_TRY(ingot__onnx_get_string(n, "direction", "", &direction));
  bool left = strcmp(direction, "LEFT") == 0;
  if (!left && strcmp(direction, "RIGHT") != 0) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "shifts in the direction '%.40s'", direction);
  return ingot__onnx_build(n, left ? INGOT__OP_ShiftLeft : INGOT__OP_ShiftRight, n->in, 2);
}

ingot_status ingot__onnx_convert_clip(ingot__onnx_node *n) {
  float min, max;
  bool has_min = ingot__onnx_has(n, "min"), has_max = ingot__onnx_has(n, "max");
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_float(n, "min", 0, &min));
  INGOT_TRY(ingot__onnx_get_float(n, "max", 0, &max));
  ingot__value *in[] = {n->in[0], NULL, NULL};
  if (has_min) INGOT__ONNX_NEED(n, in[1] = ingot__onnx_float_like(n, min, n->in[0]));
  if (has_max) INGOT__ONNX_NEED(n, in[2] = ingot__onnx_float_like(n, max, n->in[0]));
  return ingot__onnx_build(n, INGOT__OP_Clip, in, has_max ? 3 : has_min ? 2 : 1);
}

/* Before 6 the type was a string. */
ingot_status ingot__onnx_convert_cast(ingot__onnx_node *n) {
  static const char *const names[] = {"", "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL", "FLOAT16", "DOUBLE",
                                      "UINT32", "UINT64", "COMPLEX64", "COMPLEX128"};
  const char *to;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_string(n, "to", "", &to));
  int64_t dtype = 0;
  for (int i = 1; i < (int)(sizeof names / sizeof *names); i++) {
    if (strcmp(names[i], to) == 0) dtype = i;
  }
  if (!dtype) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "casts to '%.40s', which is no type", to);
  ingot__node *node = ingot__onnx_finish(n, INGOT__OP_Cast, n->in, 1);
  INGOT__ONNX_NEED(n, node);
  ((ingot__attrs_Cast *)node->attrs)->to = dtype;
  return INGOT_OK;
}

/* Before 6 the defaults had fewer digits. */
ingot_status ingot__onnx_convert_selu(ingot__onnx_node *n) {
  float alpha, gamma;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_float(n, "alpha", 1.6732f, &alpha));
  INGOT_TRY(ingot__onnx_get_float(n, "gamma", 1.0507f, &gamma));
  ingot__node *node = ingot__onnx_finish(n, INGOT__OP_Selu, n->in, 1);
  INGOT__ONNX_NEED(n, node);
  *(ingot__attrs_Selu *)node->attrs = (ingot__attrs_Selu){.alpha = alpha, .gamma = gamma};
  return INGOT_OK;
}

/* x * sigmoid(alpha x): Swish of opset 24, and ONNX Runtime's QuickGelu, which has another default. */
ingot_status ingot__onnx_convert_swish(ingot__onnx_node *n) {
  float alpha;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_float(n, "alpha", ingot__text_is(n->pb->op, "Swish") ? 1.0f : 1.702f, &alpha));
  if (alpha == 1) return ingot__onnx_build(n, INGOT__OP_Silu, n->in, 1);
  ingot__value *x = n->in[0], *scaled = ingot__onnx_binary(n, INGOT__OP_Mul, x, ingot__onnx_float_like(n, alpha, x));
  ingot__value *in[] = {x, ingot__onnx_unary(n, INGOT__OP_Sigmoid, scaled)};
  INGOT__ONNX_NEED(n, in[1]);
  return ingot__onnx_build(n, INGOT__OP_Mul, in, 2);
}
