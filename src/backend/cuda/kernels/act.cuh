/* Activations of fused epilogues: as ir/act.c has them; act is an ingot__act. */
#pragma once
#include "types.cuh"
enum {
  ACT_NONE = 0, ACT_RELU, ACT_CLIP, ACT_LEAKY_RELU, ACT_SIGMOID, ACT_TANH, ACT_SILU, ACT_HARD_SIGMOID, ACT_HARD_SWISH, ACT_GELU,
  ACT_GELU_TANH, ACT_ELU, ACT_SOFTPLUS, ACT_MISH
};
DEVICE float sigmoid(float x) { return 1 / (1 + expf(-x)); }
DEVICE float softplus(float x) { return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x))); } /* log(1 + e^x) without overflow */
DEVICE float clamped(float x, float low, float high) { return x < low ? low : x > high ? high : x; } /* NaN stays */

/* With `act` a constant the compiler leaves one branch; otherwise it is the same for all threads. */
DEVICE float activate(int act, float alpha, float beta, float x) {
  switch (act) {
  case ACT_RELU: return x < 0 ? 0 : x;
  case ACT_CLIP: return clamped(x, alpha, beta);
  case ACT_LEAKY_RELU: return x < 0 ? alpha * x : x;
  case ACT_SIGMOID: return sigmoid(x);
  case ACT_TANH: return tanhf(x);
  case ACT_SILU: return x * sigmoid(x);
  case ACT_HARD_SIGMOID: return clamped(alpha * x + beta, 0, 1);
  case ACT_HARD_SWISH: return x * clamped(x / 6 + 0.5f, 0, 1);
  case ACT_GELU: return 0.5f * x * (1 + erff(x * 0.70710678118654752f));
  case ACT_GELU_TANH: return 0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
  case ACT_ELU: return x < 0 ? alpha * expm1f(x) : x;
  case ACT_SOFTPLUS: return softplus(x);
  case ACT_MISH: return x * tanhf(softplus(x));
  }
  return x;
}
