/* Conversions of what networks in training have: batch normalisation by the batch's own statistics, cross entropy. */
#include "import/onnx/convert.h"

static ingot__value *mean_over(ingot__onnx_node *n, ingot__value *v, ingot__value *axes, int64_t keep) {
  ingot__value *in[] = {v, axes};
  ingot__node *node = v && axes ? ingot__onnx_emit(n, INGOT__OP_ReduceMean, in, 2) : NULL;
  if (!node) return NULL;
  ((ingot__attrs_ReduceMean *)node->attrs)->keepdims = keep;
  return node->out[0];
}

/* running * momentum + now * (1 - momentum) as output i, if that is wanted. */
static ingot_status update(ingot__onnx_node *n, size_t i, ingot__value *running, ingot__value *now, float momentum) {
  if (i >= n->n_out || !n->out_name[i]) return INGOT_OK;
  ingot__value *in[] = {ingot__onnx_binary(n, INGOT__OP_Mul, running, ingot__onnx_float_like(n, momentum, running)),
                        ingot__onnx_binary(n, INGOT__OP_Mul, now, ingot__onnx_float_like(n, 1 - momentum, running))};
  INGOT__ONNX_NEED(n, in[0] && in[1] && ingot__onnx_finish_output(n, i, INGOT__OP_Add, in, 2));
  return INGOT_OK;
}

/* With training_mode (opset 14): statistics of all but the channels' axis; the other outputs are running means of them. */
ingot_status ingot__onnx_batch_norm_training(ingot__onnx_node *n, float momentum) {
  int64_t axes[INGOT_MAX_RANK] = {0};
  int rank = ingot__onnx_type(n, n->in[0])->rank;
  if (rank < 2) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "is in training mode on a value of unknown rank");
  for (int i = 2; i < rank; i++) axes[i - 1] = i;
  ingot__value *x = n->in[0], *over = ingot__onnx_ints(n, axes, (size_t)rank - 1);
  ingot__value *centred = ingot__onnx_binary(n, INGOT__OP_Sub, x, mean_over(n, x, over, 1));
  ingot__value *mean = mean_over(n, x, over, 0), *variance = mean_over(n, ingot__onnx_binary(n, INGOT__OP_Mul, centred, centred), over, 0);
  mean = ingot__onnx_binary(n, INGOT__OP_CastLike, mean, n->in[3]);
  variance = ingot__onnx_binary(n, INGOT__OP_CastLike, variance, n->in[4]);
  INGOT__ONNX_NEED(n, mean && variance);
  INGOT_TRY(update(n, 1, n->in[3], mean, momentum));
  INGOT_TRY(update(n, 2, n->in[4], variance, momentum));
  ingot__value *in[] = {x, n->in[1], n->in[2], mean, variance};
  ingot__node *node = ingot__onnx_finish_output(n, 0, INGOT__OP_BatchNormalization, in, 5);
  INGOT__ONNX_NEED(n, node);
  return ingot__onnx_set_attrs(n, INGOT__OP_BatchNormalization, node->attrs);
}

/* NegativeLogLikelihoodLoss(LogSoftmax(scores), labels, weights); the logarithms are output 1. */
ingot_status ingot__onnx_convert_cross_entropy(ingot__onnx_node *n) {
  int64_t ignore;
  const char *reduction;
  INGOT_TRY(ingot__onnx_inputs(n, 2, 3));
  INGOT_TRY(ingot__onnx_get_int(n, "ignore_index", INGOT__NO_INT, &ignore));
  INGOT_TRY(ingot__onnx_get_string(n, "reduction", "mean", &reduction));
  bool wanted = n->n_out > 1 && n->out_name[1];
  ingot__node *logs = wanted ? ingot__onnx_finish_output(n, 1, INGOT__OP_LogSoftmax, n->in, 1) : ingot__onnx_emit(n, INGOT__OP_LogSoftmax, n->in, 1);
  INGOT__ONNX_NEED(n, logs);
  ((ingot__attrs_LogSoftmax *)logs->attrs)->axis = 1;
  ingot__value *in[] = {logs->out[0], n->in[1], INGOT__ONNX_IN(n, 2)};
  ingot__node *loss = ingot__onnx_finish_output(n, 0, INGOT__OP_NegativeLogLikelihoodLoss, in, in[2] ? 3 : 2);
  INGOT__ONNX_NEED(n, loss);
  ingot__attrs_NegativeLogLikelihoodLoss *a = loss->attrs;
  a->ignore_index = ignore;
  a->reduction = reduction;
  return INGOT_OK;
}
