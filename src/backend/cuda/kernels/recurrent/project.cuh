/* W x + b for all steps at once, in floats: tiles of 64 rows (steps and sequences) by 64 columns (gates' units), halves on tensor cores,
 * floats by multiply-adds. Defined before: TYPE, HALVES (TYPE is a half or bfloat), GATES, LINEAR_FIRST. */
#pragma once
#include "ingot.cuh"
#include "recurrent/recurrent.h"
#include "copy_async.cuh"
#include "mma.cuh"

enum { PIECE = 16 / sizeof(TYPE), DEPTH = HALVES ? 64 : 32, LINE = DEPTH + PIECE, SIDE = 64, PROJECT_THREADS = 128 };

/* Where row m (step, sequence of the part) of x begins. */
DEVICE int64_t project_row(const recurrent_params &p, int64_t m) {
  int64_t t = m / p.part, n = p.first + m % p.part;
  return (p.batch_first ? n * p.steps + t : t * p.batch + n) * p.input;
}
/* The bias that goes with W, and R's where nothing stands between the two. */
DEVICE float project_bias(const recurrent_params &p, int direction, int column) {
  if (!p.b) return 0;
  const int width = GATES * p.hidden;
  const TYPE *b = static_cast<const TYPE *>(p.b) + (int64_t)direction * 2 * width;
  const bool apart = LINEAR_FIRST && column >= 2 * p.hidden;
  return to_float(b[column]) + (apart ? 0 : to_float(b[width + column]));
}

DEVICE void project_piece(TYPE *to, const TYPE *row, int k, int width, bool there, bool whole) {
  if (whole) {
    bool valid = there && k < width;
    copy_async16(to, valid ? row + k : row, valid ? 16 : 0);
    return;
  }
  vec<TYPE, PIECE> v;
#pragma unroll
  for (int i = 0; i < PIECE; i++) v[i] = there && k + i < width ? row[k + i] : from_float<TYPE>(0);
  store(to, v);
}

DEVICE void project(const recurrent_params &p) {
  SHARED(TYPE, shared);
  grid_wait();
  grid_launch();
  const int width = GATES * p.hidden, direction = blockIdx.z, column0 = blockIdx.y * SIDE;
  const int64_t rows = (int64_t)p.steps * p.part, row0 = (int64_t)blockIdx.x * SIDE;
  enum { PIECES = DEPTH / PIECE, EACH = SIDE * PIECES / PROJECT_THREADS, STRIDE = PROJECT_THREADS / PIECES };
  /* A thread fetches the same rows of x and of w all along. */
  const int first = threadIdx.x / PIECES, k0 = threadIdx.x % PIECES * PIECE;
  const TYPE *x[EACH], *w[EACH];
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    int64_t m = row0 + first + i * STRIDE;
    int column = column0 + first + i * STRIDE;
    x[i] = static_cast<const TYPE *>(p.x) + (m < rows ? project_row(p, m) : 0);
    w[i] = static_cast<const TYPE *>(p.w) + ((int64_t)direction * width + (column < width ? column : 0)) * p.input;
  }
  auto fetch = [&](int stage, int k) {
    TYPE *a = shared + stage * 2 * SIDE * LINE, *b = a + SIDE * LINE;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      int row = first + i * STRIDE;
      project_piece(a + row * LINE + k0, x[i], k + k0, p.input, row0 + row < rows, p.x_whole);
      project_piece(b + row * LINE + k0, w[i], k + k0, p.input, column0 + row < width, p.w_whole);
    }
    copy_async_commit();
  };
  float *out = p.projected + (int64_t)direction * rows * width;
  fetch(0, 0);
#if HALVES
  /* 2 x 2 warps, each 32 x 32. */
  const int lane = threadIdx.x % 32, y = threadIdx.x / 64 * 32, z = threadIdx.x / 32 % 2 * 32;
  float sum[2][4][4] = {};
#else
  /* 16 x 8 threads: rows i * 16 + thread / 8, columns 8 of them apart. */
  const int y = threadIdx.x / 8, z = threadIdx.x % 8;
  float sum[4][8] = {};
#endif
  for (int k = 0, stage = 0; k < p.input; k += DEPTH, stage ^= 1) {
    copy_async_wait<0>();
    __syncthreads();
    if (k + DEPTH < p.input) fetch(stage ^ 1, k + DEPTH);
    const TYPE *a = shared + stage * 2 * SIDE * LINE, *b = a + SIDE * LINE;
#if HALVES
#pragma unroll
    for (int s = 0; s < DEPTH; s += 16) {
      uint32_t fa[2][4], fb[2][4];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        load_matrices(fa[i], a + (y + i * 16 + lane % 16) * LINE + s + lane / 16 * 8);
        load_matrices(fb[i], b + (z + i * 16 + lane / 16 * 8 + lane % 8) * LINE + s + lane / 8 % 2 * 8);
      }
#pragma unroll
      for (int i = 0; i < 2; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) mma(sum[i][j], fa[i], &fb[j / 2][j % 2 * 2], TYPE());
    }
#else
#pragma unroll 2
    for (int s = 0; s < DEPTH; s += 4) {
      vec<TYPE, 4> u[4];
#pragma unroll
      for (int i = 0; i < 4; i++) u[i] = load<4>(a + (y + i * 16) * LINE + s);
#pragma unroll
      for (int j = 0; j < 8; j++) {
        vec<TYPE, 4> v = load<4>(b + (z + j * 8) * LINE + s);
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
          for (int c = 0; c < 4; c++) sum[i][j] += u[i][c] * v[c];
      }
    }
#endif
  }
  copy_async_wait<0>();
#if HALVES
#pragma unroll
  for (int j = 0; j < 4; j++) {
    const int column = column0 + z + j * 8 + lane % 4 * 2;
#pragma unroll
    for (int c = 0; c < 2; c++) {
      if (column + c >= width) continue;
      const float bias = project_bias(p, direction, column + c);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        int64_t m = row0 + y + i * 8 + lane / 4;
        if (m < rows) out[m * width + column + c] = sum[i / 2][j][i % 2 * 2 + c] + bias;
      }
    }
  }
#else
#pragma unroll
  for (int j = 0; j < 8; j++) {
    const int column = column0 + z + j * 8;
    if (column >= width) continue;
    const float bias = project_bias(p, direction, column);
#pragma unroll
    for (int i = 0; i < 4; i++)
      if (row0 + y + i * 16 < rows) out[(row0 + y + i * 16) * width + column] = sum[i][j] + bias;
  }
#endif
}
KERNEL(recurrent_project, recurrent_params, 128, 3) { project(p); }
