/* CumSum and CumProd. A block goes along a line, 1024 elements at a time; or, where lines lie side by side and are many, a thread does. Defined
 * before: TYPE; SUM, what it is computed in; PRODUCT; REAL, TYPE is a float of up to 32 bits; for integers of up to 32
 * bits LOW and HIGH. */
#include "ingot.cuh"
#include "signal/running.h"

enum { THREADS = 256, EACH = 4 };
DEVICE SUM joined(SUM a, SUM b) { return PRODUCT ? a * b : a + b; }
#if REAL
DEVICE SUM widened(TYPE x) { return to_float(x); }
DEVICE TYPE narrowed(SUM x) { return from_float<TYPE>(x); }
#else
DEVICE SUM widened(TYPE x) { return (SUM)x; }
DEVICE TYPE narrowed(SUM x) {
#ifdef LOW /* of 64 bits computed, the nearest that there is */
  return (int64_t)x < LOW ? (TYPE)LOW : (int64_t)x > HIGH ? (TYPE)HIGH : (TYPE)x;
#else
  return (TYPE)x;
#endif
}
#endif

KERNEL(running_line, running_params, 256, 1) {
  SHARED(SUM, sums); /* of the warps */
  grid_wait();
  grid_launch();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t line = blockIdx.x, begin = line / p.inner * p.n * p.inner + line % p.inner;
  const TYPE *x = static_cast<const TYPE *>(p.x) + begin;
  TYPE *y = static_cast<TYPE *>(p.y) + begin;
  SUM carried = PRODUCT;
  for (int64_t i0 = 0; i0 < p.n; i0 += THREADS * EACH) {
    SUM own[EACH], all = PRODUCT;
#pragma unroll
    for (int e = 0; e < EACH; e++) { /* what comes before each element of the thread's */
      const int64_t i = i0 + threadIdx.x * EACH + e;
      const SUM v = i < p.n ? widened(x[(p.reverse ? p.n - 1 - i : i) * p.inner]) : (SUM)PRODUCT;
      own[e] = p.exclusive ? all : joined(all, v);
      all = joined(all, v);
    }
    SUM upto = all;
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const SUM other = __shfl_up_sync(FULL, upto, step);
      if (lane >= step) upto = joined(other, upto);
    }
    SUM before = __shfl_up_sync(FULL, upto, 1);
    if (lane == 0) before = PRODUCT;
    __syncthreads();
    if (lane == 31) sums[warp] = upto;
    __syncthreads();
    SUM whole = PRODUCT;
#pragma unroll
    for (int w = 0; w < THREADS / 32; w++) {
      if (w == warp) before = joined(whole, before);
      whole = joined(whole, sums[w]);
    }
    before = joined(carried, before);
#pragma unroll
    for (int e = 0; e < EACH; e++) {
      const int64_t i = i0 + threadIdx.x * EACH + e;
      if (i < p.n) y[(p.reverse ? p.n - 1 - i : i) * p.inner] = narrowed(joined(before, own[e]));
    }
    carried = joined(carried, whole);
  }
}
KERNEL(running_thread, running_params, 256, 1) {
  grid_wait();
  grid_launch();
  const int64_t line = (int64_t)blockIdx.x * THREADS + threadIdx.x, begin = line / p.inner * p.n * p.inner + line % p.inner;
  if (line >= p.lines) return;
  SUM sum = PRODUCT;
  for (int64_t i = 0; i < p.n; i++) {
    const int64_t at = begin + (p.reverse ? p.n - 1 - i : i) * p.inner;
    const SUM next = joined(sum, widened(static_cast<const TYPE *>(p.x)[at]));
    static_cast<TYPE *>(p.y)[at] = narrowed(p.exclusive ? sum : next);
    sum = next;
  }
}
