/* CumSum, CumProd: running sums and products along an axis that is an input. */
#include "ops/ints.h"

static ingot_status infer_running(ingot__infer *infer) {
  bool unknown;
  int64_t axis;
  int at;
  INGOT_TRY(ingot__infer_rank(infer, 0, 1, -1, &unknown));
  const ingot__type *x = infer->in[0];
  if (!ingot__dtype_is_float(x->dtype) && !ingot__dtype_is_int(x->dtype)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  }
  size_t count;
  if (ingot__infer_has(infer, 1) && !ingot__dtype_is_int(infer->in[1]->dtype)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the axis is no integer");
  }
  if (ingot__infer_has(infer, 1) && ingot__type_count(infer->in[1], &count) && count != 1) {
    return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the axis must be one number");
  }
  if (!unknown && ingot__ints_number(infer, 1, 0, &axis)) INGOT_TRY(ingot__infer_axis(infer, axis, x->rank, &at));
  return ingot__infer_same(infer, 0, 0);
}

ingot_status ingot__infer_CumSum(ingot__infer *infer) { return infer_running(infer); }
ingot_status ingot__infer_CumProd(ingot__infer *infer) { return infer_running(infer); }

static ingot_status running(const ingot__call *call, bool product, bool exclusive, bool reverse) {
  const ingot__view *x = &call->in[0], *out = &call->out[0];
  if (ingot__view_count(&call->in[1]) != 1) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the axis must be one number");
  int64_t axis = ingot__get_int(call->in[1].dtype, call->in[1].data, 0), outer = 1, n = 1, inner = 1;
  if (axis < -x->rank || axis >= x->rank) {
    return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "axis %lld is outside %d..%d", (long long)axis, -x->rank, x->rank - 1);
  }
  if (axis < 0) axis += x->rank;
  for (int i = 0; i < x->rank; i++) *(i < axis ? &outer : i == axis ? &n : &inner) *= x->dim[i];
  bool real = ingot__dtype_is_float(x->dtype);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t k = 0; k < inner; k++) {
      double sum = product;
      uint64_t whole = product;
      for (int64_t i = 0; i < n; i++) {
        size_t e = (size_t)(o * n * inner + k + (reverse ? n - 1 - i : i) * inner);
        double v = real ? ingot__get_double(x->dtype, x->data, e) : 0;
        uint64_t w = real ? 0 : (uint64_t)ingot__get_int(x->dtype, x->data, e);
        double next = product ? sum * v : sum + v;
        uint64_t next_whole = product ? whole * w : whole + w;
        if (real) ingot__set_double(out->dtype, out->data, e, exclusive ? sum : next);
        else ingot__set_int(out->dtype, out->data, e, (int64_t)(exclusive ? whole : next_whole));
        sum = next, whole = next_whole;
      }
    }
  return INGOT_OK;
}

ingot_status ingot__ref_CumSum(const ingot__call *call) {
  const ingot__attrs_CumSum *a = INGOT__ATTRS(call, CumSum);
  return running(call, false, a->exclusive != 0, a->reverse != 0);
}
ingot_status ingot__ref_CumProd(const ingot__call *call) {
  const ingot__attrs_CumProd *a = INGOT__ATTRS(call, CumProd);
  return running(call, true, a->exclusive != 0, a->reverse != 0);
}
