/* Conversion of the LSTM of ONNX Runtime's dynamically quantised networks. */
#include "import/onnx/convert.h"

/* (W - zero) * scale, one of each a direction or a gate's row, in LSTM's order: ONNX Runtime keeps these matrices lying the other way. */
static ingot__value *lying_weights(ingot__onnx_node *n, ingot__value *w, ingot__value *scale, ingot__value *zero) {
  static const int64_t turn[] = {0, 2, 1};
  const ingot__type *t = ingot__onnx_type(n, w);
  int64_t shape[] = {t->rank == 3 && t->dim[0] > 0 ? t->dim[0] : 1, 1, -1};
  ingot__value *cast = ingot__onnx_unary(n, INGOT__OP_Cast, w), *offset = ingot__onnx_unary(n, INGOT__OP_Cast, zero); /* to float32 */
  ingot__value *dims = ingot__onnx_ints(n, shape, 3);
  ingot__value *v = ingot__onnx_binary(n, INGOT__OP_Sub, cast, ingot__onnx_binary(n, INGOT__OP_Reshape, offset, dims));
  v = ingot__onnx_binary(n, INGOT__OP_Mul, v, ingot__onnx_binary(n, INGOT__OP_Reshape, scale, dims));
  ingot__node *transpose = v ? ingot__onnx_emit(n, INGOT__OP_Transpose, &v, 1) : NULL;
  if (!transpose) return NULL;
  int64_t *perm = ingot__arena_copy(n->o->arena, turn, sizeof turn);
  ((ingot__attrs_Transpose *)transpose->attrs)->perm = (ingot__ints){perm ? 3 : 0, perm};
  return perm ? transpose->out[0] : NULL;
}

/* DynamicQuantizeLSTM(X, W, R, B, lengths, h, c, P, W scale, W zero, R scale, R zero): LSTM with the weights in floats, X in levels of its
 * range and so, step by step, the state. ONNX Runtime's results depend on its threads, as each takes the range of its own sequences: with one
 * thread, or one sequence, they are these. */
ingot_status ingot__onnx_convert_quantized_lstm(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 3, 12));
  for (size_t i = 8; i < 12; i++)
    if (!INGOT__ONNX_IN(n, i)) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "its input %zu is left out, but is needed", i);
  ingot__value *in[8];
  memcpy(in, n->in, sizeof in);
  ingot__node *levels = ingot__onnx_emit_outputs(n, INGOT__OP_DynamicQuantizeLinear, &in[0], 1, 3);
  ingot__node *x = levels ? ingot__onnx_emit(n, INGOT__OP_DequantizeLinear, levels->out, 3) : NULL;
  INGOT__ONNX_NEED(n, x);
  in[0] = x->out[0];
  INGOT__ONNX_NEED(n, in[1] = lying_weights(n, n->in[1], n->in[8], n->in[9]));
  INGOT__ONNX_NEED(n, in[2] = lying_weights(n, n->in[2], n->in[10], n->in[11]));
  ingot__attrs_LSTM attrs;
  ingot__attrs_default(INGOT__OP_LSTM, &attrs);
  INGOT_TRY(ingot__onnx_set_attrs(n, INGOT__OP_LSTM, &attrs));
  attrs.levels = 1;
  ingot__node *node = ingot__onnx_finish(n, INGOT__OP_LSTM, in, 8);
  INGOT__ONNX_NEED(n, node);
  memcpy(node->attrs, &attrs, sizeof attrs);
  return INGOT_OK;
}
