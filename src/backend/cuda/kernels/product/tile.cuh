/* The tile that a block computes, in constants, out of what the C side defines:
 *   ELEMENT       the elements, T below: half, bfloat, float; HALVES: 1 for the first two
 *   BM, BN        rows and columns of the tile
 *   WARPS_M, WARPS_N  warps along them; each has a part of (BM / WARPS_M) x (BN / WARPS_N)
 *   STAGES        steps of K in shared memory at once
 *   MATH          1: tensor cores (float is rounded to tf32); 0: float multiply-adds
 *   WINDOW        0: A is a matrix; 2, 3: a convolution's windows in as many dims
 *   TRANSPOSED    a transposed convolution (with WINDOW 2)
 *   A_STRIDED, B_STRIDED  the operand's m or n lie side by side in memory, not its k
 *   B_PACKED     B has been rounded to tf32 already
 *   ACT           the activation, as act.cuh numbers them
 * A step of K is 128 bytes a row: 8 chunks of 16 bytes. Chunk c of row r lies at c ^ (r % 8), so that eight rows' same chunk are in all
 * banks. In the strided form a row is one k, with all m or n. */
#pragma once
#include "ingot.cuh"
#include "divide.cuh"
#include "product/mma.h"
typedef ELEMENT T;
enum {
  CHUNK = 16 / sizeof(T),
  STEP = 128 / sizeof(T),                                /* k's in a step */
  THREADS = WARPS_M * WARPS_N * 32,
  WM = BM / WARPS_M, WN = BN / WARPS_N,                  /* a warp's part */
  A_BYTES = BM * 128, STAGE_BYTES = (BM + BN) * 128,     /* of a stage in shared memory: A, then B */
  LINE = BN + 8,                                         /* floats in a row of the sums' tile in shared memory */
  VECTOR = CHUNK                                         /* columns that are stored at once */
};
/* Where chunk c of row r lies, in bytes. */
DEVICE uint32_t chunk_at(uint32_t r, uint32_t c) { return r * 128 + ((c ^ (r & 7)) << 4); }
/* The same for strided rows of W elements. */
template <int W> DEVICE uint32_t strided_chunk_at(uint32_t r, uint32_t c) {
  const uint32_t x = sizeof(T) == 4 ? (r & 3) << 1 : W * sizeof(T) == 64 ? r >> 1 & 3 : r & 7;
  return r * (W * sizeof(T)) + ((c ^ x) << 4);
}
