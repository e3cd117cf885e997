/* Conversions of normalisations and of softmax's relations. */
#include "import/onnx/convert.h"

ingot_status ingot__onnx_convert_batch_norm(ingot__onnx_node *n) {
  int64_t training, spatial, is_test;
  float momentum;
  INGOT_TRY(ingot__onnx_inputs(n, 5, 5));
  INGOT_TRY(ingot__onnx_get_int(n, "training_mode", 0, &training));
  INGOT_TRY(ingot__onnx_get_int(n, "spatial", 1, &spatial)); /* before 9 */
  INGOT_TRY(ingot__onnx_get_int(n, "is_test", 1, &is_test)); /* before 7 */
  INGOT_TRY(ingot__onnx_get_float(n, "momentum", 0.9f, &momentum));
  if (training) return ingot__onnx_batch_norm_training(n, momentum);
  if (!spatial) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has statistics for each element (spatial = 0), not for each channel");
  ingot__node *node = ingot__onnx_finish_output(n, 0, INGOT__OP_BatchNormalization, n->in, 5); /* its other outputs are for training */
  INGOT__ONNX_NEED(n, node);
  return ingot__onnx_set_attrs(n, INGOT__OP_BatchNormalization, node->attrs);
}

static ingot__value *shape_of(ingot__onnx_node *n, ingot__value *v, int64_t start, int64_t end) {
  ingot__node *node = v ? ingot__onnx_emit(n, INGOT__OP_Shape, &v, 1) : NULL;
  if (!node) return NULL;
  *(ingot__attrs_Shape *)node->attrs = (ingot__attrs_Shape){.start = start, .end = end};
  return node->out[0];
}

static ingot__value *flatten(ingot__onnx_node *n, ingot__value *v, int64_t axis) {
  ingot__node *node = ingot__onnx_emit(n, INGOT__OP_Flatten, &v, 1);
  if (!node) return NULL;
  ((ingot__attrs_Flatten *)node->attrs)->axis = axis;
  return node->out[0];
}

/* Before 13 softmax works on a matrix: dims from `axis` on are its columns. *matrix: the value isn't one already. */
static ingot_status matrix_axis(ingot__onnx_node *n, int64_t *axis, bool *matrix) {
  *matrix = false;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_int(n, "axis", n->version < 13 ? 1 : -1, axis));
  if (n->version >= 13 || *axis == -1) return INGOT_OK;
  int rank = ingot__onnx_type(n, n->in[0])->rank;
  if (rank > 0 && *axis == rank - 1) *axis = -1;
  else *matrix = true;
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_softmax(ingot__onnx_node *n) {
  ingot__op op = ingot__text_is(n->pb->op, "Softmax") ? INGOT__OP_Softmax : INGOT__OP_LogSoftmax;
  int64_t axis;
  bool matrix;
  INGOT_TRY(matrix_axis(n, &axis, &matrix));
  if (!matrix) return ingot__onnx_build(n, op, n->in, 1); /* along the last axis, which is the rows' default */
  ingot__value *x = n->in[0], *in[] = {ingot__onnx_unary(n, op, flatten(n, x, axis)), shape_of(n, x, 0, INGOT__NO_INT)};
  INGOT__ONNX_NEED(n, in[0] && in[1]);
  return ingot__onnx_build(n, INGOT__OP_Reshape, in, 2);
}

/* One for the first largest element along the axis, zero for others: OneHot(ArgMax). */
ingot_status ingot__onnx_convert_hardmax(ingot__onnx_node *n) {
  static const float zero_one[] = {0, 1};
  int64_t axis;
  bool matrix;
  INGOT_TRY(matrix_axis(n, &axis, &matrix));
  ingot__value *x = n->in[0];
  if (matrix) {
    INGOT__ONNX_NEED(n, x = flatten(n, x, axis));
    axis = -1;
  }
  ingot__literal values = {.dtype = INGOT_FLOAT32, .rank = 1, .dim = {2}, .data = zero_one, .bytes = sizeof zero_one};
  ingot__node *largest = ingot__onnx_emit(n, INGOT__OP_ArgMax, &x, 1);
  INGOT__ONNX_NEED(n, largest);
  ((ingot__attrs_ArgMax *)largest->attrs)->axis = axis;
  ((ingot__attrs_ArgMax *)largest->attrs)->keepdims = 0;
  ingot__value *typed = ingot__onnx_binary(n, INGOT__OP_CastLike, ingot__onnx_constant(n, "const", &values), x);
  ingot__value *in[] = {largest->out[0], shape_of(n, x, axis, axis == -1 || axis == INT64_MAX ? INGOT__NO_INT : axis + 1), typed};
  INGOT__ONNX_NEED(n, in[1] && in[2]);
  ingot__node *hot = matrix ? ingot__onnx_emit(n, INGOT__OP_OneHot, in, 3) : ingot__onnx_finish(n, INGOT__OP_OneHot, in, 3);
  INGOT__ONNX_NEED(n, hot);
  ((ingot__attrs_OneHot *)hot->attrs)->axis = axis;
  if (!matrix) return INGOT_OK;
  ingot__value *back[] = {hot->out[0], shape_of(n, n->in[0], 0, INGOT__NO_INT)};
  INGOT__ONNX_NEED(n, back[1]);
  return ingot__onnx_build(n, INGOT__OP_Reshape, back, 2);
}

/* (groups) to (channels): each group's number for every channel of it. */
static ingot__value *per_channel(ingot__onnx_node *n, ingot__value *v, ingot__value *shape) {
  static const int64_t one = 1, all = -1;
  ingot__value *column = ingot__onnx_binary(n, INGOT__OP_Unsqueeze, v, ingot__onnx_ints(n, &one, 1));
  return ingot__onnx_binary(n, INGOT__OP_Reshape, ingot__onnx_binary(n, INGOT__OP_Expand, column, shape), ingot__onnx_ints(n, &all, 1));
}

/* Before 21 scale and bias are given for each group. */
ingot_status ingot__onnx_convert_group_norm(ingot__onnx_node *n) {
  int64_t groups;
  INGOT_TRY(ingot__onnx_inputs(n, 3, 3));
  INGOT_TRY(ingot__onnx_get_int(n, "num_groups", 0, &groups));
  if (groups < 1) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute 'num_groups' is missing or not positive");
  ingot__value *count = ingot__onnx_ints(n, &groups, 1);
  ingot__value *shape = ingot__onnx_binary(n, INGOT__OP_Concat, count, ingot__onnx_binary(n, INGOT__OP_Div, shape_of(n, n->in[0], 1, 2), count));
  INGOT__ONNX_NEED(n, shape);
  ingot__value *in[] = {n->in[0], per_channel(n, n->in[1], shape), per_channel(n, n->in[2], shape)};
  INGOT__ONNX_NEED(n, in[1] && in[2]);
  INGOT_TRY(ingot__onnx_build(n, INGOT__OP_GroupNormalization, in, 3));
  if (n->out[0]) ((ingot__attrs_GroupNormalization *)n->out[0]->producer->attrs)->num_groups = groups;
  return INGOT_OK;
}

/* (x - mean) / (deviation + 1e-9), over axes (0, 2, 3) by default. */
ingot_status ingot__onnx_convert_mean_variance(ingot__onnx_node *n) {
  static const int64_t usual[] = {0, 2, 3};
  ingot__ints axes;
  bool given;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_ints(n, "axes", &axes, &given));
  ingot__value *x = n->in[0], *over = given ? ingot__onnx_ints(n, axes.v, axes.n) : ingot__onnx_ints(n, usual, 3);
  ingot__value *centred = ingot__onnx_binary(n, INGOT__OP_Sub, x, ingot__onnx_binary(n, INGOT__OP_ReduceMean, x, over));
  ingot__value *variance = ingot__onnx_binary(n, INGOT__OP_ReduceMean, ingot__onnx_binary(n, INGOT__OP_Mul, centred, centred), over);
  ingot__value *deviation = ingot__onnx_unary(n, INGOT__OP_Sqrt, variance);
  ingot__value *in[] = {centred, ingot__onnx_binary(n, INGOT__OP_Add, deviation, ingot__onnx_float_like(n, 1e-9f, x))};
  INGOT__ONNX_NEED(n, in[0] && in[1]);
  return ingot__onnx_build(n, INGOT__OP_Div, in, 2);
}
