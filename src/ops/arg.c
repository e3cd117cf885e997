/* ArgMax and ArgMin: the index of the extreme along an axis, the first (or last) of equals. NaN counts as the extreme. */
#include "ops/ints.h"
#include <math.h>

static bool takes(ingot_dtype t) {
  return ingot__dtype_is_int(t) || t == INGOT_FLOAT32 || t == INGOT_FLOAT64 || t == INGOT_FLOAT16 || t == INGOT_BFLOAT16;
}

/* The two have the same attributes. */
static ingot_status infer_arg(ingot__infer *infer) {
  const ingot__attrs_ArgMax *a = (const ingot__attrs_ArgMax *)infer->attrs;
  bool unknown;
  int axis;
  INGOT_TRY(ingot__infer_rank(infer, 0, 1, -1, &unknown));
  const ingot__type *x = infer->in[0];
  if (!takes(x->dtype)) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  ingot__type *out = &infer->out[0];
  ingot__type_unknown(out, INGOT_INT64);
  if (unknown) return INGOT_OK;
  INGOT_TRY(ingot__infer_axis(infer, a->axis, x->rank, &axis));
  if (x->dim[axis] == 0) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "axis %d has no elements", axis);
  int rank = 0;
  for (int i = 0; i < x->rank; i++) {
    if (i != axis) out->dim[rank++] = x->dim[i];
    else if (a->keepdims) out->dim[rank++] = 1;
  }
  out->rank = (int8_t)rank;
  return INGOT_OK;
}
ingot_status ingot__infer_ArgMax(ingot__infer *infer) { return infer_arg(infer); }
ingot_status ingot__infer_ArgMin(ingot__infer *infer) { return infer_arg(infer); }

/* 1: b goes before a as the extreme; 0: equal; -1: after. */
static int order(double a, double b, bool max) {
  if (isnan(a) || isnan(b)) return isnan(b) - isnan(a);
  return max ? (b > a) - (b < a) : (b < a) - (b > a);
}
static int order_int(int64_t a, int64_t b, bool max) { return max ? (b > a) - (b < a) : (b < a) - (b > a); }

static ingot_status find(const ingot__call *call, bool max) {
  const ingot__attrs_ArgMax *a = (const ingot__attrs_ArgMax *)call->attrs;
  const ingot__view *x = &call->in[0];
  int64_t *out = (int64_t *)call->out[0].data, outer = 1, n = 1, inner = 1;
  int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis;
  for (int i = 0; i < x->rank; i++) *(i < axis ? &outer : i == axis ? &n : &inner) *= x->dim[i];
  bool real = ingot__dtype_is_float(x->dtype);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t k = 0; k < inner; k++) {
      int64_t at = o * n * inner + k, best = 0, best_int = 0;
      double best_real = 0;
      for (int64_t i = 0; i < n; i++) {
        size_t e = (size_t)(at + i * inner);
        double v = real ? ingot__get_double(x->dtype, x->data, e) : 0;
        int64_t vi = real ? 0 : ingot__get_int(x->dtype, x->data, e);
        int c = i == 0 ? 1 : real ? order(best_real, v, max) : order_int(best_int, vi, max);
        if (c > 0 || (c == 0 && a->select_last_index)) best = i, best_real = v, best_int = vi;
      }
      out[o * inner + k] = best;
    }
  return INGOT_OK;
}
ingot_status ingot__ref_ArgMax(const ingot__call *call) { return find(call, true); }
ingot_status ingot__ref_ArgMin(const ingot__call *call) { return find(call, false); }
