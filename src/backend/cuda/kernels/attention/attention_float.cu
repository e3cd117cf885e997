/* softmax(Q K^T * scale + mask) V in float, by multiply-adds: a block has 32 queries and goes over tiles of 32 keys in shared memory. A thread has
 * four of the queries: in the products with K two keys of a tile, in those with V every sixteenth column. Defined before, beside
 * attention.cuh's: STAGES, 1 or 2 tiles of keys in shared memory. */
#include "attention/join.cuh"

enum { ROWS = 32, OUT = WIDTH / 16, WEIGHTS = KEYS + 4 };
static_assert(KEYS == 32, "two keys a thread");

KERNEL(attention_float, attention_params, 128, 2) {
  SHARED(TYPE, shared);
  TYPE *weights = shared + ROWS * HEAD_LINE, *stages = weights + ROWS * WEIGHTS;
  grid_wait();
  grid_launch();
  const auto [at, row0, rows, column0, columns, q, k, v] = block_of<ROWS>(p);
  const int x = threadIdx.x % 16, y = threadIdx.x / 16 * 4;
  const attention_window window = window_of(p, at.element);
  const attention_range range = range_of(p, at, window, row0, rows);
  fetch_queries<ROWS>(p, shared, q, row0, rows);
  if (range.tiles) fetch_tile<THREADS>(p, stages, k, v, range.begin, range.end, columns, threadIdx.x);
  copy_async_commit();
  query_state own[4];
  float out[4][OUT];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    own[i] = state_of(p, at, window, row0 + y + i);
#pragma unroll
    for (int e = 0; e < OUT; e++) out[i][e] = 0;
  }

  for (int t = 0; t < range.tiles; t++) {
    copy_async_wait<0>();
    __syncthreads();
    if (STAGES > 1 && t + 1 < range.tiles)
      fetch_tile<THREADS>(p, stages + (t + 1) % STAGES * STAGE, k, v, range.begin + (t + 1) * KEYS, range.end, columns, threadIdx.x);
    copy_async_commit();
    const TYPE *keys = stages + t % STAGES * STAGE, *values = keys + KEYS * HEAD_LINE;
    const int key0 = range.begin + t * KEYS;
    float score[4][2] = {};
#pragma unroll 2
    for (int d = 0; d < HEAD; d += 4) {
      vec<TYPE, 4> a[4], b[2];
#pragma unroll
      for (int i = 0; i < 4; i++) a[i] = load<4>(shared + (y + i) * HEAD_LINE + d);
#pragma unroll
      for (int j = 0; j < 2; j++) b[j] = load<4>(keys + (x + j * 16) * HEAD_LINE + d);
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 2; j++)
#pragma unroll
          for (int c = 0; c < 4; c++) score[i][j] += a[i][c] * b[j][c];
    }
    const bool cut = key0 < range.seen_from || key0 + KEYS > range.seen_to;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float most = own[i].most;
#pragma unroll
      for (int j = 0; j < 2; j++) {
        const int key = key0 + x + j * 16;
        float s = weighed(p, score[i][j]);
        if (cut && (key < own[i].begin || key >= own[i].end || key >= range.end)) s = -infinity();
        else s = masked(s, mask_at(p, own[i], key));
        score[i][j] = s;
        most = fmaxf(most, s);
      }
#pragma unroll
      for (int n = 8; n; n >>= 1) most = fmaxf(most, __shfl_xor_sync(FULL, most, n));
      const float base = most == -infinity() ? 0 : most, keep = exp2f(own[i].most - base);
      own[i].most = most;
      own[i].sum *= keep;
#pragma unroll
      for (int e = 0; e < OUT; e++) out[i][e] *= keep;
#pragma unroll
      for (int j = 0; j < 2; j++) {
        const float w = exp2f(score[i][j] - base);
        own[i].sum += w;
        weights[(y + i) * WEIGHTS + x + j * 16] = w;
      }
    }
    __syncwarp(); /* a warp's queries are its own */
#pragma unroll 2
    for (int s = 0; s < KEYS; s += 4) {
      vec<TYPE, 4> w[4];
#pragma unroll
      for (int i = 0; i < 4; i++) w[i] = load<4>(weights + (y + i) * WEIGHTS + s);
#pragma unroll
      for (int c = 0; c < 4; c++)
#pragma unroll
        for (int e = 0; e < OUT; e++) {
          const float b = values[(s + c) * WIDTH_LINE + x + e * 16];
#pragma unroll
          for (int i = 0; i < 4; i++) out[i][e] += w[i][c] * b;
        }
    }
    __syncwarp();
    if (STAGES == 1) { /* wide heads: no room for two */
      __syncthreads();
      if (t + 1 < range.tiles) fetch_tile<THREADS>(p, stages, k, v, range.begin + (t + 1) * KEYS, range.end, columns, threadIdx.x);
      copy_async_commit();
    }
  }

  TYPE *o = static_cast<TYPE *>(p.o.data) + at.o + column0 * p.o.column;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    float sum = own[i].sum;
#pragma unroll
    for (int n = 8; n; n >>= 1) sum += __shfl_xor_sync(FULL, sum, n);
    if (y + i >= rows) continue; /* the same for the lanes that sum together, and there are no more sums than these */
    if (p.splits > 1) {
      const int64_t to = part_of(p, at, row0 + y + i);
#pragma unroll
      for (int e = 0; e < OUT; e++) p.partial[to * (p.chunks * WIDTH) + column0 + x + e * 16] = out[i][e];
      if (x == 0) p.sums[to * 2] = own[i].most, p.sums[to * 2 + 1] = sum;
      continue;
    }
    const float by = share_of(sum);
#pragma unroll
    for (int e = 0; e < OUT; e++)
      if (x + e * 16 < columns) o[row_offset(p, p.o, row0 + y + i) + (x + e * 16) * p.o.column] = out[i][e] * by;
  }
}
