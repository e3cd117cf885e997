/* Products of few rows with a packed matrix, limited by reading it: out[m, n] as product/mma.h has it, 16 columns of the matrix and 8 rows of A
 * a block. The block's 8 warps take turns along k and, where there are few columns, so do the blocks of a cluster. The matrix goes from
 * memory straight into the tensor cores' fragments: a sum doesn't mind which k a lane's words stand for, as long as both operands agree, so
 * lane (g, t) takes 16 bytes of columns g and g + 8 at once. Defined before: ELEMENT, HALVES, ACT. */
#define BM 8
#define BN 16
#define WARPS_M 8
#define WARPS_N 1
#define WINDOW 0
#define TRANSPOSED 0
#include "product/place.cuh"
#include "cluster.cuh"
#include "mma.cuh"
#include "act.cuh"

enum { SPAN = 4, WARP_STEP = SPAN * 4 * CHUNK, BLOCK_STEP = WARPS_M * WARP_STEP }; /* k's that a lane group, a warp, a block takes at once */
struct columns { word4 v[2][SPAN]; };

DEVICE word4 zero_word4() { return word4{0, 0, 0, 0}; }
DEVICE void load_columns(columns &to, const product_params &p, const T *data, uint32_t n, uint32_t k) {
#pragma unroll
  for (int h = 0; h < 2; h++)
#pragma unroll
    for (int s = 0; s < SPAN; s++) {
      const uint32_t column = n + h * 8, at = k + s * 4 * CHUNK;
      to.v[h][s] = column < p.n && at < p.b.row ? *(const word4 *)(data + column * p.b.row + at) : zero_word4();
    }
}
/* CHUNK elements of A's row from k on; zeros past its end. */
DEVICE word4 load_row(const product_params &p, const T *row, uint32_t k) {
  if (p.a.copy == 16 && k + CHUNK <= p.k) return *(const word4 *)(row + k);
  vec<T, CHUNK> v;
#pragma unroll
  for (int i = 0; i < CHUNK; i++) {
    v[i] = T{};
    if (k + i < p.k) v[i] = row[k + i];
  }
  return *(word4 *)&v;
}

#if HALVES
/* sums[i]: as c of mma(): columns g and g + 8, rows 2t and 2t + 1. */
struct lane_sums { float v[4]; };
DEVICE void multiply(lane_sums &sums, const columns &w, const product_params &p, const T *a, uint32_t m, uint32_t k) {
  const uint32_t row = m + threadIdx.x % 32 / 4;
  word4 x[SPAN];
#pragma unroll
  for (int s = 0; s < SPAN; s++) x[s] = row < p.m ? load_row(p, a + row * p.a.row, k + s * 4 * CHUNK) : zero_word4();
#pragma unroll
  for (int s = 0; s < SPAN; s++) {
    const uint32_t a0[4] = {w.v[0][s].x, w.v[1][s].x, w.v[0][s].y, w.v[1][s].y}, b0[2] = {x[s].x, x[s].y};
    const uint32_t a1[4] = {w.v[0][s].z, w.v[1][s].z, w.v[0][s].w, w.v[1][s].w}, b1[2] = {x[s].z, x[s].w};
    mma(sums.v, a0, b0, T{});
    mma(sums.v, a1, b1, T{});
  }
}
DEVICE void put(const lane_sums &sums, float *tile) { /* row-major: 8 rows of 16 columns */
  const uint32_t l = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < 4; i++) tile[(l % 4 * 2 + i % 2) * BN + l / 4 + i / 2 * 8] = sums.v[i];
}
#else
/* Rows of columns g and g + 8, of this lane's k. */
struct lane_sums { float v[BM][2]; };
DEVICE void multiply(lane_sums &sums, const columns &w, const product_params &p, const T *a, uint32_t m, uint32_t k) {
#pragma unroll
  for (int r = 0; r < BM; r++) {
    if (m + r >= p.m) continue;
#pragma unroll
    for (int s = 0; s < SPAN; s++) {
      const word4 x = load_row(p, a + (m + r) * p.a.row, k + s * 4 * CHUNK);
#pragma unroll
      for (int h = 0; h < 2; h++) {
        const word4 y = w.v[h][s];
        sums.v[r][h] = fmaf(bits_float(x.x), bits_float(y.x), sums.v[r][h]);
        sums.v[r][h] = fmaf(bits_float(x.y), bits_float(y.y), sums.v[r][h]);
        sums.v[r][h] = fmaf(bits_float(x.z), bits_float(y.z), sums.v[r][h]);
        sums.v[r][h] = fmaf(bits_float(x.w), bits_float(y.w), sums.v[r][h]);
      }
    }
  }
}
DEVICE void put(const lane_sums &sums, float *tile) {
  const uint32_t l = threadIdx.x % 32;
#pragma unroll
  for (int r = 0; r < BM; r++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float x = sums.v[r][h];
      x += __shfl_xor_sync(FULL, x, 1);
      x += __shfl_xor_sync(FULL, x, 2);
      if (l % 4 == 0) tile[r * BN + l / 4 + h * 8] = x;
    }
}
#endif

DEVICE float addend(const product_params &p, int s, int64_t batch, uint32_t m, uint32_t n) {
  const product_addend &a = p.add[s];
  return a.data ? to_float(((const T *)a.data)[batch + m * a.row + n * a.column]) : 0;
}

KERNEL(matvec, product_params, 256, 2) {
  SHARED(float, shared);
  grid_launch();
  block_place at;
  find_place(p, at);
  const uint32_t warp = threadIdx.x / 32, l = threadIdx.x % 32;
  const T *a = (const T *)p.a.data + at.a, *b = (const T *)p.b.data + at.b;
  const uint32_t n = at.n + l / 4, stride = BLOCK_STEP * p.splits;
  uint32_t k = at.part * BLOCK_STEP + warp * WARP_STEP + l % 4 * CHUNK;
  columns now, next;
  load_columns(now, p, b, n, k); /* constants: on their way while kernels before still run */
  grid_wait();
  lane_sums sums = {};
  for (uint32_t first = at.part * BLOCK_STEP; first < p.k; first += stride, k += stride) {
    load_columns(next, p, b, n, k + stride);
    multiply(sums, now, p, a, at.m, k);
    now = next;
  }
  put(sums, shared + warp * (BM * BN));
  __syncthreads();
  const uint32_t i = threadIdx.x, row = at.m + i / BN, column = at.n + i % BN;
  float sum = 0;
  if (i < BM * BN)
    for (int w = 0; w < WARPS_M; w++) sum += shared[w * (BM * BN) + i];
  if (p.splits > 1) { /* the cluster's sums come together in its first block */
    __syncthreads();
    if (i < BM * BN) shared[i] = sum;
    cluster_barrier();
    if (at.part == 0 && i < BM * BN / 4) {
      vec<float, 4> x = cluster_load(shared + i * 4, 0);
      for (uint32_t r = 1; r < p.splits; r++) {
        const vec<float, 4> y = cluster_load(shared + i * 4, r);
        for (int j = 0; j < 4; j++) x[j] += y[j];
      }
      store(shared + BM * BN + i * 4, x);
    }
    __syncthreads();
    if (i < BM * BN) sum = shared[BM * BN + i];
    cluster_meet(); /* the first may still be reading */
  }
  if (at.part || i >= BM * BN || row >= p.m || column >= p.n) return;
  float y = p.alpha * sum + addend(p, 0, at.add[0], row, column) + addend(p, 1, at.add[1], row, column);
  ((T *)p.out)[at.out + row * p.out_row + column] = from_float<T>(activate(ACT, p.act_alpha, p.act_beta, y));
}
