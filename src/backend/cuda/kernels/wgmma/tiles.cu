/* Products in large tiles (sm_90a): blocks stay and go from tile to tile. One thread brings slices of A and B into a ring of stages by the tensor
 * copy engine; CONSUMERS warpgroups multiply them and finish: bias, residual, activation. Results leave through shared memory in chunks of
 * 64 x CHUNK_N, and residuals come the same way: a warp for each warpgroup moves them ahead and behind, so that the warpgroups themselves touch
 * nothing but shared memory. Loads for the next tile go on meanwhile.
 *
 * The warpgroups share a tile, each has its rows; or, with TURNS, each has tiles of its own, and they multiply in turn: while one has the tensor
 * cores, the other finishes its tile before. One alone keeps the tensor cores busy as long as it is ahead by a slice.
 *
 * Blocks may work in pairs (clusters of 2) on tiles that are neighbours along M (N): each brings half of B (of A) to both, which halves its way
 * from the L2.
 *
 * Defined before: ELEMENT, TILE_M, TILE_N, CONSUMERS, TURNS, STAGES, CHUNKS (places for them, of a warpgroup), CHUNK_N (64 or 32), MIN_BLOCKS
 * (on a multiprocessor), SLICE, A_MN, B_MN, ACT. */
#include "ingot.cuh"
#include "wgmma/finish.cuh"
#include "wgmma/plain.cuh"
#include "wgmma/slices.cuh"

enum {
  ROWS = TURNS ? TILE_M : TILE_M / CONSUMERS, ROW_BLOCKS = ROWS / 64,  /* of a warpgroup */
  THREADS = CONSUMERS * 128 + 128,                    /* the last warpgroup moves data: warp 0 slices, warp 1 + i the chunks of warpgroup i */
  CHUNK_ROW = CHUNK_N * 2, CHUNK_BYTES = 64 * CHUNK_ROW, COLUMN_CHUNKS = TILE_N / CHUNK_N, TILE_CHUNKS = ROW_BLOCKS * COLUMN_CHUNKS,
  LAG = CHUNKS > 1 ? 1 : 0,                           /* stores that may still read when the next place is filled again */
  /* Registers of a moving and of a multiplying thread: together no more than what a block begins with, 65536 / MIN_BLOCKS / THREADS each
   * (rounded down to 8). The compiler counts whole warpgroups, so a lone moving warp would not leave more. */
  FEWER = 72, BEGIN = 65536 / MIN_BLOCKS / THREADS / 8 * 8, MORE = (BEGIN * (CONSUMERS + 1) - FEWER) / CONSUMERS / 8 * 8
};
typedef struct barriers {
  mbarrier full[STAGES], empty[STAGES];
  mbarrier ready[CONSUMERS][CHUNKS];                  /* a place holds its bias and its residual, if any, and may be written */
  mbarrier turn[CONSUMERS];                           /* TURNS: the warpgroup before has all its products of a tile under way */
  float bias[CONSUMERS][CHUNKS][CHUNK_N];
} barriers;
/* The barrier, by number, at which a warpgroup leaves results in a place to its moving warp. */
enum { HANDING = 160 };
DEVICE int done_in(int32_t group, int32_t place) { return 1 + group * CHUNKS + place; }

/* The tiles that a warpgroup goes through, and its first row in each. */
typedef struct course { int32_t first, step, row; } course;
DEVICE course course_of(int32_t group, int32_t first, int32_t step) {
  if (TURNS) return course{first + group * step, step * CONSUMERS, 0};
  return course{first, step, group * ROWS};
}

DEVICE void move_slices(const ingot__product &p, unsigned char *stages, barriers *b, int32_t first, int32_t step, int32_t rank) {
  int32_t stage = 0, early = 0;
  uint32_t parity = 1; /* the first time around stages are empty */
  tile t = tile_at(p, first, rank);
  tensor_prefetch_map(&p.a);
  if (p.b_constant) /* B's first slices don't depend on the kernels before */
    for (; early < STAGES && early < p.slices && first < p.tiles; early++) {
      mbarrier_expect(&b->full[early], STAGE_BYTES);
      load_b(p, stages + early * STAGE_BYTES, &b->full[early], t, early * 64, p.pair_n == 2 ? 1 : p.pair, rank);
    }
  grid_wait();
  for (int32_t index = first; index < p.tiles; index += step) {
    t = tile_at(p, index, rank);
    place at = place_at(p, t.m + (p.pair_n == 2 ? rank * (TILE_M / 2) : 0), 0);
    for (int32_t slice = 0; slice < p.slices; slice++) {
      unsigned char *to = stages + stage * STAGE_BYTES;
      if (early > 0) early--;
      else {
        mbarrier_wait(&b->empty[stage], parity);
        mbarrier_expect(&b->full[stage], STAGE_BYTES);
        load_b(p, to, &b->full[stage], t, slice * 64, p.pair_n == 2 ? 1 : p.pair, rank);
      }
      load_a(p, to, &b->full[stage], t, &at, p.pair_n, rank);
      if (++stage == STAGES) stage = 0, parity ^= 1;
    }
  }
}

/* A chunk among all that a warpgroup comes by. */
typedef struct cursor { int32_t index, chunk, place; tile t; } cursor;
DEVICE void cursor_next(const ingot__product &p, cursor *c, const course &way, int32_t rank) {
  if (++c->place == CHUNKS) c->place = 0;
  if (++c->chunk < TILE_CHUNKS) return;
  c->chunk = 0;
  c->index += way.step;
  if (c->index >= p.tiles) return;
  c->t = tile_at(p, c->index, rank);
  c->t.m += way.row;
}
DEVICE int32_t chunk_m(const cursor &c) { return c.t.m + c.chunk / COLUMN_CHUNKS * 64; }
DEVICE int32_t chunk_n(const cursor &c) { return c.t.n + c.chunk % COLUMN_CHUNKS * CHUNK_N; }
/* Rows of a chunk have their 16-byte pieces exchanged as the copy engine has it. */
DEVICE int32_t chunk_exchange(int32_t row) { return CHUNK_N == 64 ? row % 8 : row / 2 % 4; }

/* The way of elements one by one between a chunk and memory, for outputs and residuals that aren't aligned to 16 bytes. */
template <typename MOVE> DEVICE void each_element(const ingot__product &p, const cursor &c, unsigned char *chunk, MOVE move) {
  const int32_t columns = p.n - chunk_n(c) < CHUNK_N ? p.n - chunk_n(c) : CHUNK_N;
  const int64_t rows = p.m - chunk_m(c) < 64 ? p.m - chunk_m(c) : 64;
#pragma unroll 1
  for (int32_t row = 0; row < rows; row++)
#pragma unroll 1
    for (int32_t column = threadIdx.x % 32; column < columns; column += 32)
      move(reinterpret_cast<ELEMENT *>(chunk + row * CHUNK_ROW + (column / 8 ^ chunk_exchange(row)) * 16 + column % 8 * 2),
           (int64_t)chunk_m(c) + row, chunk_n(c) + column);
}

/* A lane's part of a chunk's bias. */
typedef struct biases { float x[CHUNK_N / 32]; } biases;
DEVICE biases biases_at(const ingot__product &p, const cursor &c) {
  biases mine;
#pragma unroll
  for (int i = 0; i < CHUNK_N / 32; i++) mine.x[i] = bias_of(p, chunk_n(c) + threadIdx.x % 32 + i * 32);
  return mine;
}

/* Makes a place ready for the chunk at the cursor. */
DEVICE void fill(const ingot__product &p, const cursor &c, const biases &bias, unsigned char *chunks, barriers *b, int32_t group) {
  const int32_t lane = threadIdx.x % 32;
  unsigned char *chunk = chunks + c.place * CHUNK_BYTES;
#pragma unroll
  for (int i = 0; i < CHUNK_N / 32; i++) b->bias[group][c.place][lane + i * 32] = bias.x[i];
  const int64_t batch = c.t.batch0 * p.residual_batch[0] + c.t.batch1 * p.residual_batch[1];
  if (p.has_residual && p.direct)
    each_element(p, c, chunk, [&](ELEMENT *at, int64_t y, int32_t x) {
      *at = static_cast<const ELEMENT *>(p.residual_data)[batch + y * p.residual_row + x];
    });
  mbarrier *ready = &b->ready[group][c.place];
  if (lane == 0 && p.has_residual && !p.direct) {
    mbarrier_expect(ready, CHUNK_BYTES);
    tensor_load(chunk, &p.residual, ready, chunk_n(c), chunk_m(c), c.t.batch0, c.t.batch1);
  } else {
    mbarrier_arrive(ready); /* each for what it has written */
  }
}

DEVICE void move_chunks(const ingot__product &p, unsigned char *stages, barriers *b, int32_t group, const course &way, int32_t rank) {
  unsigned char *chunks = stages + STAGES * STAGE_BYTES + group * (CHUNKS * CHUNK_BYTES);
  const bool leader = threadIdx.x % 32 == 0;
  cursor in = {way.first, 0, 0, tile_at(p, way.first, rank)}, out;
  in.t.m += way.row;
  out = in;
  grid_wait(); /* also before the first store */
#pragma unroll 1
  for (int i = 0; i < CHUNKS && in.index < p.tiles; i++) {
    fill(p, in, biases_at(p, in), chunks, b, group);
    cursor_next(p, &in, way, rank);
  }
  bool behind = LAG == 0;
  while (out.index < p.tiles) {
    unsigned char *chunk = chunks + out.place * CHUNK_BYTES;
    const biases bias = biases_at(p, in); /* asked for before there is a place for them */
    barrier_sync(done_in(group, out.place), HANDING);
    if (p.direct) {
      ELEMENT *to = static_cast<ELEMENT *>(p.out_data) + out.t.batch0 * p.out_batch[0] + out.t.batch1 * p.out_batch[1];
      each_element(p, out, chunk, [&](ELEMENT *at, int64_t y, int32_t x) { to[row_of(p, y) + x] = *at; });
      __syncwarp();
    } else if (leader) {
      const int32_t m = chunk_m(out), line = p.line ? m / p.line : 0;
      if (p.line) tensor_store(&p.out, chunk, chunk_n(out), m - line * p.line, line, out.t.batch0, out.t.batch1);
      else tensor_store(&p.out, chunk, chunk_n(out), m, out.t.batch0, out.t.batch1);
      tensor_store_commit();
      tensor_store_wait<LAG>(); /* one store behind: its place is filled again */
    }
    __syncwarp();
    if (behind && in.index < p.tiles) {
      fill(p, in, bias, chunks, b, group);
      cursor_next(p, &in, way, rank);
    }
    behind = true;
    cursor_next(p, &out, way, rank);
  }
  if (leader) tensor_store_wait<0>(); /* shared memory must outlive them */
}

/* A warp has read a stage: both blocks of a pair may fill theirs. */
DEVICE void leave(const ingot__product &p, mbarrier *empty, int32_t rank) {
  const int32_t lane = threadIdx.x % 32;
  if (lane >= p.pair) return;
  if (lane == rank) mbarrier_arrive(empty);
  else mbarrier_arrive_at(empty, lane);
}

/* Where in the ring a warpgroup reads. */
typedef struct spot { int32_t stage; uint32_t parity; } spot;
DEVICE void skip(spot *s, int32_t slices) {
  const int32_t to = s->stage + slices, rounds = to / STAGES;
  s->stage = to - rounds * STAGES;
  s->parity ^= rounds & 1;
}

DEVICE void multiply(const ingot__product &p, unsigned char *stages, barriers *b, int32_t group, const course &way, int32_t rank) {
  const int32_t lane = threadIdx.x % 32;
  unsigned char *chunks = stages + STAGES * STAGE_BYTES + group * (CHUNKS * CHUNK_BYTES);
  /* Where this lane's row of four 8 x 8 matrices is in a chunk. */
  const int32_t row = threadIdx.x % 128 / 32 * 16 + lane % 16, piece = lane / 16, exchange = chunk_exchange(row);
  int32_t at_chunk = 0;
  uint32_t chunk_parity = 0, turn = group == 0; /* the first turn is the first warpgroup's, without a word */
  spot at_slice = {0, 0};
  if (TURNS) skip(&at_slice, group * p.slices);
  float sum[ROW_BLOCKS][TILE_N / 2];

  for (int32_t index = way.first; index < p.tiles; index += way.step) {
    int32_t before = 0;
    if (TURNS) mbarrier_wait(&b->turn[group], turn), turn ^= 1;
    for (int32_t slice = 0; slice < p.slices; slice++) {
      mbarrier_wait(&b->full[at_slice.stage], at_slice.parity);
      wgmma_fence();
      multiply_slice<ROW_BLOCKS>(sum, stages + at_slice.stage * STAGE_BYTES, way.row, slice == 0);
      wgmma_commit();
      wgmma_wait<1>(); /* the slice before */
      if (slice > 0) leave(p, &b->empty[before], rank);
      before = at_slice.stage;
      if (++at_slice.stage == STAGES) at_slice.stage = 0, at_slice.parity ^= 1;
    }
    if (TURNS) { /* the last slice is still being multiplied: the next warpgroup's first comes right behind it */
      if (lane == 0) mbarrier_arrive(&b->turn[(group + 1) % CONSUMERS]);
      skip(&at_slice, (CONSUMERS - 1) * p.slices);
    }
    wgmma_wait<0>();
    leave(p, &b->empty[before], rank);
#pragma unroll
    for (int i = 0; i < ROW_BLOCKS; i++) wgmma_hold(sum[i]);

#pragma unroll
    for (int c = 0; c < TILE_CHUNKS; c++) {
      unsigned char *chunk = chunks + at_chunk * CHUNK_BYTES;
      mbarrier_wait(&b->ready[group][at_chunk], chunk_parity);
#pragma unroll
      for (int j = 0; j < CHUNK_N / 16; j++) { /* 16 columns */
        const float *x = &sum[c / COLUMN_CHUNKS][c % COLUMN_CHUNKS * (CHUNK_N / 2) + j * 8];
        const float *bias = &b->bias[group][at_chunk][j * 16 + lane % 4 * 2];
        unsigned char *at = chunk + row * CHUNK_ROW + ((2 * j + piece) ^ exchange) * 16;
        uint32_t word[4];
        if (p.has_residual) matrices_load(at, word);
#pragma unroll
        for (int i = 0; i < 4; i++) { /* rows 0 to 7, 8 to 15, then 8 columns on */
          float low = p.alpha * x[2 * i] + bias[i / 2 * 8], high = p.alpha * x[2 * i + 1] + bias[i / 2 * 8 + 1];
          if (p.has_residual) low += to_float(ELEMENT{(uint16_t)word[i]}), high += to_float(ELEMENT{(uint16_t)(word[i] >> 16)});
          word[i] = finish_pair(p, low, high);
        }
        matrices_store(at, word);
      }
      async_fence();
      barrier_arrive(done_in(group, at_chunk), HANDING);
      if (++at_chunk == CHUNKS) at_chunk = 0, chunk_parity ^= 1;
    }
  }
}

KERNEL(product_tiles, ingot__product, THREADS, MIN_BLOCKS) {
  SHARED(unsigned char, stages);
  barriers *b = reinterpret_cast<barriers *>(stages + STAGES * STAGE_BYTES + CONSUMERS * CHUNKS * CHUNK_BYTES);
  const int32_t rank = p.pair == 2 ? (int32_t)cluster_rank() : 0, step = gridDim.x / p.pair, first = blockIdx.x / p.pair;
  const int32_t mover = (int32_t)(threadIdx.x / 32) - CONSUMERS * 4, group = mover < 0 ? threadIdx.x / 128 : mover - 1;
  if (threadIdx.x == CONSUMERS * 128) {
    for (int i = 0; i < STAGES; i++) {
      mbarrier_init(&b->full[i], 1);
      mbarrier_init(&b->empty[i], (TURNS ? 1 : CONSUMERS) * 4 * p.pair); /* each warp that multiplies it, of both blocks */
    }
    for (int i = 0; i < CONSUMERS * CHUNKS; i++) mbarrier_init(&b->ready[i / CHUNKS][i % CHUNKS], 32);
    for (int i = 0; i < CONSUMERS; i++) mbarrier_init(&b->turn[i], 4);
    mbarrier_ready();
  }
  if (p.pair == 2) cluster_arrive(), cluster_wait();
  __syncthreads();
  grid_launch();
  if (mover >= 0) {
    registers_fewer<FEWER>();
    if (mover == 0 && threadIdx.x % 32 == 0) move_slices(p, stages, b, first, step, rank);
    if (mover > 0 && mover <= CONSUMERS) move_chunks(p, stages, b, group, course_of(group, first, step), rank);
    __syncwarp();
  } else {
    registers_more<MORE>();
    multiply(p, stages, b, group, course_of(group, first, step), rank);
  }
  if (p.pair == 2) cluster_arrive(), cluster_wait(); /* the other may still arrive at this one's barriers */
}
