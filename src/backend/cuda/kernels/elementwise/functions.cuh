/* What the expressions of ops.def call, for the types that are computed in: float, double, int64_t, uint64_t, bool; with the meanings of
 * ops/scalar.h, and those of ops/cast.c, pow.c, quantize.c for what generate.c writes itself. In a node's block T is its type, BITS the width
 * of what is stored. With FAST (all in 16 bits) sigmoids take quotients of 22 bits. */
#pragma once
#include "ingot.cuh"

#ifdef INGOT_EMULATED
DEVICE float fast_sigmoid(float x) { return 1 / (1 + expf(-x)); }
#else
DEVICE float fast_sigmoid(float x) { return __fdividef(1.0f, 1 + __expf(-x)); }
#endif
DEVICE double maximum(double a, double b) { return a > b || a != a ? a : b; }
DEVICE double minimum(double a, double b) { return a < b || a != a ? a : b; }
DEVICE int64_t maximum(int64_t a, int64_t b) { return a > b ? a : b; }
DEVICE int64_t minimum(int64_t a, int64_t b) { return a < b ? a : b; }
DEVICE uint64_t maximum(uint64_t a, uint64_t b) { return a > b ? a : b; }
DEVICE uint64_t minimum(uint64_t a, uint64_t b) { return a < b ? a : b; }

DEVICE float magnitude(float a) { return fabsf(a); }
DEVICE double magnitude(double a) { return fabs(a); }
DEVICE int64_t magnitude(int64_t a) { return a < 0 ? (int64_t)(0 - (uint64_t)a) : a; }
DEVICE uint64_t magnitude(uint64_t a) { return a; }
template <typename T> DEVICE T sign_of(T a) { return a != a ? a : (T)((a > 0) - (a < 0)); }

DEVICE float quotient(float a, float b) { return a / b; }
DEVICE double quotient(double a, double b) { return a / b; }
DEVICE int64_t quotient(int64_t a, int64_t b) { return b == -1 ? (int64_t)(0 - (uint64_t)a) : b ? a / b : 0; }
DEVICE uint64_t quotient(uint64_t a, uint64_t b) { return b ? a / b : 0; }

/* A number and an attribute; of integers what lies outside 64 bits is 0. */
DEVICE float plus(float a, float p) { return a + p; }
DEVICE double plus(double a, float p) { return a + (double)p; }
template <typename T> DEVICE T plus(T a, float p) {
  double sum = (double)a + (double)p;
  return sum > -0x1p63 && sum < 0x1p63 ? (T)(int64_t)sum : 0;
}
DEVICE int64_t shift_left(int64_t a, int64_t b, int bits) { return b < 0 || b >= bits ? 0 : (int64_t)((uint64_t)a << b); }
DEVICE int64_t shift_right(int64_t a, int64_t b, int bits) { return b < 0 || b >= bits ? -(int64_t)(a < 0) : a >> b; }
DEVICE uint64_t shift_left(uint64_t a, uint64_t b, int bits) { return b >= (unsigned)bits ? 0 : a << b; }
DEVICE uint64_t shift_right(uint64_t a, uint64_t b, int bits) { return b >= (unsigned)bits ? 0 : a >> b; }

/* Functions of the library, by type. */
#define OF_BOTH(name, of_float, of_double) \
  DEVICE float name(float x) { return of_float(x); } \
  DEVICE double name(double x) { return of_double(x); }
OF_BOTH(exp_of, expf, exp)
OF_BOTH(expm1_of, expm1f, expm1)
OF_BOTH(log_of, logf, log)
OF_BOTH(sqrt_of, sqrtf, sqrt)
OF_BOTH(tanh_of, tanhf, tanh)
OF_BOTH(erf_of, erff, erf)
OF_BOTH(floor_of, floorf, floor)
OF_BOTH(ceil_of, ceilf, ceil)
OF_BOTH(round_of, rintf, rint)
OF_BOTH(sin_of, sinf, sin)
OF_BOTH(cos_of, cosf, cos)
OF_BOTH(tan_of, tanf, tan)
OF_BOTH(asin_of, asinf, asin)
OF_BOTH(acos_of, acosf, acos)
OF_BOTH(atan_of, atanf, atan)
OF_BOTH(sinh_of, sinhf, sinh)
OF_BOTH(cosh_of, coshf, cosh)
OF_BOTH(asinh_of, asinhf, asinh)
OF_BOTH(acosh_of, acoshf, acosh)
OF_BOTH(atanh_of, atanhf, atanh)
#undef OF_BOTH
#ifdef FAST
DEVICE float sigmoid_of(float x) { return fast_sigmoid(x); }
#else
DEVICE float sigmoid_of(float x) { return 1 / (1 + expf(-x)); }
#endif
DEVICE double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }
DEVICE float softplus_of(float x) { return maximum(x, 0.0f) + log1pf(expf(-fabsf(x))); }
DEVICE double softplus_of(double x) { return maximum(x, 0.0) + log1p(exp(-fabs(x))); }
DEVICE float gelu(float x) { return 0.5f * x * (1 + erff(x * 0.70710678118654752f)); }
DEVICE double gelu(double x) { return 0.5 * x * (1 + erf(x * 0.70710678118654752440)); }
DEVICE float gelu_tanh(float x) { return 0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x))); }
DEVICE double gelu_tanh(double x) { return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))); }

#define MAX(x, y) maximum((T)(x), (T)(y))
#define MIN(x, y) minimum((T)(x), (T)(y))
#define ABS(x) magnitude((T)(x))
#define SIGN(x) sign_of((T)(x))
#define DIV(x, y) quotient((T)(x), (T)(y))
#define PLUS(x, p) plus((T)(x), p)
#define SHIFT_LEFT(x, y) shift_left((T)(x), (T)(y), BITS)
#define SHIFT_RIGHT(x, y) shift_right((T)(x), (T)(y), BITS)
#define EXP(x) exp_of((T)(x))
#define EXPM1(x) expm1_of((T)(x))
#define LOG(x) log_of((T)(x))
#define SQRT(x) sqrt_of((T)(x))
#define POW(x, y) power((T)(x), (T)(y))
#define TANH(x) tanh_of((T)(x))
#define ERF(x) erf_of((T)(x))
#define FLOOR(x) floor_of((T)(x))
#define CEIL(x) ceil_of((T)(x))
#define ROUND(x) round_of((T)(x))
#define SIN(x) sin_of((T)(x))
#define COS(x) cos_of((T)(x))
#define TAN(x) tan_of((T)(x))
#define ASIN(x) asin_of((T)(x))
#define ACOS(x) acos_of((T)(x))
#define ATAN(x) atan_of((T)(x))
#define SINH(x) sinh_of((T)(x))
#define COSH(x) cosh_of((T)(x))
#define ASINH(x) asinh_of((T)(x))
#define ACOSH(x) acosh_of((T)(x))
#define ATANH(x) atanh_of((T)(x))
#define SIGMOID(x) sigmoid_of((T)(x))
#define SOFTPLUS(x) softplus_of((T)(x))

/* ---- Pow and Mod. Integers by squaring, modulo 2^64; negative exponents leave only the powers of 1 and -1. */
DEVICE int64_t power(int64_t base, int64_t exponent) {
  uint64_t r = 1, b = (uint64_t)base;
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;
  for (; exponent; exponent >>= 1, b *= b)
    if (exponent & 1) r *= b;
  return (int64_t)r;
}
DEVICE float power(float a, float b) { return b == 2 ? a * a : powf(a, b); }
DEVICE double power(double a, double b) { return b == 2 ? a * a : pow(a, b); }
/* x to 0.5, which isn't quite the square root: of -0 it is 0, of -infinity infinity. */
DEVICE float root(float x) { return x == bits_float(0xff800000u) ? -x : sqrtf(x) + 0.0f; }

DEVICE float modulo_c(float a, float b) { return fmodf(a, b); }
DEVICE double modulo_c(double a, double b) { return fmod(a, b); }
DEVICE int64_t modulo_c(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
DEVICE uint64_t modulo_c(uint64_t a, uint64_t b) { return b ? a % b : 0; }
/* With the divisor's sign. */
DEVICE float modulo(float a, float b) {
  float r = fmodf(a, b);
  if (r == 0) return copysignf(0.0f, b);
  return (r < 0) != (b < 0) ? r + b : r;
}
DEVICE double modulo(double a, double b) {
  double r = fmod(a, b);
  if (r == 0) return copysign(0.0, b);
  return (r < 0) != (b < 0) ? r + b : r;
}
DEVICE int64_t modulo(int64_t a, int64_t b) {
  int64_t r = modulo_c(a, b);
  return r && (r < 0) != (b < 0) ? r + b : r;
}
DEVICE uint64_t modulo(uint64_t a, uint64_t b) { return modulo_c(a, b); }

/* ---- Conversions. What no integer can hold becomes the smallest one, as on x86. */
DEVICE int64_t whole(double x) { return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : (int64_t)(1ull << 63); }
DEVICE int32_t whole_32(double x) { return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : (int32_t)(1u << 31); }
DEVICE uint64_t whole_unsigned(double x) {
  return x < 0x1p63 ? (uint64_t)whole(x) : x < 0x1p64 ? (uint64_t)x : ~0ull;
}
DEVICE int64_t whole(float x) { return x >= -0x1p63f && x < 0x1p63f ? (int64_t)x : (int64_t)(1ull << 63); }
DEVICE int32_t whole_32(float x) { return x >= -0x1p31f && x < 0x1p31f ? (int32_t)x : (int32_t)(1u << 31); }
DEVICE uint64_t whole_unsigned(float x) { return x < 0x1p63f ? (uint64_t)whole(x) : x < 0x1p64f ? (uint64_t)x : ~0ull; }
/* To float; an inexact result gets an odd last bit, so that rounding it again rounds the double once. */
DEVICE float to_odd(double v) {
  float f = (float)v;
  if ((double)f == v || v != v) return f;
  uint32_t bits = float_bits(f);
  if (fabs((double)f) > fabs(v)) bits--;
  return bits_float(bits | 1);
}
/* The nearest half or bfloat, as a float. */
DEVICE float as_half(float x) { return to_float(from_float<half>(x)); }
DEVICE float as_half(double x) { return as_half(to_odd(x)); }
DEVICE float as_half(int x) { return as_half((double)x); }
DEVICE float as_half(uint32_t x) { return as_half((double)x); }
DEVICE float as_half(int64_t x) { return as_half((double)x); }
DEVICE float as_half(uint64_t x) { return as_half((double)x); }
DEVICE float as_bfloat(float x) { return to_float(from_float<bfloat>(x)); }
DEVICE float as_bfloat(double x) { return as_bfloat(to_odd(x)); }
DEVICE float as_bfloat(int x) { return as_bfloat((double)x); }
DEVICE float as_bfloat(uint32_t x) { return as_bfloat((double)x); }
DEVICE float as_bfloat(int64_t x) { return as_bfloat((double)x); }
DEVICE float as_bfloat(uint64_t x) { return as_bfloat((double)x); }

template <typename T> struct limits;
#define LIMITS(T, least, most) \
  template <> struct limits<T> { \
    static __device__ __forceinline__ T low() { return (T)(least); } \
    static __device__ __forceinline__ T high() { return (T)(most); } \
  };
LIMITS(int8_t, -128, 127)
LIMITS(int16_t, -32768, 32767)
LIMITS(int32_t, -2147483647 - 1, 2147483647)
LIMITS(int64_t, 1ull << 63, ~0ull >> 1)
LIMITS(uint8_t, 0, 255)
LIMITS(uint16_t, 0, 65535)
LIMITS(uint32_t, 0, 0xffffffffu)
LIMITS(uint64_t, 0, ~0ull)
#undef LIMITS
/* Cut towards zero, into the type's range; NaN is 0. */
template <typename T> DEVICE T saturated(double x) {
  return x != x ? (T)0 : x <= (double)limits<T>::low() ? limits<T>::low() : x >= (double)limits<T>::high() ? limits<T>::high() : (T)x;
}
template <typename T> DEVICE T clamped_to(int64_t x) {
  return x < (int64_t)limits<T>::low() ? limits<T>::low() : x > (int64_t)limits<T>::high() ? limits<T>::high() : (T)x;
}
DEVICE bool infinite(float x) { return fabsf(x) == bits_float(0x7f800000u); }
DEVICE bool infinite(double x) { return fabs(x) == (double)bits_float(0x7f800000u); }

/* The level of a quotient; NaN is the lowest. */
template <typename T> DEVICE T quantized(float x, float zero, float low, float high) {
  float q = rintf(x) + zero;
  return (T)(int)(q >= low ? q < high ? q : high : low);
}
