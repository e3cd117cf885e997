/* Depthwise convolution: the questions before it runs, and its weights. */
#include "backend/cpu/kernels/depthwise/pack.h"

bool ingot__depthwise_get(const ingot__call *call, ingot__conv *conv) {
  if (!call->node || call->node->op != INGOT__OP_Conv || !ingot__conv_get(call, conv)) return false;
  return conv->c == 1 && conv->oc == 1 && conv->groups > 1 && conv->kh * conv->kw <= DEPTHWISE_MAX_TAPS && conv->in_c == 1;
}

size_t ingot__depthwise_pack_size(const ingot__call *call) {
  ingot__conv conv;
  size_t blocks, n;
  if (!ingot__depthwise_get(call, &conv)) return 0;
  blocks = (conv.groups + 15) / 16;
  return ingot__mul(blocks, 16 * (conv.kh * conv.kw + 1) * sizeof(float), &n) ? n : SIZE_MAX;
}

void ingot__depthwise_pack(const ingot__call *call, void *packed) {
  ingot__conv conv;
  if (!ingot__depthwise_get(call, &conv)) return;
  size_t taps = conv.kh * conv.kw, blocks = (conv.groups + 15) / 16;
  const float *weights = call->in[1].data, *bias = ingot__has_in(call, 2) ? call->in[2].data : NULL;
  float *to = packed, *to_bias = to + blocks * taps * 16;
  memset(to, 0, blocks * 16 * (taps + 1) * sizeof(float));
  for (size_t c = 0; c < conv.groups; c++) {
    for (size_t t = 0; t < taps; t++) to[(c / 16 * taps + t) * 16 + c % 16] = weights[c * taps + t];
    if (bias) to_bias[c] = bias[c];
  }
}
