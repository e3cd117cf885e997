/* Softmax and LogSoftmax over one axis, in double; Softmax of float16 and bfloat16 rounds every step to the type, as ONNX's tests
 * have it, but the sum at its end alone: of a hundred bfloat16 numbers added one by one little would be left. */
#include "ops/ints.h"
#include "ops/rows.h"
#include <math.h>

static ingot_status infer_softmax(ingot__infer *infer, int64_t axis) {
  bool unknown;
  int at;
  INGOT_TRY(ingot__infer_rank(infer, 0, 0, -1, &unknown));
  const ingot__type *x = infer->in[0];
  if (x->dtype != INGOT_FLOAT32 && x->dtype != INGOT_FLOAT64 && x->dtype != INGOT_FLOAT16 && x->dtype != INGOT_BFLOAT16) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  }
  if (unknown) return INGOT_OK;
  if (x->rank > 0) INGOT_TRY(ingot__infer_axis(infer, axis, x->rank, &at));
  infer->out[0] = *x;
  return INGOT_OK;
}
ingot_status ingot__infer_Softmax(ingot__infer *infer) { return infer_softmax(infer, INGOT__ATTRS(infer, Softmax)->axis); }
ingot_status ingot__infer_LogSoftmax(ingot__infer *infer) { return infer_softmax(infer, INGOT__ATTRS(infer, LogSoftmax)->axis); }

static ingot_status softmax(const ingot__call *call, int64_t axis, bool logarithm) {
  const ingot__view *x = &call->in[0], *out = &call->out[0];
  int64_t outer = 1, n = 1, inner = 1;
  if (axis < 0) axis += x->rank;
  for (int i = 0; i < x->rank; i++) *(i < axis ? &outer : i == axis ? &n : &inner) *= x->dim[i];
  const ingot_dtype t = logarithm ? INGOT_FLOAT64 : x->dtype; /* of the steps */
  double row[INGOT__ROW];
  for (int64_t o = 0; o < outer; o++)
    for (int64_t k = 0; k < inner; k++) {
      int64_t at = o * n * inner + k;
      double max = -INFINITY, sum = 0;
      for (int64_t i = 0; i < n; i += INGOT__ROW) {
        size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
        ingot__row_load(x->dtype, x->data, at + i * inner, inner, m, row);
        for (size_t e = 0; e < m; e++) max = row[e] > max || isnan(row[e]) ? row[e] : max;
      }
      for (int64_t i = 0; i < n; i += INGOT__ROW) {
        size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
        ingot__row_load(x->dtype, x->data, at + i * inner, inner, m, row);
        for (size_t e = 0; e < m; e++) sum += ingot__row_round(t, exp(ingot__row_round(t, row[e] - max)));
      }
      sum = ingot__row_round(t, sum);
      double log_sum = log(sum);
      for (int64_t i = 0; i < n; i += INGOT__ROW) {
        size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
        ingot__row_load(x->dtype, x->data, at + i * inner, inner, m, row);
        for (size_t e = 0; e < m; e++) {
          row[e] = logarithm ? row[e] - max - log_sum : ingot__row_round(t, exp(ingot__row_round(t, row[e] - max))) / sum;
        }
        ingot__row_store(out->dtype, out->data, at + i * inner, inner, m, row);
      }
    }
  return INGOT_OK;
}
ingot_status ingot__ref_Softmax(const ingot__call *call) { return softmax(call, INGOT__ATTRS(call, Softmax)->axis, false); }
ingot_status ingot__ref_LogSoftmax(const ingot__call *call) { return softmax(call, INGOT__ATTRS(call, LogSoftmax)->axis, true); }
