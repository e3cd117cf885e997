/* The end of a product: act(alpha sum + bias + residual). */
#pragma once
#include "async.cuh"
#include "wgmma/pairs.cuh"
#include "wgmma/product.h"

DEVICE float finish_act(const ingot__product &p, float x) { return activate(ACT, p.act_alpha, p.act_beta, x); }
DEVICE uint32_t finish_pair(const ingot__product &p, float x, float y) { return finish_pair<ELEMENT>(p.act_alpha, p.act_beta, x, y); }

/* Where row m of out begins. */
DEVICE int64_t row_of(const ingot__product &p, int64_t m) {
  if (!p.line) return m * p.out_row;
  const int32_t line = (int32_t)m / p.line;
  return line * p.line_out + ((int32_t)m - line * p.line) * p.out_row;
}
DEVICE float bias_of(const ingot__product &p, int32_t n) {
  if (!p.bias || n >= p.n) return 0;
  return p.bias_float ? static_cast<const float *>(p.bias)[n] : to_float(static_cast<const ELEMENT *>(p.bias)[n]);
}
/* Of eight columns from n on. */
DEVICE void biases_of(const ingot__product &p, int32_t n, float (&bias)[8]) {
  const float *floats = static_cast<const float *>(p.bias) + n;
  const ELEMENT *elements = static_cast<const ELEMENT *>(p.bias) + n;
#pragma unroll
  for (int i = 0; i < 8; i++) bias[i] = 0;
  if (!p.bias) return;
  if (p.bias_float) {
#pragma unroll
    for (int i = 0; i < 8; i++)
      if (n + i < p.n) bias[i] = floats[i];
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; i++)
    if (n + i < p.n) bias[i] = to_float(elements[i]);
}
