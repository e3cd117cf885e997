/* Products in small tiles (sm_90a), for when there are few of them and time is latency: a block a tile, or a cluster of 2, 4 or 8 blocks that
 * share the slices of K. One warp loads, one warpgroup for each 64 rows multiplies. Then each block owns some of the tile's rows: it gets the
 * others' sums for them through the cluster's shared memory, adds them up, and finishes the rows: bias, residual, activation, 16 bytes a thread.
 *
 * All of the code runs once, or a few times, and is fetched while the block waits: what isn't the inner loop stays rolled.
 *
 * Defined before: ELEMENT, TILE_M (64 or 128), TILE_N (a multiple of 32; with B_MN of 64), STAGES, SLICE, A_MN, B_MN, ACT. */
#include "ingot.cuh"
#include "wgmma/finish.cuh"
#include "wgmma/plain.cuh"
#include "wgmma/slices.cuh"

enum {
  WORKERS = TILE_M / 64 * 128, THREADS = WORKERS + 32, /* the last warp loads */
  PITCH = TILE_N + 8,               /* of rows of sums, in floats: two wavefronts a store of pairs */
  VECTORS = TILE_N / 8,             /* of a row */
  STEP = WORKERS / VECTORS          /* rows that are finished at once; of 96 columns by all threads but four */
};
typedef struct barriers { mbarrier full[STAGES], empty[STAGES], summed; } barriers;

DEVICE void move_slices(const ingot__product &p, unsigned char *stages, barriers *b, const tile &t, int32_t from, int32_t to) {
  int32_t early = 0, stage = 0;
  uint32_t parity = 1;
  tensor_prefetch_map(&p.b);
  tensor_prefetch_map(&p.a);
  if (p.b_constant) /* B doesn't depend on the kernels before */
#pragma unroll 1
    for (; early < STAGES && early < to - from; early++) {
      mbarrier_expect(&b->full[early], STAGE_BYTES);
      load_b(p, stages + early * STAGE_BYTES, &b->full[early], t, (from + early) * 64, 1, 0);
    }
  place at = place_at(p, t.m, from);
  grid_wait();
#pragma unroll 1
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

/* A vector of the result: what all blocks have found of it. */
DEVICE void add_up(float (&x)[8], const float *from, int32_t blocks, int32_t pitch) {
#pragma unroll
  for (int j = 0; j < 8; j++) x[j] = 0;
#pragma unroll 2
  for (int32_t block = 0; block < blocks; block++, from += pitch) {
    const vec<float, 4> low = load<4>(from), high = load<4>(from + 4);
#pragma unroll
    for (int j = 0; j < 4; j++) x[j] += low[j], x[4 + j] += high[j];
  }
}

/* The rows that this block owns, of which a thread has vectors of the same 8 columns, STEP rows apart. */
typedef struct finisher {
  int32_t n, line, rows;        /* its first column; its first row of the `rows` */
  int64_t m;                    /* that row of all */
  float bias[8];
  const ELEMENT *residual;      /* there */
  ELEMENT *out;                 /* where the tile's batch begins */
  word4 held[2];                /* residuals, fetched two vectors ahead */
} finisher;
DEVICE word4 fetch(const ingot__product &p, const finisher &f, int32_t row) { /* from its first on */
  const bool there = p.has_residual && !p.direct && f.n < p.n && f.line + row < f.rows && f.m + row < p.m;
  return there ? *reinterpret_cast<const word4 *>(f.residual + row * p.residual_row) : word4{0, 0, 0, 0};
}
DEVICE void begin(const ingot__product &p, finisher &f, const tile &t, int32_t rank, int32_t rows) {
  f.n = t.n + threadIdx.x % VECTORS * 8, f.line = threadIdx.x / VECTORS, f.rows = rows;
  f.m = f.line < STEP ? (int64_t)t.m + rank * rows + f.line : p.m;
  f.residual = static_cast<const ELEMENT *>(p.residual_data) + t.batch0 * p.residual_batch[0] + t.batch1 * p.residual_batch[1] +
               f.m * p.residual_row + f.n;
  f.out = static_cast<ELEMENT *>(p.out_data) + t.batch0 * p.out_batch[0] + t.batch1 * p.out_batch[1];
  if (!p.b_constant) grid_wait();
  biases_of(p, f.n, f.bias);
  grid_wait();
  f.held[0] = fetch(p, f, 0), f.held[1] = fetch(p, f, STEP);
}

DEVICE void finish(const ingot__product &p, finisher &f, float *sums, int32_t blocks) {
  float *from = sums + f.line * PITCH + threadIdx.x % VECTORS * 8;
#pragma unroll 1
  for (int32_t row = 0; f.line + row < f.rows && f.m + row < p.m && f.n < p.n; row += STEP, from += STEP * PITCH) {
    ELEMENT *to = f.out + row_of(p, f.m + row) + f.n;
    float x[8];
    add_up(x, from, blocks, f.rows * PITCH);
#pragma unroll
    for (int j = 0; j < 8; j++) x[j] = p.alpha * x[j] + f.bias[j];
    if (p.direct) { /* element by element, through this thread's own place */
#pragma unroll
      for (int j = 0; j < 8; j++) from[j] = x[j];
#pragma unroll 1
      for (int j = 0; j < 8 && f.n + j < p.n; j++) {
        const float added = p.has_residual ? to_float(f.residual[row * p.residual_row + j]) : 0;
        to[j] = from_float<ELEMENT>(finish_act(p, from[j] + added));
      }
      continue;
    }
    if (p.has_residual) {
      const uint32_t word[4] = {f.held[0].x, f.held[0].y, f.held[0].z, f.held[0].w};
#pragma unroll
      for (int j = 0; j < 8; j++) x[j] += to_float(ELEMENT{(uint16_t)(word[j / 2] >> j % 2 * 16)});
      f.held[0] = f.held[1], f.held[1] = fetch(p, f, row + 2 * STEP);
    }
    *reinterpret_cast<word4 *>(to) =
      word4{finish_pair(p, x[0], x[1]), finish_pair(p, x[2], x[3]), finish_pair(p, x[4], x[5]), finish_pair(p, x[6], x[7])};
  }
}

DEVICE void multiply(const ingot__product &p, unsigned char *stages, barriers *b, const tile &t, int32_t from, int32_t to, int32_t rank,
                     int32_t blocks) {
  const int32_t lane = threadIdx.x % 32, rows = TILE_M / blocks;
  float *sums = reinterpret_cast<float *>(stages + STAGES * STAGE_BYTES);
  finisher f;
  begin(p, f, t, rank, rows);

  float sum[1][TILE_N / 2];
#pragma unroll
  for (int i = 0; i < TILE_N / 2; i++) sum[0][i] = 0; /* a block may have no slice */
  int32_t stage = 0, before = 0;
  uint32_t parity = 0;
#pragma unroll 1
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
    const int32_t row = threadIdx.x / 32 * 16 + lane / 4 + 8 * h, owner = row * blocks / TILE_M;
    float *at = sums + (rank * rows + row - owner * rows) * PITCH + lane % 4 * 2;
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
  finish(p, f, sums, blocks);
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
