/* softmax(Q K^T * scale + mask) V in half or bfloat for many queries, by warpgroups (sm_90): each has 64 queries, and one or two of them share the
 * tiles of keys and values that a block brings into shared memory ahead of time. Scores, weights and sums stay in registers: the weights are where
 * the products with the values take them from.
 *
 * In shared memory queries, keys and values lie as the tensor copy engine would write them: panels of 64 features, rows of 128 bytes whose 16-byte
 * pieces are exchanged by the row (wgmma.cuh); strides are too free for that engine, so threads copy them.
 *
 * Defined before, beside attention.cuh's: STAGES, tiles of keys in shared memory; WIDTH is a multiple of 32. */
#include "attention/weigh.cuh"
#include "wgmma.cuh"

enum {
  ROWS = WARPS * 16, HEAD_PANELS = (HEAD + 63) / 64, PANEL = KEYS * 128, /* bytes of a panel of keys */
  VALUES = HEAD_PANELS * PANEL, TILE_BYTES = VALUES + (WIDTH + 63) / 64 * PANEL, QUERY_BYTES = ROWS * HEAD_PANELS * 128,
  MASKS = QUERY_BYTES + STAGES * TILE_BYTES, /* where masks of all queries lie, of a tile and the next */
  FEW = 16, /* the last tile's keys, where they are so few: a product of their own */
  BLOCKS = HEAD + WIDTH <= 128 ? 16 / WARPS : WARPS == 4 ? 2 : 1
};

/* LINES rows of FEATURES each into panels; zeros behind the first `have` rows and `columns`. A piece of 16 bytes at a time. */
DEVICE int panel_place(int lines, int row, int piece) { return piece / 8 * (lines * 128) + row * 128 + ((piece ^ row) % 8) * 16; }
template <int LINES, int FEATURES, typename FROM>
DEVICE void fetch_each(unsigned char *to, const attention_tensor &t, int have, int columns, FROM from) {
  enum { PIECES = FEATURES / 8 };
#pragma unroll 1
  for (int at = threadIdx.x; at < LINES * PIECES; at += THREADS) {
    const int row = at / PIECES, piece = at % PIECES;
    const bool there = row < have && piece * 8 < columns;
    TYPE *place = reinterpret_cast<TYPE *>(to + panel_place(LINES, row, piece));
    const TYPE *source = from(row < have ? row : 0);
    if (t.whole) copy_async16(place, there ? source + piece * 8 : static_cast<const TYPE *>(t.data), there ? 16 : 0);
    else fetch_elements(place, source, t, there, piece * 8, columns);
  }
}
/* The same of rows at a stride, LINES and then the next LINES. A thread has a column of pieces, if their number allows: then what is exchanged is the
 * same in all its rows. */
template <int LINES, int FEATURES> struct row_stream {
  enum { PIECES = FEATURES / 8, STEP = THREADS / PIECES, COLUMN = THREADS % PIECES == 0 && LINES % STEP == 0 && STEP % 8 == 0 };
  const TYPE *at; /* of this thread's next piece */
  int place;
  __device__ __forceinline__ void begin(const TYPE *from, const attention_tensor &t) {
    const int row = threadIdx.x / PIECES, piece = threadIdx.x % PIECES;
    at = from + row * t.row + piece * 8;
    place = panel_place(LINES, row, piece);
  }
  __device__ __forceinline__ void fetch(unsigned char *to, const attention_tensor &t, const TYPE *from, int row0, int have, int columns) {
    if (!COLUMN || !t.whole) {
      fetch_each<LINES, FEATURES>(to, t, have, columns, [&](int row) { return from + (row0 + row) * t.row; });
      return;
    }
    const int64_t step = STEP * t.row;
    int row = threadIdx.x / PIECES;
    if ((int)threadIdx.x % PIECES * 8 >= columns) have = 0;
#pragma unroll
    for (int i = 0; i < LINES / STEP; i++, row += STEP, at += step)
      copy_async16(to + place + i * STEP * 128, at, row < have ? 16 : 0);
  }
};
/* The tiles of a block, one after the other: keys and values. */
struct tile_stream {
  row_stream<KEYS, HEAD> keys;
  row_stream<KEYS, WIDTH> values;
  __device__ __forceinline__ void begin(const attention_params &p, const attention_block &b, int key) {
    keys.begin(b.k + key * p.k.row, p.k), values.begin(b.v + key * p.v.row, p.v);
  }
  __device__ __forceinline__ void fetch(unsigned char *stage, const attention_params &p, const attention_block &b, int key, int end) {
    keys.fetch(stage, p.k, b.k, key, end - key, p.head);
    values.fetch(stage + VALUES, p.v, b.v, key, end - key, b.columns);
  }
};

/* A thread's part of its warpgroup's 64 queries. */
struct group_state {
  query_state own[2];
  float out[WIDTH / 8][4];
};
/* The first COUNT keys of a tile. */
template <int COUNT>
DEVICE void take_keys(group_state &g, const attention_params &p, const attention_range &range, matrix queries, const unsigned char *stage, int key0,
                      const float *masks) {
  const matrix keys = matrix_at(stage, 128, 1024, 0), values = matrix_at(stage + VALUES, 128, 1024, PANEL);
  float score[COUNT / 8][4];
  wgmma_fence();
#pragma unroll
  for (int s = 0; s < HEAD / 16; s++)
    wgmma<TYPE, COUNT, 0, 0>(reinterpret_cast<float (&)[COUNT / 2]>(score), matrix_on(queries, s / 4 * (ROWS * 128) + s % 4 * 32),
                             matrix_on(keys, s / 4 * PANEL + s % 4 * 32), s > 0);
  wgmma_commit();
  wgmma_wait<0>();
  wgmma_hold(reinterpret_cast<float (&)[COUNT / 2]>(score));
  uint32_t weight[COUNT / 8][2];
  weigh_tile(p, range, g.own, g.out, score, weight, key0, masks);
  wgmma_fence();
#pragma unroll
  for (int s = 0; s < COUNT / 16; s++) {
    const uint32_t a[4] = {weight[s * 2][0], weight[s * 2][1], weight[s * 2 + 1][0], weight[s * 2 + 1][1]};
    wgmma_registers<TYPE, WIDTH, 1>(reinterpret_cast<float (&)[WIDTH / 2]>(g.out), a, matrix_on(values, s * 2048));
  }
  wgmma_commit();
  wgmma_wait<0>();
  wgmma_hold(reinterpret_cast<float (&)[WIDTH / 2]>(g.out));
}

KERNEL(attention_groups, attention_params, THREADS, BLOCKS) {
  SHARED(unsigned char, shared);
  const attention_block b = block_of<ROWS>(p);
  const int group = threadIdx.x / 128;
  grid_launch();
  grid_wait();

  const attention_window window = window_of(p, b.at.element);
  const attention_range range = range_of(p, b.at, window, b.row0, b.rows);
  row_stream<ROWS, HEAD> q;
  q.begin(b.q + b.row0 * p.q.row, p.q);
  if (p.rows == p.queries) q.fetch(shared, p.q, b.q, b.row0, b.rows, p.head);
  else fetch_each<ROWS, HEAD>(shared, p.q, b.rows, p.head, [&](int row) { return b.q + row_offset(p, p.q, b.row0 + row); });
  tile_stream coming;
  coming.begin(p, b, range.begin);
  group_state g;
#pragma unroll
  for (int i = 0; i < 2; i++) g.own[i] = state_of(p, b.at, window, b.row0 + threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + i * 8);
#pragma unroll
  for (int i = 0; i < WIDTH / 8; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) g.out[i][j] = 0;
  const matrix queries = matrix_at(shared + group * 64 * 128, 128, 1024, 0);
  /* Where all queries have the same masks a thread each brings one of a tile, by way of a register: they are in base 2 from there on. */
  const bool same = MASK && p.mask.row == 0 && p.mask.fold == 0, brings = same && threadIdx.x < KEYS;
  const query_state any = {0, 0, b.at.mask, 0, 0};
  float mask = 0;
  /* The first turns only fetch; the queries come with the first tile. */
#pragma unroll 1
  for (int t = 1 - STAGES; t < range.tiles; t++) {
    const int next = t + STAGES - 1, key0 = range.begin + t * KEYS, key = key0 + KEYS + (int)threadIdx.x;
    float *masks = reinterpret_cast<float *>(shared + MASKS) + t % 2 * KEYS;
    if (t >= 0) {
      copy_async_wait<STAGES - 2>();
      if (brings) masks[threadIdx.x] = mask;
      async_fence();
      __syncthreads();
    }
    if (brings && t >= -1) mask = key < range.end ? mask_at(p, any, key) : 0;
    if (next < range.tiles) coming.fetch(shared + QUERY_BYTES + next % STAGES * TILE_BYTES, p, b, range.begin + next * KEYS, range.end);
    copy_async_commit();
    if (t < 0 || group * 64 >= b.rows) continue;
    const unsigned char *stage = shared + QUERY_BYTES + t % STAGES * TILE_BYTES;
    if (range.end - key0 > FEW) take_keys<KEYS>(g, p, range, queries, stage, key0, same ? masks : nullptr);
    else take_keys<FEW>(g, p, range, queries, stage, key0, same ? masks : nullptr);
  }
  copy_async_wait<0>();
  write_rows<ROWS>(p, b, reinterpret_cast<TYPE *>(shared), g.own, g.out);
}
