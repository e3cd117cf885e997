/* The data types' table and the conversions of the narrow floats. */
#include "base/dtype.h"
#include "base/mem.h"
#include <float.h>
#include <math.h>

enum { KIND_NONE, KIND_BOOL, KIND_INT, KIND_UINT, KIND_FLOAT, KIND_COMPLEX };
static const struct { const char *name; uint8_t bits, kind; } table[] = {
  [INGOT_UNDEFINED] = {"undefined", 0, KIND_NONE},
  [INGOT_FLOAT32] = {"float32", 32, KIND_FLOAT},
  [INGOT_UINT8] = {"uint8", 8, KIND_UINT},
  [INGOT_INT8] = {"int8", 8, KIND_INT},
  [INGOT_UINT16] = {"uint16", 16, KIND_UINT},
  [INGOT_INT16] = {"int16", 16, KIND_INT},
  [INGOT_INT32] = {"int32", 32, KIND_INT},
  [INGOT_INT64] = {"int64", 64, KIND_INT},
  [INGOT_STRING] = {"string", 0, KIND_NONE},
  [INGOT_BOOL] = {"bool", 8, KIND_BOOL},
  [INGOT_FLOAT16] = {"float16", 16, KIND_FLOAT},
  [INGOT_FLOAT64] = {"float64", 64, KIND_FLOAT},
  [INGOT_UINT32] = {"uint32", 32, KIND_UINT},
  [INGOT_UINT64] = {"uint64", 64, KIND_UINT},
  [INGOT_COMPLEX64] = {"complex64", 64, KIND_COMPLEX},
  [INGOT_COMPLEX128] = {"complex128", 128, KIND_COMPLEX},
  [INGOT_BFLOAT16] = {"bfloat16", 16, KIND_FLOAT},
  [INGOT_FLOAT8E4M3FN] = {"float8e4m3fn", 8, KIND_FLOAT},
  [INGOT_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 8, KIND_FLOAT},
  [INGOT_FLOAT8E5M2] = {"float8e5m2", 8, KIND_FLOAT},
  [INGOT_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 8, KIND_FLOAT},
  [INGOT_UINT4] = {"uint4", 4, KIND_UINT},
  [INGOT_INT4] = {"int4", 4, KIND_INT},
  [INGOT_FLOAT4E2M1] = {"float4e2m1", 4, KIND_FLOAT},
  [INGOT_FLOAT8E8M0] = {"float8e8m0", 8, KIND_FLOAT},
  [INGOT_UINT2] = {"uint2", 2, KIND_UINT},
  [INGOT_INT2] = {"int2", 2, KIND_INT},
  [INGOT_FLOAT6E2M3] = {"float6e2m3", 8, KIND_FLOAT}, /* a byte each: only files pack them */
  [INGOT_FLOAT6E3M2] = {"float6e3m2", 8, KIND_FLOAT},
};
enum { COUNT = sizeof table / sizeof *table };
_Static_assert((int)COUNT == (int)INGOT__DTYPE_COUNT, "the table has a row for each type");

const char *ingot_dtype_name(ingot_dtype dtype) { return table[(unsigned)dtype < COUNT ? dtype : 0].name; }
unsigned ingot_dtype_bits(ingot_dtype dtype) { return table[(unsigned)dtype < COUNT ? dtype : 0].bits; }
static int kind(ingot_dtype dtype) { return table[(unsigned)dtype < COUNT ? dtype : 0].kind; }
bool ingot__dtype_is_float(ingot_dtype dtype) { return kind(dtype) == KIND_FLOAT; }
bool ingot__dtype_is_int(ingot_dtype dtype) { return kind(dtype) == KIND_INT || kind(dtype) == KIND_UINT; }
bool ingot__dtype_is_unsigned(ingot_dtype dtype) { return kind(dtype) == KIND_UINT; }
bool ingot__dtype_is_complex(ingot_dtype dtype) { return kind(dtype) == KIND_COMPLEX; }

bool ingot__dtype_range(ingot_dtype dtype, int64_t *low, int64_t *high) {
  unsigned bits = ingot_dtype_bits(dtype);
  if (!ingot__dtype_is_int(dtype) || bits > 32) return false;
  *low = kind(dtype) == KIND_UINT ? 0 : -(INT64_C(1) << (bits - 1));
  *high = *low + (INT64_C(1) << bits) - 1;
  return true;
}

ingot_dtype ingot__dtype_parse(const char *name) {
  for (int i = 1; name && i < COUNT; i++)
    if (!strcmp(name, table[i].name)) return (ingot_dtype)i;
  return INGOT_UNDEFINED;
}

bool ingot__dtype_bytes(ingot_dtype dtype, size_t n, size_t *bytes) {
  unsigned bits = dtype == INGOT_STRING ? 8 * (unsigned)sizeof(ingot_string) : ingot_dtype_bits(dtype);
  if (bits == 0) return false;
  if (bits < 8) {
    size_t each = 8 / bits;
    *bytes = n / each + (n % each != 0);
    return true;
  }
  return ingot__mul(n, bits / 8, bytes);
}

static uint32_t bits_of(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return u;
}
static float float_of(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}

uint16_t ingot__f32_to_bf16(float f) {
  uint32_t u = bits_of(f);
  if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40); /* NaN: quiet, and never rounded to infinity */
  return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

float ingot__f16_to_f32(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 0x3ff;
  if (e == 31) return float_of(sign | 0x7f800000 | m << 13);
  if (e != 0) return float_of(sign | (e + 112) << 23 | m << 13);
  float f = (float)m * 0x1p-24f; /* zero and subnormals: exact */
  return sign ? -f : f;
}

uint16_t ingot__f32_to_f16(float f) {
  uint32_t u = bits_of(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
  if (a > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x3ff));
  if (a >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and up round to infinity */
  if (a < 0x38800000) { /* below the least normal, 2^-14: the sum's last mantissa bit is worth 2^-24, so the addition rounds */
    float r = float_of(a) + 0.5f;
    return (uint16_t)(sign | (bits_of(r) - bits_of(0.5f)));
  }
  return (uint16_t)(sign | ((a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13));
}

/* The formats of a byte and less. Codes count upwards with magnitude, so that a rounded mantissa carries into the exponent by itself.
 *   FNUZ: finite, NaN where -0 would be, no -0.  FN: finite, NaN is all ones.  */
typedef struct format { uint8_t sign, mantissa, bias, max, infinity, nan; bool unsigned_zero; } format;
static const format formats[] = {
  {0x80, 3, 7, 0x7e, 0x7f, 0x7f, false},  /* E4M3FN: 448 */
  {0x80, 3, 8, 0x7f, 0x80, 0x80, true},   /* E4M3FNUZ: 240 */
  {0x80, 2, 15, 0x7b, 0x7c, 0x7f, false}, /* E5M2: 57344 */
  {0x80, 2, 16, 0x7f, 0x80, 0x80, true},  /* E5M2FNUZ: 57344 */
  {0x08, 1, 1, 0x07, 0x07, 0x00, false},  /* E2M1: 6; this and those of 6 bits have neither NaN nor infinity */
  {0x20, 3, 1, 0x1f, 0x1f, 0x00, false},  /* E2M3: 7.5 */
  {0x20, 2, 3, 0x1f, 0x1f, 0x00, false},  /* E3M2: 28 */
};
static const format *format_of(ingot_dtype dtype) {
  switch (dtype) {
  case INGOT_FLOAT8E4M3FN: return &formats[0];
  case INGOT_FLOAT8E4M3FNUZ: return &formats[1];
  case INGOT_FLOAT8E5M2: return &formats[2];
  case INGOT_FLOAT8E5M2FNUZ: return &formats[3];
  case INGOT_FLOAT4E2M1: return &formats[4];
  case INGOT_FLOAT6E2M3: return &formats[5];
  case INGOT_FLOAT6E3M2: return &formats[6];
  default: return NULL;
  }
}
bool ingot__dtype_is_narrow(ingot_dtype dtype) { return format_of(dtype) != NULL; }

static float decode(const format *f, uint8_t v) {
  unsigned code = v & (f->sign - 1u);
  float sign = v & f->sign ? -1.0f : 1.0f;
  if (f->unsigned_zero ? v == f->nan : f->infinity != f->max && code > f->max) {
    if (f->infinity != f->nan && code == f->infinity) return sign * INFINITY;
    return copysignf(NAN, f->unsigned_zero ? 1.0f : sign);
  }
  int e = (int)(code >> f->mantissa);
  unsigned m = code & ((1u << f->mantissa) - 1);
  if (e > 0) m |= 1u << f->mantissa;
  else e = 1;
  return sign * ldexpf((float)m, e - f->bias - f->mantissa);
}

static uint8_t encode(const format *f, float x, bool saturate) {
  uint8_t sign = signbit(x) ? f->sign : 0;
  if (isnan(x)) return f->unsigned_zero ? f->nan : (uint8_t)(f->nan ? sign | f->nan : 0);
  float a = fabsf(x);
  unsigned code = f->max + 1u;
  if (a < 0x1p17f) { /* above every format's range, and keeps the exponent small */
    int least = 1 - f->bias, e = a > 0 ? ilogbf(a) : least;
    if (e < least) e = least;
    code = ((unsigned)(e - least) << f->mantissa) + (unsigned)rintf(ldexpf(a, f->mantissa - e)); /* to nearest, ties to even */
  }
  if (code > f->max) {
    if (!saturate && f->unsigned_zero) return f->nan;
    code = saturate ? f->max : f->infinity;
  }
  return code == 0 && f->unsigned_zero ? 0 : (uint8_t)(sign | code);
}

float ingot__narrow_to_f32(ingot_dtype dtype, uint8_t v) { return decode(format_of(dtype), v); }
uint8_t ingot__f32_to_narrow(ingot_dtype dtype, float f, bool saturate) {
  const format *format = format_of(dtype);
  return encode(format, f, saturate || format->infinity == format->max);
}

float ingot__e8m0_to_f32(uint8_t v) { return v == 255 ? NAN : ldexpf(1, v - 127); }
uint8_t ingot__f32_to_e8m0(float f, bool saturate, ingot__e8m0_round round) {
  if (!(f >= 0)) return 255;
  if (isinf(f)) return saturate ? 254 : 255;
  if (f < 0x1p-127f) return saturate ? 0 : 255;
  int e = ilogbf(f);
  float rest = ldexpf(f, -e); /* 1 to 2 */
  e += round == INGOT__E8M0_UP ? rest > 1 : round == INGOT__E8M0_NEAREST ? rest >= 1.5f : 0;
  return (uint8_t)(e <= 127 ? e + 127 : saturate ? 254 : 255);
}

/* Elements of 4 or 2 bits, the first in the lowest bits. */
unsigned ingot__get_bits(ingot_dtype dtype, const void *data, size_t i) {
  unsigned bits = ingot_dtype_bits(dtype);
  size_t each = 8 / bits;
  return ((const uint8_t *)data)[i / each] >> (i % each * bits) & ((1u << bits) - 1);
}
void ingot__set_bits(ingot_dtype dtype, void *data, size_t i, unsigned v) {
  unsigned bits = ingot_dtype_bits(dtype), mask = (1u << bits) - 1;
  size_t each = 8 / bits, shift = i % each * bits;
  uint8_t *p = (uint8_t *)data + i / each;
  *p = (uint8_t)((*p & ~(mask << shift)) | (v & mask) << shift);
}

/* Data may lie at any address: files don't align it. */
#define GET(type) (*(const type *)memcpy(&(type){0}, (const char *)data + i * sizeof(type), sizeof(type)))
#define SET(type, value) memcpy((char *)data + i * sizeof(type), &(type){value}, sizeof(type))

double ingot__get_double(ingot_dtype dtype, const void *data, size_t i) {
  switch (dtype) {
    case INGOT_FLOAT32: return (double)GET(float);
    case INGOT_FLOAT64: return GET(double);
    case INGOT_FLOAT16: return (double)ingot__f16_to_f32(GET(uint16_t));
    case INGOT_BFLOAT16: return (double)ingot__bf16_to_f32(GET(uint16_t));
    case INGOT_FLOAT8E4M3FN: case INGOT_FLOAT8E4M3FNUZ: case INGOT_FLOAT8E5M2: case INGOT_FLOAT8E5M2FNUZ: case INGOT_FLOAT6E2M3:
    case INGOT_FLOAT6E3M2:
      return (double)ingot__narrow_to_f32(dtype, GET(uint8_t));
    case INGOT_FLOAT4E2M1: return (double)ingot__narrow_to_f32(dtype, (uint8_t)ingot__get_bits(dtype, data, i));
    case INGOT_FLOAT8E8M0: return (double)ingot__e8m0_to_f32(GET(uint8_t));
    case INGOT_COMPLEX64: return (double)ingot__get_double(INGOT_FLOAT32, data, 2 * i);
    case INGOT_COMPLEX128: return ingot__get_double(INGOT_FLOAT64, data, 2 * i);
    case INGOT_UINT64: return (double)GET(uint64_t);
    default: return (double)ingot__get_int(dtype, data, i);
  }
}

static int64_t to_int(double v) { /* towards zero, saturated; NaN: 0 */
  return v != v ? 0 : v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

int64_t ingot__get_int(ingot_dtype dtype, const void *data, size_t i) {
  switch (dtype) {
    case INGOT_INT8: return GET(int8_t);
    case INGOT_INT16: return GET(int16_t);
    case INGOT_INT32: return GET(int32_t);
    case INGOT_INT64: return GET(int64_t);
    case INGOT_UINT8: return GET(uint8_t);
    case INGOT_UINT16: return GET(uint16_t);
    case INGOT_UINT32: return GET(uint32_t);
    case INGOT_UINT64: { uint64_t v = GET(uint64_t); return v > INT64_MAX ? INT64_MAX : (int64_t)v; }
    case INGOT_BOOL: return GET(uint8_t) != 0;
    case INGOT_UINT4: case INGOT_UINT2: return ingot__get_bits(dtype, data, i);
    case INGOT_INT4: return (int)(ingot__get_bits(dtype, data, i) ^ 8) - 8;
    case INGOT_INT2: return (int)(ingot__get_bits(dtype, data, i) ^ 2) - 2;
    default: return ingot__dtype_is_float(dtype) ? to_int(ingot__get_double(dtype, data, i)) : 0;
  }
}

/* To float, but an inexact result gets an odd last bit (and never becomes infinite): rounding that again to a narrower format gives what
 * rounding the double at once would. */
static float to_odd(double v) {
  float f = (float)v;
  if ((double)f == v || v != v) return f;
  if (isinf(f)) return copysignf(FLT_MAX, f);
  return bits_of(f) & 1 ? f : nextafterf(f, v > (double)f ? INFINITY : -INFINITY);
}

void ingot__set_double(ingot_dtype dtype, void *data, size_t i, double v) {
  switch (dtype) {
    case INGOT_FLOAT32: SET(float, (float)v); return;
    case INGOT_FLOAT64: SET(double, v); return;
    case INGOT_FLOAT16: SET(uint16_t, ingot__f32_to_f16(to_odd(v))); return;
    case INGOT_BFLOAT16: SET(uint16_t, ingot__f32_to_bf16(to_odd(v))); return;
    case INGOT_FLOAT8E4M3FN: case INGOT_FLOAT8E4M3FNUZ: case INGOT_FLOAT8E5M2: case INGOT_FLOAT8E5M2FNUZ: case INGOT_FLOAT6E2M3:
    case INGOT_FLOAT6E3M2:
      SET(uint8_t, ingot__f32_to_narrow(dtype, to_odd(v), true));
      return;
    case INGOT_FLOAT4E2M1: ingot__set_bits(dtype, data, i, ingot__f32_to_narrow(dtype, to_odd(v), true)); return;
    case INGOT_FLOAT8E8M0: SET(uint8_t, ingot__f32_to_e8m0(to_odd(v), true, INGOT__E8M0_UP)); return;
    case INGOT_COMPLEX64:
      ingot__set_double(INGOT_FLOAT32, data, 2 * i, v);
      ingot__set_double(INGOT_FLOAT32, data, 2 * i + 1, 0);
      return;
    case INGOT_COMPLEX128:
      ingot__set_double(INGOT_FLOAT64, data, 2 * i, v);
      ingot__set_double(INGOT_FLOAT64, data, 2 * i + 1, 0);
      return;
    case INGOT_BOOL: SET(uint8_t, v != 0); return;
    case INGOT_UINT64: SET(uint64_t, !(v > 0) ? 0 : v >= 0x1p64 ? UINT64_MAX : (uint64_t)v); return;
    default: ingot__set_int(dtype, data, i, to_int(v)); return;
  }
}

static int64_t clamp(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

void ingot__set_int(ingot_dtype dtype, void *data, size_t i, int64_t v) {
  switch (dtype) {
    case INGOT_INT8: SET(int8_t, (int8_t)clamp(v, INT8_MIN, INT8_MAX)); return;
    case INGOT_INT16: SET(int16_t, (int16_t)clamp(v, INT16_MIN, INT16_MAX)); return;
    case INGOT_INT32: SET(int32_t, (int32_t)clamp(v, INT32_MIN, INT32_MAX)); return;
    case INGOT_INT64: SET(int64_t, v); return;
    case INGOT_UINT8: SET(uint8_t, (uint8_t)clamp(v, 0, UINT8_MAX)); return;
    case INGOT_UINT16: SET(uint16_t, (uint16_t)clamp(v, 0, UINT16_MAX)); return;
    case INGOT_UINT32: SET(uint32_t, (uint32_t)clamp(v, 0, UINT32_MAX)); return;
    case INGOT_UINT64: SET(uint64_t, v < 0 ? 0 : (uint64_t)v); return;
    case INGOT_BOOL: SET(uint8_t, v != 0); return;
    case INGOT_UINT4: ingot__set_bits(dtype, data, i, (unsigned)clamp(v, 0, 15)); return;
    case INGOT_INT4: ingot__set_bits(dtype, data, i, (unsigned)clamp(v, -8, 7)); return;
    case INGOT_UINT2: ingot__set_bits(dtype, data, i, (unsigned)clamp(v, 0, 3)); return;
    case INGOT_INT2: ingot__set_bits(dtype, data, i, (unsigned)clamp(v, -2, 1)); return;
    case INGOT_FLOAT32: SET(float, (float)v); return;
    case INGOT_FLOAT64: SET(double, (double)v); return;
    default:
      if (!ingot__dtype_is_float(dtype) && !ingot__dtype_is_complex(dtype)) return;
      if (v > INT64_C(1) << 53 || v < -(INT64_C(1) << 53)) v = (v & ~INT64_C(0x7ff)) | ((v & 0x7ff) != 0) << 11; /* exact as a double, rounds alike */
      ingot__set_double(dtype, data, i, (double)v);
      return;
  }
}
