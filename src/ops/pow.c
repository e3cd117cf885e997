/* Pow and Mod: two inputs that broadcast, with meanings that depend on type and attribute. */
#include "ops/known.h"
#include "ops/rows.h"
#include "ops/steps.h"
#include <math.h>

static bool takes(ingot_dtype t) {
  return ingot__dtype_is_int(t) || t == INGOT_FLOAT32 || t == INGOT_FLOAT64 || t == INGOT_FLOAT16 || t == INGOT_BFLOAT16;
}

static ingot_status infer_two(ingot__infer *infer) {
  for (size_t i = 0; i < 2; i++) {
    if (!ingot__infer_has(infer, i)) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "lacks input %zu", i);
    if (!takes(infer->in[i]->dtype)) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(infer->in[i]->dtype));
  }
  return ingot__infer_broadcast(infer, infer->in[0], infer->in[1], &infer->out[0]);
}
ingot_status ingot__infer_Pow(ingot__infer *infer) { return infer_two(infer); } /* the exponent's type may be another */

ingot_status ingot__infer_Mod(ingot__infer *infer) {
  INGOT_TRY(infer_two(infer));
  if (infer->in[0]->dtype != infer->in[1]->dtype) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the inputs have different types, %s and %s", ingot_dtype_name(infer->in[0]->dtype),
                             ingot_dtype_name(infer->in[1]->dtype));
  }
  if (infer->known[0] && infer->known[1]) ingot__known_fold(infer, 2);
  return INGOT_OK;
}

/* By squaring, modulo 2^64. Negative exponents leave only the powers of 1 and -1. */
static int64_t power(int64_t base, int64_t exponent) {
  uint64_t r = 1, b = (uint64_t)base;
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;
  for (; exponent; exponent >>= 1, b *= b)
    if (exponent & 1) r *= b;
  return (int64_t)r;
}

static double modulo(double a, double b) { /* the divisor's sign, as Python's % */
  double r = fmod(a, b);
  if (r == 0) return copysign(0, b);
  return (r < 0) != (b < 0) ? r + b : r;
}

static int64_t modulo_int(int64_t a, int64_t b, bool c_like) {
  if (b == 0 || b == -1) return 0;
  int64_t r = a % b;
  return !c_like && r && (r < 0) != (b < 0) ? r + b : r;
}

static int64_t get(const ingot__view *v, int64_t i) {
  return v->dtype == INGOT_UINT64 ? (int64_t)((const uint64_t *)v->data)[i] : ingot__get_int(v->dtype, v->data, (size_t)i);
}

/* Integers wrap, as in NumPy. */
static void put(const ingot__view *v, int64_t i, int64_t value) {
  switch (ingot__dtype_size(v->dtype)) {
  case 1: ((uint8_t *)v->data)[i] = (uint8_t)value; return;
  case 2: ((uint16_t *)v->data)[i] = (uint16_t)value; return;
  case 4: ((uint32_t *)v->data)[i] = (uint32_t)value; return;
  case 8: ((int64_t *)v->data)[i] = value; return;
  default: ingot__set_int(v->dtype, v->data, (size_t)i, value); return;
  }
}

static void integers(const ingot__call *call, const ingot__steps *s) {
  const ingot__view *a = &call->in[0], *b = &call->in[1], *out = &call->out[0];
  bool pow_op = call->node->op == INGOT__OP_Pow, c_like = !pow_op && INGOT__ATTRS(call, Mod)->fmod;
  for (size_t i = 0; i < s->run; i++) {
    int64_t ia = s->at[1] + (int64_t)i * s->step[1], ib = s->at[2] + (int64_t)i * s->step[2], io = s->at[0] + (int64_t)i * s->step[0];
    if (pow_op) put(out, io, power(get(a, ia), get(b, ib)));
    else if (a->dtype != INGOT_UINT64) put(out, io, modulo_int(get(a, ia), get(b, ib), c_like));
    else put(out, io, get(b, ib) ? (int64_t)((uint64_t)get(a, ia) % (uint64_t)get(b, ib)) : 0);
  }
}

static void reals(const ingot__call *call, const ingot__steps *s) {
  const ingot__view *a = &call->in[0], *b = &call->in[1], *out = &call->out[0];
  bool pow_op = call->node->op == INGOT__OP_Pow, c_like = !pow_op && INGOT__ATTRS(call, Mod)->fmod;
  bool to_int = ingot__dtype_is_int(out->dtype);
  double x[INGOT__ROW], y[INGOT__ROW];
  for (size_t i = 0; i < s->run; i += INGOT__ROW) {
    size_t m = s->run - i < INGOT__ROW ? s->run - i : INGOT__ROW;
    ingot__row_load(a->dtype, a->data, s->at[1] + (int64_t)i * s->step[1], s->step[1], m, x);
    ingot__row_load(b->dtype, b->data, s->at[2] + (int64_t)i * s->step[2], s->step[2], m, y);
    for (size_t k = 0; k < m; k++) {
      if (!pow_op) x[k] = c_like ? fmod(x[k], y[k]) : modulo(x[k], y[k]);
      else x[k] = y[k] == 2 ? x[k] * x[k] : pow(x[k], y[k]);
      if (to_int && isnan(x[k])) x[k] = 0;
    }
    ingot__row_store(out->dtype, out->data, s->at[0] + (int64_t)i * s->step[0], s->step[0], m, x);
  }
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *out = &call->out[0];
  bool whole = ingot__dtype_is_int(call->in[0].dtype) && ingot__dtype_is_int(call->in[1].dtype);
  ingot__steps s;
  ingot__steps_init(&s, out->rank, out->dim);
  ingot__steps_add(&s, out);
  ingot__steps_add(&s, &call->in[0]);
  ingot__steps_add(&s, &call->in[1]);
  if (!ingot__steps_start(&s)) return INGOT_OK;
  do {
    (whole ? integers : reals)(call, &s);
  } while (ingot__steps_next(&s));
  return INGOT_OK;
}
ingot_status ingot__ref_Pow(const ingot__call *call) { return run(call); }
ingot_status ingot__ref_Mod(const ingot__call *call) { return run(call); }
