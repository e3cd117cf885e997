/* The functions that ops.def spells in capitals, as the reference computes them: from the C library for float and double, and MAX, MIN, ABS,
 * SIGN, DIV and shifts for integers, where nothing traps: division by zero gives 0. */
#ifndef INGOT_OPS_SCALAR_H
#define INGOT_OPS_SCALAR_H
#include <math.h>
#include <stdint.h>

/* max and min pass NaN on from either side, as NumPy's and PyTorch's do. */
#define INGOT__SCALAR_FLOAT(S, T, f) \
  static inline T ingot__max_##S(T a, T b) { return a > b || isnan(a) ? a : b; } \
  static inline T ingot__min_##S(T a, T b) { return a < b || isnan(a) ? a : b; } \
  static inline T ingot__abs_##S(T a) { return fabs##f(a); } \
  static inline T ingot__sign_##S(T a) { return isnan(a) ? a : (T)((a > 0) - (a < 0)); } \
  static inline T ingot__div_##S(T a, T b) { return a / b; } \
  static inline T ingot__plus_##S(T a, float p) { return a + (T)p; } \
  static inline T ingot__exp_##S(T a) { return exp##f(a); } \
  static inline T ingot__expm1_##S(T a) { return expm1##f(a); } \
  static inline T ingot__log_##S(T a) { return log##f(a); } \
  static inline T ingot__sqrt_##S(T a) { return sqrt##f(a); } \
  static inline T ingot__pow_##S(T a, T b) { return pow##f(a, b); } \
  static inline T ingot__tanh_##S(T a) { return tanh##f(a); } \
  static inline T ingot__erf_##S(T a) { return erf##f(a); } \
  static inline T ingot__floor_##S(T a) { return floor##f(a); } \
  static inline T ingot__ceil_##S(T a) { return ceil##f(a); } \
  static inline T ingot__round_##S(T a) { return rint##f(a); } /* half to even: the default rounding mode */ \
  static inline T ingot__sin_##S(T a) { return sin##f(a); } \
  static inline T ingot__cos_##S(T a) { return cos##f(a); } \
  static inline T ingot__tan_##S(T a) { return tan##f(a); } \
  static inline T ingot__asin_##S(T a) { return asin##f(a); } \
  static inline T ingot__acos_##S(T a) { return acos##f(a); } \
  static inline T ingot__atan_##S(T a) { return atan##f(a); } \
  static inline T ingot__sinh_##S(T a) { return sinh##f(a); } \
  static inline T ingot__cosh_##S(T a) { return cosh##f(a); } \
  static inline T ingot__asinh_##S(T a) { return asinh##f(a); } \
  static inline T ingot__acosh_##S(T a) { return acosh##f(a); } \
  static inline T ingot__atanh_##S(T a) { return atanh##f(a); } \
  static inline T ingot__sigmoid_##S(T a) { return 1 / (1 + exp##f(-a)); } \
  static inline T ingot__softplus_##S(T a) { return ingot__max_##S(a, 0) + log1p##f(exp##f(-fabs##f(a))); }
INGOT__SCALAR_FLOAT(f32, float, f)
INGOT__SCALAR_FLOAT(f64, double, )
#undef INGOT__SCALAR_FLOAT

/* Integers are computed in a wider type (64 bits for up to 32, 128 for int64), so that nothing overflows; uint64 wraps by itself. */
#define INGOT__SCALAR_INT(S, T) \
  static inline T ingot__max_##S(T a, T b) { return a > b ? a : b; } \
  static inline T ingot__min_##S(T a, T b) { return a < b ? a : b; } \
  /* An integer and an attribute, which may be no whole number: computed in double, cut, 0 where that leaves 64 bits. */ \
  static inline T ingot__plus_##S(T a, float p) { \
    double sum = (double)a + (double)p; \
    return sum > -0x1p63 && sum < 0x1p63 ? (T)(int64_t)sum : 0; \
  } \
  static inline T ingot__div_##S(T a, T b) { return b ? a / b : 0; }
#define INGOT__SCALAR_SIGNED(S, T) \
  INGOT__SCALAR_INT(S, T) \
  static inline T ingot__abs_##S(T a) { return a < 0 ? -a : a; } \
  /* Of numbers of `bits` bits; a result that is too wide is cut when it is stored. */ \
  static inline T ingot__shift_left_##S(T a, T b, int bits) { return b < 0 || b >= bits ? 0 : a * ((T)1 << b); } \
  static inline T ingot__shift_right_##S(T a, T b, int bits) { return b < 0 || b >= bits ? -(a < 0) : a >> b; } \
  static inline T ingot__sign_##S(T a) { return (T)((a > 0) - (a < 0)); }
INGOT__SCALAR_SIGNED(i64, int64_t)
INGOT__SCALAR_SIGNED(i128, __int128)
INGOT__SCALAR_INT(u64, uint64_t)
static inline uint64_t ingot__abs_u64(uint64_t a) { return a; }
static inline uint64_t ingot__sign_u64(uint64_t a) { return a > 0; }
static inline uint64_t ingot__shift_left_u64(uint64_t a, uint64_t b, int bits) { return b >= (unsigned)bits ? 0 : a << b; }
static inline uint64_t ingot__shift_right_u64(uint64_t a, uint64_t b, int bits) { return b >= (unsigned)bits ? 0 : a >> b; }
#undef INGOT__SCALAR_INT
#undef INGOT__SCALAR_SIGNED
#endif
