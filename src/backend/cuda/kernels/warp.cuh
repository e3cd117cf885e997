/* Sums and maxima over a warp and over a block. */
#pragma once
#include "types.cuh"

#define FULL 0xffffffffu
DEVICE float warp_sum(float x) {
  for (int i = 16; i; i >>= 1) x += __shfl_xor_sync(FULL, x, i);
  return x;
}
DEVICE float warp_max(float x) { /* NaN stays */
  for (int i = 16; i; i >>= 1) {
    float y = __shfl_xor_sync(FULL, x, i);
    x = y > x || y != y ? y : x;
  }
  return x;
}

/* Over the block's threads (a multiple of 32); every thread gets the result. scratch: 32 floats of shared memory, which may be used again
 * after the next barrier. */
DEVICE float block_sum(float x, float *scratch) {
  x = warp_sum(x);
  int warps = blockDim.x / 32;
  if (warps == 1) return x;
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  x = threadIdx.x % 32 < warps ? scratch[threadIdx.x % 32] : 0;
  x = warp_sum(x);
  __syncthreads();
  return x;
}
DEVICE float block_max(float x, float *scratch) {
  x = warp_max(x);
  int warps = blockDim.x / 32;
  if (warps == 1) return x;
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  x = scratch[threadIdx.x % 32 < warps ? threadIdx.x % 32 : 0];
  x = warp_max(x);
  __syncthreads();
  return x;
}
