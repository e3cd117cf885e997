/* Activations of results that are rounded to 16 bits by twos. ACT is the activation; ACT_CLIP stands for none and ReLU too, with bounds that may be
 * infinite. */
#pragma once
#include "act.cuh"

#ifndef INGOT_EMULATED
DEVICE uint32_t pair_clamped(half, uint32_t x, uint32_t low, uint32_t high) {
  uint32_t y;
  asm("{\n .reg .b32 t;\n max.NaN.f16x2 t, %1, %2;\n min.NaN.f16x2 %0, t, %3;\n}" : "=r"(y) : "r"(x), "r"(low), "r"(high));
  return y;
}
DEVICE uint32_t pair_clamped(bfloat, uint32_t x, uint32_t low, uint32_t high) {
  uint32_t y;
  asm("{\n .reg .b32 t;\n max.NaN.bf16x2 t, %1, %2;\n min.NaN.bf16x2 %0, t, %3;\n}" : "=r"(y) : "r"(x), "r"(low), "r"(high));
  return y;
}
#else
template <typename E> DEVICE uint32_t pair_clamped(E, uint32_t x, uint32_t low, uint32_t high) {
  uint32_t y = 0;
  for (int i = 0; i < 32; i += 16) {
    const float l = to_float(E{(uint16_t)(low >> i)}), h = to_float(E{(uint16_t)(high >> i)});
    y |= (uint32_t)from_float<E>(clamped(to_float(E{(uint16_t)(x >> i)}), l, h)).bits << i;
  }
  return y;
}
#endif

/* Two results, rounded. Clamping after rounding to bounds that were rounded too gives the same, at half the instructions. */
template <typename E> DEVICE uint32_t finish_pair(float alpha, float beta, float x, float y) {
#if ACT == 2
  return pair_clamped(E{}, from_pair<E>(x, y), from_pair<E>(alpha, alpha), from_pair<E>(beta, beta));
#else
  return from_pair<E>(activate(ACT, alpha, beta, x), activate(ACT, alpha, beta, y));
#endif
}
