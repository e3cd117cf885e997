/* What the attention kernels share: where a block's heads and rows lie, which keys a query sees, and tiles in shared memory.
 *
 * Defined before: TYPE, of the tensors; WARPS of a block, 4 or 8; HEAD and WIDTH, features of K and V rounded up to 16; KEYS of a tile; MASK 0
 * none, 1 of TYPE, 2 of bools, 3 of float; CAPPED; WINDOWED: queries see different keys, apart from the mask. Scores are in base 2: their factor
 * has log2(e) in it. */
#pragma once
#include "ingot.cuh"
#include "attention/attention.h"
#include "copy_async.cuh"

/* 16 bytes more than its features: eight rows' pieces of 16 bytes then lie in different banks. */
enum {
  THREADS = WARPS * 32, PIECE = 16 / sizeof(TYPE), HEAD_LINE = HEAD + PIECE, WIDTH_LINE = WIDTH + PIECE, STAGE = KEYS * (HEAD_LINE + WIDTH_LINE)
};

DEVICE float infinity() { return bits_float(0x7f800000u); }

/* Which part of the work a block has: consecutive blocks share heads, and so keys and values in the L2 cache. */
struct attention_place {
  int tile, chunk, split, batch;
  int64_t q, k, v, o, mask;  /* where the heads begin */
  int element;               /* of the batch */
};
/* The last digit of a number, which is taken off it. A division is a hundred cycles that all that follows waits for: most have a digit of 1. */
DEVICE unsigned take_digit(unsigned &number, int digits) {
  if (digits == 1) return 0;
  const unsigned rest = number / (unsigned)digits, digit = number - rest * (unsigned)digits;
  number = rest;
  return digit;
}
DEVICE attention_place place_of(const attention_params &p) {
  attention_place at;
  unsigned index = blockIdx.x;
  at.tile = (int)take_digit(index, p.tiles);
  if (p.causal) at.tile = p.tiles - 1 - at.tile; /* the most keys first */
  at.chunk = (int)take_digit(index, p.chunks);
  at.split = (int)take_digit(index, p.splits);
  at.batch = (int)index;
  at.element = p.lengths || p.offsets ? at.batch / p.per_element : 0;
  at.q = at.k = at.v = at.o = at.mask = 0;
#pragma unroll 1
  for (int i = p.lead - 1; i >= 0; i--) {
    const int64_t x = i ? take_digit(index, p.dim[i]) : index;
    at.q += x * p.q.lead[i], at.k += x * p.k.lead[i], at.v += x * p.v.lead[i], at.o += x * p.o.lead[i], at.mask += x * p.mask.lead[i];
  }
  return at;
}
DEVICE int64_t row_offset(const attention_params &p, const attention_tensor &t, int row) {
  if (p.rows == p.queries) return row * t.row;
  return row / p.queries * t.fold + row % p.queries * t.row;
}

DEVICE int64_t count_of(const void *counts, int bytes, int each, int element, int64_t absent) {
  if (!counts) return absent;
  int64_t i = each ? element : 0, n = bytes == 8 ? static_cast<const int64_t *>(counts)[i] : static_cast<const int32_t *>(counts)[i];
  const int64_t most = (int64_t)1 << 40;
  return n > most ? most : n < -most ? -most : n;
}

/* Keys [begin, end) that a query may see, but for the mask. */
struct attention_window {
  int64_t keys, offset;
};
DEVICE attention_window window_of(const attention_params &p, int element) {
  attention_window w = {p.keys, 0};
  if (!WINDOWED) return w;
  w.keys = count_of(p.lengths, p.lengths_bytes, p.lengths_each, element, p.keys);
  w.keys = w.keys > p.keys ? p.keys : w.keys < 0 ? 0 : w.keys;
  w.offset = count_of(p.offsets, p.offsets_bytes, p.offsets_each, element, 0);
  return w;
}
DEVICE int end_of(const attention_params &p, const attention_window &w, int query) {
  if (!WINDOWED) return p.keys;
  int64_t at = w.offset + query, end = w.keys;
  if (p.causal && at < end) end = at + 1;
  if (p.right >= 0 && at + p.right < end) end = at + p.right + 1;
  return (int)(end < 0 ? 0 : end);
}
DEVICE int begin_of(const attention_params &p, const attention_window &w, int query) {
  if (!WINDOWED) return 0;
  int64_t at = w.offset + query - p.left;
  return p.left >= 0 && at > 0 ? (int)(at < w.keys ? at : w.keys) : 0;
}

/* What a query sees, and how far it is: the greatest score and the sum of the weights relative to it. */
struct query_state {
  int begin, end;            /* keys; none for rows past the last */
  int64_t mask;
  float most, sum;
};
DEVICE query_state state_of(const attention_params &p, const attention_place &at, const attention_window &w, int row) {
  query_state q;
  const int query = p.rows == p.queries ? row : row % p.queries;
  q.begin = begin_of(p, w, query), q.end = !WINDOWED || row < p.rows ? end_of(p, w, query) : 0;
  q.mask = row < p.rows && MASK ? at.mask + row_offset(p, p.mask, row) : 0;
  q.most = -infinity(), q.sum = 0;
  return q;
}
DEVICE float weighed(const attention_params &p, float score) {
#if CAPPED
  return p.cap * tanhf(score * p.cap_scale);
#else
  return score * p.scale;
#endif
}
/* A mask's number in base 2. Large ones are finite still: all alike they let all through. */
DEVICE float mask_power(float m) { return m == -infinity() ? m : 1.4426950408889634f * maximum(m, -2e38f); }
/* What the mask has for a query and a key, and a score with it. */
DEVICE float mask_at(const attention_params &p, const query_state &q, int key) {
#if MASK == 1
  return mask_power(to_float(static_cast<const TYPE *>(p.mask.data)[q.mask + key * p.mask.column]));
#elif MASK == 2
  return static_cast<const uint8_t *>(p.mask.data)[q.mask + key * p.mask.column] ? 0 : -infinity();
#elif MASK == 3
  return mask_power(static_cast<const float *>(p.mask.data)[q.mask + key * p.mask.column]);
#else
  return 0;
#endif
}
DEVICE float masked(float score, float m) { return MASK == 2 ? (m == 0 ? score : m) : MASK ? score + m : score; }
/* 1 / the sum of the weights; 0 where no key took part. */
DEVICE float share_of(float sum) { return sum > 0 || sum != sum ? 1 / sum : 0; }

/* The keys that a block goes over: tiles from `begin`, of which [seen_from, seen_to) every one of its queries sees. */
struct attention_range {
  int begin, end, tiles, seen_from, seen_to;
};
DEVICE attention_range range_of(const attention_params &p, const attention_place &at, const attention_window &w, int row, int rows) {
  attention_range r;
  const bool folds = p.rows != p.queries; /* rows of several heads: of any query */
  const int first = folds ? 0 : row, last = folds ? p.queries - 1 : row + rows - 1; /* both ends grow from a query to the next */
  r.begin = begin_of(p, w, first), r.end = end_of(p, w, last);
  r.seen_from = begin_of(p, w, last), r.seen_to = end_of(p, w, first);
  if (p.splits > 1) {
    int from = at.split * p.split_keys, to = from + p.split_keys;
    r.begin = r.begin < from ? from : r.begin, r.end = r.end > to ? to : r.end;
  }
  r.seen_to = r.seen_to > r.end ? r.end : r.seen_to;
  r.begin = r.begin / KEYS * KEYS;
  r.tiles = r.end > r.begin ? (r.end - r.begin + KEYS - 1) / KEYS : 0;
  return r;
}

/* A block's tile of ROWS rows and part of the width, and where its heads are. */
struct attention_block {
  attention_place at;
  int row0, rows, column0, columns;
  const TYPE *q, *k, *v;
};
template <int ROWS> DEVICE attention_block block_of(const attention_params &p) {
  attention_block b;
  b.at = place_of(p);
  b.row0 = b.at.tile * ROWS, b.rows = p.rows - b.row0 < ROWS ? p.rows - b.row0 : ROWS;
  b.column0 = b.at.chunk * WIDTH, b.columns = p.width - b.column0 < WIDTH ? p.width - b.column0 : WIDTH;
  b.q = static_cast<const TYPE *>(p.q.data) + b.at.q;
  b.k = static_cast<const TYPE *>(p.k.data) + b.at.k, b.v = static_cast<const TYPE *>(p.v.data) + b.at.v + b.column0 * p.v.column;
  return b;
}

/* ---- Tiles to shared memory. A launch runs most of its code once, and waits longer for the code than for the data where there is much of it: loops
 * are unrolled a little, and the way for rows that aren't whole is short. */

/* A piece of a row that isn't whole; zeros where there is none. */
DEVICE void fetch_elements(TYPE *to, const TYPE *row, const attention_tensor &t, bool there, int column, int columns) {
#pragma unroll 1
  for (int c = 0; c < PIECE; c++) to[c] = there && column + c < columns ? row[(column + c) * t.column] : from_float<TYPE>(0);
}
/* Rows of keys or values, of which there are `have`, by COUNT threads: each has a column of pieces, all rows of a stride. */
template <int FEATURES, int COUNT> DEVICE void fetch_keys(TYPE *to, const TYPE *from, const attention_tensor &t, int have, int columns, int thread) {
  enum { PIECES = FEATURES / PIECE, LINE = FEATURES + PIECE, STEP = COUNT / PIECES, COLUMN = COUNT % PIECES == 0 && KEYS % STEP == 0 };
  if (COLUMN && t.whole) {
    int row = thread / PIECES;
    const int column = thread % PIECES * PIECE;
    const TYPE *at = from + row * t.row + column;
    const int64_t step = STEP * t.row;
    if (column >= columns) have = 0;
    to += row * LINE + column;
#pragma unroll 4
    for (int i = 0; i < KEYS / STEP; i++, row += STEP, at += step, to += STEP * LINE)
      copy_async16(to, row < have ? at : static_cast<const TYPE *>(t.data), row < have ? 16 : 0);
    return;
  }
#pragma unroll 1
  for (int at = thread; at < KEYS * PIECES; at += COUNT) {
    const int row = at / PIECES, column = at % PIECES * PIECE;
    const bool there = row < have && column < columns;
    if (t.whole) copy_async16(to + row * LINE + column, there ? from + row * t.row + column : static_cast<const TYPE *>(t.data), there ? 16 : 0);
    else fetch_elements(to + row * LINE + column, from + row * t.row, t, there, column, columns);
  }
}
/* Keys and values from `key` on, by COUNT threads: what lies behind `end` takes no part and may be anything, so it isn't read. */
template <int COUNT>
DEVICE void fetch_tile(const attention_params &p, TYPE *stage, const TYPE *k, const TYPE *v, int key, int end, int columns, int thread) {
  fetch_keys<HEAD, COUNT>(stage, k + key * p.k.row, p.k, end - key, p.head, thread);
  fetch_keys<WIDTH, COUNT>(stage + KEYS * HEAD_LINE, v + key * p.v.row, p.v, end - key, columns, thread);
}
template <int ROWS> DEVICE void fetch_queries(const attention_params &p, TYPE *to, const TYPE *q, int row0, int rows) {
  enum { PIECES = HEAD / PIECE };
#pragma unroll 1
  for (int at = threadIdx.x; at < ROWS * PIECES; at += THREADS) {
    const int row = at / PIECES, column = at % PIECES * PIECE;
    const TYPE *from = q + (row < rows ? row_offset(p, p.q, row0 + row) : 0);
    const bool there = row < rows && column < p.head;
    if (p.q.whole) copy_async16(to + row * HEAD_LINE + column, there ? from + column : static_cast<const TYPE *>(p.q.data), there ? 16 : 0);
    else fetch_elements(to + row * HEAD_LINE + column, from, p.q, there, column, p.head);
  }
}

/* A block's part of the keys for one row: sums to be joined. */
DEVICE int64_t part_of(const attention_params &p, const attention_place &at, int row) {
  return ((int64_t)at.batch * p.rows + row) * p.splits + at.split;
}
