/* Products of matrices and convolutions as products, tile by tile: steps of K come into a ring of stages in shared memory by cp.async while
 * the warps multiply earlier ones. See product/tile.cuh for what is defined before this, product/mma.h for the parameters. */
#include "product/rows.cuh"
#include "product/multiply.cuh"
#include "product/finish.cuh"

/* The largest tile of floats takes a few registers more than two blocks leave it where B isn't packed. */
enum { RESIDENT = !HALVES && !B_PACKED && BM * BN == 128 * 128 ? 1 : MIN_BLOCKS };

KERNEL(product, product_params, THREADS, RESIDENT) {
  SHARED(unsigned char, shared);
  grid_launch();
  block_place at;
  find_place(p, at);
  const uint32_t steps = (at.k + STEP - 1) / STEP, first = steps * at.part / p.splits, count = steps * (at.part + 1) / p.splits - first;
  const T *a_data = (const T *)p.a.data + at.a, *b_data = (const T *)p.b.data + at.b;
#if WINDOW
  window_rows a(p, a_data, at.m, first * STEP, at.kernel, at.pad);
#define LOAD_A(to) a.load(p, to)
#elif A_STRIDED
  strided_rows<BM> a(a_data, p.a.row, p.a.copy, at.m, p.m, first * STEP, at.k);
#define LOAD_A(to) a.load(to)
#else
  /* Of a convolution of points, k is filled up with zeros in the weights alone: what follows a pixel's channels may be anything, a NaN too. */
  matrix_rows<BM> a(a_data, p.a.row, p.a.copy, at.m, p.m, first * STEP, B_PACKED && p.window.channels ? p.window.channels : at.k);
#define LOAD_A(to) a.load(to)
#endif
#if B_STRIDED
  strided_rows<BN> b(b_data, at.b_row, p.b.copy, at.n, p.n, first * STEP, at.k);
#else
  matrix_rows<BN> b(b_data, at.b_row, B_PACKED ? 16 : p.b.copy, at.n, p.n, first * STEP, at.k);
#endif
  if (!p.b_early) grid_wait();
#pragma unroll 1
  for (int s = 0; s < STAGES - 1; s++)
    if (s < count) b.load(shared + s * STAGE_BYTES + A_BYTES);
  grid_wait();
#pragma unroll 1
  for (int s = 0; s < STAGES - 1; s++) {
    if (s < count) LOAD_A(shared + s * STAGE_BYTES);
    copy_async_commit();
  }
  const uint32_t warp = threadIdx.x / 32, warp_m = warp / WARPS_N * WM, warp_n = warp % WARPS_N * WN;
  warp_sums sums;
  clear(sums);
  uint32_t read = 0, write = (STAGES - 1) * STAGE_BYTES;
  for (uint32_t i = 0; i < count; i++) {
    copy_async_wait<STAGES - 2>();
    __syncthreads();
    if (i + STAGES - 1 < count) {
      LOAD_A(shared + write);
      b.load(shared + write + A_BYTES);
    }
    copy_async_commit();
    multiply(sums, shared + read, warp_m, warp_n);
    read = read == (STAGES - 1) * STAGE_BYTES ? 0 : read + STAGE_BYTES;
    write = write == (STAGES - 1) * STAGE_BYTES ? 0 : write + STAGE_BYTES;
  }
  copy_async_wait<0>();
  __syncthreads();
  float *tile = (float *)shared;
  put(sums, tile, warp_m, warp_n);
  finish(p, at, tile);
}
