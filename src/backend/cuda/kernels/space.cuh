/* From an item's number to the offsets of its elements in several tensors. */
#pragma once
#include "ingot.cuh"
#include "space.h"

#ifdef INGOT_EMULATED
DEVICE uint32_t high_product(uint32_t a, uint32_t b) { return (uint32_t)((uint64_t)a * b >> 32); }
#else
DEVICE uint32_t high_product(uint32_t a, uint32_t b) { return __umulhi(a, b); }
#endif
DEVICE uint32_t divide(uint32_t n, const space_divisor &d) { return (high_product(n, d.multiplier) + n) >> d.shift; }

/* at[k] = the offset of item `index` in tensor k, whose strides are stride[k * SPACE_RANK ..]. */
template <int N> DEVICE void space_offsets(const space_dims &s, const int64_t *stride, uint32_t index, int64_t *at) {
#pragma unroll
  for (int k = 0; k < N; k++) at[k] = 0;
#pragma unroll 1
  for (int d = s.rank - 1; d > 0; d--) {
    uint32_t rest = divide(index, s.dim[d]), i = index - rest * s.dim[d].dim;
#pragma unroll
    for (int k = 0; k < N; k++) at[k] += (int64_t)i * stride[k * SPACE_RANK + d];
    index = rest;
  }
#pragma unroll
  for (int k = 0; k < N; k++) at[k] += (int64_t)index * stride[k * SPACE_RANK];
}
