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
