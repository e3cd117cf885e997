/* The host's side of divide.h. */
#ifndef INGOT_BACKEND_CUDA_DIVIDE_HOST_H
#define INGOT_BACKEND_CUDA_DIVIDE_HOST_H
#include <stdint.h>
#include "backend/cuda/kernels/divide.h"

static inline divisor ingot__divisor(int64_t by) { /* 1 <= by < 2^31 */
  divisor d = {.by = (uint32_t)by};
  while (((uint64_t)1 << d.shift) < (uint64_t)by) d.shift++;
  d.factor = (uint32_t)((((((uint64_t)1 << d.shift) - (uint64_t)by) << 32) / (uint64_t)by) + 1);
  return d;
}
#endif
