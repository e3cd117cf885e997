/* Reductions. rows: what goes is contiguous; `lanes` threads, or a block, share an output. columns: outputs are contiguous; each thread
 * has a vector of them, and the groups of `lanes` threads share what goes. Few outputs are computed by several blocks each (parts), whose
 * states finish() puts together. */
#include "space.cuh"
#include "reduce/reduce.h"
#include "reduce/state.cuh"

DEVICE int64_t gone_offset(const reduce_params &p, uint32_t i) {
  if (p.gone.rank == 1) return (int64_t)i * p.gone_stride[0];
  int64_t at[1];
  space_offsets<1>(p.gone, p.gone_stride, i, at);
  return at[0];
}

/* Element k of vector `index` of the outputs, which lies at out[at]. */
DEVICE void write(const reduce_params &p, uint32_t index, int64_t at, const state &s) {
  if (p.parts > 1) static_cast<state *>(p.partial)[(int64_t)blockIdx.y * p.outputs + index] = s;
  else static_cast<OUT *>(p.out)[at] = s.finish(p.count);
}

const int unroll = 4;

template <int N> DEVICE void rows(const reduce_params &p) {
  SHARED(state, scratch);
  uint32_t lane = threadIdx.x % p.lanes, row = blockIdx.x * (blockDim.x / p.lanes) + threadIdx.x / p.lanes;
  bool mine = row < p.kept.items;
  int64_t at[2] = {0, 0};
  if (mine) space_offsets<2>(p.kept, p.kept_stride, row, at);
  const T *in = static_cast<const T *>(p.in) + at[0];
  uint32_t step = p.lanes * p.parts, n = mine ? p.gone.items : 0;
  state s;
  s.start();
  grid_launch();
  grid_wait();
  for (uint32_t first = blockIdx.y * p.lanes + lane; first < n; first += unroll * step) {
    vec<T, N> x[unroll];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * step < n) x[u] = load<N>(in + gone_offset(p, first + u * step));
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * step < n) {
#pragma unroll
        for (int i = 0; i < N; i++) s.add(x[u][i], (int64_t)(first + u * step) * N + i);
      }
  }
  int width = p.lanes < 32 ? p.lanes : 32;
  for (int i = width / 2; i; i /= 2) s.merge(s.shuffled(i));
  if (p.lanes > 32) { /* a block for a row */
    if (lane % 32 == 0) scratch[lane / 32] = s;
    __syncthreads();
    if (lane == 0)
      for (uint32_t i = 1; i < p.lanes / 32; i++) s.merge(scratch[i]);
  }
  if (lane == 0 && mine) write(p, row, at[1], s);
}

template <int N> DEVICE void columns(const reduce_params &p) {
  SHARED(state, scratch);
  uint32_t lane = threadIdx.x % p.lanes, group = threadIdx.x / p.lanes, groups = blockDim.x / p.lanes;
  uint32_t column = blockIdx.x * p.lanes + lane, n = column < p.kept.items ? p.gone.items : 0;
  int64_t at[2] = {0, 0};
  if (n) space_offsets<2>(p.kept, p.kept_stride, column, at);
  const T *in = static_cast<const T *>(p.in) + at[0];
  uint32_t step = groups * p.parts;
  state s[N];
#pragma unroll
  for (int i = 0; i < N; i++) s[i].start();
  grid_launch();
  grid_wait();
  for (uint32_t first = blockIdx.y * groups + group; first < n; first += unroll * step) {
    vec<T, N> x[unroll];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * step < n) x[u] = load<N>(in + gone_offset(p, first + u * step));
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * step < n) {
#pragma unroll
        for (int i = 0; i < N; i++) s[i].add(x[u][i], first + u * step);
      }
  }
  uint32_t width = p.lanes * N;
#pragma unroll
  for (int i = 0; i < N; i++) scratch[group * width + lane * N + i] = s[i];
  __syncthreads();
  for (uint32_t t = threadIdx.x; t < width; t += blockDim.x) {
    uint32_t which = blockIdx.x * p.lanes + t / N;
    if (which >= p.kept.items) break;
    state sum = scratch[t];
    for (uint32_t g = 1; g < groups; g++) sum.merge(scratch[g * width + t]);
    space_offsets<2>(p.kept, p.kept_stride, which, at);
    write(p, which * N + t % N, at[1] + t % N * p.out_step, sum);
  }
}

KERNEL(rows_vectors, reduce_params, 256, 2) { rows<VECTOR>(p); }
KERNEL(rows_elements, reduce_params, 256, 2) { rows<1>(p); }
KERNEL(columns_vectors, reduce_params, 256, 2) { columns<VECTOR>(p); }
KERNEL(columns_elements, reduce_params, 256, 2) { columns<1>(p); }

/* The parts of each output; kept is then of single outputs. */
KERNEL(finish, reduce_params, 256, 2) {
  uint32_t index = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
  grid_launch();
  grid_wait();
  state s;
  s.start();
  if (index < p.outputs)
    for (uint32_t i = lane; i < p.parts; i += 32) s.merge(static_cast<const state *>(p.partial)[(int64_t)i * p.outputs + index]);
  for (int i = 16; i; i /= 2) s.merge(s.shuffled(i));
  if (lane || index >= p.outputs) return;
  int64_t at[2];
  space_offsets<2>(p.kept, p.kept_stride, index, at);
  static_cast<OUT *>(p.out)[at[1]] = s.finish(p.count);
}
