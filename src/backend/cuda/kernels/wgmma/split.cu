/* Products in small tiles (sm_90a), for when there are few of them and time is latency: a block a tile, or a cluster of 2, 4 or 8 blocks that
 * share the slices of K. One warp loads, one warpgroup for each 64 rows multiplies. Then each block owns some of the tile's rows: it gets the
 * others' sums for them through the cluster's shared memory, adds them up, and finishes the rows: bias, residual, activation, 16 bytes a thread.
 *
 * Defined before: ELEMENT, TILE_M (64 or 128), TILE_N, STAGES, SLICE, A_MN, B_MN, ACT. */
#include "ingot.cuh"
#include "wgmma/finish.cuh"
#include "wgmma/plain.cuh"
#include "wgmma/slices.cuh"

enum {
  WORKERS = TILE_M / 64 * 128, THREADS = WORKERS + 32, /* the last warp loads */
  PITCH = TILE_N + 8,               /* of rows of sums, in floats: two wavefronts a store of pairs */
  VECTORS = TILE_N / 8,             /* of a row */
  MOST = TILE_M * VECTORS / WORKERS /* vectors a thread finishes, in a block alone */
};
typedef struct barriers { mbarrier full[STAGES], empty[STAGES], summed; } barriers;

DEVICE void move_slices(const ingot__product &p, unsigned char *stages, barriers *b, const tile &t, int32_t from, int32_t to) {
  int32_t early = 0, stage = 0;
  uint32_t parity = 1;
  tensor_prefetch_map(&p.b);
  tensor_prefetch_map(&p.a);
  if (p.b_constant) /* B doesn't depend on the kernels before */
    for (; early < STAGES && early < to - from; early++) {
      mbarrier_expect(&b->full[early], STAGE_BYTES);
      load_b(p, stages + early * STAGE_BYTES, &b->full[early], t, (from + early) * 64, 1, 0);
    }
  place at = place_at(p, t.m, from);
  grid_wait();
  for (int32_t slice = from; slice < to; slice++) {
    unsigned char *into = stages + stage * STAGE_BYTES;
    if (early > 0) early--;
    else {
      mbarrier_wait(&b->empty[stage], parity);
      mbarrier_expect(&b->full[stage], STAGE_BYTES);
      load_b(p, into, &b->full[stage], t, slice * 64, 1, 0);
    }
    load_a(p, into, &b->full[stage], t, &at, 1, 0);
    if (++stage == STAGES) stage = 0, parity ^= 1;
  }
}

DEVICE void multiply(const ingot__product &p, unsigned char *stages, barriers *b, const tile &t, int32_t from, int32_t to, int32_t rank,
                     int32_t blocks) {
  const int32_t lane = threadIdx.x % 32, rows = TILE_M / blocks, count = rows * VECTORS;
  float *sums = reinterpret_cast<float *>(stages + STAGES * STAGE_BYTES);
  /* This thread's vectors of the result are all of the same 8 columns. */
  const int32_t n = t.n + threadIdx.x % VECTORS * 8, line = threadIdx.x / VECTORS;
  const int64_t first_m = (int64_t)t.m + rank * rows + line;
  float bias[8];
  if (!p.b_constant) grid_wait();
#pragma unroll
  for (int i = 0; i < 8; i++) bias[i] = bias_of(p, n + i);
  grid_wait();
  word4 held[MOST];
  const ELEMENT *residual = static_cast<const ELEMENT *>(p.residual_data) + t.batch0 * p.residual_batch[0] + t.batch1 * p.residual_batch[1];
  if (p.has_residual && !p.direct)
#pragma unroll
    for (int i = 0; i < MOST; i++) {
      const int64_t m = first_m + i * (WORKERS / VECTORS);
      if (i * WORKERS + (int32_t)threadIdx.x < count && m < p.m && n < p.n)
        held[i] = *reinterpret_cast<const word4 *>(residual + m * p.residual_row + n);
    }

  float sum[1][TILE_N / 2];
#pragma unroll
  for (int i = 0; i < TILE_N / 2; i++) sum[0][i] = 0; /* a block may have no slice */
  int32_t stage = 0, before = 0;
  uint32_t parity = 0;
  for (int32_t slice = from; slice < to; slice++) {
    mbarrier_wait(&b->full[stage], parity);
    wgmma_fence();
    multiply_slice<1>(sum, stages + stage * STAGE_BYTES, threadIdx.x / 128 * 64, false);
    wgmma_commit();
    wgmma_wait<1>();
    if (slice > from && lane == 0) mbarrier_arrive(&b->empty[before]);
    before = stage;
    if (++stage == STAGES) stage = 0, parity ^= 1;
  }
  wgmma_wait<0>();
  wgmma_hold(sum[0]);

  if (blocks > 1) cluster_wait(); /* the others have begun: their barriers are there */
#pragma unroll
  for (int h = 0; h < 2; h++) { /* rows to their owners */
    const int32_t row = threadIdx.x / 32 * 16 + lane / 4 + 8 * h, owner = row / rows;
    float *at = sums + (rank * rows + row % rows) * PITCH + lane % 4 * 2;
    if (owner == rank) {
#pragma unroll
      for (int j = 0; j < TILE_N / 8; j++) store(at + 8 * j, vec<float, 2>{{sum[0][4 * j + 2 * h], sum[0][4 * j + 2 * h + 1]}});
    } else {
#pragma unroll
      for (int j = 0; j < TILE_N / 8; j++) store_at(at + 8 * j, &b->summed, owner, sum[0][4 * j + 2 * h], sum[0][4 * j + 2 * h + 1]);
    }
  }
  barrier_sync(1, WORKERS);
  if (blocks > 1) mbarrier_wait(&b->summed, 0);

  ELEMENT *out = static_cast<ELEMENT *>(p.out_data) + t.batch0 * p.out_batch[0] + t.batch1 * p.out_batch[1];
#pragma unroll
  for (int i = 0; i < MOST; i++) {
    const int64_t m = first_m + i * (WORKERS / VECTORS);
    if (i * WORKERS + (int32_t)threadIdx.x >= count || m >= p.m || n >= p.n) continue;
    const float *from_sums = sums + (line + i * (WORKERS / VECTORS)) * PITCH + threadIdx.x % VECTORS * 8;
    float x[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int32_t block = 0; block < blocks; block++, from_sums += rows * PITCH) {
      const vec<float, 4> low = load<4>(from_sums), high = load<4>(from_sums + 4);
#pragma unroll
      for (int j = 0; j < 4; j++) x[j] += low[j], x[4 + j] += high[j];
    }
#pragma unroll
    for (int j = 0; j < 8; j++) x[j] = p.alpha * x[j] + bias[j];
    if (!p.direct) {
      if (p.has_residual) {
        const uint32_t word[4] = {held[i].x, held[i].y, held[i].z, held[i].w};
#pragma unroll
        for (int j = 0; j < 8; j++) x[j] += to_float(ELEMENT{(uint16_t)(word[j / 2] >> j % 2 * 16)});
      }
      *reinterpret_cast<word4 *>(out + row_of(p, m) + n) =
        word4{finish_pair(p, x[0], x[1]), finish_pair(p, x[2], x[3]), finish_pair(p, x[4], x[5]), finish_pair(p, x[6], x[7])};
    } else {
#pragma unroll
      for (int j = 0; j < 8; j++) {
        if (n + j >= p.n) continue;
        if (p.has_residual) x[j] += to_float(residual[m * p.residual_row + n + j]);
        out[row_of(p, m) + n + j] = from_float<ELEMENT>(finish_act(p, x[j]));
      }
    }
  }
}

KERNEL(product_split, ingot__product, THREADS, 1) {
  SHARED(unsigned char, stages);
  barriers *b = reinterpret_cast<barriers *>(stages + STAGES * STAGE_BYTES + TILE_M * PITCH * 4);
  const int32_t blocks = p.splits, rank = blocks > 1 ? (int32_t)cluster_rank() : 0;
  const int32_t from = p.slices * rank / blocks, to = p.slices * (rank + 1) / blocks;
  if (threadIdx.x == WORKERS) {
    for (int i = 0; i < STAGES; i++) {
      mbarrier_init(&b->full[i], 1);
      mbarrier_init(&b->empty[i], WORKERS / 32);
    }
    mbarrier_init(&b->summed, 1);
    mbarrier_ready();
    if (blocks > 1) mbarrier_expect(&b->summed, (blocks - 1) * (TILE_M / blocks) * TILE_N * 4);
  }
  __syncthreads();
  if (blocks > 1) cluster_arrive();
  grid_launch();
  const tile t = tile_at(p, blockIdx.x / blocks, 0);
  if (threadIdx.x >= WORKERS) {
    if (threadIdx.x == WORKERS) move_slices(p, stages, b, t, from, to);
    __syncwarp();
    if (blocks > 1) cluster_wait();
  } else {
    multiply(p, stages, b, t, from, to, rank, blocks);
  }
}
