/* Attention (opset 23) to FusedAttention: splits heads, appends to the caches, groups queries that share a key, and makes the causal mask.
 * Scores' caps, windows, lengths without padding and the scores themselves as an output are refused. */
#include "import/onnx/convert.h"

typedef struct attention {
  ingot__onnx_node *n;
  int64_t heads, key_heads;         /* 0: not known */
  bool flat;                        /* inputs and output are (batch, position, heads * width) */
  ingot__value *q, *k, *v, *mask;   /* (batch, heads, position, width) */
} attention;

static ingot__value *reshape(ingot__onnx_node *n, ingot__value *v, const int64_t *shape, size_t rank) {
  return ingot__onnx_binary(n, INGOT__OP_Reshape, v, ingot__onnx_ints(n, shape, rank));
}

static ingot__value *transpose(ingot__onnx_node *n, ingot__value *v, const int64_t *perm, size_t rank) {
  ingot__node *node = v ? ingot__onnx_emit(n, INGOT__OP_Transpose, &v, 1) : NULL;
  if (!node) return NULL;
  ingot__attrs_Transpose *a = node->attrs;
  a->perm = (ingot__ints){rank, ingot__arena_copy(n->o->arena, perm, rank * sizeof *perm)};
  return a->perm.v ? node->out[0] : NULL;
}

/* (B, S, H * D) to (B, H, S, D). */
static ingot__value *split_heads(ingot__onnx_node *n, ingot__value *v, int64_t heads) {
  return transpose(n, reshape(n, v, (const int64_t[]){0, 0, heads, -1}, 4), (const int64_t[]){0, 2, 1, 3}, 4);
}

static int64_t known_dim(ingot__onnx_node *n, const ingot__value *v, int rank, int axis) {
  const ingot__type *t = ingot__onnx_type(n, v);
  return t->rank == rank && ingot__dim_is_number(t->dim[axis]) ? t->dim[axis] : 0;
}

/* Past and new keys (values) together, which output i gives away if it is wanted. */
static ingot__value *append(ingot__onnx_node *n, ingot__value *past, ingot__value *now, size_t i) {
  ingot__value *in[] = {past, now};
  if (!past) return now;
  ingot__node *node = i < n->n_out && n->out_name[i] ? ingot__onnx_finish_output(n, i, INGOT__OP_Concat, in, 2)
                                                    : ingot__onnx_emit(n, INGOT__OP_Concat, in, 2);
  if (!node) return NULL;
  ((ingot__attrs_Concat *)node->attrs)->axis = 2;
  return node->out[0];
}

/* Dim 2 as a scalar. */
static ingot__value *positions(ingot__onnx_node *n, ingot__value *v) {
  ingot__node *shape = v ? ingot__onnx_emit(n, INGOT__OP_Shape, &v, 1) : NULL;
  if (!shape) return NULL;
  *(ingot__attrs_Shape *)shape->attrs = (ingot__attrs_Shape){.start = 2, .end = 3};
  return ingot__onnx_unary(n, INGOT__OP_Squeeze, shape->out[0]);
}

static ingot__value *range(ingot__onnx_node *n, ingot__value *from, ingot__value *to, int64_t axis) {
  ingot__value *in[] = {from, to, ingot__onnx_int(n, 1)};
  ingot__node *node = from && to && in[2] ? ingot__onnx_emit(n, INGOT__OP_Range, in, 3) : NULL;
  return node ? ingot__onnx_binary(n, INGOT__OP_Unsqueeze, node->out[0], ingot__onnx_ints(n, &axis, 1)) : NULL;
}

/* (L, S): query i, the past's number more, sees keys up to its own. Joined with the mask that is given. */
static ingot_status add_causal_mask(attention *a, ingot__value *past) {
  ingot__onnx_node *n = a->n;
  ingot__value *nought = ingot__onnx_int(n, 0), *first = past ? positions(n, past) : nought;
  ingot__value *last = ingot__onnx_binary(n, INGOT__OP_Add, first, positions(n, a->q));
  ingot__value *seen = ingot__onnx_binary(n, INGOT__OP_GreaterOrEqual, range(n, first, last, 1), range(n, nought, positions(n, a->k), 0));
  INGOT__ONNX_NEED(n, seen);
  if (!a->mask) return a->mask = seen, INGOT_OK;
  ingot_dtype dtype = ingot__onnx_type(n, a->mask)->dtype;
  if (dtype == INGOT_UNDEFINED) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "is causal and has a mask of unknown type");
  if (dtype == INGOT_BOOL) {
    a->mask = ingot__onnx_binary(n, INGOT__OP_And, a->mask, seen);
  } else {
    ingot__value *in[] = {seen, a->mask, ingot__onnx_float_like(n, -INFINITY, a->mask)};
    ingot__node *where = in[2] ? ingot__onnx_emit(n, INGOT__OP_Where, in, 3) : NULL;
    a->mask = where ? where->out[0] : NULL;
  }
  INGOT__ONNX_NEED(n, a->mask);
  return INGOT_OK;
}

/* Several heads of queries for one of keys: the former become (B, key heads, group, L, D), the latter (B, key heads, 1, S, D). */
static ingot_status group_heads(attention *a) {
  static const int64_t two = 2;
  ingot__onnx_node *n = a->n;
  int64_t width = known_dim(n, a->q, 4, 3);
  int mask_rank = a->mask ? ingot__onnx_type(n, a->mask)->rank : 0;
  bool one_mask = mask_rank >= 0 && (mask_rank <= 2 || (mask_rank == 4 && known_dim(n, a->mask, 4, 1) == 1));
  if (a->heads % a->key_heads || !width || !one_mask) {
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "%lld heads of queries on %lld of keys with this width and mask", (long long)a->heads,
                            (long long)a->key_heads);
  }
  a->q = reshape(n, a->q, (const int64_t[]){0, a->key_heads, a->heads / a->key_heads, -1, width}, 5);
  a->k = ingot__onnx_binary(n, INGOT__OP_Unsqueeze, a->k, ingot__onnx_ints(n, &two, 1));
  a->v = ingot__onnx_binary(n, INGOT__OP_Unsqueeze, a->v, ingot__onnx_ints(n, &two, 1));
  if (mask_rank == 4) INGOT__ONNX_NEED(n, a->mask = ingot__onnx_binary(n, INGOT__OP_Unsqueeze, a->mask, ingot__onnx_ints(n, &two, 1)));
  INGOT__ONNX_NEED(n, a->q && a->k && a->v);
  return INGOT_OK;
}

static ingot_status check(ingot__onnx_node *n, bool *causal, float *scale) {
  int64_t is_causal, mode, precision, left, right;
  float softcap;
  INGOT_TRY(ingot__onnx_inputs(n, 3, 7));
  INGOT_TRY(ingot__onnx_get_int(n, "is_causal", 0, &is_causal));
  INGOT_TRY(ingot__onnx_get_int(n, "qk_matmul_output_mode", 0, &mode));
  INGOT_TRY(ingot__onnx_get_int(n, "softmax_precision", 0, &precision)); /* it is float at least here */
  INGOT_TRY(ingot__onnx_get_int(n, "left_window_size", -1, &left));
  INGOT_TRY(ingot__onnx_get_int(n, "right_window_size", -1, &right));
  INGOT_TRY(ingot__onnx_get_float(n, "softcap", 0, &softcap));
  INGOT_TRY(ingot__onnx_get_float(n, "scale", 0, scale)); /* 0: one over the root of the width, in FusedAttention too */
  const char *what = softcap != 0 ? "softcap" : left != -1 || right != -1 ? "a window" : INGOT__ONNX_IN(n, 6) ? "nonpad_kv_seqlen" : NULL;
  if (n->n_out > 3 && n->out_name[3]) what = "the scores as an output";
  if (!INGOT__ONNX_IN(n, 4) != !INGOT__ONNX_IN(n, 5)) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "needs past keys and values, or neither");
  for (size_t i = 1; i < 3; i++) {
    if (i < n->n_out && n->out_name[i] && !INGOT__ONNX_IN(n, 4)) what = "keys as an output without past ones";
  }
  *causal = is_causal != 0;
  return what ? INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "uses %s", what) : INGOT_OK;
}

static ingot_status finish(attention *a, ingot__value *y, bool grouped) {
  ingot__onnx_node *n = a->n;
  int64_t width = known_dim(n, a->v, grouped ? 5 : 4, grouped ? 4 : 3);
  if (a->flat) {
    y = grouped ? transpose(n, y, (const int64_t[]){0, 3, 1, 2, 4}, 5) : transpose(n, y, (const int64_t[]){0, 2, 1, 3}, 4);
    y = reshape(n, y, (const int64_t[]){0, 0, -1}, 3);
  } else if (grouped) {
    if (!width) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "groups of heads with values of unknown width");
    y = reshape(n, y, (const int64_t[]){0, a->heads, -1, width}, 4);
  }
  INGOT__ONNX_NEED(n, y && ingot__onnx_finish_output(n, 0, INGOT__OP_Identity, &y, 1));
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_attention(ingot__onnx_node *n) {
  attention a = {.n = n, .mask = INGOT__ONNX_IN(n, 3)};
  bool causal = false;
  float scale = 0;
  INGOT_TRY(check(n, &causal, &scale));
  INGOT_TRY(ingot__onnx_get_int(n, "q_num_heads", 0, &a.heads));
  INGOT_TRY(ingot__onnx_get_int(n, "kv_num_heads", 0, &a.key_heads));
  a.q = n->in[0], a.k = n->in[1], a.v = n->in[2];
  int rank = ingot__onnx_type(n, a.q)->rank;
  a.flat = rank == 3;
  if (rank < 3 || rank > 4) {
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has queries of %s", rank < 0 ? "unknown rank" : "a rank other than 3 and 4");
  }
  if (a.flat) {
    if (a.heads < 1 || a.key_heads < 1) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "needs q_num_heads and kv_num_heads");
    a.q = split_heads(n, a.q, a.heads), a.k = split_heads(n, a.k, a.key_heads), a.v = split_heads(n, a.v, a.key_heads);
    INGOT__ONNX_NEED(n, a.q && a.k && a.v);
  } else {
    a.heads = known_dim(n, a.q, 4, 1), a.key_heads = known_dim(n, a.k, 4, 1);
  }
  a.k = append(n, INGOT__ONNX_IN(n, 4), a.k, 1), a.v = append(n, INGOT__ONNX_IN(n, 5), a.v, 2);
  INGOT__ONNX_NEED(n, a.k && a.v);
  if (causal) INGOT_TRY(add_causal_mask(&a, INGOT__ONNX_IN(n, 4)));
  bool grouped = a.heads > 0 && a.key_heads > 1 && a.heads != a.key_heads;
  if (grouped) INGOT_TRY(group_heads(&a));
  ingot__value *in[] = {a.q, a.k, a.v, a.mask};
  ingot__node *node = ingot__onnx_emit(n, INGOT__OP_FusedAttention, in, a.mask ? 4 : 3);
  INGOT__ONNX_NEED(n, node);
  ((ingot__attrs_FusedAttention *)node->attrs)->scale = scale;
  return finish(&a, node->out[0], grouped);
}
