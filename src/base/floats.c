/* Loops over a fixed number of elements, without branches, which compilers make vectors of at any optimisation level. */
#include "base/floats.h"
#include "base/dtype.h"
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
