/* Reformat, Transpose, Concat, Split, Slice and others: strided copies. Where both sides are contiguous along one dim, in items of up to 16
 * bytes, several copies (the parts of a Concat) in one launch; where they are along different dims, through tiles. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/move/move.h"
#include "backend/pieces.h"

/* Whether other inputs say what goes where. */
static bool is_shaped(const ingot__call *call) {
  ingot__op op = call->node->op;
  return op == INGOT__OP_Split || op == INGOT__OP_Slice || op == INGOT__OP_Expand || op == INGOT__OP_Tile;
}
static bool supports(const ingot__call *call) {
  return ingot__piece_supports(call) && !is_shaped(call) && call->node->op != INGOT__OP_Pad; /* which has a kernel of its own */
}
static bool supports_shaped(const ingot__call *call) { return ingot__piece_supports(call) && is_shaped(call); }

/* ---- Turning */

enum { LEAST_TURNED = 12, MOST_SHORT = 11 }; /* along the shorter of the two dims; below that tiles would be mostly empty */

typedef struct turned { const ingot__call *call; int64_t dim_i, dim_j, to_j, from_i; } turned;

/* The dims along which only `to`, and only `from`, is contiguous. */
static bool find_turn(const ingot__walk *w, int *i, int *j) {
  *i = *j = -1;
  for (int d = 0; d < w->rank; d++) {
    if (w->stride[0][d] == 1 && w->stride[1][d] != 1 && w->dim[d] >= LEAST_TURNED) *i = d;
    if (w->stride[1][d] == 1 && w->stride[0][d] != 1 && w->dim[d] >= LEAST_TURNED) *j = d;
  }
  return *i >= 0 && *j >= 0 && w->stride[1][*i] != 0;
}

static ingot_status launch_turned(const ingot__walk *w, void *user) {
  const turned *t = user;
  int size = (int)w->size[0], side = size <= 2 ? 64 : 32;
  turn_params p = {.to = w->data[0], .from = w->data[1], .dim_i = t->dim_i, .dim_j = t->dim_j, .to_j = t->to_j, .from_i = t->from_i};
  if (!ingot__walk_dims(w, &p.outer)) return INGOT__FAIL_CALL(t->call, INGOT_E_LIMIT, "is spread over too many dims");
  for (int d = 0; d < w->rank; d++) p.stride[d] = w->stride[0][d], p.stride[SPACE_RANK + d] = w->stride[1][d];
  p.tiles_i = ingot__walk_divisor(ingot__divide_up(t->dim_i, side));
  p.tiles_j = ingot__walk_divisor(ingot__divide_up(t->dim_j, side));
  ingot__cuda_grid grid = {.x = p.outer.items * p.tiles_i.dim * p.tiles_j.dim, .threads = 256, .early = true};
  grid.shared = (unsigned)(side * (side + (size >= 4 ? 1 : 4 / size)) * size);
  return ingot__cuda_launch(t->call, "turn_elements", &grid, &p, sizeof p);
}

/* Splits dim j (and i) where a launch would have too many tiles. */
static ingot_status turn(const ingot__call *call, const ingot__walk *w, int i, int j) {
  turned t = {.call = call, .dim_i = w->dim[i], .dim_j = w->dim[j], .to_j = w->stride[0][j], .from_i = w->stride[1][i]};
  ingot__walk outer = *w;
  outer.rank = 0;
  int64_t tiles = ingot__divide_up(t.dim_i, 32) * ingot__divide_up(t.dim_j, 32);
  for (int d = 0; d < w->rank; d++) {
    if (d == i || d == j) continue;
    outer.dim[outer.rank] = w->dim[d];
    for (int k = 0; k < 2; k++) outer.stride[k][outer.rank] = w->stride[k][d];
    outer.rank++;
  }
  if (outer.rank == 0) {
    outer.rank = 1, outer.dim[0] = 1;
    outer.stride[0][0] = outer.stride[1][0] = 0;
  }
  if (tiles * ingot__walk_count(&outer) < 1 << 30) return launch_turned(&outer, &t);
  int d = w->dim[i] > 32 || w->dim[j] > 32 ? (w->dim[i] > w->dim[j] ? i : j) : -1;
  for (int k = 0; k < w->rank && tiles < 1 << 20; k++)
    if (k != i && k != j && (d < 0 || d == i || d == j || w->dim[k] > w->dim[d])) d = k;
  ingot__walk part = *w;
  part.dim[d] = ingot__divide_up(w->dim[d] / 2, 64) * 64;
  if (part.dim[d] >= w->dim[d]) part.dim[d] = w->dim[d] / 2;
  INGOT_TRY(turn(call, &part, i, j));
  for (int k = 0; k < 2; k++) part.data[k] += part.dim[d] * w->stride[k][d] * w->size[k];
  part.dim[d] = w->dim[d] - part.dim[d];
  return turn(call, &part, i, j);
}

/* ---- Copying */

/* 16 or 4 bytes, where all steps of both sides are multiples of them and the innermost dim is contiguous in both; else an element's. */
static int64_t item_bytes(const ingot__walk *w) {
  int inner = w->rank - 1;
  int64_t size = w->size[0], bytes = 16;
  if (w->stride[0][inner] != 1 || w->stride[1][inner] != 1) return size;
  for (; bytes > size; bytes /= 4) {
    bool fits = w->dim[inner] * size % bytes == 0;
    for (int k = 0; k < 2; k++) {
      fits = fits && (uintptr_t)w->data[k] % (size_t)bytes == 0;
      for (int d = 0; d < inner; d++) fits = fits && w->stride[k][d] * size % bytes == 0;
    }
    if (fits) break;
  }
  return bytes > size ? bytes : size;
}

/* The walk in items of `bytes`. */
static void make_items(ingot__walk *w, int64_t bytes) {
  int64_t n = bytes / w->size[0];
  int inner = w->rank - 1;
  if (n == 1) return;
  w->dim[inner] /= n;
  for (int k = 0; k < 2; k++) {
    for (int d = 0; d < inner; d++) w->stride[k][d] /= n;
    w->size[k] = bytes;
  }
}

typedef struct batch { const ingot__call *call; move_params params; int n; int64_t bytes, most; bool is_short; } batch;

static ingot_status flush(batch *b) {
  if (b->n == 0) return INGOT_OK;
  const char *entry = b->is_short ? "copy_short" : b->bytes == 16 ? "copy_16" : b->bytes == 4 ? "copy_4" : "copy_elements";
  int64_t sms = ingot__cuda_info_get()->sms;
  ingot__cuda_grid grid = {.y = (unsigned)b->n, .threads = b->most * b->n < 256 * sms ? 128 : 256, .early = true};
  int64_t blocks = ingot__divide_up(b->most, grid.threads), full = ingot__divide_up(blocks, 4);
  if (blocks > 8 * sms && !b->is_short) blocks = full > 8 * sms ? full : 8 * sms;
  grid.x = (unsigned)blocks;
  b->n = 0, b->most = 0;
  return ingot__cuda_launch(b->call, entry, &grid, &b->params, sizeof b->params);
}

static ingot_status add_part(const ingot__walk *w, void *user) {
  batch *b = user;
  move_piece *piece = &b->params.piece[b->n];
  if (!ingot__walk_dims(w, &piece->dims)) return INGOT__FAIL_CALL(b->call, INGOT_E_LIMIT, "is spread over too many dims");
  piece->to = w->data[0], piece->from = w->data[1];
  for (int d = 0; d < w->rank; d++) piece->stride[d] = w->stride[0][d], piece->stride[SPACE_RANK + d] = w->stride[1][d];
  if (piece->dims.items > b->most) b->most = piece->dims.items;
  return ++b->n == MOVE_PIECES || b->is_short ? flush(b) : INGOT_OK;
}

/* A short dim that is contiguous on one side alone, when the innermost of the others is on the other side: it is left to each thread. */
static bool find_short(const ingot__walk *w, int *d) {
  int inner = w->rank - 1;
  for (*d = 0; *d < w->rank; ++*d) {
    if (w->dim[*d] > MOST_SHORT || (w->stride[0][*d] == 1) == (w->stride[1][*d] == 1)) continue;
    if (w->stride[0][*d] == 1) { /* to the elements of pixels, from planes: the long dim is the one next to it */
      if (*d == inner && inner > 0 && w->stride[1][inner - 1] == 1) return true;
    } else if (*d != inner && w->stride[0][inner] == 1) {
      return true;
    }
  }
  return false;
}

static void remove_dim(ingot__walk *w, int d) {
  w->rank--;
  for (int i = d; i < w->rank; i++) {
    w->dim[i] = w->dim[i + 1];
    for (int k = 0; k < 2; k++) w->stride[k][i] = w->stride[k][i + 1];
  }
}

/* The i-th piece as a walk of two tensors: what is written and what is read. */
static ingot_status get_walk(const ingot__call *call, size_t i, ingot__walk *w) {
  ingot__piece piece;
  INGOT_TRY(ingot__piece_get(call, i, &piece));
  w->rank = piece.move.rank, w->n = 2;
  for (int d = 0; d < w->rank; d++) w->dim[d] = piece.move.dim[d], w->stride[0][d] = piece.move.to[d], w->stride[1][d] = piece.move.from[d];
  w->data[0] = piece.to, w->data[1] = (char *)piece.from;
  w->size[0] = w->size[1] = (int64_t)ingot__dtype_size(call->in[0].dtype);
  ingot__walk_join(w);
  return INGOT_OK;
}

static ingot_status run(const ingot__call *call) {
  size_t n = ingot__piece_count(call);
  batch b = {.call = call};
  ingot__walk w;
  for (size_t i = 0; i < n; i++) {
    int to = -1, from = -1;
    INGOT_TRY(get_walk(call, i, &w));
    if (ingot__walk_count(&w) == 0) continue;
    if (find_turn(&w, &to, &from)) {
      INGOT_TRY(turn(call, &w, to, from));
      continue;
    }
    int which;
    if (find_short(&w, &which)) {
      INGOT_TRY(flush(&b));
      b.is_short = true;
      b.params.inner = (int32_t)w.dim[which];
      b.params.inner_to = w.stride[0][which], b.params.inner_from = w.stride[1][which];
      remove_dim(&w, which);
      INGOT_TRY(ingot__walk_launch(&w, add_part, &b));
      b.is_short = false;
      continue;
    }
    int64_t bytes = item_bytes(&w);
    if (bytes != b.bytes) INGOT_TRY(flush(&b));
    b.bytes = bytes;
    make_items(&w, bytes);
    INGOT_TRY(ingot__walk_launch(&w, add_part, &b));
  }
  return flush(&b);
}

static void define(const ingot__call *call, ingot__text *text) { ingot__cuda_define(text, "SIZE", (int64_t)ingot__dtype_size(call->in[0].dtype)); }

const ingot__kernel_functions ingot__cuda_move = {.supports = supports, .run = run, .source = "move/move.cu", .define = define};
const ingot__kernel_functions ingot__cuda_move_shaped = {
  .supports = supports_shaped, .run = run, .source = "move/move.cu", .define = define, .host_inputs = ~1u,
};
static bool supports_reformat(const ingot__call *call) {
  return supports(call) && (call->node->op == INGOT__OP_Reformat || call->node->op == INGOT__OP_Transpose || call->node->op == INGOT__OP_Identity);
}
const ingot__kernel_functions ingot__cuda_reformat_to_last = {.supports = supports_reformat, .run = run, .source = "move/move.cu", .define = define};
const ingot__kernel_functions ingot__cuda_reformat_to_plain = {.supports = supports_reformat, .run = run, .source = "move/move.cu", .define = define};
