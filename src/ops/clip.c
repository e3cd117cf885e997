/* Clip: to a minimum and a maximum that are optional scalar inputs. NaN stays; where the minimum is above the maximum, the maximum wins. */
#include "ops/ints.h"
#include "ops/rows.h"
#include <math.h>

ingot_status ingot__infer_Clip(ingot__infer *infer) {
  if (!ingot__infer_has(infer, 0)) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "lacks input 0");
  const ingot__type *x = infer->in[0];
  if (!ingot__dtype_is_int(x->dtype) && !ingot__dtype_is_float(x->dtype)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  }
  for (size_t i = 1; i < infer->n_in; i++) {
    const ingot__type *t = infer->in[i];
    size_t n;
    if (!t) continue;
    if (t->dtype != x->dtype) {
      return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "a bound is %s, the input %s", ingot_dtype_name(t->dtype), ingot_dtype_name(x->dtype));
    }
    if (ingot__type_count(t, &n) && n != 1) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "a bound has %zu elements instead of one", n);
  }
  infer->out[0] = *x;
  size_t n;
  ingot__dim low, high, *known;
  if (infer->known[0] && (x->dtype == INGOT_INT64 || x->dtype == INGOT_INT32) && ingot__type_count(x, &n)) {
    low = ingot__infer_has(infer, 1) ? ingot__ints_get(infer, 1, 0) : INGOT__DIM_UNKNOWN;
    high = ingot__infer_has(infer, 2) ? ingot__ints_get(infer, 2, 0) : INGOT__DIM_UNKNOWN;
    bool has_low = ingot__infer_has(infer, 1), has_high = ingot__infer_has(infer, 2);
    if ((known = ingot__infer_known(infer, 0, n))) {
      for (size_t i = 0; i < n; i++) {
        known[i] = infer->known[0][i];
        if (has_low) known[i] = ingot__element_do(infer, INGOT__EL_MAX, known[i], low);
        if (has_high) known[i] = ingot__element_do(infer, INGOT__EL_MIN, known[i], high);
      }
    }
  }
  return INGOT_OK;
}

static ingot_status clip_float(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  int64_t n = ingot__view_count(x);
  double low = -INFINITY, high = INFINITY, row[INGOT__ROW];
  if (ingot__has_in(call, 1)) low = ingot__get_double(x->dtype, call->in[1].data, 0);
  if (ingot__has_in(call, 2)) high = ingot__get_double(x->dtype, call->in[2].data, 0);
  for (int64_t i = 0; i < n; i += INGOT__ROW) {
    size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
    ingot__row_load(x->dtype, x->data, i, 1, m, row);
    for (size_t k = 0; k < m; k++) {
      row[k] = row[k] < low ? low : row[k];
      row[k] = row[k] > high ? high : row[k];
    }
    ingot__row_store(x->dtype, call->out[0].data, i, 1, m, row);
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Clip(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  for (size_t i = 1; i < 3; i++) {
    if (ingot__has_in(call, i) && ingot__view_count(&call->in[i]) != 1) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "a bound is not one number");
  }
  if (ingot__dtype_is_float(x->dtype)) return clip_float(call);
  int64_t n = ingot__view_count(x);
  if (x->dtype == INGOT_UINT64) {
    const uint64_t *from = x->data, *low = ingot__has_in(call, 1) ? call->in[1].data : NULL, *high = ingot__has_in(call, 2) ? call->in[2].data : NULL;
    uint64_t *to = call->out[0].data;
    for (int64_t i = 0; i < n; i++) {
      uint64_t v = from[i];
      if (low && v < *low) v = *low;
      to[i] = high && v > *high ? *high : v;
    }
    return INGOT_OK;
  }
  int64_t low = ingot__has_in(call, 1) ? ingot__get_int(x->dtype, call->in[1].data, 0) : INT64_MIN;
  int64_t high = ingot__has_in(call, 2) ? ingot__get_int(x->dtype, call->in[2].data, 0) : INT64_MAX;
  for (int64_t i = 0; i < n; i++) {
    int64_t v = ingot__get_int(x->dtype, x->data, (size_t)i);
    if (v < low) v = low;
    ingot__set_int(x->dtype, call->out[0].data, (size_t)i, v > high ? high : v);
  }
  return INGOT_OK;
}
