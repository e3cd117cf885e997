/* Det: a block a matrix; Gaussian elimination with the largest pivot of the column, in float. Defined before: TYPE. */
#include "ingot.cuh"
#include "signal/det.h"

enum { THREADS = 128 };

KERNEL(det, det_params, 128, 1) {
  SHARED(float, found); /* of each warp: the greatest, and its row */
  int *rows = reinterpret_cast<int *>(found + THREADS / 32);
  grid_wait();
  grid_launch();
  const int64_t n = p.n, size = n * n;
  float *a = p.work + blockIdx.x * size, det = 1;
  for (int64_t i = threadIdx.x; i < size; i += THREADS) a[i] = to_float(static_cast<const TYPE *>(p.x)[blockIdx.x * size + i]);
  __syncthreads();
  for (int64_t c = 0; c < n; c++) {
    float best = -1;
    int row = (int)c;
    for (int64_t r = c + threadIdx.x; r < n; r += THREADS)
      if (fabsf(a[r * n + c]) > best) best = fabsf(a[r * n + c]), row = (int)r;
#pragma unroll
    for (int step = 16; step; step /= 2) { /* the first of the greatest */
      const float other = __shfl_xor_sync(FULL, best, step);
      const int other_row = __shfl_xor_sync(FULL, row, step);
      if (other > best || (other == best && other_row < row)) best = other, row = other_row;
    }
    if (threadIdx.x % 32 == 0) found[threadIdx.x / 32] = best, rows[threadIdx.x / 32] = row;
    __syncthreads();
    best = found[0], row = rows[0];
    for (int w = 1; w < THREADS / 32; w++)
      if (found[w] > best || (found[w] == best && rows[w] < row)) best = found[w], row = rows[w];
    const float pivot = a[row * n + c];
    if (pivot == 0) { /* the same for all */
      det = 0;
      break;
    }
    det *= row == c ? pivot : -pivot;
    __syncthreads();
    for (int64_t k = c + threadIdx.x; row != c && k < n; k += THREADS) {
      const float t = a[c * n + k];
      a[c * n + k] = a[row * n + k], a[row * n + k] = t;
    }
    __syncthreads();
    const int64_t left = n - c - 1;
    for (int64_t i = threadIdx.x; i < left * left; i += THREADS) {
      const int64_t r = c + 1 + i / left, k = c + 1 + i % left;
      a[r * n + k] -= a[r * n + c] / pivot * a[c * n + k];
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) static_cast<TYPE *>(p.y)[blockIdx.x] = from_float<TYPE>(det);
}
