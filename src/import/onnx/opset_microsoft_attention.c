/* com.microsoft's attention operators, as transformers' optimisers write them: Attention, MultiHeadAttention, GroupQueryAttention and
 * RotaryEmbedding, to FusedAttention and the operators around it. */
#include "import/onnx/convert.h"

typedef struct heads {
  ingot__onnx_node *n;
  ingot__value *q, *k, *v;                    /* (batch, heads, position, width) */
  ingot__value *past_k, *past_v;              /* the same; or NULL */
  ingot__value *mask, *lengths, *offset;
  int64_t causal, left;
  float scale, softcap;
} heads;

static const int64_t zero = 0, one = 1;
enum { MOST = 65536 }; /* heads; and features of one, where a sum of them is formed */

/* (B, S, H * D) to (B, H, S, D). */
static ingot__value *split_heads(ingot__onnx_node *n, ingot__value *v, int64_t count) {
  return ingot__onnx_transpose(n, ingot__onnx_reshape(n, v, (const int64_t[]){0, 0, count, -1}, 4), (const int64_t[]){0, 2, 1, 3}, 4);
}

static ingot__value *concat(ingot__onnx_node *n, ingot__value *a, ingot__value *b, int64_t axis) {
  ingot__value *in[] = {a, b};
  ingot__node *node = a && b ? ingot__onnx_emit(n, INGOT__OP_Concat, in, 2) : NULL;
  if (!node) return NULL;
  ((ingot__attrs_Concat *)node->attrs)->axis = axis;
  return node->out[0];
}

static bool wanted(const ingot__onnx_node *n, size_t i) { return i < n->n_out && n->out_name[i]; }

static ingot_status give(ingot__onnx_node *n, size_t i, ingot__value *v) {
  INGOT__ONNX_NEED(n, v);
  if (wanted(n, i)) INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, i, INGOT__OP_Identity, &v, 1));
  return INGOT_OK;
}

/* The attention over heads, its result as (B, S, H * D). */
static ingot__value *attend(heads *h) {
  ingot__onnx_node *n = h->n;
  ingot__value *in[] = {h->q, h->k, h->v, h->mask, h->lengths, h->offset};
  if (!h->q || !h->k || !h->v) return NULL;
  ingot__node *node = ingot__onnx_emit(n, INGOT__OP_FusedAttention, in, h->offset ? 6 : h->lengths ? 5 : h->mask ? 4 : 3);
  if (!node) return NULL;
  *(ingot__attrs_FusedAttention *)node->attrs = (ingot__attrs_FusedAttention){.scale = h->scale, .softcap = h->softcap, .causal = h->causal,
                                                                              .left = h->left, .right = -1};
  return ingot__onnx_reshape(n, ingot__onnx_transpose(n, node->out[0], (const int64_t[]){0, 2, 1, 3}, 4), (const int64_t[]){0, 0, -1}, 3);
}

/* The number of keys and, for each, whether it takes part: added to the scores as 0 or `low`. One number for each batch element is a length. */
static ingot_status add_padding(heads *h, ingot__value *mask, float low) {
  ingot__onnx_node *n = h->n;
  const ingot__type *t = ingot__onnx_type(n, mask);
  int64_t count = ingot__onnx_known_dim(n, mask, 0), batch = ingot__onnx_known_dim(n, n->in[0], 0);
  if (t->rank == 1) {
    if (count >= 0 && batch >= 0 && count != batch) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has a mask of %lld numbers", (long long)count);
    h->lengths = mask;
    return INGOT_OK;
  }
  if (t->rank < 2 || t->rank > 3) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has a padding mask of a rank other than 1, 2 and 3");
  static const int64_t middle[] = {1, 2};
  ingot__value *zeros = ingot__onnx_binary(n, INGOT__OP_CastLike, ingot__onnx_int(n, 0), mask);
  ingot__value *in[] = {ingot__onnx_binary(n, INGOT__OP_Equal, mask, zeros), ingot__onnx_float_like(n, low, h->q),
                        ingot__onnx_float_like(n, 0, h->q)};
  INGOT__ONNX_NEED(n, in[0] && in[1] && in[2]);
  ingot__node *where = ingot__onnx_emit(n, INGOT__OP_Where, in, 3);
  INGOT__ONNX_NEED(n, where);
  ingot__value *added = ingot__onnx_binary(n, INGOT__OP_Unsqueeze, where->out[0], ingot__onnx_ints(n, middle, t->rank == 2 ? 2 : 1));
  INGOT__ONNX_NEED(n, h->mask = h->mask ? ingot__onnx_binary(n, INGOT__OP_Add, h->mask, added) : added);
  return INGOT_OK;
}

static ingot_status append_past(heads *h) {
  ingot__onnx_node *n = h->n;
  if (!h->past_k) return INGOT_OK;
  INGOT__ONNX_NEED(n, h->k = concat(n, h->past_k, h->k, 2));
  INGOT__ONNX_NEED(n, h->v = concat(n, h->past_v, h->v, 2));
  if (h->causal || h->left >= 0) INGOT__ONNX_NEED(n, h->offset = ingot__onnx_shape_of(n, h->past_k, 2, 3));
  return INGOT_OK;
}

/* Q, K and V of MultiHeadAttention in any of their forms. */
static ingot_status take_inputs(heads *h, int64_t count) {
  ingot__onnx_node *n = h->n;
  ingot__value *in[] = {n->in[0], INGOT__ONNX_IN(n, 1), INGOT__ONNX_IN(n, 2)}, *bias = INGOT__ONNX_IN(n, 3), **to[] = {&h->q, &h->k, &h->v};
  int64_t packed = in[1] ? ingot__onnx_type(n, in[1])->rank == 5 ? 2 : 0 : 3, at = 0;
  if (packed && (bias || ingot__onnx_type(n, in[packed == 3 ? 0 : 1])->rank != 5)) {
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has packed inputs with a bias, or of a rank other than 5");
  }
  for (int i = 0; i < 3; i++) {
    if (packed && i >= 3 - packed) { /* (B, S, H, packed, D) */
      ingot__value *whole = in[packed == 3 ? 0 : 1], *part = ingot__onnx_slice(n, whole, i - 3 + packed, i - 2 + packed, 3);
      ingot__value *flat = ingot__onnx_binary(n, INGOT__OP_Squeeze, part, ingot__onnx_ints(n, (const int64_t[]){3}, 1));
      INGOT__ONNX_NEED(n, *to[i] = ingot__onnx_transpose(n, flat, (const int64_t[]){0, 2, 1, 3}, 4));
      continue;
    }
    if (!in[i]) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "lacks values");
    if (i && ingot__onnx_type(n, in[i])->rank == 4) { /* (B, H, S, D) already */
      *to[i] = in[i];
      continue;
    }
    if (bias) {
      int64_t width = ingot__onnx_known_dim(n, in[i], 2);
      if (width < 1) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has a bias and inputs of unknown width");
      INGOT__ONNX_NEED(n, in[i] = ingot__onnx_binary(n, INGOT__OP_Add, in[i], ingot__onnx_slice(n, bias, at, at + width, 0)));
      at += width;
    }
    INGOT__ONNX_NEED(n, *to[i] = split_heads(n, in[i], count));
  }
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_multi_head(ingot__onnx_node *n) {
  heads h = {.n = n, .left = -1};
  int64_t count;
  float low;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 8));
  INGOT_TRY(ingot__onnx_get_int(n, "num_heads", 0, &count));
  INGOT_TRY(ingot__onnx_get_int(n, "unidirectional", 0, &h.causal));
  INGOT_TRY(ingot__onnx_get_float(n, "mask_filter_value", -10000, &low));
  INGOT_TRY(ingot__onnx_get_float(n, "scale", 0, &h.scale));
  if (count < 1 || count > MOST) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "needs num_heads");
  if (wanted(n, 3)) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "gives its scores");
  INGOT_TRY(take_inputs(&h, count));
  h.mask = INGOT__ONNX_IN(n, 5), h.past_k = INGOT__ONNX_IN(n, 6), h.past_v = INGOT__ONNX_IN(n, 7);
  if (!h.past_k != !h.past_v) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "needs past keys and values, or neither");
  if (INGOT__ONNX_IN(n, 4)) INGOT_TRY(add_padding(&h, n->in[4], low));
  INGOT_TRY(append_past(&h));
  INGOT_TRY(give(n, 1, h.k));
  INGOT_TRY(give(n, 2, h.v));
  return give(n, 0, attend(&h));
}

/* Attention(x, weights, bias, mask, past, attention_bias): the projections too; past and present are (2, B, H, S, D). */
ingot_status ingot__onnx_convert_old_attention(ingot__onnx_node *n) {
  heads h = {.n = n, .left = -1};
  int64_t count, rotary;
  float low;
  ingot__ints sizes;
  bool given;
  INGOT_TRY(ingot__onnx_inputs(n, 2, 6));
  INGOT_TRY(ingot__onnx_get_int(n, "num_heads", 0, &count));
  INGOT_TRY(ingot__onnx_get_int(n, "unidirectional", 0, &h.causal));
  INGOT_TRY(ingot__onnx_get_int(n, "do_rotary", 0, &rotary));
  INGOT_TRY(ingot__onnx_get_ints(n, "qkv_hidden_sizes", &sizes, &given));
  INGOT_TRY(ingot__onnx_get_float(n, "mask_filter_value", -10000, &low));
  INGOT_TRY(ingot__onnx_get_float(n, "scale", 0, &h.scale));
  int64_t width = ingot__onnx_known_dim(n, n->in[1], 1), third[] = {width / 3, width / 3, width / 3};
  if (given && sizes.n == 3) memcpy(third, sizes.v, sizeof third);
  bool fits = width >= 3 && third[0] >= 1 && third[1] >= 1 && third[2] >= 1 && third[0] <= width && third[1] <= width - third[0];
  if (count < 1 || count > MOST || !fits || third[2] != width - third[0] - third[1] || rotary) {
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has no heads, weights of unknown width, or rotates");
  }
  ingot__value *all = ingot__onnx_binary(n, INGOT__OP_MatMul, n->in[0], n->in[1]), **to[] = {&h.q, &h.k, &h.v};
  if (INGOT__ONNX_IN(n, 2)) all = ingot__onnx_binary(n, INGOT__OP_Add, all, n->in[2]);
  for (int64_t i = 0, at = 0; i < 3; at += third[i++]) {
    INGOT__ONNX_NEED(n, *to[i] = split_heads(n, ingot__onnx_slice(n, all, at, at + third[i], 2), count));
  }
  ingot__value *past = INGOT__ONNX_IN(n, 4), *first = ingot__onnx_ints(n, &zero, 1);
  h.mask = INGOT__ONNX_IN(n, 5);
  if (past) {
    h.past_k = ingot__onnx_binary(n, INGOT__OP_Squeeze, ingot__onnx_slice(n, past, 0, 1, 0), first);
    h.past_v = ingot__onnx_binary(n, INGOT__OP_Squeeze, ingot__onnx_slice(n, past, 1, 2, 0), first);
    INGOT__ONNX_NEED(n, h.past_k && h.past_v);
  }
  if (INGOT__ONNX_IN(n, 3)) INGOT_TRY(add_padding(&h, n->in[3], low));
  INGOT_TRY(append_past(&h));
  if (wanted(n, 1)) {
    ingot__value *k = ingot__onnx_binary(n, INGOT__OP_Unsqueeze, h.k, first), *v = ingot__onnx_binary(n, INGOT__OP_Unsqueeze, h.v, first);
    INGOT_TRY(give(n, 1, concat(n, k, v, 0)));
  }
  return give(n, 0, attend(&h));
}

/* (B, S) positions: `first` (B or 1) and those after it. */
static ingot__value *positions_from(ingot__onnx_node *n, ingot__value *first, ingot__value *x, int axis) {
  ingot__value *length = ingot__onnx_unary(n, INGOT__OP_Squeeze, ingot__onnx_shape_of(n, x, axis, axis + 1));
  ingot__value *in[] = {ingot__onnx_int(n, 0), length, ingot__onnx_int(n, 1)};
  ingot__node *range = length && in[0] && in[2] ? ingot__onnx_emit(n, INGOT__OP_Range, in, 3) : NULL;
  ingot__value *batch = concat(n, ingot__onnx_shape_of(n, x, 0, 1), ingot__onnx_ints(n, &one, 1), 0);
  ingot__value *column = ingot__onnx_binary(n, INGOT__OP_Unsqueeze, first, ingot__onnx_ints(n, &one, 1));
  return ingot__onnx_binary(n, INGOT__OP_Add, ingot__onnx_binary(n, INGOT__OP_Expand, column, batch), range ? range->out[0] : NULL);
}

static ingot__value *rotate(ingot__onnx_node *n, ingot__value *x, ingot__value *cos, ingot__value *sin, ingot__value *positions, int64_t interleaved,
                            int64_t count, int64_t turned) {
  ingot__value *in[] = {x, cos, sin, positions};
  ingot__node *node = x && positions ? ingot__onnx_emit(n, INGOT__OP_RotaryEmbedding, in, 4) : NULL;
  if (!node) return NULL;
  *(ingot__attrs_RotaryEmbedding *)node->attrs = (ingot__attrs_RotaryEmbedding){interleaved, count, turned, 0};
  return node->out[0];
}

/* RotaryEmbedding(x, positions, cosines, sines): positions for all, or where the first one stands. */
ingot_status ingot__onnx_convert_old_rotary(ingot__onnx_node *n) {
  int64_t interleaved, count, turned, packed;
  float scale;
  INGOT_TRY(ingot__onnx_inputs(n, 4, 4));
  INGOT_TRY(ingot__onnx_get_int(n, "interleaved", 0, &interleaved));
  INGOT_TRY(ingot__onnx_get_int(n, "num_heads", 0, &count));
  INGOT_TRY(ingot__onnx_get_int(n, "rotary_embedding_dim", 0, &turned));
  INGOT_TRY(ingot__onnx_get_int(n, "is_packed_batching", 0, &packed));
  INGOT_TRY(ingot__onnx_get_float(n, "scale", 1, &scale));
  const ingot__type *x = ingot__onnx_type(n, n->in[0]);
  int64_t half = ingot__onnx_known_dim(n, n->in[2], 1), width = ingot__onnx_known_dim(n, n->in[0], -1);
  if (packed || scale != 1 || (x->rank != 3 && x->rank != 4)) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "is packed, scaled or of unknown rank");
  if (x->rank == 3 && count < 1) {
    if (turned || half < 1 || half > MOST || width < 1 || width % (2 * half)) {
      return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has an unknown number of heads");
    }
    count = width / (2 * half);
  }
  ingot__value *positions = n->in[1];
  if (ingot__onnx_type(n, positions)->rank == 1) positions = positions_from(n, positions, n->in[0], x->rank - 2);
  return give(n, 0, rotate(n, n->in[0], n->in[2], n->in[3], positions, interleaved, x->rank == 3 ? count : 0, turned));
}

typedef struct group_query { int64_t heads, key_heads, rotary, interleaved, window, smooth; } group_query;

/* Queries, keys and values as heads, out of three inputs or one. */
static ingot_status take_group(heads *h, const group_query *g) {
  ingot__onnx_node *n = h->n;
  ingot__value *in[] = {n->in[0], INGOT__ONNX_IN(n, 1), INGOT__ONNX_IN(n, 2)}, **to[] = {&h->q, &h->k, &h->v};
  if (!in[1] != !in[2]) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "needs keys and values, or neither");
  if (!in[1]) {
    int64_t all = ingot__onnx_known_dim(n, in[0], 2), parts = g->heads + 2 * g->key_heads;
    if (all < 1 || all % parts) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has packed inputs of %lld features", (long long)all);
    int64_t at[] = {0, all / parts * g->heads, all / parts * (g->heads + g->key_heads), all};
    for (int i = 2; i >= 0; i--) in[i] = ingot__onnx_slice(n, n->in[0], at[i], at[i + 1], 2);
  }
  for (int i = 0; i < 3; i++) INGOT__ONNX_NEED(n, *to[i] = split_heads(n, in[i], i ? g->key_heads : g->heads));
  return INGOT_OK;
}

/* What a batch element has in its past: of its keys (seqlens_k, one less than their number) those before these queries. */
static ingot__value *past_lengths(heads *h, ingot__value *past) {
  ingot__onnx_node *n = h->n;
  if (ingot__onnx_known_dim(n, n->in[0], 0) == 1) return past ? ingot__onnx_shape_of(n, past, 2, 3) : ingot__onnx_ints(n, &zero, 1);
  static const int64_t all = -1;
  ingot__value *keys = ingot__onnx_reshape(n, ingot__onnx_cast(n, n->in[5], INGOT_INT64), &all, 1);
  ingot__value *number = ingot__onnx_binary(n, INGOT__OP_Add, keys, ingot__onnx_int(n, 1));
  return ingot__onnx_binary(n, INGOT__OP_Max, ingot__onnx_binary(n, INGOT__OP_Sub, number, ingot__onnx_shape_of(n, n->in[0], 1, 2)),
                            ingot__onnx_int(n, 0));
}

/* Past and new keys: behind one another for one batch element; for several, whose pasts may be of different lengths, written where each of
 * these ends. */
static ingot__value *extend(heads *h, ingot__value *past, ingot__value *now) {
  ingot__onnx_node *n = h->n;
  ingot__value *both = concat(n, past, now, 2);
  if (!both || ingot__onnx_known_dim(n, n->in[0], 0) == 1) return both;
  ingot__value *in[] = {both, now, h->offset};
  ingot__node *node = ingot__onnx_emit(n, INGOT__OP_TensorScatter, in, 3);
  if (node) ((ingot__attrs_TensorScatter *)node->attrs)->axis = 2;
  return node ? node->out[0] : NULL;
}

/* GroupQueryAttention(q, k, v, past_k, past_v, seqlens_k, total, cosines, sines, positions, attention_bias); always causal. The present is as
 * long as the past and the new keys together. */
ingot_status ingot__onnx_convert_group_query(ingot__onnx_node *n) {
  heads h = {.n = n, .causal = 1};
  group_query g;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 11));
  INGOT_TRY(ingot__onnx_get_int(n, "num_heads", 0, &g.heads));
  INGOT_TRY(ingot__onnx_get_int(n, "kv_num_heads", 0, &g.key_heads));
  INGOT_TRY(ingot__onnx_get_int(n, "do_rotary", 0, &g.rotary));
  INGOT_TRY(ingot__onnx_get_int(n, "rotary_interleaved", 0, &g.interleaved));
  INGOT_TRY(ingot__onnx_get_int(n, "local_window_size", -1, &g.window));
  INGOT_TRY(ingot__onnx_get_int(n, "smooth_softmax", 0, &g.smooth));
  INGOT_TRY(ingot__onnx_get_float(n, "scale", 0, &h.scale));
  INGOT_TRY(ingot__onnx_get_float(n, "softcap", 0, &h.softcap));
  if (g.heads < 1 || g.key_heads < 1 || g.heads > MOST || g.key_heads > MOST) {
    return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "needs num_heads and kv_num_heads");
  }
  if (g.smooth == 1 || !INGOT__ONNX_IN(n, 5) || wanted(n, 3)) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has a smooth softmax, no lengths, or "
                                                                                      "gives its scores");
  ingot__value *past_k = INGOT__ONNX_IN(n, 3), *past_v = INGOT__ONNX_IN(n, 4);
  if (!past_k != !past_v) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "needs past keys and values, or neither");
  INGOT_TRY(take_group(&h, &g));
  h.left = g.window > 0 ? g.window - 1 : -1;
  INGOT__ONNX_NEED(n, h.offset = past_lengths(&h, past_k));
  if (g.rotary) {
    if (!INGOT__ONNX_IN(n, 7) || !INGOT__ONNX_IN(n, 8)) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "rotates without cosines and sines");
    int64_t half = ingot__onnx_known_dim(n, n->in[7], 1);
    if (half < 1 || half > MOST) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "rotates by a table of unknown width");
    ingot__value *positions = INGOT__ONNX_IN(n, 9) ? n->in[9] : positions_from(n, h.offset, n->in[0], 1);
    INGOT__ONNX_NEED(n, h.q = rotate(n, h.q, n->in[7], n->in[8], positions, g.interleaved, 0, 2 * half));
    INGOT__ONNX_NEED(n, h.k = rotate(n, h.k, n->in[7], n->in[8], positions, g.interleaved, 0, 2 * half));
  }
  if (past_k) {
    INGOT__ONNX_NEED(n, h.k = extend(&h, past_k, h.k));
    INGOT__ONNX_NEED(n, h.v = extend(&h, past_v, h.v));
  }
  h.mask = INGOT__ONNX_IN(n, 10);
  INGOT_TRY(give(n, 1, h.k));
  INGOT_TRY(give(n, 2, h.v));
  return give(n, 0, attend(&h));
}
