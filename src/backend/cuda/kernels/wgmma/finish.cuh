/* The end of a product: act(alpha sum + bias + residual). ACT is the activation; ACT_CLIP stands for none and ReLU too, with bounds that may be
 * infinite. */
#pragma once
#include "act.cuh"
#include "async.cuh"
#include "wgmma/product.h"

DEVICE float finish_act(const ingot__product &p, float x) { return activate(ACT, p.act_alpha, p.act_beta, x); }

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

/* Two of them, rounded. Clamping after rounding to bounds that were rounded too gives the same, at half the instructions. */
DEVICE uint32_t finish_pair(const ingot__product &p, float x, float y) {
#if ACT == 2
  return pair_clamped(ELEMENT{}, from_pair<ELEMENT>(x, y), from_pair<ELEMENT>(p.act_alpha, p.act_alpha), from_pair<ELEMENT>(p.act_beta, p.act_beta));
#else
  return from_pair<ELEMENT>(finish_act(p, x), finish_act(p, y));
#endif
}

DEVICE float bias_of(const ingot__product &p, int32_t n) {
  if (!p.bias || n >= p.n) return 0;
  return p.bias_float ? static_cast<const float *>(p.bias)[n] : to_float(static_cast<const ELEMENT *>(p.bias)[n]);
}
