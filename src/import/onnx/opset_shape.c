/* Conversions of operators that move elements: attributes of older opsets (axes, shape, split, starts, pads, k) to inputs. */
#include "import/onnx/convert.h"

/* Squeeze, Unsqueeze and ReduceSum before 13, the other reductions before 18. */
ingot_status ingot__onnx_convert_axes(ingot__onnx_node *n) {
  ingot__ints axes;
  bool given;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_ints(n, "axes", &axes, &given));
  ingot__op op = INGOT__OP_NONE;
  char name[64] = "";
  if (n->pb->op.n < sizeof name) memcpy(name, n->pb->op.p, n->pb->op.n);
  op = ingot__op_find_onnx("", name);
  if (op == INGOT__OP_Unsqueeze && !given) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute 'axes' is missing");
  ingot__value *in[] = {n->in[0], NULL};
  if (axes.n || op == INGOT__OP_Unsqueeze) INGOT__ONNX_NEED(n, in[1] = ingot__onnx_ints(n, axes.v, axes.n));
  return ingot__onnx_build(n, op, in, in[1] ? 2 : 1);
}

ingot_status ingot__onnx_convert_reshape(ingot__onnx_node *n) {
  ingot__ints shape;
  bool given;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_ints(n, "shape", &shape, &given));
  if (!given) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute 'shape' is missing");
  ingot__value *in[] = {n->in[0], ingot__onnx_ints(n, shape.v, shape.n)};
  INGOT__ONNX_NEED(n, in[1]);
  return ingot__onnx_build(n, INGOT__OP_Reshape, in, 2);
}

/* Before 18 a Split without sizes splits evenly into as many parts as it has outputs; sizes are an attribute before 13. */
ingot_status ingot__onnx_convert_split(ingot__onnx_node *n) {
  ingot__ints split;
  bool given;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 2));
  INGOT_TRY(ingot__onnx_get_ints(n, "split", &split, &given));
  ingot__value *in[] = {n->in[0], INGOT__ONNX_IN(n, 1)};
  if (!in[1] && split.n) INGOT__ONNX_NEED(n, in[1] = ingot__onnx_ints(n, split.v, split.n));
  INGOT_TRY(ingot__onnx_build(n, INGOT__OP_Split, in, in[1] ? 2 : 1));
  for (size_t i = 0; i < n->n_out && !in[1]; i++) {
    if (n->out[i]) ((ingot__attrs_Split *)n->out[i]->producer->attrs)->num_outputs = (int64_t)n->n_out;
  }
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_slice(ingot__onnx_node *n) {
  ingot__ints starts, ends, axes;
  bool has_starts, has_ends, has_axes;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_ints(n, "starts", &starts, &has_starts));
  INGOT_TRY(ingot__onnx_get_ints(n, "ends", &ends, &has_ends));
  INGOT_TRY(ingot__onnx_get_ints(n, "axes", &axes, &has_axes));
  if (!has_starts || !has_ends) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attributes 'starts' and 'ends' are missing");
  ingot__value *in[] = {n->in[0], ingot__onnx_ints(n, starts.v, starts.n), ingot__onnx_ints(n, ends.v, ends.n), NULL};
  INGOT__ONNX_NEED(n, in[1] && in[2]);
  if (has_axes) INGOT__ONNX_NEED(n, in[3] = ingot__onnx_ints(n, axes.v, axes.n));
  return ingot__onnx_build(n, INGOT__OP_Slice, in, has_axes ? 4 : 3);
}

ingot_status ingot__onnx_convert_pad(ingot__onnx_node *n) {
  ingot__ints pads;
  float value;
  bool given;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_ints(n, n->version < 2 ? "paddings" : "pads", &pads, &given));
  INGOT_TRY(ingot__onnx_get_float(n, "value", 0, &value));
  if (!given) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute 'pads' is missing");
  ingot__value *in[] = {n->in[0], ingot__onnx_ints(n, pads.v, pads.n), NULL};
  INGOT__ONNX_NEED(n, in[1]);
  if (value != 0) INGOT__ONNX_NEED(n, in[2] = ingot__onnx_float_like(n, value, n->in[0]));
  return ingot__onnx_build(n, INGOT__OP_Pad, in, in[2] ? 3 : 2);
}

/* Tile-1(input, tiles, axis) repeats along one axis. */
ingot_status ingot__onnx_convert_tile(ingot__onnx_node *n) {
  return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "is of opset %lld, which ingot takes from 6 on: convert the model to a newer opset",
                          (long long)n->version);
}

ingot_status ingot__onnx_convert_topk(ingot__onnx_node *n) {
  int64_t k;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  if (!ingot__onnx_has(n, "k")) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute 'k' is missing");
  INGOT_TRY(ingot__onnx_get_int(n, "k", 0, &k));
  ingot__value *in[] = {n->in[0], ingot__onnx_ints(n, &k, 1)};
  INGOT__ONNX_NEED(n, in[1]);
  return ingot__onnx_build(n, INGOT__OP_TopK, in, 2);
}

ingot_status ingot__onnx_convert_scatter(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 3, 3));
  return ingot__onnx_build(n, INGOT__OP_ScatterElements, n->in, 3);
}

/* Before 4 the axis had a default. */
ingot_status ingot__onnx_convert_concat(ingot__onnx_node *n) {
  int64_t axis;
  INGOT_TRY(ingot__onnx_inputs(n, 1, SIZE_MAX));
  INGOT_TRY(ingot__onnx_get_int(n, "axis", 1, &axis));
  ingot__node *node = ingot__onnx_finish(n, INGOT__OP_Concat, n->in, n->n_in);
  INGOT__ONNX_NEED(n, node);
  ((ingot__attrs_Concat *)node->attrs)->axis = axis;
  return INGOT_OK;
}
