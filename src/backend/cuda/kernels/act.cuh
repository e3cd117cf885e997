/* Activations of fused epilogues: as ir/act.c has them; act is an ingot__act. */
#pragma once
#include "types.cuh"
enum {
  ACT_NONE = 0, ACT_RELU, ACT_CLIP, ACT_LEAKY_RELU, ACT_SIGMOID, ACT_TANH, ACT_SILU, ACT_HARD_SIGMOID, ACT_HARD_SWISH, ACT_GELU,
  ACT_GELU_TANH, ACT_ELU, ACT_SOFTPLUS, ACT_MISH
};
/* To about 1e-6 of the result, in a fourth of the instructions of expf and a division. */
DEVICE float sigmoid(float x) { return inverse_fast(1 + exp2_fast(-1.4426950408889634f * x)); }
/* x times the part of the normal distribution below x: max(x, 0) - |x| Q(|x|), Q the part above, which is 2 to the power of a polynomial (the one
 * with the least greatest error of |x| Q(|x|)). The error is below 7e-7; near 0, where results are small, below 3e-5 of them. */
DEVICE float gelu_close(float x) {
  const float a = fminf(fabsf(x), 8);
  float power = fmaf(a, -4.7330946e-4f, 7.0845586e-3f);
  power = fmaf(a, fmaf(a, fmaf(a, fmaf(a, power, -5.1827386e-2f), -0.45999243f), -1.1507879f), -1.0000376f);
  return fmaf(-a, exp2_fast(power), maximum(x, 0));
}
/* x (1 + tanh(u)) / 2 is x sigmoid(2 u). */
DEVICE float gelu_tanh_close(float x) { return x * sigmoid(1.5957691216057308f * fmaf(0.044715f * x * x, x, x)); }
/* x tanh(log(1 + e^x)) is x n / (n + 2) with n = e^2x + 2 e^x. */
DEVICE float mish_close(float x) {
  const float e = exp2_fast(1.4426950408889634f * fminf(x, 20)), n = fmaf(e, e, 2 * e);
  return x * (n * inverse_fast(n + 2));
}
DEVICE float softplus(float x) { return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x))); } /* log(1 + e^x) without overflow */
DEVICE float clamped(float x, float low, float high) { return minimum(maximum(x, low), high); } /* NaN stays */

/* With `act` a constant the compiler leaves one branch; otherwise it is the same for all threads. */
DEVICE float activate(int act, float alpha, float beta, float x) {
  switch (act) {
  case ACT_RELU: return maximum(x, 0);
  case ACT_CLIP: return clamped(x, alpha, beta);
  case ACT_LEAKY_RELU: return x < 0 ? alpha * x : x;
  case ACT_SIGMOID: return sigmoid(x);
  case ACT_TANH: return tanhf(x);
  case ACT_SILU: return x * sigmoid(x);
  case ACT_HARD_SIGMOID: return clamped(alpha * x + beta, 0, 1);
  case ACT_HARD_SWISH: return x * clamped(fmaf(x, 1 / 6.0f, 0.5f), 0, 1);
  case ACT_GELU: return gelu_close(x);
  case ACT_GELU_TANH: return gelu_tanh_close(x);
  case ACT_ELU: return x < 0 ? alpha * expm1f(x) : x;
  case ACT_SOFTPLUS: return softplus(x);
  case ACT_MISH: return mish_close(x);
  }
  return x;
}
