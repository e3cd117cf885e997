/* CumSum and CumProd. rows: the axis is contiguous, and a warp goes along it; columns: a thread goes along each. Floats are added in double.
 * define() says TYPE, REAL, UNSIGNED, PRODUCT, EXCLUSIVE, and the integers' LOWEST and HIGHEST. */
#include "space.cuh"
#include "reduce/running.h"
typedef TYPE T;
#if REAL
typedef double number;
#if REAL == 2
DEVICE number widened(T x) { return x; }
DEVICE T narrowed(number x) { return x; }
#else
DEVICE number widened(T x) { return to_float(x); }
DEVICE T narrowed(number x) { return from_float<T>((float)x); }
#endif
DEVICE number both(number a, number b) { return PRODUCT ? a * b : a + b; }
#else
typedef long long number;
DEVICE number widened(T x) { return (number)x; }
DEVICE T narrowed(number x) { return (T)(x < LOWEST ? LOWEST : x > HIGHEST ? HIGHEST : x); }
DEVICE number both(number a, number b) { return (number)(PRODUCT ? (uint64_t)a * (uint64_t)b : (uint64_t)a + (uint64_t)b); }
#endif

KERNEL(rows, running_params, 128, 2) {
  uint32_t row = blockIdx.x * 4 + threadIdx.x / 32;
  int lane = threadIdx.x % 32;
  grid_launch();
  if (row >= p.kept.items) return;
  int64_t at[2];
  space_offsets<2>(p.kept, p.stride, row, at);
  const T *in = static_cast<const T *>(p.in) + at[0];
  T *out = static_cast<T *>(p.out) + at[1];
  number before = PRODUCT;
  grid_wait();
  for (int first = 0; first < p.length; first += 32) {
    int i = first + lane;
    number x = i < p.length ? widened(in[i * p.step[0]]) : (number)PRODUCT, sum = x;
    for (int k = 1; k < 32; k *= 2) {
      number y = __shfl_up_sync(0xffffffffu, sum, k);
      if (lane >= k) sum = both(y, sum);
    }
    number left = __shfl_up_sync(0xffffffffu, sum, 1);
    if (EXCLUSIVE) x = lane ? both(before, left) : before;
    else x = both(before, sum);
    if (i < p.length) out[i * p.step[1]] = narrowed(x);
    before = both(before, __shfl_sync(0xffffffffu, sum, 31));
  }
}

KERNEL(columns, running_params, 128, 2) {
  uint32_t column = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  if (column >= p.kept.items) return;
  int64_t at[2];
  space_offsets<2>(p.kept, p.stride, column, at);
  const T *in = static_cast<const T *>(p.in) + at[0];
  T *out = static_cast<T *>(p.out) + at[1];
  number sum = PRODUCT;
  grid_wait();
  const int unroll = 8;
  for (int first = 0; first < p.length; first += unroll) {
    T x[unroll];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u < p.length) x[u] = in[(first + u) * p.step[0]];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u < p.length) {
        number next = both(sum, widened(x[u]));
        out[(first + u) * p.step[1]] = narrowed(EXCLUSIVE ? sum : next);
        sum = next;
      }
  }
}
