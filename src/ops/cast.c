/* Cast and CastLike: between all types of numbers and bool, and from strings. Floats are cut towards zero; numbers that a narrower integer
 * can't hold lose their high bits, and those that no integer can hold become the smallest one, as x86 and so NumPy and PyTorch have it. */
#include "ops/cast_strings.h"
#include "ops/ints.h"
#include "ops/move.h"
#include <stdlib.h>

enum { CHUNK = 256 };

static inline int64_t whole(double x) { return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN; }
static inline int32_t whole32(double x) { return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN; }
static inline uint64_t whole_unsigned(double x) { return x < 0x1p63 ? (uint64_t)whole(x) : x < 0x1p64 ? (uint64_t)x : UINT64_MAX; }
#define SAME(x) (x)

/* What Cast's attributes say about the narrowest floats. */
typedef struct rules { bool saturate; ingot__e8m0_round round; } rules;

/* From n elements of C type S. N, L, U: to at most 32 bits, to int64 and uint32, to uint64. */
#define CAST_FROM(name, S, N, L, U) \
  static void name(const void *in, ingot_dtype to, void *out, size_t at, size_t n, rules r) { \
    const S *s = in; \
    switch (to) { \
    case INGOT_FLOAT32: for (size_t i = 0; i < n; i++) ((float *)out)[at + i] = (float)s[i]; return; \
    case INGOT_FLOAT64: for (size_t i = 0; i < n; i++) ((double *)out)[at + i] = (double)s[i]; return; \
    case INGOT_INT8: for (size_t i = 0; i < n; i++) ((int8_t *)out)[at + i] = (int8_t)N(s[i]); return; \
    case INGOT_UINT8: for (size_t i = 0; i < n; i++) ((uint8_t *)out)[at + i] = (uint8_t)N(s[i]); return; \
    case INGOT_INT16: for (size_t i = 0; i < n; i++) ((int16_t *)out)[at + i] = (int16_t)N(s[i]); return; \
    case INGOT_UINT16: for (size_t i = 0; i < n; i++) ((uint16_t *)out)[at + i] = (uint16_t)N(s[i]); return; \
    case INGOT_INT32: for (size_t i = 0; i < n; i++) ((int32_t *)out)[at + i] = (int32_t)N(s[i]); return; \
    case INGOT_UINT32: for (size_t i = 0; i < n; i++) ((uint32_t *)out)[at + i] = (uint32_t)L(s[i]); return; \
    case INGOT_INT64: for (size_t i = 0; i < n; i++) ((int64_t *)out)[at + i] = (int64_t)L(s[i]); return; \
    case INGOT_UINT64: for (size_t i = 0; i < n; i++) ((uint64_t *)out)[at + i] = (uint64_t)U(s[i]); return; \
    case INGOT_BOOL: for (size_t i = 0; i < n; i++) ((uint8_t *)out)[at + i] = s[i] != 0; return; \
    case INGOT_INT4: case INGOT_UINT4: case INGOT_INT2: case INGOT_UINT2: \
      for (size_t i = 0; i < n; i++) ingot__set_bits(to, out, at + i, (unsigned)N(s[i])); \
      return; \
    case INGOT_FLOAT8E4M3FN: case INGOT_FLOAT8E4M3FNUZ: case INGOT_FLOAT8E5M2: case INGOT_FLOAT8E5M2FNUZ: \
      for (size_t i = 0; i < n; i++) ((uint8_t *)out)[at + i] = ingot__f32_to_narrow(to, (float)s[i], r.saturate); \
      return; \
    case INGOT_FLOAT8E8M0: \
      for (size_t i = 0; i < n; i++) ((uint8_t *)out)[at + i] = ingot__f32_to_e8m0((float)s[i], r.saturate, r.round); \
      return; \
    default: for (size_t i = 0; i < n; i++) ingot__set_double(to, out, at + i, (double)s[i]); return; \
    } \
  }
CAST_FROM(from_f32, float, whole32, whole, whole_unsigned)
CAST_FROM(from_f64, double, whole32, whole, whole_unsigned)
CAST_FROM(from_i8, int8_t, SAME, SAME, SAME)
CAST_FROM(from_u8, uint8_t, SAME, SAME, SAME)
CAST_FROM(from_i16, int16_t, SAME, SAME, SAME)
CAST_FROM(from_u16, uint16_t, SAME, SAME, SAME)
CAST_FROM(from_i32, int32_t, SAME, SAME, SAME)
CAST_FROM(from_u32, uint32_t, SAME, SAME, SAME)
CAST_FROM(from_i64, int64_t, SAME, SAME, SAME)
CAST_FROM(from_u64, uint64_t, SAME, SAME, SAME)

/* n elements of `in` into `out`. */
static void cast(const ingot__view *in, ingot_dtype to, void *out, size_t n, rules r) {
  const void *data = in->data;
  size_t bytes;
  if (ingot__dtype_is_packed(to) && ingot__dtype_bytes(to, n, &bytes)) memset(out, 0, bytes);
  switch (in->dtype) {
  case INGOT_FLOAT32: from_f32(data, to, out, 0, n, r); return;
  case INGOT_FLOAT64: from_f64(data, to, out, 0, n, r); return;
  case INGOT_INT8: from_i8(data, to, out, 0, n, r); return;
  case INGOT_UINT8: from_u8(data, to, out, 0, n, r); return;
  case INGOT_INT16: from_i16(data, to, out, 0, n, r); return;
  case INGOT_UINT16: from_u16(data, to, out, 0, n, r); return;
  case INGOT_INT32: from_i32(data, to, out, 0, n, r); return;
  case INGOT_UINT32: from_u32(data, to, out, 0, n, r); return;
  case INGOT_INT64: from_i64(data, to, out, 0, n, r); return;
  case INGOT_UINT64: from_u64(data, to, out, 0, n, r); return;
  default: break;
  }
  /* The rest is widened piece by piece. */
  bool floating = ingot__dtype_is_float(in->dtype);
  for (size_t at = 0; at < n; at += CHUNK) {
    size_t count = n - at < CHUNK ? n - at : CHUNK;
    if (floating) {
      float v[CHUNK];
      if (in->dtype == INGOT_FLOAT16) {
        for (size_t i = 0; i < count; i++) v[i] = ingot__f16_to_f32(((const uint16_t *)data)[at + i]);
      } else if (in->dtype == INGOT_BFLOAT16) {
        for (size_t i = 0; i < count; i++) v[i] = ingot__bf16_to_f32(((const uint16_t *)data)[at + i]);
      } else {
        for (size_t i = 0; i < count; i++) v[i] = (float)ingot__get_double(in->dtype, data, at + i);
      }
      from_f32(v, to, out, at, count, r);
    } else {
      int32_t v[CHUNK];
      for (size_t i = 0; i < count; i++) v[i] = (int32_t)ingot__get_int(in->dtype, data, at + i);
      from_i32(v, to, out, at, count, r);
    }
  }
}

static bool castable(ingot_dtype d) { return ingot__dtype_is_float(d) || ingot__dtype_is_int(d) || d == INGOT_BOOL || d == INGOT_STRING; }

/* An element of a known tensor in another type: where it isn't certain it is unknown. */
static ingot__dim known_cast(const ingot__infer *f, ingot__dim d, ingot_dtype to) {
  int64_t number;
  if (!ingot__element_number(f, d, &number)) return to == INGOT_INT64 || to == INGOT_INT32 ? d : INGOT__DIM_UNKNOWN;
  if (to == INGOT_BOOL) return number != 0;
  int64_t low = ingot__dtype_is_unsigned(to) ? 0 : INT64_MIN, high = INT64_MAX;
  ingot__dtype_range(to, &low, &high);
  return number < low || number > high ? INGOT__DIM_UNKNOWN : d;
}

static bool read_rules(int64_t saturate, const char *round, rules *r) {
  *r = (rules){saturate != 0, strcmp(round, "down") == 0 ? INGOT__E8M0_DOWN : strcmp(round, "nearest") == 0 ? INGOT__E8M0_NEAREST : INGOT__E8M0_UP};
  return r->round != INGOT__E8M0_UP || strcmp(round, "up") == 0;
}

static ingot_status infer_cast(ingot__infer *f, int64_t to) {
  const ingot__attrs_Cast *a = f->attrs; /* CastLike's are the same */
  rules r;
  if (!read_rules(a->saturate, a->round_mode, &r)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "round_mode '%s' is unknown", a->round_mode);
  ingot_dtype from = f->in[0]->dtype;
  f->out[0] = *f->in[0];
  f->out[0].dtype = (ingot_dtype)to;
  bool same = from == (ingot_dtype)to;
  if (f->in[0]->kind != INGOT__TENSOR) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "takes a tensor");
  if (!same && (to <= 0 || to >= INGOT__DTYPE_COUNT || !castable((ingot_dtype)to) || !castable(from))) {
    return INGOT__FAIL_INFER(f, INGOT_E_UNSUPPORTED, "from %s to %s", ingot_dtype_name(from),
                             to > 0 && to < INGOT__DTYPE_COUNT ? ingot_dtype_name((ingot_dtype)to) : "a type that isn't known");
  }
  size_t n;
  if (!ingot__known_count(f, 0, &n) || (!ingot__dtype_is_int((ingot_dtype)to) && to != INGOT_BOOL)) return INGOT_OK;
  if (same) {
    f->out_known[0] = f->known[0];
    return INGOT_OK;
  }
  ingot__dim *known = ingot__infer_known(f, 0, n);
  for (size_t i = 0; known && i < n; i++) known[i] = known_cast(f, f->known[0][i], (ingot_dtype)to);
  f->out_known[0] = known;
  return INGOT_OK;
}

static ingot_status reference(const ingot__call *call) {
  const ingot__attrs_Cast *a = call->attrs;
  const ingot__view *in = &call->in[0];
  ingot__view *out = &call->out[0];
  if (in->dtype == out->dtype) return ingot__move_all(call);
  if (!castable(out->dtype) || ingot__view_count(in) != ingot__view_count(out)) {
    return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "from %s to %s", ingot_dtype_name(in->dtype), ingot_dtype_name(out->dtype));
  }
  if (in->dtype == INGOT_STRING) return ingot__cast_from_strings(call);
  if (out->dtype == INGOT_STRING) return ingot__cast_to_strings(call);
  rules r;
  read_rules(a->saturate, a->round_mode, &r);
  cast(in, out->dtype, out->data, (size_t)ingot__view_count(in), r);
  return INGOT_OK;
}

ingot_status ingot__infer_Cast(ingot__infer *f) {
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  return infer_cast(f, ((const ingot__attrs_Cast *)f->attrs)->to);
}
ingot_status ingot__ref_Cast(const ingot__call *call) { return reference(call); }

ingot_status ingot__infer_CastLike(ingot__infer *f) {
  if (!ingot__infer_has(f, 0) || !ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "two inputs are needed");
  return infer_cast(f, f->in[1]->dtype);
}
ingot_status ingot__ref_CastLike(const ingot__call *call) { return reference(call); }
