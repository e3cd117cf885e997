/* Softmax, LogSoftmax and LpNormalization along an axis. held_*: the axis is contiguous, and a row is in registers. long_*: rows that are too
 * long for that are read twice. columns: the axis isn't contiguous. define() says TYPE, VECTOR and MODE. */
#include "space.cuh"
#include "softmax/softmax.h"
#include "rows.cuh"
#define SOFTMAX 0
#define LOG_SOFTMAX 1
#define LP_1 2
#define LP_2 3
typedef TYPE T;

DEVICE number infinity() { return bits_float(0x7f800000u); }

/* What is known of a part of a row, read once: the greatest and the sum of e^(x - m), or the sum of magnitudes or squares. */
struct summary {
  number m, s;
  __device__ __forceinline__ void start() { m = -infinity(), s = 0; }
  __device__ __forceinline__ void add(number x) {
#if MODE >= LP_1
    s += MODE == LP_1 ? (x < 0 ? -x : x) : x * x;
#else
    if (x <= m) s += x == -infinity() ? 0 : exp_of(x - m);
    else s = s * exp_of(m - x) + 1, m = x;
#endif
  }
  __device__ __forceinline__ void merge(const summary &o) {
#if MODE >= LP_1
    s += o.s;
#else
    if (m == o.m) s += o.s;
    else if (o.m < m) s += o.s * exp_of(o.m - m);
    else s = o.s + s * exp_of(m - o.m), m = o.m;
#endif
  }
};

/* What elements are multiplied by, or what is taken from them, given the sum. */
DEVICE number factor_of(number s) {
#if MODE == SOFTMAX
  return 1 / s;
#elif MODE == LOG_SOFTMAX
  return log_of(s);
#elif MODE == LP_1
  return s;
#else
  return root_of(s);
#endif
}
DEVICE number result(number x, number m, number factor) {
#if MODE == SOFTMAX
  return exp_of(x - m) * factor;
#elif MODE == LOG_SOFTMAX
  return x - m - factor;
#else
  return factor == 0 ? 0 : x / factor;
#endif
}
/* A row with an infinity that is its greatest, or of nothing but -infinity, has no sum. */
DEVICE number sum_of(const summary &x) {
#if MODE < LP_1
  if (x.m == infinity() || x.m == -infinity()) return x.m - x.m;
#endif
  return x.s;
}

template <int N, int C> DEVICE void in_registers(const softmax_params &p) {
  SHARED(number, scratch);
  int lane = threadIdx.x % p.lanes, vectors = p.length / N;
  uint32_t row = blockIdx.x * (blockDim.x / p.lanes) + threadIdx.x / p.lanes;
  bool mine = row < p.kept.items;
  int64_t at[2];
  space_offsets<2>(p.kept, p.stride, mine ? row : 0, at);
  if (!mine) vectors = 0;
  held<T, N, C> x;
  number y[C][N];
  grid_launch();
  grid_wait();
  x.fetch(static_cast<const T *>(p.in) + at[0], lane, p.lanes, vectors);
  number m = -infinity(), s = 0;
#pragma unroll
  for (int c = 0; c < C; c++)
#pragma unroll
    for (int i = 0; i < N; i++) {
      y[c][i] = lane + c * p.lanes < vectors ? widened(x.x[c][i]) : MODE < LP_1 ? -infinity() : 0;
      m = y[c][i] > m || y[c][i] != y[c][i] ? y[c][i] : m;
    }
  if (MODE < LP_1) m = row_max(m, p.lanes, scratch);
#pragma unroll
  for (int c = 0; c < C; c++)
#pragma unroll
    for (int i = 0; i < N; i++) {
#if MODE == SOFTMAX
      y[c][i] = exp_of(y[c][i] - m);
      s += lane + c * p.lanes < vectors ? y[c][i] : 0;
#elif MODE == LOG_SOFTMAX
      y[c][i] -= m;
      s += lane + c * p.lanes < vectors ? exp_of(y[c][i]) : 0;
#else
      s += MODE == LP_1 ? (y[c][i] < 0 ? -y[c][i] : y[c][i]) : y[c][i] * y[c][i];
#endif
    }
  number factor = factor_of(row_sum(s, p.lanes, scratch));
#pragma unroll
  for (int c = 0; c < C; c++)
#pragma unroll
    for (int i = 0; i < N; i++) {
#if MODE == SOFTMAX
      x.x[c][i] = narrowed<T>(y[c][i] * factor);
#elif MODE == LOG_SOFTMAX
      x.x[c][i] = narrowed<T>(y[c][i] - factor);
#else
      x.x[c][i] = narrowed<T>(factor == 0 ? 0 : y[c][i] / factor);
#endif
    }
  x.put(static_cast<T *>(p.out) + at[1], lane, p.lanes, vectors);
}

/* A block for a row. */
template <int N> DEVICE void twice(const softmax_params &p) {
  SHARED(number, scratch);
  const int unroll = 4;
  int vectors = p.length / N, lane = threadIdx.x, lanes = blockDim.x;
  int64_t at[2];
  space_offsets<2>(p.kept, p.stride, blockIdx.x, at);
  const T *in = static_cast<const T *>(p.in) + at[0];
  T *out = static_cast<T *>(p.out) + at[1];
  summary a;
  a.start();
  grid_launch();
  grid_wait();
  for (int first = lane; first < vectors; first += unroll * lanes) {
    held<T, N, unroll> x;
    x.fetch(in, first, lanes, vectors);
#pragma unroll
    for (int c = 0; c < unroll; c++)
      if (first + c * lanes < vectors) {
#pragma unroll
        for (int i = 0; i < N; i++) a.add(widened(x.x[c][i]));
      }
  }
  for (int i = 16; i; i /= 2) {
    summary o;
    o.m = __shfl_xor_sync(0xffffffffu, a.m, i), o.s = __shfl_xor_sync(0xffffffffu, a.s, i);
    a.merge(o);
  }
  if (lane % 32 == 0) scratch[lane / 32] = a.m, scratch[32 + lane / 32] = a.s;
  __syncthreads();
  a.start();
  for (int i = 0; i < lanes / 32; i++) {
    summary o;
    o.m = scratch[i], o.s = scratch[32 + i];
    a.merge(o);
  }
  number factor = factor_of(sum_of(a));
  for (int first = lane; first < vectors; first += unroll * lanes) {
    held<T, N, unroll> x;
    x.fetch(in, first, lanes, vectors);
#pragma unroll
    for (int c = 0; c < unroll; c++)
#pragma unroll
      for (int i = 0; i < N; i++) x.x[c][i] = narrowed<T>(result(widened(x.x[c][i]), a.m, factor));
    x.put(out, first, lanes, vectors);
  }
}

/* 32 columns side by side; the groups of threads share the axis. */
DEVICE void columns(const softmax_params &p) {
  SHARED(summary, scratch);
  const int unroll = 4;
  int lane = threadIdx.x % p.lanes, group = threadIdx.x / p.lanes, groups = blockDim.x / p.lanes;
  uint32_t column = blockIdx.x * p.lanes + lane;
  int n = column < p.kept.items ? p.length : 0;
  int64_t at[2];
  space_offsets<2>(p.kept, p.stride, n ? column : 0, at);
  const T *in = static_cast<const T *>(p.in) + at[0];
  T *out = static_cast<T *>(p.out) + at[1];
  summary a;
  a.start();
  grid_launch();
  grid_wait();
  for (int first = group; first < n; first += unroll * groups) {
    T x[unroll];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * groups < n) x[u] = in[(int64_t)(first + u * groups) * p.step[0]];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * groups < n) a.add(widened(x[u]));
  }
  scratch[threadIdx.x] = a;
  __syncthreads();
  a = scratch[lane];
  for (int g = 1; g < groups; g++) a.merge(scratch[g * p.lanes + lane]);
  number factor = factor_of(sum_of(a));
  for (int first = group; first < n; first += unroll * groups) {
    T x[unroll];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * groups < n) x[u] = in[(int64_t)(first + u * groups) * p.step[0]];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * groups < n) out[(int64_t)(first + u * groups) * p.step[1]] = narrowed<T>(result(widened(x[u]), a.m, factor));
  }
}

KERNEL(held_vectors, softmax_params, 256, 2) { in_registers<VECTOR, 4>(p); }
KERNEL(held_elements, softmax_params, 256, 2) { in_registers<1, 8>(p); }
KERNEL(long_vectors, softmax_params, 256, 2) { twice<VECTOR>(p); }
KERNEL(long_elements, softmax_params, 256, 2) { twice<1>(p); }
KERNEL(columns_elements, softmax_params, 256, 2) { columns(p); }
