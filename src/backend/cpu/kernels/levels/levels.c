/* What the kernels of 8-bit convolutions share: bias, factors and bounds out of a call. */
#include "backend/cpu/kernels/levels/levels.h"

ingot__levels_finish ingot__levels_finish_get(const ingot__call *call) {
  const ingot__attrs_Conv *a = INGOT__ATTRS(call, Conv);
  return (ingot__levels_finish){(float)(a->y_low - a->y_zero), (float)(a->y_high - a->y_zero), (int32_t)a->y_zero};
}

int32_t ingot__levels_bias(const ingot__call *call, size_t m, size_t summands) {
  const int8_t *w = (const int8_t *)call->in[1].data + m * summands;
  int64_t sum = 0, zero = INGOT__ATTRS(call, Conv)->x_zero;
  for (size_t i = 0; i < summands; i++) sum += w[i];
  sum = (ingot__has_in(call, 2) ? ((const int32_t *)call->in[2].data)[m] : 0) - zero * sum;
  return (int32_t)(uint32_t)sum; /* sums wrap around in 32 bits: what overflows here comes back with the products */
}

float ingot__levels_scale(const ingot__call *call, size_t m) {
  return ((const float *)call->in[4].data)[ingot__view_count(&call->in[4]) == 1 ? 0 : m];
}

bool ingot__levels_vnni(ingot__isa isa) { return isa == INGOT__ISA_AVX512 && ingot__cpu_info()->avx512_vnni; }
