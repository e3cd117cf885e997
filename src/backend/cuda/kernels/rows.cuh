/* Rows of contiguous elements, each shared by `lanes` threads: a power of two up to 32, or the whole block. */
#pragma once
#include "ingot.cuh"

/* Sums and maxima over the threads of a row, in rolled loops: each step waits for the one before, and unrolled they are code to wait for too.
 * scratch: 32 numbers in shared memory for rows of more than 32 threads. All threads of the block take part. */
template <typename F> DEVICE F row_sum(F x, int lanes, F *scratch) {
#pragma unroll 1
  for (int i = (lanes < 32 ? lanes : 32) / 2; i; i /= 2) x += __shfl_xor_sync(0xffffffffu, x, i);
  if (lanes <= 32) return x;
  __syncthreads();
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  x = scratch[0];
#pragma unroll 1
  for (int i = 1; i < lanes / 32; i++) x += scratch[i];
  return x;
}
template <typename F> DEVICE F row_max(F x, int lanes, F *scratch) { /* NaN stays */
#pragma unroll 1
  for (int i = (lanes < 32 ? lanes : 32) / 2; i; i /= 2) {
    F y = __shfl_xor_sync(0xffffffffu, x, i);
    x = y > x || y != y ? y : x;
  }
  if (lanes <= 32) return x;
  __syncthreads();
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  x = scratch[0];
#pragma unroll 1
  for (int i = 1; i < lanes / 32; i++) {
    F y = scratch[i];
    x = y > x || y != y ? y : x;
  }
  return x;
}

/* C vectors of N elements of a row that a thread has, `lanes` vectors apart. */
template <typename T, int N, int C> struct held {
  vec<T, N> x[C];
  __device__ __forceinline__ void fetch(const T *row, int lane, int lanes, int vectors) {
#pragma unroll
    for (int c = 0; c < C; c++)
      if (lane + c * lanes < vectors) x[c] = load<N>(row + (int64_t)(lane + c * lanes) * N);
  }
  __device__ __forceinline__ void put(T *row, int lane, int lanes, int vectors) const {
#pragma unroll
    for (int c = 0; c < C; c++)
      if (lane + c * lanes < vectors) store(row + (int64_t)(lane + c * lanes) * N, x[c]);
  }
};

#ifdef WIDE
typedef double number;
DEVICE number widened(double x) { return x; }
template <typename U> DEVICE number widened(U x) { return to_float(x); }
template <typename U> struct narrowing { static __device__ __forceinline__ U from(number x) { return from_float<U>((float)x); } };
template <> struct narrowing<double> { static __device__ __forceinline__ double from(number x) { return x; } };
template <typename U> DEVICE U narrowed(number x) { return narrowing<U>::from(x); }
template <typename U, int N> DEVICE void widen(const vec<U, N> &x, number *y) {
#pragma unroll
  for (int i = 0; i < N; i++) y[i] = widened(x[i]);
}
template <typename U, int N> DEVICE void narrow(const number *x, vec<U, N> &y) {
#pragma unroll
  for (int i = 0; i < N; i++) y[i] = narrowed<U>(x[i]);
}
DEVICE number exp_of(number x) { return exp(x); }
DEVICE number log_of(number x) { return log(x); }
DEVICE number root_of(number x) { return sqrt(x); }
DEVICE number inverse_root_of(number x) { return 1 / sqrt(x); }
#else
typedef float number;
template <typename U> DEVICE number widened(U x) { return to_float(x); }
template <typename U> DEVICE U narrowed(number x) { return from_float<U>(x); }
template <typename U, int N> DEVICE void widen(const vec<U, N> &x, number *y) { to_floats(x, y); } /* by pairs: fewer instructions */
template <typename U, int N> DEVICE void narrow(const number *x, vec<U, N> &y) { from_floats(x, y); }
DEVICE number exp_of(number x) { return expf(x); }
DEVICE number log_of(number x) { return logf(x); }
DEVICE number root_of(number x) { return sqrtf(x); }
/* Within two units of the last place; a root and a quotient to the last bit take a hundred instructions. */
DEVICE number inverse_root_of(number x) { return rsqrtf(x); }
#endif
