/* LayerNormalization and (RMS) RMSNormalization over contiguous rows. held_*: a row is in registers. long_*: it is read three times.
 * held_vector has the code for one vector a thread alone: there is little else to a short row than waiting for code and data.
 * define() says TYPE, SCALE, BIAS (types), VECTOR, RMS, and SCALED and BIASED: whether there are such. */
#include "ingot.cuh"
#include "norm/layer_norm.h"
#include "rows.cuh"
typedef TYPE T;

template <int N, int C> DEVICE void normalise(const layer_norm_params &p, int64_t row, bool mine, int lane, int lanes, number *scratch) {
  int vectors = mine ? p.length / N : 0;
  held<T, N, C> x;
  held<SCALE, N, C> scale;
  held<BIAS, N, C> bias;
  number y[C][N], sum = 0, mean = 0;
  grid_launch();
  if (!p.constants) grid_wait();
  if (SCALED) scale.fetch(static_cast<const SCALE *>(p.scale), lane, lanes, vectors);
  if (BIASED) bias.fetch(static_cast<const BIAS *>(p.bias), lane, lanes, vectors);
  grid_wait();
  x.fetch(static_cast<const T *>(p.in) + row * p.length, lane, lanes, vectors);
#pragma unroll
  for (int c = 0; c < C; c++) { /* a branch for each vector: what a thread has fewer of costs nothing */
    if (lane + c * lanes >= vectors) break;
    widen(x.x[c], y[c]);
#pragma unroll
    for (int i = 0; i < N; i++) sum += y[c][i];
  }
  if (!RMS) mean = row_sum(sum, lanes, scratch) * (number)p.share;
  sum = 0;
#pragma unroll
  for (int c = 0; c < C; c++) {
    if (lane + c * lanes >= vectors) break;
#pragma unroll
    for (int i = 0; i < N; i++) {
      y[c][i] -= mean;
      sum += y[c][i] * y[c][i];
    }
  }
  number inverse = inverse_root_of(row_sum(sum, lanes, scratch) * (number)p.share + p.epsilon);
#pragma unroll
  for (int c = 0; c < C; c++) {
    if (lane + c * lanes >= vectors) break;
    number by[N], add[N];
    if (SCALED) widen(scale.x[c], by);
    if (BIASED) widen(bias.x[c], add);
#pragma unroll
    for (int i = 0; i < N; i++) y[c][i] = y[c][i] * inverse * (SCALED ? by[i] : 1) + (BIASED ? add[i] : 0);
    narrow(y[c], x.x[c]);
  }
  x.put(static_cast<T *>(p.out) + row * p.length, lane, lanes, vectors);
  if (mine && lane == 0) {
    if (p.mean) p.mean[row] = (float)mean;
    if (p.inverse) p.inverse[row] = (float)inverse;
  }
}

template <int N, int C> DEVICE void in_registers(const layer_norm_params &p) {
  SHARED(number, scratch);
  int64_t row = (int64_t)blockIdx.x * (blockDim.x / p.lanes) + threadIdx.x / p.lanes;
  bool mine = row < p.rows;
  normalise<N, C>(p, mine ? row : 0, mine, threadIdx.x % p.lanes, p.lanes, scratch);
}

/* A block for a row, in pieces of `unroll` vectors for each thread. */
template <int N> DEVICE void in_pieces(const layer_norm_params &p) {
  SHARED(number, scratch);
  const int unroll = 4;
  int lane = threadIdx.x, lanes = blockDim.x, vectors = p.length / N;
  int64_t row = blockIdx.x;
  const T *in = static_cast<const T *>(p.in) + row * p.length;
  T *out = static_cast<T *>(p.out) + row * p.length;
  number sum = 0, mean = 0;
  grid_launch();
  grid_wait();
#pragma unroll 1
  for (int pass = RMS ? 1 : 0; pass < 2; pass++) {
    sum = 0;
    for (int first = lane; first < vectors; first += unroll * lanes) {
      held<T, N, unroll> x;
      x.fetch(in, first, lanes, vectors);
#pragma unroll
      for (int c = 0; c < unroll; c++)
        if (first + c * lanes < vectors) {
#pragma unroll
          for (int i = 0; i < N; i++) {
            number y = widened(x.x[c][i]) - mean;
            sum += pass == 0 ? y : y * y;
          }
        }
    }
    sum = row_sum(sum, lanes, scratch) * (number)p.share;
    if (pass == 0) mean = sum;
  }
  number inverse = inverse_root_of(sum + p.epsilon);
  for (int first = lane; first < vectors; first += lanes) {
    vec<T, N> x = load<N>(in + (int64_t)first * N);
    vec<SCALE, N> scale;
    vec<BIAS, N> bias;
    if (SCALED) scale = load<N>(static_cast<const SCALE *>(p.scale) + (int64_t)first * N);
    if (BIASED) bias = load<N>(static_cast<const BIAS *>(p.bias) + (int64_t)first * N);
#pragma unroll
    for (int i = 0; i < N; i++) {
      number z = (widened(x[i]) - mean) * inverse;
      if (SCALED) z *= widened(scale[i]);
      if (BIASED) z += widened(bias[i]);
      x[i] = narrowed<T>(z);
    }
    store(out + (int64_t)first * N, x);
  }
  if (lane == 0) {
    if (p.mean) p.mean[row] = (float)mean;
    if (p.inverse) p.inverse[row] = (float)inverse;
  }
}

KERNEL(held_vector, layer_norm_params, 256, 2) { in_registers<VECTOR, 1>(p); }
KERNEL(held_vectors, layer_norm_params, 256, 1) { in_registers<VECTOR, 4>(p); }
KERNEL(held_elements, layer_norm_params, 256, 2) { in_registers<1, 8>(p); }
KERNEL(long_vectors, layer_norm_params, 256, 2) { in_pieces<VECTOR>(p); }
KERNEL(long_elements, layer_norm_params, 256, 2) { in_pieces<1>(p); }
