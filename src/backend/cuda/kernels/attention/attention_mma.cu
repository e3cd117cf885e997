/* softmax(Q K^T * scale + mask) V in half or bfloat on tensor cores, scores and sums in float and never in memory.
 *
 * A warp has 16 queries. It goes over the keys in tiles that the block fetches into shared memory ahead of time, and keeps of each query the
 * greatest score so far, the sum of the weights and the weighted sum of the values, both relative to that greatest. Where queries are few,
 * warps share them and each takes its part of every tile; and where those are few, too, blocks take parts of the keys, which attention_join
 * puts together.
 *
 * Defined before, beside attention.cuh's: STAGES and FEW_STAGES, tiles of keys in shared memory. */
#include "attention/attention.cuh"
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

/* QUERY_WARPS x KEY_WARPS warps, and AHEAD tiles of keys. */
template <int QUERY_WARPS, int KEY_WARPS, int AHEAD> DEVICE void attend(const attention_params &p) {
  enum { ROWS = QUERY_WARPS * 16, OWN = KEYS / KEY_WARPS, TILES = OWN / 8, OUT = WIDTH / 8, STEPS = HEAD / 16 };
  static_assert(QUERY_WARPS * KEY_WARPS * 32 == THREADS && OWN % 16 == 0, "a warp's keys are a multiple of the product's depth");
  SHARED(TYPE, shared);
  TYPE *stages = shared + ROWS * (HEAD > WIDTH ? HEAD_LINE : WIDTH_LINE);
  grid_wait();
  grid_launch();
  const attention_place at = place_of(p);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, query_warp = warp / KEY_WARPS, key_warp = warp % KEY_WARPS;
  const int row0 = at.tile * ROWS, rows = p.rows - row0 < ROWS ? p.rows - row0 : ROWS, column0 = at.chunk * WIDTH;
  const int columns = p.width - column0 < WIDTH ? p.width - column0 : WIDTH;
  const TYPE *q = static_cast<const TYPE *>(p.q.data) + at.q;
  const TYPE *k = static_cast<const TYPE *>(p.k.data) + at.k, *v = static_cast<const TYPE *>(p.v.data) + at.v + column0 * p.v.column;

  const attention_window window = window_of(p, at.element);
  const attention_range range = range_of(p, at, window, row0, rows);
  fetch_queries<ROWS>(p, shared, q, row0, rows);
#pragma unroll
  for (int i = 0; i < AHEAD - 1; i++) {
    if (i < range.tiles) fetch_tile(p, stages + i * STAGE, k, v, range.begin + i * KEYS, range.end, columns);
    copy_async_commit();
  }

  query_state own[2];
#pragma unroll
  for (int i = 0; i < 2; i++) own[i] = state_of(p, at, window, row0 + query_warp * 16 + lane / 4 + i * 8);
  float out[OUT][4];
#pragma unroll
  for (int i = 0; i < OUT; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) out[i][j] = 0;
  uint32_t queries[KEEP_QUERIES ? STEPS : 1][4];
  const TYPE *query_lines = shared + (query_warp * 16 + lane % 16) * HEAD_LINE + lane / 16 * 8;
  const bool busy = query_warp * 16 < rows;

  for (int t = 0; t < range.tiles; t++) {
    copy_async_wait<AHEAD - 2>();
    __syncthreads();
    if (t + AHEAD - 1 < range.tiles) {
      fetch_tile(p, stages + (t + AHEAD - 1) % AHEAD * STAGE, k, v, range.begin + (t + AHEAD - 1) * KEYS, range.end, columns);
    }
    copy_async_commit();
    if (!busy) continue;
    if (KEEP_QUERIES && t == 0) {
#pragma unroll
      for (int s = 0; s < STEPS; s++) load_matrices(queries[KEEP_QUERIES ? s : 0], query_lines + s * 16);
    }
    const TYPE *keys = stages + t % AHEAD * STAGE + key_warp * OWN * HEAD_LINE, *values = stages + t % AHEAD * STAGE + KEYS * HEAD_LINE;
    values += key_warp * OWN * WIDTH_LINE;
    const int key0 = range.begin + t * KEYS + key_warp * OWN, left = range.end - key0;
    if (left <= 0) continue;

    float score[TILES][4];
#pragma unroll
    for (int i = 0; i < TILES; i++)
#pragma unroll
      for (int j = 0; j < 4; j++) score[i][j] = 0;
    if (left >= OWN) multiply_keys<false>(score, queries, query_lines, keys, left);
    else multiply_keys<true>(score, queries, query_lines, keys, left);

    const bool cut = key0 < range.seen_from || key0 + OWN > range.seen_to;
    float most[2] = {own[0].most, own[1].most};
#pragma unroll
    for (int i = 0; i < TILES; i++) {
#pragma unroll
      for (int j = 0; j < 4; j++) {
        const query_state &state = own[j / 2];
        const int key = key0 + i * 8 + lane % 4 * 2 + j % 2;
        float x = weighed(p, score[i][j]);
        if (cut && (key < state.begin || key >= state.end || key >= range.end)) x = -infinity();
        else x = masked(p, x, state, key);
        score[i][j] = x;
        most[j / 2] = fmaxf(most[j / 2], x);
      }
    }
    float base[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      most[i] = fmaxf(most[i], __shfl_xor_sync(FULL, most[i], 1));
      most[i] = fmaxf(most[i], __shfl_xor_sync(FULL, most[i], 2));
      base[i] = most[i] == -infinity() ? 0 : most[i];
      float keep = exp2_fast(own[i].most - base[i]);
      own[i].most = most[i];
      own[i].sum *= keep;
#pragma unroll
      for (int e = 0; e < OUT; e++) out[e][i * 2] *= keep, out[e][i * 2 + 1] *= keep;
    }
    uint32_t weight[TILES][2];
#pragma unroll
    for (int i = 0; i < TILES; i++) {
#pragma unroll
      for (int j = 0; j < 2; j++) {
        float a = exp2_fast(score[i][j * 2] - base[j]), b = exp2_fast(score[i][j * 2 + 1] - base[j]);
        own[j].sum += a + b;
        weight[i][j] = from_pair<TYPE>(a, b);
      }
    }
    if (left >= OWN) multiply_values<false>(out, weight, values, left);
    else multiply_values<true>(out, weight, values, left);
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
    own[i].sum += __shfl_xor_sync(FULL, own[i].sum, 1);
    own[i].sum += __shfl_xor_sync(FULL, own[i].sum, 2);
  }
  copy_async_wait<0>();

  TYPE *o = static_cast<TYPE *>(p.o.data) + at.o + column0 * p.o.column;
  if (KEY_WARPS == 1) {
    /* Through the queries' place, so that rows are written 16 bytes at a time. */
    TYPE *lines = shared + query_warp * 16 * WIDTH_LINE;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const float by = share_of(own[i].sum);
#pragma unroll
      for (int e = 0; e < OUT; e++) {
        uint32_t pair = from_pair<TYPE>(out[e][i * 2] * by, out[e][i * 2 + 1] * by);
        *reinterpret_cast<uint32_t *>(lines + (lane / 4 + i * 8) * WIDTH_LINE + e * 8 + lane % 4 * 2) = pair;
      }
    }
    __syncthreads();
    for (int piece = threadIdx.x; piece < ROWS * (WIDTH / 8); piece += THREADS) {
      int row = piece / (WIDTH / 8), column = piece % (WIDTH / 8) * 8;
      if (row >= rows || column >= columns) continue;
      TYPE *to = o + row_offset(p, p.o, row0 + row), *from = shared + row * WIDTH_LINE + column;
      if (p.o.whole) store(to + column, load<8>(from));
      else
        for (int c = 0; c < 8 && column + c < columns; c++) to[(column + c) * p.o.column] = from[c];
    }
    return;
  }

  /* The warps' parts, joined. The stages aren't needed any more. */
  float *sums = reinterpret_cast<float *>(shared), *parts = sums + THREADS / 32 * 32;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = lane / 4 + i * 8;
    if (lane % 4 == 0) sums[warp * 32 + row * 2] = own[i].most, sums[warp * 32 + row * 2 + 1] = own[i].sum;
#pragma unroll
    for (int e = 0; e < OUT; e++) {
      float *to = parts + (warp * 16 + row) * (WIDTH + 4) + e * 8 + lane % 4 * 2;
      to[0] = out[e][i * 2], to[1] = out[e][i * 2 + 1];
    }
  }
  __syncthreads();
  for (int piece = threadIdx.x; piece < ROWS * (WIDTH / 8); piece += THREADS) {
    const int row = piece / (WIDTH / 8), column = piece % (WIDTH / 8) * 8, first = row / 16 * KEY_WARPS;
    if (row >= rows || column >= columns) continue;
    float most = -infinity(), sum = 0, x[8] = {0, 0, 0, 0, 0, 0, 0, 0};
#pragma unroll
    for (int w = 0; w < KEY_WARPS; w++) most = fmaxf(most, sums[(first + w) * 32 + row % 16 * 2]);
#pragma unroll
    for (int w = 0; w < KEY_WARPS; w++) {
      const float *from = parts + ((first + w) * 16 + row % 16) * (WIDTH + 4) + column, *state = sums + (first + w) * 32 + row % 16 * 2;
      float by = exp2_fast(state[0] - (most == -infinity() ? 0 : most));
      sum += state[1] * by;
#pragma unroll
      for (int c = 0; c < 8; c++) x[c] += from[c] * by;
    }
    if (p.splits > 1) {
      const int64_t to = part_of(p, at, row0 + row);
      for (int c = 0; c < 8; c++) p.partial[to * (p.chunks * WIDTH) + column0 + column + c] = x[c];
      if (column == 0) p.sums[to * 2] = most, p.sums[to * 2 + 1] = sum; /* of all chunks the same */
      continue;
    }
    TYPE *to = o + row_offset(p, p.o, row0 + row);
    const float by = share_of(sum);
    vec<TYPE, 8> y;
#pragma unroll
    for (int c = 0; c < 8; c++) y[c] = from_float<TYPE>(x[c] * by);
    if (p.o.whole) store(to + column, y);
    else
      for (int c = 0; c < 8 && column + c < columns; c++) to[(column + c) * p.o.column] = y[c];
  }
}

/* 64 queries a block. */
KERNEL(attention_wide, attention_params, 128, HEAD + WIDTH <= 128 ? 3 : 2) { attend<4, 1, STAGES>(p); }
/* Few: 16 or 32. */
KERNEL(attention_few, attention_params, 128, HEAD + WIDTH <= 128 ? 3 : 2) { attend<64 / KEYS, KEYS / 16, FEW_STAGES>(p); }
