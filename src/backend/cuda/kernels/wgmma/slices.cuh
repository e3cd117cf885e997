/* K goes by in slices of 128 bytes: what of A and B a tile needs for a slice is brought into a stage of shared memory by one thread, and
 * multiplied there by warpgroups.
 *
 * Defined before: ELEMENT, TILE_M, TILE_N; SLICE: channels of a tap that are loaded together (64, 32, 16, 8), or 64; A_MN, B_MN: A (B) lies
 * transposed in memory. A stage is A's boxes, each of TILE_M rows of SLICE elements (transposed: of 64 rows of K and 64 elements of M), then B's. */
#pragma once
#include "wgmma.cuh"
#include "wgmma/product.h"

enum {
  A_BYTES = TILE_M * 128, B_BYTES = TILE_N * 128, STAGE_BYTES = A_BYTES + B_BYTES,
  A_ROW = SLICE * 2,                            /* bytes of a row of a box */
  B_WIDTH = TILE_N < 64 ? TILE_N : 64           /* B_MN: elements of N in a row */
};

typedef struct tile { int32_t m, n, batch0, batch1; } tile; /* first row and column */

/* Tile `index` of the launch: all of a band of M for one tile of N, then for the next; bands; batches. rank: in a pair. */
DEVICE tile tile_at(const ingot__product &p, int32_t index, int32_t rank) {
  const int32_t each = p.m_units * p.n_units, batch = index / each, in_band = p.band * p.n_units;
  index -= batch * each;
  const int32_t band = index / in_band, first = band * p.band, rows = p.band < p.m_units - first ? p.band : p.m_units - first;
  index -= band * in_band;
  const int32_t column = index / rows, row = first + index - column * rows;
  tile t;
  t.m = (p.pair == p.pair_n ? row : row * 2 + rank) * TILE_M;
  t.n = (p.pair_n == 1 ? column : column * 2 + rank) * TILE_N;
  t.batch1 = batch / p.batch[0];
  t.batch0 = batch - t.batch1 * p.batch[0];
  return t;
}

/* Where the slices of A begin for a tile, and where in K the loading is. */
typedef struct place {
  int32_t k;                                    /* elements of K; by windows: channel */
  int32_t x, y, image, tap_x, tap_y;            /* by windows: of the first output's window, and the present tap */
} place;

/* m: the first row. */
DEVICE place place_at(const ingot__product &p, int32_t m, int32_t slice) {
  place at = {slice * 64, 0, 0, 0, 0, 0};
  if (!p.windows) return at;
  const int32_t line = m / p.out_x, boxes = (p.channels + SLICE - 1) / SLICE, box = slice * (64 / SLICE);
  at.x = (m - line * p.out_x) * p.step_x - p.pad_x;
  at.image = line / p.out_y;
  at.y = (line - at.image * p.out_y) * p.step_y - p.pad_y;
  const int32_t tap = box / boxes;
  at.k = (box - tap * boxes) * SLICE;
  at.tap_y = tap / p.taps_x;
  at.tap_x = tap - at.tap_y * p.taps_x;
  return at;
}

/* Brings the slice of A at `at` to the stage, and goes on to the next. Of `blocks` 2: this one's half (`rank`), to both; `at` is its place then. */
DEVICE void load_a(const ingot__product &p, unsigned char *stage, mbarrier *full, const tile &t, place *at, int blocks, int rank) {
  const int half = blocks == 1 ? 0 : rank * (TILE_M / 2); /* the first row */
  if (!p.windows) {
    const int b0 = t.batch0 * p.a_moves[0], b1 = t.batch1 * p.a_moves[1];
#if A_MN
#pragma unroll
    for (int i = 0; i < TILE_M / 64; i++) {
      if (blocks == 1) tensor_load(stage + i * 8192, &p.a, full, t.m + 64 * i, at->k, b0, b1);
      else if ((i & 1) == rank) tensor_load_to(stage + i * 8192, &p.a, full, 3, t.m + 64 * i, at->k, b0, b1);
    }
#else
    if (blocks == 1) tensor_load(stage, &p.a, full, at->k, t.m, b0, b1);
    else tensor_load_to(stage + half * 128, &p.a, full, 3, at->k, t.m + half, b0, b1);
#endif
    at->k += 64;
    return;
  }
#pragma unroll
  for (int i = 0; i < 64 / SLICE; i++) {
    /* Behind the last tap are channels that aren't there: zeros. */
    const bool inside = at->tap_y < p.taps_y;
    const int k = inside ? at->k : p.channels, dx = inside ? at->tap_x * p.grow_x : 0, dy = inside ? at->tap_y * p.grow_y : 0;
    unsigned char *to = stage + (i * TILE_M + half) * A_ROW;
    if (blocks == 1) tensor_load_windows(to, &p.a, full, k, at->x, at->y, at->image, dx, dy);
    else tensor_load_windows_to(to, &p.a, full, 3, k, at->x, at->y, at->image, dx, dy);
    at->k += SLICE;
    if (at->k < p.channels) continue;
    at->k = 0;
    if (++at->tap_x < p.taps_x) continue;
    at->tap_x = 0;
    at->tap_y++;
  }
}

/* The slice of B that begins at k. Of `blocks` 2: this one's half (`rank`), to both. */
DEVICE void load_b(const ingot__product &p, unsigned char *stage, mbarrier *full, const tile &t, int32_t k, int blocks, int rank) {
  const int b0 = t.batch0 * p.b_moves[0], b1 = t.batch1 * p.b_moves[1];
  unsigned char *to = stage + A_BYTES;
#if B_MN
#pragma unroll
  for (int i = 0; i < TILE_N / B_WIDTH; i++) {
    if (blocks == 1) tensor_load(to + i * (64 * B_WIDTH * 2), &p.b, full, t.n + i * B_WIDTH, k, b0, b1);
    else if ((i & 1) == rank) tensor_load_to(to + i * (64 * B_WIDTH * 2), &p.b, full, 3, t.n + i * B_WIDTH, k, b0, b1);
  }
#else
  if (blocks == 1) tensor_load(to, &p.b, full, k, t.n, b0, b1);
  else tensor_load_to(to + rank * (B_BYTES / 2), &p.b, full, 3, k, t.n + rank * (TILE_N / 2), b0, b1);
#endif
}

/* A warpgroup's products of a slice: rows [row, row + 64 COUNT) of the tile. first: the sums begin with it. */
template <int COUNT> DEVICE void multiply_slice(float (&sum)[COUNT][TILE_N / 2], const unsigned char *stage, int row, bool first) {
#if B_MN
  const matrix b = matrix_at(stage + A_BYTES, B_WIDTH * 2, B_WIDTH * 16, 64 * B_WIDTH * 2);
#else
  const matrix b = matrix_at(stage + A_BYTES, 128, 1024, 0);
#endif
#if A_MN
  const matrix a = matrix_at(stage + row * 128, 128, 1024, 0);
#else
  const matrix a = matrix_at(stage + row * A_ROW, SLICE == 8 ? 0 : A_ROW, 8 * A_ROW, SLICE == 8 ? TILE_M * 16 : 0);
#endif
#pragma unroll
  for (int k = 0; k < 4; k++) {
    const matrix b_k = matrix_on(b, B_MN ? k * 16 * B_WIDTH * 2 : k * 32);
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      /* 16 elements of K: 32 bytes on in a row, or whole boxes. */
      const int on = A_MN ? k * 2048 + i * 8192 : k * 32 / A_ROW * (TILE_M * A_ROW) + k * 32 % A_ROW + i * 64 * A_ROW;
      wgmma<ELEMENT, TILE_N, A_MN, B_MN>(sum[i], matrix_on(a, on), b_k, k > 0 || !first);
    }
  }
}
