/* softmax(Q K^T * scale + mask) V in half or bfloat on tensor cores, scores and sums in float and never in memory.
 *
 * A warp has 16 queries. It goes over the keys in tiles in shared memory, fetched there ahead of time, and keeps of each query the greatest score
 * so far, the sum of the weights and the weighted sum of the values, both relative to that greatest. Many queries: a block has 64 of them, and
 * its warps share the tiles. Few: its warps, four or eight, have the same 16 queries, and each fetches and takes every fourth (eighth) tile, without
 * waiting for the others before the end, when what they have is joined; where even those blocks are few, they take parts of the keys, which
 * attention_join puts together.
 *
 * Defined before, beside attention.cuh's: STAGES, tiles of keys in shared memory where warps share them. */
#include "attention/join.cuh"
#include "attention/weigh.cuh"
#include "mma.cuh"

enum { KEEP_QUERIES = HEAD <= 128 }; /* in registers */

/* score += queries keys^T, and out += weights values, of a warp's keys; PART: only the first `left` of them are there. */
template <bool PART, int TILES, int KEPT>
DEVICE void multiply_keys(float (&score)[TILES][4], uint32_t (&queries)[KEPT][4], const TYPE *query_lines, const TYPE *keys, int left) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int s = 0; s < HEAD / 16; s++) {
    if (!KEEP_QUERIES) load_matrices(queries[0], query_lines + s * 16);
#pragma unroll
    for (int i = 0; i < TILES; i += 2) {
      if (PART && i * 8 >= left) break;
      uint32_t b[4];
      load_matrices(b, keys + (i * 8 + lane / 16 * 8 + lane % 8) * HEAD_LINE + s * 16 + lane / 8 % 2 * 8);
      mma(score[i], queries[KEEP_QUERIES ? s : 0], b, TYPE());
      mma(score[i + 1], queries[KEEP_QUERIES ? s : 0], b + 2, TYPE());
    }
  }
}
template <bool PART, int TILES, int OUT>
DEVICE void multiply_values(float (&out)[OUT][4], const uint32_t (&weight)[TILES][2], const TYPE *values, int left) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < TILES; i += 2) {
    if (PART && i * 8 >= left) break;
    const uint32_t a[4] = {weight[i][0], weight[i][1], weight[i + 1][0], weight[i + 1][1]};
#pragma unroll
    for (int e = 0; e < OUT; e += 2) {
      uint32_t b[4];
      load_matrices_transposed(b, values + (i * 8 + lane % 16) * WIDTH_LINE + e * 8 + lane / 16 * 8);
      mma(out[e], a, b, TYPE());
      mma(out[e + 1], a, b + 2, TYPE());
    }
  }
}

/* A warp's 16 queries, and what it has found of them. */
struct warp_state {
  query_state own[2];        /* of rows lane / 4 and 8 on */
  float out[WIDTH / 8][4];
  uint32_t queries[KEEP_QUERIES ? HEAD / 16 : 1][4];
  const TYPE *query_lines;   /* this lane's, for load_matrices */
};
DEVICE void begin(warp_state &w, const attention_params &p, const attention_place &at, const attention_window &window, const TYPE *lines, int row) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < 2; i++) w.own[i] = state_of(p, at, window, row + lane / 4 + i * 8);
#pragma unroll
  for (int i = 0; i < WIDTH / 8; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) w.out[i][j] = 0;
  w.query_lines = lines + lane % 16 * HEAD_LINE + lane / 16 * 8;
}
DEVICE void keep_queries(warp_state &w) {
#pragma unroll
  for (int s = 0; s < HEAD / 16 && KEEP_QUERIES; s++) load_matrices(w.queries[KEEP_QUERIES ? s : 0], w.query_lines + s * 16);
}

/* Takes a tile of KEYS keys, of which the first is key0. TWICE: has code for tiles that are there whole and for others. */
template <bool TWICE> DEVICE void take_tile(warp_state &w, const attention_params &p, const attention_range &range, const TYPE *stage, int key0) {
  enum { TILES = KEYS / 8, OUT = WIDTH / 8 };
  const TYPE *keys = stage, *values = stage + KEYS * HEAD_LINE;
  const int left = range.end - key0;
  float score[TILES][4];
#pragma unroll
  for (int i = 0; i < TILES; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) score[i][j] = 0;
  if (TWICE && left >= KEYS) multiply_keys<false>(score, w.queries, w.query_lines, keys, left);
  else multiply_keys<true>(score, w.queries, w.query_lines, keys, left);

  uint32_t weight[TILES][2];
  weigh_tile(p, range, w.own, w.out, score, weight, key0, nullptr);
  if (TWICE && left >= KEYS) multiply_values<false>(w.out, weight, values, left);
  else multiply_values<true>(w.out, weight, values, left);
}

#if WARPS == 4
/* 64 queries a block. */
KERNEL(attention_wide, attention_params, THREADS, HEAD + WIDTH <= 128 ? 3 : 2) {
  enum { ROWS = 64 };
  SHARED(TYPE, shared);
  TYPE *stages = shared + ROWS * (HEAD > WIDTH ? HEAD_LINE : WIDTH_LINE);
  const attention_block block = block_of<ROWS>(p);
  const auto [at, row0, rows, column0, columns, q, k, v] = block;
  const int warp = threadIdx.x / 32;
  grid_launch();
  grid_wait();

  const attention_window window = window_of(p, at.element);
  const attention_range range = range_of(p, at, window, row0, rows);
  fetch_queries<ROWS>(p, shared, q, row0, rows);
#pragma unroll 1
  for (int i = 0; i < STAGES - 1; i++) {
    if (i < range.tiles) fetch_tile<THREADS>(p, stages + i * STAGE, k, v, range.begin + i * KEYS, range.end, columns, threadIdx.x);
    copy_async_commit();
  }
  warp_state w;
  begin(w, p, at, window, shared + warp * 16 * HEAD_LINE, row0 + warp * 16);
  const bool busy = warp * 16 < rows;
  for (int t = 0; t < range.tiles; t++) {
    copy_async_wait<STAGES - 2>();
    __syncthreads();
    if (t + STAGES - 1 < range.tiles)
      fetch_tile<THREADS>(p, stages + (t + STAGES - 1) % STAGES * STAGE, k, v, range.begin + (t + STAGES - 1) * KEYS, range.end, columns,
                          threadIdx.x);
    copy_async_commit();
    if (!busy) continue;
    if (t == 0) keep_queries(w);
    take_tile<true>(w, p, range, stages + t % STAGES * STAGE, range.begin + t * KEYS);
  }
  copy_async_wait<0>();
  write_rows<ROWS>(p, block, shared, w.own, w.out);
}

#endif

/* A row's sums of all warps at a column: they are relative to each warp's greatest score, and here to the greatest of all. */
struct joined { float most, sum, by[WARPS]; };
DEVICE joined join_states(const float *sums, int row, int rows) {
  joined j;
  j.most = -infinity(), j.sum = 0;
#pragma unroll
  for (int i = 0; i < WARPS; i++) j.most = fmaxf(j.most, sums[(i * rows + row) * 2]);
#pragma unroll
  for (int i = 0; i < WARPS; i++) {
    const float *state = sums + (i * rows + row) * 2;
    j.by[i] = exp2_fast(state[0] - (j.most == -infinity() ? 0 : j.most));
    j.sum += state[1] * j.by[i];
  }
  return j;
}

/* 16 queries a block. Each warp has a ring of its own of p.ring tiles, one or two. */
KERNEL(attention_few, attention_params, THREADS, HEAD + WIDTH <= 128 ? 2 + (WARPS == 4) : 1 + (WARPS == 4)) {
  enum { ROWS = 16, OUT = WIDTH / 8, PART = WIDTH + 8 /* floats of a row of sums: the banks of four rows differ */ };
  SHARED(TYPE, shared);
  const auto [at, row0, rows, column0, columns, q, k, v] = block_of<ROWS>(p);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  TYPE *stages = shared + ROWS * (HEAD > WIDTH ? HEAD_LINE : WIDTH_LINE) + warp * p.ring * STAGE;
  grid_launch();
  if (p.lengths || p.offsets) grid_wait();
  const attention_window window = window_of(p, at.element);
  const attention_range range = range_of(p, at, window, row0, rows);
  warp_state w;
  begin(w, p, at, window, shared, row0);
  grid_wait();
  fetch_queries<ROWS>(p, shared, q, row0, rows);
  copy_async_commit();
  /* Two turns fetch (one, if the ring is one), each further one takes a tile and fetches into its place; the first of these waits for the queries. */
  const int tiles = range.tiles > warp ? (range.tiles - warp + WARPS - 1) / WARPS : 0;
#pragma unroll 1
  for (int i = -p.ring; i == 0 || i < tiles; i++) {
    const int slot = p.ring == 2 ? i & 1 : 0, next = i + p.ring;
    if (i >= 0) {
      if (p.ring == 2) copy_async_wait<1>();
      else copy_async_wait<0>();
      if (i == 0) {
        __syncthreads();
        keep_queries(w);
      }
      __syncwarp();
      if (i < tiles) take_tile<false>(w, p, range, stages + slot * STAGE, range.begin + (warp + i * WARPS) * KEYS);
      __syncwarp();
    }
    if (next < tiles) fetch_tile<32>(p, stages + slot * STAGE, k, v, range.begin + (warp + next * WARPS) * KEYS, range.end, columns, lane);
    copy_async_commit();
  }
  sum_rows(w.own);
  copy_async_wait<0>();

  /* The warps' parts, joined. The stages aren't needed any more. */
  float *sums = reinterpret_cast<float *>(shared), *parts = sums + WARPS * ROWS * 2;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = lane / 4 + i * 8;
    if (lane % 4 == 0) sums[(warp * ROWS + row) * 2] = w.own[i].most, sums[(warp * ROWS + row) * 2 + 1] = w.own[i].sum;
#pragma unroll
    for (int e = 0; e < OUT; e++)
      store(parts + (warp * ROWS + row) * PART + e * 8 + lane % 4 * 2, vec<float, 2>{{w.out[e][i * 2], w.out[e][i * 2 + 1]}});
  }
  __syncthreads();
  TYPE *o = static_cast<TYPE *>(p.o.data) + at.o + column0 * p.o.column;
#pragma unroll 1
  for (int piece = threadIdx.x; piece < ROWS * (WIDTH / 4); piece += THREADS) {
    const int row = piece / (WIDTH / 4), column = piece % (WIDTH / 4) * 4;
    if (row >= rows || column >= columns) continue;
    const joined j = join_states(sums, row, ROWS);
    vec<float, 4> x = {{0, 0, 0, 0}};
#pragma unroll
    for (int i = 0; i < WARPS; i++) {
      const vec<float, 4> part = load<4>(parts + (i * ROWS + row) * PART + column);
#pragma unroll
      for (int c = 0; c < 4; c++) x[c] += part[c] * j.by[i];
    }
    if (p.splits > 1) {
      const int64_t to = part_of(p, at, row0 + row);
      store(p.partial + to * (p.chunks * WIDTH) + column0 + column, x);
      if (column == 0) p.sums[to * 2] = j.most, p.sums[to * 2 + 1] = j.sum; /* of all chunks the same */
      continue;
    }
    TYPE *to = o + row_offset(p, p.o, row0 + row);
    const float by = share_of(j.sum);
    vec<TYPE, 4> y;
#pragma unroll
    for (int c = 0; c < 4; c++) y[c] = from_float<TYPE>(x[c] * by);
    if (p.o.whole) store(to + column, y);
    else
#pragma unroll
      for (int c = 0; c < 4; c++)
        if (column + c < columns) to[(column + c) * p.o.column] = y[c];
  }
}
