/* The activations that fused nodes apply: their definitions and names. */
#include "ir/op.h"
#include <math.h>
#include <string.h>

static float sigmoid(float x) { return 1 / (1 + expf(-x)); }
static float softplus(float x) { return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x))); } /* log(1 + e^x) without overflow */
static float clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; } /* NaN stays */

float ingot__act_apply(ingot__act act, float alpha, float beta, float x) {
  switch (act) {
    case INGOT__ACT_RELU: return x < 0 ? 0 : x;
    case INGOT__ACT_CLIP: return clamp(x, alpha, beta);
    case INGOT__ACT_LEAKY_RELU: return x < 0 ? alpha * x : x;
    case INGOT__ACT_SIGMOID: return sigmoid(x);
    case INGOT__ACT_TANH: return tanhf(x);
    case INGOT__ACT_SILU: return x * sigmoid(x);
    case INGOT__ACT_HARD_SIGMOID: return clamp(alpha * x + beta, 0, 1);
    case INGOT__ACT_HARD_SWISH: return x * clamp(x / 6 + 0.5f, 0, 1);
    case INGOT__ACT_GELU: return 0.5f * x * (1 + erff(x * 0.70710678118654752f));
    case INGOT__ACT_GELU_TANH: return 0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case INGOT__ACT_ELU: return x < 0 ? alpha * expm1f(x) : x;
    case INGOT__ACT_SOFTPLUS: return softplus(x);
    case INGOT__ACT_MISH: return x * tanhf(softplus(x));
    case INGOT__ACT_QUANTIZE: return rintf(clamp(alpha * x, beta, beta + 255));
    case INGOT__ACT_NONE:
    case INGOT__ACT_COUNT: break;
  }
  return x;
}

static const char *const names[INGOT__ACT_COUNT] = {
  "None", "Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "Silu", "HardSigmoid", "HardSwish", "Gelu", "GeluTanh", "Elu", "Softplus", "Mish",
  "Quantize"};

const char *ingot__act_name(ingot__act act) { return act >= 0 && act < INGOT__ACT_COUNT ? names[act] : "None"; }

bool ingot__act_find(const char *name, ingot__act *act) {
  for (int i = 0; i < INGOT__ACT_COUNT; i++) {
    if (strcmp(names[i], name) == 0) {
      *act = (ingot__act)i;
      return true;
    }
  }
  return false;
}
