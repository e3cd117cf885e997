/* LinearAttention: S = exp(g) S, S += k (b (v - S^T k))^T or k v^T, o = scale S^T q, position by position. The columns of a head's state S are
 * apart from each other, so a block has 32 of them, in shared memory; a column's rows are shared by eight threads. Defined before: TYPE;
 * STATE of the past state and the new one; GATED, DELTA. */
#include "ingot.cuh"
#include "attention/linear.h"

enum { COLUMNS = 32, PARTS = 8 };

/* The sum over a column's eight threads, for all of them. */
DEVICE float column_sum(float x, float *scratch, int column, int part) {
  __syncthreads();
  scratch[part * COLUMNS + column] = x;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int i = 0; i < PARTS; i++) sum += scratch[i * COLUMNS + column];
  return sum;
}

KERNEL(linear_attention, linear_params, 256, 1) {
  SHARED(float, state); /* [d][COLUMNS]; scratch; k, then q; decays */
  float *scratch = state + p.d * COLUMNS, *key = scratch + PARTS * COLUMNS, *factor = key + p.d, *query = factor + p.d;
  grid_wait();
  grid_launch();
  const int column = threadIdx.x % COLUMNS, part = threadIdx.x / COLUMNS, tile = blockIdx.x % p.tiles, e = tile * COLUMNS + column;
  const int64_t head_of_all = blockIdx.x / p.tiles, batch = head_of_all / p.heads, head = head_of_all % p.heads;
  const bool there = e < p.e;
  for (int d = part; d < p.d; d += PARTS) {
    state[d * COLUMNS + column] = p.past && there ? to_float(static_cast<const STATE *>(p.past)[(head_of_all * p.d + d) * p.e + e]) : 0;
  }
  for (int64_t t = 0; t < p.length; t++) {
    const int64_t row = batch * p.length + t;
    __syncthreads();
    for (int d = threadIdx.x; d < p.d; d += COLUMNS * PARTS) {
      key[d] = to_float(static_cast<const TYPE *>(p.k)[(row * p.heads + head) * p.d + d]);
#if GATED
      const bool single = p.decay_width == p.heads; /* one for a head's whole state */
      factor[d] = expf(to_float(static_cast<const TYPE *>(p.decay)[row * p.decay_width + (single ? head : head * p.d + d)]));
#endif
    }
    for (int i = threadIdx.x; i < p.group * p.d; i += COLUMNS * PARTS)
      query[i] = to_float(static_cast<const TYPE *>(p.q)[(row * p.heads + head) * p.group * p.d + i]);
    __syncthreads();
    float value = there ? to_float(static_cast<const TYPE *>(p.v)[(row * p.heads + head) * p.e + e]) : 0, sum = 0;
#if GATED || DELTA
    for (int d = part; d < p.d; d += PARTS) {
#if GATED
      state[d * COLUMNS + column] *= factor[d];
#endif
      sum += key[d] * state[d * COLUMNS + column];
    }
#endif
#if DELTA
    sum = column_sum(sum, scratch, column, part);
    value = to_float(static_cast<const TYPE *>(p.beta)[row * p.beta_width + (p.beta_width == 1 ? 0 : head)]) * (value - sum);
#endif
    for (int d = part; d < p.d; d += PARTS) state[d * COLUMNS + column] += key[d] * value;
    for (int g = 0; g < p.group && p.y; g++) {
      sum = 0;
      for (int d = part; d < p.d; d += PARTS) sum += query[g * p.d + d] * state[d * COLUMNS + column];
      sum = column_sum(sum, scratch, column, part);
      if (part == 0 && there) {
        static_cast<TYPE *>(p.y)[((row * p.heads + head) * p.group + g) * p.e + e] = from_float<TYPE>(sum * p.scale);
      }
    }
  }
  for (int d = part; d < p.d && p.state && there; d += PARTS)
    static_cast<STATE *>(p.state)[(head_of_all * p.d + d) * p.e + e] = from_float<STATE>(state[d * COLUMNS + column]);
}
