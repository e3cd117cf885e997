/* GroupNormalization and InstanceNormalization (a group for each channel). Counts, means and squared deviations are merged as Chan, Golub
 * and LeVeque do, so that nothing cancels. define() says TYPE, SCALE, BIAS (types) and VECTOR. */
#include "space.cuh"
#include "norm/group_norm.h"
#include "rows.cuh"
typedef TYPE T;

struct moments {
  number n, mean, squares;
  __device__ __forceinline__ void merge(number m, number other_mean, number other_squares) {
    if (m == 0) return;
    number all = n + m, share = m / all, delta = other_mean - mean;
    squares += other_squares + delta * delta * n * share;
    mean += delta * share;
    n = all;
  }
};

template <int N> DEVICE void gather(const group_norm_statistics &p) {
  SHARED(moments, scratch);
  const int unroll = N == 1 ? 8 : 4;
  uint32_t which = blockIdx.x, step = blockDim.x * p.parts, n = p.gone.items;
  const T *in = static_cast<const T *>(p.in) + which / p.groups * p.image + which % p.groups * p.group;
  moments s = {0, 0, 0};
  grid_launch();
  grid_wait();
  for (uint32_t first = blockIdx.y * blockDim.x + threadIdx.x; first < n; first += unroll * step) {
    vec<T, N> x[unroll];
    int count = 0;
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * step < n) {
        int64_t at[1];
        space_offsets<1>(p.gone, p.stride, first + u * step, at);
        x[u] = load<N>(in + at[0]);
        count += N;
      }
    number sum = 0, squares = 0;
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * step < n) {
#pragma unroll
        for (int i = 0; i < N; i++) sum += widened(x[u][i]);
      }
    number mean = sum / count;
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * step < n) {
#pragma unroll
        for (int i = 0; i < N; i++) squares += (widened(x[u][i]) - mean) * (widened(x[u][i]) - mean);
      }
    s.merge(count, mean, squares);
  }
  for (int i = 16; i; i /= 2) {
    number m = __shfl_xor_sync(0xffffffffu, s.n, i), mean = __shfl_xor_sync(0xffffffffu, s.mean, i);
    number squares = __shfl_xor_sync(0xffffffffu, s.squares, i);
    s.merge(m, mean, squares);
  }
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x) return;
  for (uint32_t i = 1; i < blockDim.x / 32; i++) s.merge(scratch[i].n, scratch[i].mean, scratch[i].squares);
  static_cast<moments *>(p.partial)[(int64_t)which * p.parts + blockIdx.y] = s;
}
KERNEL(statistics_vectors, group_norm_statistics, 256, 2) { gather<VECTOR>(p); }
KERNEL(statistics_elements, group_norm_statistics, 256, 2) { gather<1>(p); }

KERNEL(coefficients, group_norm_coefficients, 128, 2) {
  int64_t index = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  grid_wait();
  if (index >= p.count) return;
  int channel = (int)(index % p.channels);
  int64_t group = index / p.channels * p.groups + channel / (p.channels / p.groups);
  const moments *part = static_cast<const moments *>(p.partial) + group * p.parts;
  moments s = part[0];
  for (int i = 1; i < p.parts; i++) s.merge(part[i].n, part[i].mean, part[i].squares);
  number factor = widened(static_cast<const SCALE *>(p.scale)[channel]) / root_of(s.squares / s.n + p.epsilon);
  number *to = reinterpret_cast<number *>(p.coefficients) + 4 * index;
  to[0] = s.mean, to[1] = factor, to[2] = widened(static_cast<const BIAS *>(p.bias)[channel]);
}

template <int N> DEVICE void apply(const group_norm_apply &p) {
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  if (index >= p.dims.items) return;
  int64_t at[3];
  space_offsets<3>(p.dims, p.stride, index, at);
  grid_wait();
  vec<T, N> x = load<N>(static_cast<const T *>(p.in) + at[1]);
  const number *c = reinterpret_cast<const number *>(p.coefficients) + 4 * at[2];
#pragma unroll
  for (int i = 0; i < N; i++) { /* a constant group's factor is as large as epsilon allows, and would be its error in a product with the mean */
    const number *k = c + (p.splat ? 0 : 4 * i);
    vec<number, 2> centre = load<2>(k);
    x[i] = narrowed<T>((widened(x[i]) - centre[0]) * centre[1] + k[2]);
  }
  store(static_cast<T *>(p.out) + at[0], x);
}
KERNEL(apply_vectors, group_norm_apply, 256, 2) { apply<VECTOR>(p); }
KERNEL(apply_elements, group_norm_apply, 256, 2) { apply<1>(p); }
