/* Strided copies of elements of SIZE bytes. copy_elements, _4, _16: items that are contiguous on both sides. turn_elements: what is contiguous
 * on one side along another dim than on the other goes through a tile in shared memory, so that both sides are read and written in whole
 * lines. */
#include "space.cuh"
#include "move/move.h"
#include "move/element.cuh"

template <typename T> DEVICE void copy(const move_params &p) {
  const move_piece &piece = p.piece[blockIdx.y];
  uint32_t all = gridDim.x * blockDim.x, n = piece.dims.items;
  grid_launch();
  grid_wait();
  const int unroll = 4;
  for (uint32_t first = blockIdx.x * blockDim.x + threadIdx.x; first < n; first += unroll * all) {
    T x[unroll];
    int64_t at[unroll][2];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * all < n) {
        space_offsets<2>(piece.dims, piece.stride, first + u * all, at[u]);
        x[u] = static_cast<const T *>(piece.from)[at[u][1]];
      }
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u * all < n) static_cast<T *>(piece.to)[at[u][0]] = x[u];
  }
}
/* What is contiguous on one side along a short dim, on the other along a long one, as with the channels of images of few: a thread for each
 * step along the long one. */
KERNEL(copy_short, move_params, 256, 4) {
  const move_piece &piece = p.piece[0];
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  if (index >= piece.dims.items) return;
  int64_t at[2];
  space_offsets<2>(piece.dims, piece.stride, index, at);
  element *to = static_cast<element *>(piece.to) + at[0];
  const element *from = static_cast<const element *>(piece.from) + at[1];
  grid_wait();
  const int unroll = 4;
  for (int first = 0; first < p.inner; first += unroll) {
    element x[unroll];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u < p.inner) x[u] = from[(first + u) * p.inner_from];
#pragma unroll
    for (int u = 0; u < unroll; u++)
      if (first + u < p.inner) to[(first + u) * p.inner_to] = x[u];
  }
}

KERNEL(copy_elements, move_params, 256, 4) { copy<element>(p); }
KERNEL(copy_4, move_params, 256, 4) { copy<uint32_t>(p); }
KERNEL(copy_16, move_params, 256, 4) { copy<word4>(p); }

/* Tiles of D x D elements; their rows in shared memory begin in different banks. */
template <typename T, int D> DEVICE void turn(const turn_params &p) {
  const int pitch = D + (sizeof(T) >= 4 ? 1 : 4 / sizeof(T)), rows = 256 / 32, across = D / 32;
  SHARED(T, tile);
  uint32_t rest = divide(blockIdx.x, p.tiles_j), tj = blockIdx.x - rest * p.tiles_j.dim;
  uint32_t outer = divide(rest, p.tiles_i), ti = rest - outer * p.tiles_i.dim;
  int64_t at[2];
  space_offsets<2>(p.outer, p.stride, outer, at);
  int lane = threadIdx.x % 32, row = threadIdx.x / 32;
  int64_t i0 = (int64_t)ti * D, j0 = (int64_t)tj * D;
  int left_i = (int)(p.dim_i - i0 < D ? p.dim_i - i0 : D), left_j = (int)(p.dim_j - j0 < D ? p.dim_j - j0 : D);
  const T *from = static_cast<const T *>(p.from) + at[1] + i0 * p.from_i + j0;
  T *to = static_cast<T *>(p.to) + at[0] + i0 + j0 * p.to_j;
  grid_launch();
  grid_wait();
  T x[D / rows * across];
#pragma unroll
  for (int r = 0; r < D / rows; r++)
#pragma unroll
    for (int c = 0; c < across; c++) {
      int i = r * rows + row, j = c * 32 + lane;
      if (i < left_i && j < left_j) x[r * across + c] = from[i * p.from_i + j];
    }
#pragma unroll
  for (int r = 0; r < D / rows; r++)
#pragma unroll
    for (int c = 0; c < across; c++) {
      int i = r * rows + row, j = c * 32 + lane;
      if (i < left_i && j < left_j) tile[i * pitch + j] = x[r * across + c];
    }
  __syncthreads();
#pragma unroll
  for (int r = 0; r < D / rows; r++)
#pragma unroll
    for (int c = 0; c < across; c++) {
      int j = r * rows + row, i = c * 32 + lane;
      if (i < left_i && j < left_j) to[j * p.to_j + i] = tile[i * pitch + j];
    }
}
KERNEL(turn_elements, turn_params, 256, 4) { turn<element, SIZE <= 2 ? 64 : 32>(p); }
