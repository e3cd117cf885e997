/* The unary functions that need more than an elementwise row: Gelu in its two forms, PRelu with a slope that broadcasts, IsInf, IsNaN. */
#include "ops/ints.h"
#include "ops/rows.h"
#include "ops/steps.h"
#include <math.h>


ingot_status ingot__infer_Gelu(ingot__infer *infer) {
  const char *form = INGOT__ATTRS(infer, Gelu)->approximate;
  INGOT_TRY(ingot__infer_same(infer, 0, 0));
  if (!ingot__dtype_is_real(infer->in[0]->dtype))
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(infer->in[0]->dtype));
  if (strcmp(form, "none") != 0 && strcmp(form, "tanh") != 0) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "approximate '%s' is unknown", form);
  return INGOT_OK;
}

ingot_status ingot__ref_Gelu(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  bool by_tanh = strcmp(INGOT__ATTRS(call, Gelu)->approximate, "tanh") == 0;
  int64_t n = ingot__view_count(x);
  double row[INGOT__ROW];
  for (int64_t i = 0; i < n; i += INGOT__ROW) {
    size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
    ingot__row_load(x->dtype, x->data, i, 1, m, row);
    for (size_t k = 0; k < m; k++) {
      double v = row[k];
      row[k] = by_tanh ? 0.5 * v * (1 + tanh(0.79788456080286535588 * (v + 0.044715 * v * v * v))) /* sqrt(2 / pi) */
                       : 0.5 * v * (1 + erf(v * 0.70710678118654752440));
    }
    ingot__row_store(x->dtype, call->out[0].data, i, 1, m, row);
  }
  return INGOT_OK;
}

ingot_status ingot__infer_PRelu(ingot__infer *infer) {
  INGOT_TRY(ingot__infer_same(infer, 0, 0));
  const ingot__type *x = infer->in[0], *s = infer->in[1];
  ingot_dtype t = x->dtype;
  if (!ingot__dtype_is_real(t) && t != INGOT_INT32 && t != INGOT_INT64 && t != INGOT_UINT32 && t != INGOT_UINT64) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(t));
  }
  if (s->dtype != t) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the slope is %s, the input %s", ingot_dtype_name(s->dtype), ingot_dtype_name(t));
  if (x->rank < 0 || s->rank < 0) return INGOT_OK;
  ingot__type wide;
  INGOT_TRY(ingot__infer_broadcast(infer, x, s, &wide));
  bool fits = wide.rank == x->rank;
  for (int i = 0; fits && i < x->rank; i++) fits = x->dim[i] < 0 || wide.dim[i] < 0 || wide.dim[i] == x->dim[i];
  return fits ? INGOT_OK : INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the slope does not broadcast to the input's shape");
}

ingot_status ingot__ref_PRelu(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *slope = &call->in[1], *out = &call->out[0];
  bool whole = ingot__dtype_is_int(x->dtype);
  double row[INGOT__ROW], factor[INGOT__ROW];
  ingot__steps s;
  ingot__steps_init(&s, out->rank, out->dim);
  ingot__steps_add(&s, out);
  ingot__steps_add(&s, x);
  ingot__steps_add(&s, slope);
  if (!ingot__steps_start(&s)) return INGOT_OK;
  do {
    for (size_t i = 0; whole && i < s.run; i++) {
      size_t to = (size_t)(s.at[0] + (int64_t)i * s.step[0]);
      int64_t v = ingot__get_int(x->dtype, x->data, (size_t)(s.at[1] + (int64_t)i * s.step[1]));
      int64_t f = ingot__get_int(x->dtype, slope->data, (size_t)(s.at[2] + (int64_t)i * s.step[2]));
      if (x->dtype == INGOT_UINT64) ((uint64_t *)out->data)[to] = ((const uint64_t *)x->data)[s.at[1] + (int64_t)i * s.step[1]];
      else ingot__set_int(out->dtype, out->data, to, v < 0 ? (int64_t)((uint64_t)v * (uint64_t)f) : v);
    }
    for (size_t i = 0; !whole && i < s.run; i += INGOT__ROW) {
      size_t m = s.run - i < INGOT__ROW ? s.run - i : INGOT__ROW;
      ingot__row_load(x->dtype, x->data, s.at[1] + (int64_t)i * s.step[1], s.step[1], m, row);
      ingot__row_load(x->dtype, slope->data, s.at[2] + (int64_t)i * s.step[2], s.step[2], m, factor);
      for (size_t k = 0; k < m; k++) row[k] = row[k] < 0 ? row[k] * factor[k] : row[k];
      ingot__row_store(x->dtype, out->data, s.at[0] + (int64_t)i * s.step[0], s.step[0], m, row);
    }
  } while (ingot__steps_next(&s));
  return INGOT_OK;
}

static ingot_status infer_is(ingot__infer *infer) {
  INGOT_TRY(ingot__infer_same(infer, 0, 0));
  if (!ingot__dtype_is_float(infer->in[0]->dtype) || ingot__dtype_is_packed(infer->in[0]->dtype)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(infer->in[0]->dtype));
  }
  infer->out[0].dtype = INGOT_BOOL;
  return INGOT_OK;
}
ingot_status ingot__infer_IsInf(ingot__infer *infer) { return infer_is(infer); }
ingot_status ingot__infer_IsNaN(ingot__infer *infer) { return infer_is(infer); }

ingot_status ingot__ref_IsInf(const ingot__call *call) {
  const ingot__attrs_IsInf *a = INGOT__ATTRS(call, IsInf);
  const ingot__view *x = &call->in[0];
  int64_t n = ingot__view_count(x);
  for (int64_t i = 0; i < n; i++) {
    double v = ingot__get_double(x->dtype, x->data, (size_t)i);
    ((uint8_t *)call->out[0].data)[i] = isinf(v) && (v > 0 ? a->detect_positive : a->detect_negative);
  }
  return INGOT_OK;
}
ingot_status ingot__ref_IsNaN(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  int64_t n = ingot__view_count(x);
  for (int64_t i = 0; i < n; i++) ((uint8_t *)call->out[0].data)[i] = isnan(ingot__get_double(x->dtype, x->data, (size_t)i));
  return INGOT_OK;
}
