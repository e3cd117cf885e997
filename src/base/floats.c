/* Loops over a fixed number of elements, without branches, which compilers make vectors of at any optimisation level. */
#include "base/floats.h"
#include "base/dtype.h"
#include <stdbool.h>
#include <string.h>

enum { ROW = 64 };

static inline uint32_t bits_of(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static inline float float_of(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }

/* The three cases of ingot__f32_to_f16, all computed, one taken by masks: a choice would become a branch around the addition. */
static inline uint32_t f16_of(float f) {
  const uint32_t u = bits_of(f), a = u & 0x7fffffff;
  const uint32_t small = bits_of(float_of(a) + 0.5f) - 0x3f000000, normal = (a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13;
  const uint32_t is_small = -(uint32_t)(a < 0x38800000), is_large = -(uint32_t)(a >= 0x477ff000), is_nan = -(uint32_t)(a > 0x7f800000);
  const uint32_t large = 0x7c00 | (is_nan & (0x200 | (a >> 13 & 0x3ff)));
  return (u >> 16 & 0x8000) | (is_large & large) | (~is_large & ((is_small & small) | (~is_small & normal)));
}
static inline uint32_t bf16_of(float f) {
  const uint32_t u = bits_of(f), a = u & 0x7fffffff;
  return a > 0x7f800000 ? u >> 16 | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

void ingot__floats_to_f16(uint16_t *to, const float *from, size_t n) {
  for (; n >= ROW; n -= ROW, to += ROW, from += ROW)
    for (int i = 0; i < ROW; i++) to[i] = (uint16_t)f16_of(from[i]);
  for (size_t i = 0; i < n; i++) to[i] = (uint16_t)f16_of(from[i]);
}

void ingot__floats_to_bf16(uint16_t *to, const float *from, size_t n) {
  for (; n >= ROW; n -= ROW, to += ROW, from += ROW)
    for (int i = 0; i < ROW; i++) to[i] = (uint16_t)bf16_of(from[i]);
  for (size_t i = 0; i < n; i++) to[i] = (uint16_t)bf16_of(from[i]);
}

/* Magnitudes are in the order of their bits. */
static inline int32_t finite_bits(float f) {
  const int32_t a = (int32_t)(bits_of(f) & 0x7fffffff);
  return a < 0x7f800000 ? a : 0;
}

float ingot__floats_largest(const float *x, size_t n) {
  int32_t most[ROW] = {0}, all = 0;
  for (; n >= ROW; n -= ROW, x += ROW)
    for (int i = 0; i < ROW; i++) {
      const int32_t a = finite_bits(x[i]);
      most[i] = a > most[i] ? a : most[i];
    }
  for (int i = 0; i < ROW; i++) all = most[i] > all ? most[i] : all;
  for (size_t i = 0; i < n; i++) all = finite_bits(x[i]) > all ? finite_bits(x[i]) : all;
  return float_of((uint32_t)all);
}

/* The number of bits of a half, or brain: a constant wherever it is given, so that each loop is made for one format. */
static inline float value_of(uint16_t bits, bool half) {
  const uint32_t magnitude = bits & 0x7fff, sign = (uint32_t)(bits & 0x8000) << 16;
  const uint32_t special = -(uint32_t)(magnitude >= (half ? 0x7c00u : 0x7f80u)) & 0x7f800000; /* the exponent of what isn't finite */
  const float value = half ? float_of(magnitude << 13) * 0x1p112f : float_of(magnitude << 16); /* the exponents' zeros are 112 apart */
  return float_of(bits_of(value) | special | sign);
}

static inline float rounded(float f) { return value_of((uint16_t)f16_of(f), true); }
void ingot__floats_round_f16(float *x, size_t n) {
  for (; n >= ROW; n -= ROW, x += ROW)
    for (int i = 0; i < ROW; i++) x[i] = rounded(x[i]);
  for (size_t i = 0; i < n; i++) x[i] = rounded(x[i]);
}

/* ---- Sums */

static inline bool is_finite(uint16_t bits, bool half) { return (bits & 0x7fff) < (half ? 0x7c00 : 0x7f80); }

/* The next number below or above; what would be infinite stays. */
static inline uint16_t neighbour(uint16_t bits, bool down, bool half) {
  const bool negative = bits >> 15;
  if (!(bits & 0x7fff)) return down ? 0x8001 : 0x0001;
  const uint16_t next = (uint16_t)(negative == down ? bits + 1 : bits - 1);
  return is_finite(next, half) ? next : bits;
}

/* What rounding did to ROW weights. */
static inline void errors_of(float error[ROW], const uint16_t *to, const float *from, size_t n, bool half) {
  if (n >= ROW)
    for (int i = 0; i < ROW; i++) error[i] = value_of(to[i], half) - from[i];
  else
    for (size_t i = 0; i < n; i++) error[i] = value_of(to[i], half) - from[i];
}

/* Moves weights whose errors have the sum's sign and are more than `share` of a step to their other neighbour, until nothing is left; returns what
 * is. */
static inline double move_some(uint16_t *to, const float *from, size_t n, double left, bool too_large, float share, bool half) {
  const float sign = too_large ? 1 : -1, steps = share * (half ? 0x1p-10f : 0x1p-7f), least = half ? share * 0x1p-24f : 0;
  for (size_t at = 0; at < n && left > 0; at += ROW) {
    float error[ROW];
    const size_t count = n - at < ROW ? n - at : ROW;
    errors_of(error, to + at, from + at, count, half);
    for (size_t i = 0; i < count && left > 0; i++) {
      const float step = float_of(bits_of(from[at + i]) & 0x7f800000) * steps;
      if (!(error[i] * sign > (step > least ? step : least))) continue;
      const uint16_t other = neighbour(to[at + i], too_large, half);
      const double gap = (double)sign * ((double)value_of(to[at + i], half) - (double)value_of(other, half));
      if (gap <= 0 || gap >= 2 * left) continue;
      to[at + i] = other;
      left -= gap;
    }
  }
  return left;
}

static inline void keep_sum(uint16_t *to, const float *from, size_t n, bool half) {
  static const float shares[] = {0.49f, 0.45f, 0.35f, 0};
  double sum = 0;
  for (size_t at = 0; at < n; at += ROW) {
    float error[ROW];
    const size_t count = n - at < ROW ? n - at : ROW;
    errors_of(error, to + at, from + at, count, half);
    for (size_t i = 0; i < count; i++) {
      if (!is_finite(to[at + i], half)) return;
      sum += (double)error[i];
    }
  }
  double left = sum > 0 ? sum : -sum;
  for (size_t i = 0; i < sizeof shares / sizeof *shares && left > 0; i++) left = move_some(to, from, n, left, sum > 0, shares[i], half);
}

void ingot__floats_to_f16_sum(uint16_t *to, const float *from, size_t n) {
  ingot__floats_to_f16(to, from, n);
  keep_sum(to, from, n, true);
}
void ingot__floats_to_bf16_sum(uint16_t *to, const float *from, size_t n) {
  ingot__floats_to_bf16(to, from, n);
  keep_sum(to, from, n, false);
}
