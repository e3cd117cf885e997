/* The device's side of divide.h. */
#pragma once
#include "types.cuh"
#include "divide.h"
DEVICE uint32_t divided(uint32_t n, const divisor &d) { return (n + (uint32_t)((uint64_t)n * d.factor >> 32)) >> d.shift; }
/* The rest of n / by, and n becomes the quotient. */
DEVICE uint32_t divide_rest(uint32_t &n, const divisor &d) {
  const uint32_t q = divided(n, d), rest = n - q * d.by;
  n = q;
  return rest;
}
