/* What a reduction knows of the elements so far: `state` with start, add (an element and its position), merge, shuffled (another lane's) and
 * finish. define() says OP, TYPE and what kind that is (REAL or WHOLE, UNSIGNED), OUT, LAST_INDEX. Meanings are those of ops/reduce.c and
 * ops/arg.c: NaN stays, integers wrap. */
#pragma once
#include "ingot.cuh"
#define OP_SUM 0
#define OP_MEAN 1
#define OP_MAX 2
#define OP_MIN 3
#define OP_PROD 4
#define OP_L1 5
#define OP_L2 6
#define OP_LOG_SUM 7
#define OP_LOG_SUM_EXP 8
#define OP_SUM_SQUARE 9
#define OP_ARG_MAX 10
#define OP_ARG_MIN 11

typedef TYPE T;
#if REAL == 2
typedef double number;
DEVICE number widened(double x) { return x; }
DEVICE double exp_of(double x) { return exp(x); }
DEVICE double log_of(double x) { return log(x); }
DEVICE double root_of(double x) { return sqrt(x); }
#elif REAL
typedef float number;
template <typename U> DEVICE number widened(U x) { return to_float(x); }
DEVICE float exp_of(float x) { return expf(x); }
DEVICE float log_of(float x) { return logf(x); }
DEVICE float root_of(float x) { return sqrtf(x); }
#elif UNSIGNED
typedef uint64_t number;
template <typename U> DEVICE number widened(U x) { return x; }
#else
typedef int64_t number;
template <typename U> DEVICE number widened(U x) { return x; }
#endif

#if REAL
DEVICE number infinity() { return bits_float(0x7f800000u); }
DEVICE bool is_nan(number x) { return x != x; }
DEVICE number plus(number a, number b) { return a + b; }
DEVICE number times(number a, number b) { return a * b; }
DEVICE number magnitude(number a) { return a < 0 ? -a : a; }
DEVICE number lowest() { return -infinity(); }
DEVICE number highest() { return infinity(); }
#else
DEVICE bool is_nan(number) { return false; }
DEVICE number plus(number a, number b) { return (number)((uint64_t)a + (uint64_t)b); }
DEVICE number times(number a, number b) { return (number)((uint64_t)a * (uint64_t)b); }
DEVICE number magnitude(number a) { return a < 0 ? (number)(0 - (uint64_t)a) : a; }
DEVICE number lowest() { return LOWEST; }
DEVICE number highest() { return HIGHEST; }
#endif

#if OP == OP_ARG_MAX || OP == OP_ARG_MIN
struct state {
  number x;
  int64_t i; /* -1: none yet */
  __device__ __forceinline__ void start() { x = 0, i = -1; }
  /* 1: b goes before a, 0: they are equal, -1: after */
  static __device__ __forceinline__ int order(number a, number b) {
    if (is_nan(a) || is_nan(b)) return is_nan(b) - is_nan(a);
    return OP == OP_ARG_MAX ? (b > a) - (b < a) : (b < a) - (b > a);
  }
  __device__ __forceinline__ void take(number y, int64_t j) {
    int o = i < 0 ? 1 : order(x, y);
    bool other = o > 0 || (o == 0 && (LAST_INDEX ? j > i : j < i));
    x = other ? y : x, i = other ? j : i;
  }
  __device__ __forceinline__ void add(T y, int64_t j) { take(widened(y), j); }
  __device__ __forceinline__ void merge(const state &s) { if (s.i >= 0) take(s.x, s.i); }
  __device__ __forceinline__ state shuffled(int lanes) const {
    state s;
    s.x = __shfl_xor_sync(0xffffffffu, x, lanes), s.i = __shfl_xor_sync(0xffffffffu, (long long)i, lanes);
    return s;
  }
  __device__ __forceinline__ OUT finish(int64_t) const { return (OUT)i; }
};
#elif OP == OP_LOG_SUM_EXP
struct state { /* the greatest m, and the sum of e^(x - m); NaN in the sum stays */
  number m, s;
  __device__ __forceinline__ void start() { m = -infinity(), s = 0; }
  __device__ __forceinline__ void add(T y, int64_t) {
    number x = widened(y);
    if (x == m) s += x == -infinity() ? 0 : 1;
    else if (x < m) s += exp_of(x - m);
    else s = s * exp_of(m - x) + 1, m = x;
  }
  __device__ __forceinline__ void merge(const state &o) {
    if (m == o.m) s += o.s;
    else if (o.m < m) s += o.s * exp_of(o.m - m);
    else s = o.s + s * exp_of(m - o.m), m = o.m;
  }
  __device__ __forceinline__ state shuffled(int lanes) const {
    state o;
    o.m = __shfl_xor_sync(0xffffffffu, m, lanes), o.s = __shfl_xor_sync(0xffffffffu, s, lanes);
    return o;
  }
  __device__ __forceinline__ number result() const { return is_nan(s) ? s : m == infinity() || m == -infinity() ? m : log_of(s) + m; }
  __device__ __forceinline__ OUT finish(int64_t) const;
};
#else
struct state {
  number x;
  __device__ __forceinline__ void start() { x = OP == OP_PROD ? 1 : OP == OP_MAX ? lowest() : OP == OP_MIN ? highest() : 0; }
  __device__ __forceinline__ void take(number y) {
#if OP == OP_MAX
    x = y > x || is_nan(y) ? y : x;
#elif OP == OP_MIN
    x = y < x || is_nan(y) ? y : x;
#elif OP == OP_PROD
    x = times(x, y);
#else
    x = plus(x, y);
#endif
  }
  __device__ __forceinline__ void add(T y, int64_t) {
#if IS_BOOL
    number v = y != 0;
#else
    number v = widened(y);
#endif
    take(OP == OP_L1 ? magnitude(v) : OP == OP_L2 || OP == OP_SUM_SQUARE ? times(v, v) : v);
  }
  __device__ __forceinline__ void merge(const state &s) { take(s.x); }
  __device__ __forceinline__ state shuffled(int lanes) const {
    state s;
    s.x = __shfl_xor_sync(0xffffffffu, x, lanes);
    return s;
  }
  __device__ __forceinline__ number result(int64_t n) const {
#if REAL
    return OP == OP_MEAN ? x / (number)n : OP == OP_L2 ? root_of(x) : OP == OP_LOG_SUM ? log_of(x) : x;
#else
    int64_t whole = (int64_t)x; /* it may have wrapped */
    if (OP == OP_MEAN) return n == 0 ? 0 : x / (number)n;
    if (OP == OP_L2) return whole > 0 ? (number)sqrt((double)whole) : 0;
    if (OP == OP_LOG_SUM) return whole > 0 ? (number)log((double)whole) : 0;
    return x;
#endif
  }
  __device__ __forceinline__ OUT finish(int64_t n) const;
};
#endif

#if OP < OP_ARG_MAX
#if REAL == 1
DEVICE OUT stored(number x) { return from_float<OUT>(x); }
#else
DEVICE OUT stored(number x) { return (OUT)x; }
#endif
#if OP == OP_LOG_SUM_EXP
__device__ __forceinline__ OUT state::finish(int64_t) const { return stored(result()); }
#else
__device__ __forceinline__ OUT state::finish(int64_t n) const { return stored(result(n)); }
#endif
#endif
