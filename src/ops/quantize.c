/* QuantizeLinear y = saturate(round(x / scale) + zero) and DequantizeLinear y = (x - zero) * scale, with one scale for the tensor, for each
 * index of an axis, or for each block along an axis. Rounding is half to even. */
#include "ops/ints.h"
#include "ops/move.h"
#include <math.h>

typedef struct range { int64_t low, high; } range;

/* Integers of up to 16 bits. */
static bool range_of(ingot_dtype dtype, range *r) { return ingot_dtype_bits(dtype) <= 16 && ingot__dtype_range(dtype, &r->low, &r->high); }
static bool is_scale(ingot_dtype d) { return ingot__dtype_is_real(d) || d == INGOT_FLOAT8E8M0 || d == INGOT_INT32; }

/* Checks the scale's (and zero point's) shape against the input's and finds the axis. */
static ingot_status infer_scale(ingot__infer *f, int64_t axis, int64_t block) {
  const ingot__type *x = f->in[0], *s = f->in[1], *z = ingot__infer_has(f, 2) ? f->in[2] : NULL;
  if (!is_scale(s->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the scale is %s", ingot_dtype_name(s->dtype));
  if (block < 0) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "block_size is %lld", (long long)block);
  if (x->rank < 0 || s->rank < 0) return INGOT_OK;
  if (z && z->rank >= 0) {
    size_t a, b;
    if (ingot__type_count(s, &a) && ingot__type_count(z, &b) && a != b) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%zu scales but %zu zero points", a, b);
    }
  }
  size_t n;
  if (s->rank == 0 || (ingot__type_count(s, &n) && n == 1)) return INGOT_OK;
  int at;
  INGOT_TRY(ingot__infer_axis(f, axis, x->rank, &at));
  ingot__dim d;
  if (block == 0) {
    if (s->rank != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "scales of rank %d need a block_size", s->rank);
    return ingot__dim_merge(f, x->dim[at], s->dim[0], "input and scales", &d);
  }
  if (s->rank != x->rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "scales of blocks have rank %d, the input %d", s->rank, x->rank);
  for (int i = 0; i < x->rank; i++) {
    ingot__dim want = x->dim[i];
    if (i == at) {
      if (!ingot__dim_is_number(want)) continue;
      want = want / block + (want % block != 0);
    }
    INGOT_TRY(ingot__dim_merge(f, want, s->dim[i], "input and scales of blocks", &d));
  }
  return INGOT_OK;
}

/* The same at run time: elements as outer x axis x inner, and how their scales lie. */
typedef struct grid { size_t outer, axis, inner, block, blocks; bool single; } grid;

static ingot_status make_grid(const ingot__call *call, int64_t axis, int64_t block, grid *g) {
  const ingot__view *x = &call->in[0], *s = &call->in[1];
  size_t scales = (size_t)ingot__view_count(s);
  *g = (grid){.outer = 1, .axis = 1, .inner = 1, .single = s->rank == 0 || scales == 1};
  if (ingot__has_in(call, 2) && (size_t)ingot__view_count(&call->in[2]) != scales) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "scales and zero points differ in number");
  }
  if (g->single) {
    g->inner = (size_t)ingot__view_count(x);
    return INGOT_OK;
  }
  int at = (int)(axis < 0 ? axis + x->rank : axis);
  for (int i = 0; i < at; i++) g->outer *= (size_t)x->dim[i];
  g->axis = (size_t)x->dim[at];
  for (int i = at + 1; i < x->rank; i++) g->inner *= (size_t)x->dim[i];
  g->block = (size_t)block;
  g->blocks = block ? (g->axis + g->block - 1) / g->block : g->axis;
  if (scales != (block ? g->outer * g->blocks * g->inner : g->axis)) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "%zu scales don't fit the input", scales);
  }
  return INGOT_OK;
}

/* A run of n elements from `at`, whose scales start at `scale` and move on by `step`, 0 or 1. */
typedef struct run { size_t at, n, scale, step; } run;
typedef void (*run_fn)(const ingot__call *call, const run *r, const void *user);

static void each_run(const ingot__call *call, const grid *g, run_fn fn, const void *user) {
  if (g->single || (!g->block && g->inner == 1)) {
    for (size_t o = 0; o < g->outer; o++) {
      run r = {o * g->axis * g->inner, g->axis * g->inner, 0, !g->single};
      fn(call, &r, user);
    }
    return;
  }
  for (size_t o = 0; o < g->outer; o++) {
    for (size_t a = 0; a < g->axis; a++) {
      run r = {(o * g->axis + a) * g->inner, g->inner, g->block ? (o * g->blocks + a / g->block) * g->inner : a, g->block != 0};
      fn(call, &r, user);
    }
  }
}

/* ---- QuantizeLinear */

static ingot_dtype quantized_type(const ingot__attrs_QuantizeLinear *a, ingot_dtype zero) {
  return zero != INGOT_UNDEFINED ? zero : a->output_dtype ? (ingot_dtype)a->output_dtype : INGOT_UINT8;
}

ingot_status ingot__infer_QuantizeLinear(ingot__infer *f) {
  const ingot__attrs_QuantizeLinear *a = f->attrs;
  if (!ingot__infer_has(f, 0) || !ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input and scale are needed");
  ingot_dtype x = f->in[0]->dtype, y = quantized_type(a, ingot__infer_has(f, 2) ? f->in[2]->dtype : INGOT_UNDEFINED);
  range r;
  if (!ingot__dtype_is_real(x) && x != INGOT_INT32) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "%s can't be quantized", ingot_dtype_name(x));
  if (!range_of(y, &r) && !ingot__dtype_is_narrow(y)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "%s is no quantized type", ingot_dtype_name(y));
  }
  if (a->output_dtype && a->output_dtype != (int64_t)y) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "output_dtype isn't the zero point's type, %s", ingot_dtype_name(y));
  }
  f->out[0] = *f->in[0];
  f->out[0].dtype = y;
  return infer_scale(f, a->axis, a->block_size);
}

#define QUANTIZE(name, T, LOW, HIGH) \
  static void name(const ingot__call *call, const run *r) { \
    const float *x = (const float *)call->in[0].data + r->at, *s = (const float *)call->in[1].data + r->scale; \
    const T *z = ingot__has_in(call, 2) ? (const T *)call->in[2].data + r->scale : NULL; \
    T *y = (T *)call->out[0].data + r->at; \
    for (size_t i = 0; i < r->n; i++) { \
      float zero = z ? (float)z[i * r->step] : 0, q = rintf(x[i] / s[i * r->step]); \
      q = q > LOW - zero ? q : LOW - zero; /* NaN: the lowest */ \
      q = q < HIGH - zero ? q : HIGH - zero; \
      y[i] = (T)(int)(q + zero); \
    } \
  }
QUANTIZE(quantize_u8, uint8_t, 0.0f, 255.0f)
QUANTIZE(quantize_i8, int8_t, -128.0f, 127.0f)

static void quantize_run(const ingot__call *call, const run *r, const void *user) {
  const ingot__attrs_QuantizeLinear *a = user;
  const ingot__view *x = &call->in[0], *s = &call->in[1], *z = ingot__has_in(call, 2) ? &call->in[2] : NULL;
  ingot__view *y = &call->out[0];
  ingot_dtype precision = (ingot_dtype)a->precision;
  if (!precision) precision = x->dtype == s->dtype || x->dtype == INGOT_INT32 ? s->dtype : INGOT_FLOAT32;
  if (!ingot__dtype_is_real(precision)) precision = INGOT_FLOAT32;
  if (x->dtype == INGOT_FLOAT32 && s->dtype == INGOT_FLOAT32 && precision == INGOT_FLOAT32) {
    if (y->dtype == INGOT_UINT8) { quantize_u8(call, r); return; }
    if (y->dtype == INGOT_INT8) { quantize_i8(call, r); return; }
  }
  range bounds = {0, 0};
  bool integer = range_of(y->dtype, &bounds);
  for (size_t i = 0; i < r->n; i++) {
    double q = ingot__get_double(x->dtype, x->data, r->at + i) / ingot__get_double(s->dtype, s->data, r->scale + i * r->step);
    uint64_t hold;
    if (x->dtype != INGOT_INT32 || precision != INGOT_FLOAT32) { /* the quotient as its type has it */
      ingot__set_double(precision, &hold, 0, q);
      q = ingot__get_double(precision, &hold, 0);
    }
    if (integer) {
      double zero = z ? (double)ingot__get_int(z->dtype, z->data, r->scale + i * r->step) : 0;
      q = rint(q) + zero;
      ingot__set_int(y->dtype, y->data, r->at + i, q >= (double)bounds.low ? q < (double)bounds.high ? (int64_t)q : bounds.high : bounds.low);
    } else {
      if (z) q += ingot__get_double(z->dtype, z->data, r->scale + i * r->step);
      if (ingot_dtype_bits(y->dtype) == 8) ((uint8_t *)y->data)[r->at + i] = ingot__f32_to_narrow(y->dtype, (float)q, a->saturate != 0);
      else ingot__set_double(y->dtype, y->data, r->at + i, q);
    }
  }
}

ingot_status ingot__ref_QuantizeLinear(const ingot__call *call) {
  const ingot__attrs_QuantizeLinear *a = INGOT__ATTRS(call, QuantizeLinear);
  grid g;
  INGOT_TRY(make_grid(call, a->axis, a->block_size, &g));
  each_run(call, &g, quantize_run, a);
  return INGOT_OK;
}

/* ---- DequantizeLinear */

ingot_status ingot__infer_DequantizeLinear(ingot__infer *f) {
  const ingot__attrs_DequantizeLinear *a = f->attrs;
  if (!ingot__infer_has(f, 0) || !ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input and scale are needed");
  ingot_dtype x = f->in[0]->dtype;
  range r;
  if (!range_of(x, &r) && x != INGOT_INT32 && !ingot__dtype_is_narrow(x)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "%s is no quantized type", ingot_dtype_name(x));
  }
  if (ingot__infer_has(f, 2) && f->in[2]->dtype != x) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the input is %s, the zero point %s", ingot_dtype_name(x), ingot_dtype_name(f->in[2]->dtype));
  }
  f->out[0] = *f->in[0];
  f->out[0].dtype = a->output_dtype ? (ingot_dtype)a->output_dtype : f->in[1]->dtype;
  if (!ingot__dtype_is_real(f->out[0].dtype)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "gives floats, not what output_dtype %lld or the scale's type say", (long long)a->output_dtype);
  }
  return infer_scale(f, a->axis, a->block_size);
}

#define DEQUANTIZE(name, T) \
  static void name(const ingot__call *call, const run *r) { \
    const T *x = (const T *)call->in[0].data + r->at, *z = ingot__has_in(call, 2) ? (const T *)call->in[2].data + r->scale : NULL; \
    const float *s = (const float *)call->in[1].data + r->scale; \
    float *y = (float *)call->out[0].data + r->at; \
    for (size_t i = 0; i < r->n; i++) y[i] = ((float)x[i] - (z ? (float)z[i * r->step] : 0)) * s[i * r->step]; \
  }
DEQUANTIZE(dequantize_u8, uint8_t)
DEQUANTIZE(dequantize_i8, int8_t)
DEQUANTIZE(dequantize_i32, int32_t)

static void dequantize_run(const ingot__call *call, const run *r, const void *user) {
  (void)user;
  const ingot__view *x = &call->in[0], *s = &call->in[1], *z = ingot__has_in(call, 2) ? &call->in[2] : NULL;
  ingot__view *y = &call->out[0];
  if (s->dtype == INGOT_FLOAT32 && y->dtype == INGOT_FLOAT32) {
    if (x->dtype == INGOT_UINT8) { dequantize_u8(call, r); return; }
    if (x->dtype == INGOT_INT8) { dequantize_i8(call, r); return; }
    if (x->dtype == INGOT_INT32) { dequantize_i32(call, r); return; }
  }
  for (size_t i = 0; i < r->n; i++) {
    float v = (float)ingot__get_double(x->dtype, x->data, r->at + i);
    if (z) v -= (float)ingot__get_double(z->dtype, z->data, r->scale + i * r->step);
    ingot__set_double(y->dtype, y->data, r->at + i, (double)(v * (float)ingot__get_double(s->dtype, s->data, r->scale + i * r->step)));
  }
}

ingot_status ingot__ref_DequantizeLinear(const ingot__call *call) {
  const ingot__attrs_DequantizeLinear *a = INGOT__ATTRS(call, DequantizeLinear);
  grid g;
  INGOT_TRY(make_grid(call, a->axis, a->block_size, &g));
  each_run(call, &g, dequantize_run, NULL);
  return INGOT_OK;
}
