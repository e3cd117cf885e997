/* A step's product out of shared memory, added to a warp's sums; and the sums into the tile in shared memory. */
#pragma once
#include "product/tile.cuh"
#include "mma.cuh"

#if MATH
/* The warp's part is WM / 16 by WN / 8 tiles of mma(). A step has four of its K: two chunks each. */
enum { MI = WM / 16, NI = WN / 8 };
struct warp_sums { float v[MI][NI][4]; };

/* Fragments of all the warp's rows of A, of K slice s. */
DEVICE void load_a(uint32_t a[MI][4], const unsigned char *tile, uint32_t warp_m, int s) {
  const uint32_t l = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < MI; i++) {
#if !A_STRIDED
    load_matrices(a[i], tile + chunk_at(warp_m + i * 16 + (l & 15), s * 2 + (l >> 4)));
#elif HALVES
    load_matrices_transposed(a[i], tile + strided_chunk_at<BM>(s * 16 + (l >> 4) * 8 + (l & 7), (warp_m + i * 16) / 8 + (l >> 3 & 1)));
#else
    for (int j = 0; j < 4; j++) {
      const uint32_t k = s * 8 + j / 2 * 4 + l % 4, m = warp_m + i * 16 + j % 2 * 8 + l / 4;
      a[i][j] = *(const uint32_t *)(tile + strided_chunk_at<BM>(k, m / 4) + m % 4 * 4);
    }
#endif
    if (sizeof(T) == 4)
      for (int j = 0; j < 4; j++) a[i][j] = tf32_bits(a[i][j]);
  }
}
DEVICE void load_b(uint32_t b[NI][2], const unsigned char *tile, uint32_t warp_n, int s) {
  const uint32_t l = threadIdx.x % 32;
#pragma unroll
  for (int j = 0; j < NI; j += 2) {
    uint32_t r[4];
#if !B_STRIDED
    load_matrices(r, tile + chunk_at(warp_n + j * 8 + (l & 7) + (l >> 4) * 8, s * 2 + (l >> 3 & 1)));
#elif HALVES
    load_matrices_transposed(r, tile + strided_chunk_at<BN>(s * 16 + (l & 15), warp_n / 8 + j + (l >> 4)));
#else
    for (int i = 0; i < 4; i++) {
      const uint32_t k = s * 8 + i % 2 * 4 + l % 4, n = warp_n + j * 8 + i / 2 * 8 + l / 4;
      r[i] = *(const uint32_t *)(tile + strided_chunk_at<BN>(k, n / 4) + n % 4 * 4);
    }
#endif
    if (sizeof(T) == 4 && !B_PACKED)
      for (int i = 0; i < 4; i++) r[i] = tf32_bits(r[i]);
    b[j][0] = r[0], b[j][1] = r[1], b[j + 1][0] = r[2], b[j + 1][1] = r[3];
  }
}
DEVICE void multiply(warp_sums &sums, const unsigned char *stage, uint32_t warp_m, uint32_t warp_n) {
#pragma unroll
  for (int s = 0; s < 4; s++) {
    uint32_t a[MI][4], b[NI][2];
    load_a(a, stage, warp_m, s);
    load_b(b, stage + A_BYTES, warp_n, s);
#pragma unroll
    for (int i = 0; i < MI; i++)
#pragma unroll
      for (int j = 0; j < NI; j++) mma(sums.v[i][j], a[i], b[j], T{});
  }
}
DEVICE void clear(warp_sums &sums) {
#pragma unroll
  for (int i = 0; i < MI; i++)
#pragma unroll
    for (int j = 0; j < NI; j++)
#pragma unroll
      for (int k = 0; k < 4; k++) sums.v[i][j][k] = 0;
}
DEVICE void put(const warp_sums &sums, float *tile, uint32_t warp_m, uint32_t warp_n) {
  const uint32_t l = threadIdx.x % 32, row = warp_m + l / 4, column = warp_n + l % 4 * 2;
#pragma unroll
  for (int i = 0; i < MI; i++)
#pragma unroll
    for (int j = 0; j < NI; j++)
#pragma unroll
      for (int k = 0; k < 2; k++)
        store(tile + (row + i * 16 + k * 8) * LINE + column + j * 8, vec<float, 2>{{sums.v[i][j][2 * k], sums.v[i][j][2 * k + 1]}});
}

#else
/* Lane l has rows l / 4 + 8 i and columns l % 4 + 4 j of the warp's part. */
enum { MI = WM / 8, NI = WN / 4 };
struct warp_sums { float v[MI][NI]; };

DEVICE float element(const unsigned char *tile, uint32_t at) { return *(const float *)(tile + at); }
DEVICE void multiply(warp_sums &sums, const unsigned char *stage, uint32_t warp_m, uint32_t warp_n) {
  const unsigned char *a_tile = stage, *b_tile = stage + A_BYTES;
  const uint32_t l = threadIdx.x % 32, m = warp_m + l / 4, n = warp_n + l % 4;
#pragma unroll 2
  for (int c = 0; c < 8; c++) {
    vec<float, 4> b[NI];
#pragma unroll
    for (int j = 0; j < NI; j++) {
      const uint32_t column = n + j * 4;
#if B_STRIDED
      for (int k = 0; k < 4; k++) b[j][k] = element(b_tile, strided_chunk_at<BN>(c * 4 + k, column / 4) + column % 4 * 4);
#else
      b[j] = load<4>((const float *)(b_tile + chunk_at(column, c)));
#endif
    }
#pragma unroll
    for (int i = 0; i < MI; i++) {
      const uint32_t row = m + i * 8;
      vec<float, 4> a;
#if A_STRIDED
      for (int k = 0; k < 4; k++) a[k] = element(a_tile, strided_chunk_at<BM>(c * 4 + k, row / 4) + row % 4 * 4);
#else
      a = load<4>((const float *)(a_tile + chunk_at(row, c)));
#endif
#pragma unroll
      for (int k = 0; k < 4; k++)
#pragma unroll
        for (int j = 0; j < NI; j++) sums.v[i][j] = fmaf(a[k], b[j][k], sums.v[i][j]);
    }
  }
}
DEVICE void clear(warp_sums &sums) {
#pragma unroll
  for (int i = 0; i < MI; i++)
#pragma unroll
    for (int j = 0; j < NI; j++) sums.v[i][j] = 0;
}
DEVICE void put(const warp_sums &sums, float *tile, uint32_t warp_m, uint32_t warp_n) {
  const uint32_t l = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < MI; i++)
#pragma unroll
    for (int j = 0; j < NI; j++) tile[(warp_m + l / 4 + i * 8) * LINE + warp_n + l % 4 + j * 4] = sums.v[i][j];
}
#endif
