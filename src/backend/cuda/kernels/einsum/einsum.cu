/* Einsum of one or two operands: a product of matrices whose rows, columns and depths are several dims each, wherever they lie. A block has
 * 64 rows by 64 columns of one element of the batch; operands go through shared memory, 16 of the depth at a time; sums are float. Defined before:
 * TYPE. */
#include "ingot.cuh"
#include "einsum/einsum.h"

enum { SIDE = 64, DEPTH = 16, LINE = SIDE + 4, THREADS = 256 };
struct einsum_offsets { int64_t a, b, y; };
DEVICE einsum_offsets offsets_of(const einsum_loops &l, int64_t index) {
  einsum_offsets at = {0, 0, 0};
  for (int i = l.n - 1; i >= 0; i--) {
    const int64_t x = index % l.dim[i];
    index /= l.dim[i];
    at.a += x * l.a[i], at.b += x * l.b[i], at.y += x * l.y[i];
  }
  return at;
}

KERNEL(einsum, einsum_params, 256, 2) {
  SHARED(float, a); /* [DEPTH][LINE] of the first operand, then of the second; then where they lie */
  float *b = a + DEPTH * LINE;
  int64_t *row_at = reinterpret_cast<int64_t *>(b + DEPTH * LINE), *column_at = row_at + SIDE, *depth_a = column_at + SIDE, *depth_b = depth_a +
      DEPTH;
  grid_wait();
  grid_launch();
  int64_t index = blockIdx.x;
  const int64_t column0 = index % p.column_tiles * SIDE, row0 = index / p.column_tiles % p.row_tiles * SIDE;
  const einsum_offsets batch = offsets_of(p.batch, index / p.column_tiles / p.row_tiles);
  const int y = threadIdx.x / 16 * 4, z = threadIdx.x % 16 * 4;
  if (threadIdx.x < SIDE) row_at[threadIdx.x] = row0 + threadIdx.x < p.rows.items ? offsets_of(p.rows, row0 + threadIdx.x).a : -1;
  else if (threadIdx.x < 2 * SIDE) {
    const int i = threadIdx.x - SIDE;
    column_at[i] = column0 + i < p.columns.items ? offsets_of(p.columns, column0 + i).b : -1;
  }
  const TYPE *first = static_cast<const TYPE *>(p.a) + batch.a, *second = static_cast<const TYPE *>(p.b) + batch.b;
  float sum[4][4] = {};
  for (int64_t k0 = 0; k0 < p.depth.items; k0 += DEPTH) {
    __syncthreads();
    if (threadIdx.x < DEPTH) {
      const bool there = k0 + threadIdx.x < p.depth.items;
      const einsum_offsets at = offsets_of(p.depth, there ? k0 + threadIdx.x : 0);
      depth_a[threadIdx.x] = there ? at.a : -1, depth_b[threadIdx.x] = at.b;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < SIDE * DEPTH; i += THREADS) {
      const int k = i % DEPTH, m = i / DEPTH;
      const bool there = depth_a[k] >= 0;
      a[k * LINE + m] = there && row_at[m] >= 0 ? to_float(first[row_at[m] + depth_a[k]]) : 0;
      b[k * LINE + m] = there && column_at[m] >= 0 ? (p.b ? to_float(second[column_at[m] + depth_b[k]]) : 1) : 0;
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
      const vec<float, 4> u = load<4>(a + k * LINE + y), v = load<4>(b + k * LINE + z);
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) sum[i][j] += u[i] * v[j];
    }
  }
  TYPE *to = static_cast<TYPE *>(p.y) + batch.y;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if (row0 + y + i >= p.rows.items) continue;
    const int64_t row = offsets_of(p.rows, row0 + y + i).y;
#pragma unroll
    for (int j = 0; j < 4; j++)
      if (column0 + z + j < p.columns.items) to[row + offsets_of(p.columns, column0 + z + j).y] = from_float<TYPE>(sum[i][j]);
  }
}
