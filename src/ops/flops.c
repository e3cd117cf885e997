/* The arithmetic of a call, for reports and cost models: a multiply-add is two, an elementwise function one, moving elements none. */
#include "ops/attention.h"
#include "ops/ops.h"

static double count(const ingot__view *v) {
  double n = 1;
  for (int i = 0; i < v->rank; i++) n *= (double)v->dim[i];
  return n;
}

static double taps(ingot__ints kernel) {
  double n = 1;
  for (size_t i = 0; i < kernel.n; i++) n *= (double)kernel.v[i];
  return n;
}

/* Multiply-adds of products; 0: none. */
static double products(const ingot__call *call) {
  const ingot__view *in = call->in, *out = call->out;
  double n;
  switch (call->node->op) {
  case INGOT__OP_Conv: return out->rank > 1 && in[1].dim[0] ? count(out) * count(&in[1]) / (double)in[1].dim[0] : 0;
  case INGOT__OP_DeformConv: /* its product, and four multiply-adds for each element that is read */
    return in[1].dim[0] ? count(out) * count(&in[1]) / (double)in[1].dim[0] + 2 * count(&in[2]) * (double)in[0].dim[1] : 0;
  case INGOT__OP_ConvTranspose: return in[1].dim[0] ? count(&in[0]) * count(&in[1]) / (double)in[1].dim[0] : 0;
  case INGOT__OP_MatMul:
    if (in[0].rank == 0) return 0;
    return count(out) * (double)in[0].dim[in[0].rank - (INGOT__ATTRS(call, MatMul)->trans_a && in[0].rank > 1 ? 2 : 1)];
  case INGOT__OP_MatMulInteger: return in[0].rank ? count(out) * (double)in[0].dim[in[0].rank - 1] : 0;
  case INGOT__OP_Gemm: return count(out) * (double)in[0].dim[INGOT__ATTRS(call, Gemm)->transA ? 0 : 1];
  case INGOT__OP_FusedAttention: { /* L S (D + E) */
    ingot__view k = ingot__attention_view(call, 1);
    n = count(out) * (double)k.dim[k.rank - 2];
    return n + (out->dim[out->rank - 1] ? n / (double)out->dim[out->rank - 1] * (double)in[0].dim[in[0].rank - 1] : 0);
  }
  case INGOT__OP_Einsum: /* of the largest operand by the output: exact for products of matrices of like size */
    n = count(&in[0]);
    for (size_t i = 1; i < call->n_in; i++) n = count(&in[i]) > n ? count(&in[i]) : n;
    return call->n_in > 1 ? n * (out->rank ? (double)out->dim[out->rank - 1] : 1) : 0;
  case INGOT__OP_LSTM: case INGOT__OP_GRU: case INGOT__OP_RNN: /* every step multiplies by W and R */
    return (double)in[0].dim[0] * (double)in[0].dim[1] * (count(&in[1]) + count(&in[2]));
  default: return 0;
  }
}

static double others(const ingot__call *call) {
  const ingot__view *in = call->in, *out = call->out;
  double n = 0;
  switch (call->node->op) {
  case INGOT__OP_MaxPool: return count(out) * taps(INGOT__ATTRS(call, MaxPool)->kernel_shape);
  case INGOT__OP_AveragePool: return count(out) * taps(INGOT__ATTRS(call, AveragePool)->kernel_shape);
  case INGOT__OP_LpPool: return 2 * count(out) * taps(INGOT__ATTRS(call, LpPool)->kernel_shape);
  case INGOT__OP_GlobalAveragePool: case INGOT__OP_GlobalMaxPool: case INGOT__OP_ReduceSum: case INGOT__OP_ReduceMean: case INGOT__OP_ReduceMax:
  case INGOT__OP_ReduceMin: case INGOT__OP_ReduceProd: case INGOT__OP_ReduceL1: case INGOT__OP_ReduceL2: case INGOT__OP_ReduceLogSum:
  case INGOT__OP_ReduceLogSumExp: case INGOT__OP_ReduceSumSquare: case INGOT__OP_ArgMax: case INGOT__OP_ArgMin: case INGOT__OP_CumSum:
  case INGOT__OP_CumProd: case INGOT__OP_TopK: case INGOT__OP_GlobalLpPool:
    return count(&in[0]);
  case INGOT__OP_BatchNormalization: return 2 * count(out);
  case INGOT__OP_InstanceNormalization: case INGOT__OP_LayerNormalization: case INGOT__OP_GroupNormalization: return 7 * count(out);
  case INGOT__OP_RMSNormalization: case INGOT__OP_LpNormalization: return 4 * count(out);
  case INGOT__OP_LRN: return 2 * count(out) * (double)INGOT__ATTRS(call, LRN)->size;
  case INGOT__OP_Softmax: case INGOT__OP_LogSoftmax: return 5 * count(out);
  case INGOT__OP_Resize: case INGOT__OP_GridSample: return 8 * count(out);
  case INGOT__OP_RoiAlign: /* four samples in most networks */ return 32 * count(out);
  case INGOT__OP_Where: case INGOT__OP_PRelu: case INGOT__OP_Pow: case INGOT__OP_Mod: case INGOT__OP_Gelu: case INGOT__OP_QuantizeLinear:
  case INGOT__OP_DequantizeLinear: case INGOT__OP_Clip:
    return count(out);
  case INGOT__OP_Fused:
    for (const ingot__node *node = INGOT__ATTRS(call, Fused)->body->first; node; node = node->next) n += count(out);
    return n;
  default: return ingot__op_get(call->node->op)->elementwise ? count(out) : 0;
  }
}

int64_t ingot__op_flops(const ingot__call *call) {
  if (call->n_out == 0 || !ingot__op_get(call->node->op)) return 0;
  double n = 2 * products(call);
  if (n == 0) n = others(call);
  return n < 9e18 ? (int64_t)n : INT64_MAX;
}
