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

/* DynamicQuantizeLSTM(X, W, R, B, lengths, h, c, P, W scale, W zero, R scale, R zero): LSTM with the weights in floats. X isn't quantised, so
 * the result is nearer to the network before quantisation than ONNX Runtime's. */
ingot_status ingot__onnx_convert_quantized_lstm(ingot__onnx_node *n) {
  INGOT_TRY(ingot__onnx_inputs(n, 3, 12));
  for (size_t i = 8; i < 12; i++)
    if (!INGOT__ONNX_IN(n, i)) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "its input %zu is left out, but is needed", i);
  ingot__value *in[8];
  memcpy(in, n->in, sizeof in);
  INGOT__ONNX_NEED(n, in[1] = lying_weights(n, n->in[1], n->in[8], n->in[9]));
  INGOT__ONNX_NEED(n, in[2] = lying_weights(n, n->in[2], n->in[10], n->in[11]));
  return ingot__onnx_build(n, INGOT__OP_LSTM, in, 8);
}
