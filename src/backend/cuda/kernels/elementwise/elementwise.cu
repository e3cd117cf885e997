/* Elementwise work: what define() writes before this has `apply`, INPUTS(X) and OUTPUTS(X) with the operands' numbers and types, N_IN and
 * N_OUT, VECTOR (elements of an item) and UNROLL (items that a thread has in flight). */
#include "space.cuh"
#include "elementwise/elementwise.h"
#include "elementwise/functions.cuh"

template <int N> struct item {
#define FIELD(k, type) vec<type, N> i##k;
  INPUTS(FIELD)
#undef FIELD
  int64_t at[N_IN + N_OUT];
};

template <typename T, int N> DEVICE vec<T, N> fetch(const void *data, int64_t at, bool splat) {
  const T *from = static_cast<const T *>(data) + at;
  if (N == 1 || !splat) return load<N>(from);
  vec<T, N> x;
  T one = *from;
#pragma unroll
  for (int i = 0; i < N; i++) x[i] = one;
  return x;
}

template <int N> DEVICE void begin(const elementwise_params &p, uint32_t index, item<N> &x) {
  space_offsets<N_IN + N_OUT>(p.dims, p.stride, index, x.at);
#define LOAD(k, type) x.i##k = fetch<type, N>(p.data[k], x.at[k], p.splat >> k & 1);
  INPUTS(LOAD)
#undef LOAD
}

template <int N> DEVICE void end(const elementwise_params &p, const item<N> &x) {
#define RESULT(k, type) vec<type, N> o##k;
  OUTPUTS(RESULT)
#undef RESULT
#define IN(k, type) x.i##k[i],
#define OUT(k, type) , o##k[i]
#pragma unroll
  for (int i = 0; i < N; i++) apply(INPUTS(IN) 0 OUTPUTS(OUT));
#undef IN
#undef OUT
#define STORE(k, type) store(static_cast<type *>(p.data[N_IN + k]) + x.at[N_IN + k], o##k);
  OUTPUTS(STORE)
#undef STORE
}

template <int N, int M> DEVICE void walk(const elementwise_params &p) {
  uint32_t all = gridDim.x * blockDim.x;
  for (uint32_t first = blockIdx.x * blockDim.x + threadIdx.x; first < p.dims.items; first += M * all) {
    item<N> x[M];
#pragma unroll
    for (int u = 0; u < M; u++)
      if (first + u * all < p.dims.items) begin<N>(p, first + u * all, x[u]);
#pragma unroll
    for (int u = 0; u < M; u++)
      if (first + u * all < p.dims.items) end<N>(p, x[u]);
  }
}

KERNEL(vectors, elementwise_params, 256, 2) {
  grid_launch();
  grid_wait();
  walk<VECTOR, UNROLL>(p);
  uint32_t last = blockIdx.x * blockDim.x + threadIdx.x;
  if (last < p.tail) { /* all dense */
    item<1> x;
    int64_t at = (int64_t)p.dims.items * VECTOR + last;
#pragma unroll
    for (int k = 0; k < N_IN + N_OUT; k++) x.at[k] = p.splat >> k & 1 ? 0 : at;
#define LOAD(k, type) x.i##k = load<1>(static_cast<const type *>(p.data[k]) + x.at[k]);
    INPUTS(LOAD)
#undef LOAD
    end<1>(p, x);
  }
}

KERNEL(elements, elementwise_params, 256, 2) {
  grid_launch();
  grid_wait();
  walk<1, UNROLL>(p);
}
