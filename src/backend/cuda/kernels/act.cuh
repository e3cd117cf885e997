/* Activations of fused epilogues: as ir/act.c has them; act is an ingot__act. */
#pragma once
#include "types.cuh"
enum {
  ACT_NONE = 0, ACT_RELU, ACT_CLIP, ACT_LEAKY_RELU, ACT_SIGMOID, ACT_TANH, ACT_SILU, ACT_HARD_SIGMOID, ACT_HARD_SWISH, ACT_GELU,
  ACT_GELU_TANH, ACT_ELU, ACT_SOFTPLUS, ACT_MISH
};
/* To about 1e-6 of the result, in a third of the instructions of expf and a division: the hardware's 2^x and 1/x. */
DEVICE float sigmoid(float x) { return __fdividef(1, 1 + __expf(-x)); }
/* erf by formula 7.1.26 of Abramowitz and Stegun, "Handbook of Mathematical Functions": the error is below 2e-7. */
DEVICE float erf_close(float x) {
  const float a = fabsf(x), t = __fdividef(1, fmaf(0.3275911f, a, 1));
  const float poly = t * fmaf(t, fmaf(t, fmaf(t, fmaf(t, 1.061405429f, -1.453152027f), 1.421413741f), -0.284496736f), 0.254829592f);
  return copysignf(fmaf(-poly, __expf(-a * a), 1), x);
}
/* 1 - 2 / (1 + e^2x): below 1e-7 of error, but not of the result near 0, where tanhf is better and the result small. */
DEVICE float tanh_close(float x) { return 1 - __fdividef(2, 1 + __expf(2 * x)); }
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
  case ACT_GELU: return 0.5f * x * (1 + erf_close(x * 0.70710678118654752f));
  case ACT_GELU_TANH: return 0.5f * x * (1 + tanh_close(0.79788456080286536f * (x + 0.044715f * x * x * x)));
  case ACT_ELU: return x < 0 ? alpha * expm1f(x) : x;
  case ACT_SOFTPLUS: return softplus(x);
  case ACT_MISH: return x * tanhf(softplus(x));
  }
  return x;
}
