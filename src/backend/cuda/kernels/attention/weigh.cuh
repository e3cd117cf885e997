/* From scores to weights, and from sums to results, as tensor cores have them in registers: lane t of a warp holds of each 8 columns j of its 16 rows
 * x[j][0] and x[j][1], row t / 4, columns 8 j + 2 (t % 4) and + 1, and x[j][2] and x[j][3], the same of eight rows below. */
#pragma once
#include "attention/attention.cuh"

/* Scores of a tile of 8 TILES keys, the first of which is key0, become weights relative to the greatest score so far; what `own` and `out` have of
 * the tiles before is made relative to it as well. `masks`, or NULL: the tile's masks in base 2, of all queries, in shared memory. */
template <int TILES, int OUT>
DEVICE void weigh_tile(const attention_params &p, const attention_range &range, query_state (&own)[2], float (&out)[OUT][4], float (&score)[TILES][4],
                       uint32_t (&weight)[TILES][2], int key0, const float *masks) {
  const bool cut = key0 < range.seen_from || key0 + TILES * 8 > range.seen_to; /* not every query sees all of it */
  float factor = p.scale; /* of scores: taken with the base that is subtracted, in one instruction, where nothing else happens to them */
  if (MASK || CAPPED || cut || !(p.scale > 0)) {
    factor = 1;
    const int end[2] = {own[0].end < range.end ? own[0].end : range.end, own[1].end < range.end ? own[1].end : range.end};
#pragma unroll
    for (int i = 0; i < TILES; i++) {
#pragma unroll
      for (int j = 0; j < 2; j++) {
        const int column = i * 8 + threadIdx.x % 4 * 2 + j, key = key0 + column;
        float m[2] = {0, 0};
        if (MASK && masks) {
          m[0] = m[1] = masks[column];
        } else if (MASK && (!cut || key < range.end)) {
          m[0] = mask_at(p, own[0], key), m[1] = mask_at(p, own[1], key);
        }
#pragma unroll
        for (int r = 0; r < 2; r++) { /* the upper row and the lower */
          float &x = score[i][r * 2 + j];
          const bool hidden = cut & ((WINDOWED ? key < own[r].begin : false) | (key >= end[r]));
          x = masked(weighed(p, x), m[r]);
          x = hidden ? -infinity() : x;
        }
      }
    }
  }
  float most[2] = {-infinity(), -infinity()}, base[2];
#pragma unroll
  for (int i = 0; i < TILES; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) most[j / 2] = fmaxf(most[j / 2], score[i][j]);
#pragma unroll
  for (int i = 0; i < 2; i++) {
    most[i] = fmaxf(most[i], __shfl_xor_sync(FULL, most[i], 1));
    most[i] = fmaxf(most[i], __shfl_xor_sync(FULL, most[i], 2));
    most[i] = fmaxf(own[i].most, most[i] * factor);
    base[i] = most[i] == -infinity() ? 0 : most[i];
    const float keep = exp2_fast(own[i].most - base[i]);
    own[i].most = most[i];
    own[i].sum *= keep;
#pragma unroll
    for (int e = 0; e < OUT; e++) out[e][i * 2] *= keep, out[e][i * 2 + 1] *= keep;
  }
#pragma unroll
  for (int i = 0; i < TILES; i++) {
#pragma unroll
    for (int j = 0; j < 2; j++) {
      const float a = exp2_fast(fmaf(score[i][j * 2], factor, -base[j])), b = exp2_fast(fmaf(score[i][j * 2 + 1], factor, -base[j]));
      own[j].sum += a + b;
      weight[i][j] = from_pair<TYPE>(a, b);
    }
  }
}
/* The rows' sums, of the four lanes that have parts of them. */
DEVICE void sum_rows(query_state (&own)[2]) {
#pragma unroll
  for (int i = 0; i < 2; i++) {
    own[i].sum += __shfl_xor_sync(FULL, own[i].sum, 1);
    own[i].sum += __shfl_xor_sync(FULL, own[i].sum, 2);
  }
}

/* Results of a block's ROWS rows, 16 of each warp, by way of shared memory, which nobody needs any more: they are written 16 bytes at a time. */
template <int ROWS, int OUT>
DEVICE void write_rows(const attention_params &p, const attention_block &b, TYPE *shared, query_state (&own)[2], const float (&out)[OUT][4]) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  TYPE *lines = shared + warp * 16 * WIDTH_LINE;
  sum_rows(own);
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const float by = share_of(own[i].sum);
#pragma unroll
    for (int e = 0; e < OUT; e++) {
      const uint32_t pair = from_pair<TYPE>(out[e][i * 2] * by, out[e][i * 2 + 1] * by);
      *reinterpret_cast<uint32_t *>(lines + (lane / 4 + i * 8) * WIDTH_LINE + e * 8 + lane % 4 * 2) = pair;
    }
  }
  __syncthreads();
  TYPE *o = static_cast<TYPE *>(p.o.data) + b.at.o + b.column0 * p.o.column;
  enum { PIECES = WIDTH / 8, STEP = THREADS / PIECES, COLUMN = THREADS % PIECES == 0 && ROWS % STEP == 0 };
  if (COLUMN && p.o.whole && p.rows == p.queries) { /* a thread's pieces are below one another */
    int row = threadIdx.x / PIECES;
    const int column = threadIdx.x % PIECES * 8;
    TYPE *to = o + (b.row0 + row) * p.o.row + column;
    const int64_t step = STEP * p.o.row;
    const int rows = column < b.columns ? b.rows : 0;
#pragma unroll 4
    for (int i = 0; i < ROWS / STEP; i++, row += STEP, to += step)
      if (row < rows) store(to, load<8>(shared + row * WIDTH_LINE + column));
    return;
  }
#pragma unroll 1
  for (int piece = threadIdx.x; piece < ROWS * PIECES; piece += THREADS) {
    const int row = piece / PIECES, column = piece % PIECES * 8;
    if (row >= b.rows || column >= b.columns) continue;
    TYPE *to = o + row_offset(p, p.o, b.row0 + row), *from = shared + row * WIDTH_LINE + column;
    if (p.o.whole) store(to + column, load<8>(from));
    else
#pragma unroll 1
      for (int c = 0; c < 8 && column + c < b.columns; c++) to[(column + c) * p.o.column] = from[c];
  }
}
