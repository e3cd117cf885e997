/* LpNormalization along an axis, and LRN, local response normalisation across channels. */
#include "ops/ints.h"
#include "ops/rows.h"
#include <math.h>


ingot_status ingot__infer_LpNormalization(ingot__infer *infer) {
  const ingot__attrs_LpNormalization *a = INGOT__ATTRS(infer, LpNormalization);
  bool unknown;
  int axis;
  INGOT_TRY(ingot__infer_rank(infer, 0, 1, -1, &unknown));
  if (!ingot__dtype_is_real(infer->in[0]->dtype))
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(infer->in[0]->dtype));
  if (a->p != 1 && a->p != 2) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "p is %lld, not 1 or 2", (long long)a->p);
  if (unknown) return INGOT_OK;
  INGOT_TRY(ingot__infer_axis(infer, a->axis, infer->in[0]->rank, &axis));
  return ingot__infer_same(infer, 0, 0);
}

ingot_status ingot__ref_LpNormalization(const ingot__call *call) {
  const ingot__attrs_LpNormalization *a = INGOT__ATTRS(call, LpNormalization);
  const ingot__view *x = &call->in[0], *out = &call->out[0];
  int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis, outer = 1, n = 1, inner = 1;
  for (int i = 0; i < x->rank; i++) *(i < axis ? &outer : i == axis ? &n : &inner) *= x->dim[i];
  double row[INGOT__ROW];
  for (int64_t o = 0; o < outer; o++)
    for (int64_t k = 0; k < inner; k++) {
      int64_t at = o * n * inner + k;
      double norm = 0;
      for (int64_t i = 0; i < n; i += INGOT__ROW) {
        size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
        ingot__row_load(x->dtype, x->data, at + i * inner, inner, m, row);
        for (size_t e = 0; e < m; e++) norm += a->p == 1 ? fabs(row[e]) : row[e] * row[e];
      }
      if (a->p == 2) norm = sqrt(norm);
      for (int64_t i = 0; i < n; i += INGOT__ROW) {
        size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
        ingot__row_load(x->dtype, x->data, at + i * inner, inner, m, row);
        for (size_t e = 0; e < m; e++) row[e] = norm == 0 ? 0 : row[e] / norm; /* a row of zeros stays zero */
        ingot__row_store(out->dtype, out->data, at + i * inner, inner, m, row);
      }
    }
  return INGOT_OK;
}

ingot_status ingot__infer_LRN(ingot__infer *infer) {
  bool unknown;
  INGOT_TRY(ingot__infer_rank(infer, 0, 2, -1, &unknown));
  if (!ingot__dtype_is_real(infer->in[0]->dtype))
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(infer->in[0]->dtype));
  int64_t size = INGOT__ATTRS(infer, LRN)->size;
  if (size < 1 || size > INT32_MAX) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "size is %lld", (long long)size);
  return ingot__infer_same(infer, 0, 0);
}

/* y = x / (bias + alpha / size * sum of x^2 over `size` channels around)^beta. */
ingot_status ingot__ref_LRN(const ingot__call *call) {
  const ingot__attrs_LRN *a = INGOT__ATTRS(call, LRN);
  const ingot__view *x = &call->in[0], *out = &call->out[0];
  int64_t plane = 1, channels = x->dim[1], before = (a->size - 1) / 2, after = a->size - 1 - before;
  for (int i = 2; i < x->rank; i++) plane *= x->dim[i];
  double row[INGOT__ROW], sum[INGOT__ROW];
  for (int64_t n = 0; n < x->dim[0]; n++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t i = 0; i < plane; i += INGOT__ROW) {
        size_t m = (size_t)(plane - i < INGOT__ROW ? plane - i : INGOT__ROW);
        int64_t low = c > before ? c - before : 0, high = channels - 1 - c > after ? c + after : channels - 1;
        for (size_t e = 0; e < m; e++) sum[e] = 0;
        for (int64_t k = low; k <= high; k++) {
          ingot__row_load(x->dtype, x->data, (n * channels + k) * plane + i, 1, m, row);
          for (size_t e = 0; e < m; e++) sum[e] += row[e] * row[e];
        }
        ingot__row_load(x->dtype, x->data, (n * channels + c) * plane + i, 1, m, row);
        for (size_t e = 0; e < m; e++) row[e] /= pow((double)a->bias + (double)a->alpha / (double)a->size * sum[e], (double)a->beta);
        ingot__row_store(out->dtype, out->data, (n * channels + c) * plane + i, 1, m, row);
      }
  return INGOT_OK;
}
