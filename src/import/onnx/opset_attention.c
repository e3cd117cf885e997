/* Attention (opset 23) to FusedAttention: splits heads, appends to the caches and gives away what is asked for. Heads that share a key, causal
 * and other windows, caps, lengths and the scores are FusedAttention's own. */
#include "import/onnx/convert.h"

typedef struct attention {
  ingot__onnx_node *n;
  int64_t heads, key_heads, causal, left, right, scores, precision;
  float scale, softcap;
  bool flat;                        /* inputs and output are (batch, position, heads * width) */
  ingot__value *q, *k, *v;          /* (batch, heads, position, width) */
  ingot__value *mask, *offset;
} attention;

/* (B, S, H * D) to (B, H, S, D). */
static ingot__value *split_heads(ingot__onnx_node *n, ingot__value *v, int64_t heads) {
  return ingot__onnx_transpose(n, ingot__onnx_reshape(n, v, (const int64_t[]){0, 0, heads, -1}, 4), (const int64_t[]){0, 2, 1, 3}, 4);
}

/* Past and new keys (values) together, which output i gives away if it is wanted. */
static ingot__value *append(ingot__onnx_node *n, ingot__value *past, ingot__value *now, size_t i) {
  ingot__value *in[] = {past ? past : now, now};
  bool wanted = i < n->n_out && n->out_name[i];
  ingot__op op = past ? INGOT__OP_Concat : INGOT__OP_Identity;
  if (!past && !wanted) return now;
  ingot__node *node = wanted ? ingot__onnx_finish_output(n, i, op, in, past ? 2 : 1) : ingot__onnx_emit(n, op, in, past ? 2 : 1);
  if (!node) return NULL;
  if (past) ((ingot__attrs_Concat *)node->attrs)->axis = 2;
  return node->out[0];
}

static ingot_status read_attrs(attention *a) {
  ingot__onnx_node *n = a->n;
  INGOT_TRY(ingot__onnx_inputs(n, 3, 7));
  INGOT_TRY(ingot__onnx_get_int(n, "q_num_heads", 0, &a->heads));
  INGOT_TRY(ingot__onnx_get_int(n, "kv_num_heads", 0, &a->key_heads));
  INGOT_TRY(ingot__onnx_get_int(n, "is_causal", 0, &a->causal));
  INGOT_TRY(ingot__onnx_get_int(n, "qk_matmul_output_mode", 0, &a->scores));
  INGOT_TRY(ingot__onnx_get_int(n, "softmax_precision", 0, &a->precision));
  INGOT_TRY(ingot__onnx_get_int(n, "left_window_size", -1, &a->left));
  INGOT_TRY(ingot__onnx_get_int(n, "right_window_size", -1, &a->right));
  INGOT_TRY(ingot__onnx_get_float(n, "softcap", 0, &a->softcap));
  INGOT_TRY(ingot__onnx_get_float(n, "scale", 0, &a->scale)); /* 0: one over the root of the width, in FusedAttention too */
  if (!INGOT__ONNX_IN(n, 4) != !INGOT__ONNX_IN(n, 5)) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "needs past keys and values, or neither");
  if (INGOT__ONNX_IN(n, 4) && INGOT__ONNX_IN(n, 6)) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has past keys and nonpad_kv_seqlen");
  return INGOT_OK;
}

static ingot_status split_inputs(attention *a) {
  ingot__onnx_node *n = a->n;
  a->q = n->in[0], a->k = n->in[1], a->v = n->in[2];
  int rank = ingot__onnx_type(n, a->q)->rank;
  a->flat = rank == 3;
  if (rank < 3 || rank > 4) {
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has queries of %s", rank < 0 ? "unknown rank" : "a rank other than 3 and 4");
  }
  if (!a->flat) return INGOT_OK;
  if (a->heads < 1 || a->key_heads < 1) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "needs q_num_heads and kv_num_heads");
  a->q = split_heads(n, a->q, a->heads), a->k = split_heads(n, a->k, a->key_heads), a->v = split_heads(n, a->v, a->key_heads);
  INGOT__ONNX_NEED(n, a->q && a->k && a->v);
  return INGOT_OK;
}

/* Values, and a mask that isn't one of bools, in the queries' type. */
static ingot_status unify_types(attention *a) {
  ingot__onnx_node *n = a->n;
  ingot_dtype type = ingot__onnx_type(n, a->q)->dtype;
  ingot__value **v[] = {&a->v, &a->mask};
  for (int i = 0; i < 2; i++) {
    ingot_dtype own = *v[i] ? ingot__onnx_type(n, *v[i])->dtype : type;
    if (own == type || (i == 1 && own == INGOT_BOOL)) continue;
    if (own == INGOT_UNDEFINED) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has %s of unknown type", i ? "a mask" : "values");
    INGOT__ONNX_NEED(n, *v[i] = ingot__onnx_binary(n, INGOT__OP_CastLike, *v[i], a->q));
  }
  return INGOT_OK;
}

/* Where query 0 stands among the keys, for causality and windows: after the past, or at the end of the keys that are no padding. */
static ingot_status find_offset(attention *a) {
  ingot__onnx_node *n = a->n;
  ingot__value *past = INGOT__ONNX_IN(n, 4), *lengths = INGOT__ONNX_IN(n, 6);
  if (!a->causal && a->left < 0 && a->right < 0) return INGOT_OK;
  if (past) INGOT__ONNX_NEED(n, a->offset = ingot__onnx_shape_of(n, past, 2, 3));
  else if (lengths) INGOT__ONNX_NEED(n, a->offset = ingot__onnx_binary(n, INGOT__OP_Sub, lengths, ingot__onnx_shape_of(n, a->q, 2, 3)));
  return INGOT_OK;
}

static ingot_status finish(attention *a, ingot__node *node) {
  ingot__onnx_node *n = a->n;
  ingot__value *y = node->out[0];
  if (a->flat) y = ingot__onnx_reshape(n, ingot__onnx_transpose(n, y, (const int64_t[]){0, 2, 1, 3}, 4), (const int64_t[]){0, 0, -1}, 3);
  INGOT__ONNX_NEED(n, y);
  if (n->out_name[0]) INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, 0, INGOT__OP_Identity, &y, 1));
  if (node->n_out > 1) INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, 3, INGOT__OP_Identity, &node->out[1], 1));
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_attention(ingot__onnx_node *n) {
  attention a = {.n = n, .mask = INGOT__ONNX_IN(n, 3)};
  INGOT_TRY(read_attrs(&a));
  INGOT_TRY(split_inputs(&a));
  INGOT__ONNX_NEED(n, a.k = append(n, INGOT__ONNX_IN(n, 4), a.k, 1));
  INGOT__ONNX_NEED(n, a.v = append(n, INGOT__ONNX_IN(n, 5), a.v, 2));
  INGOT_TRY(unify_types(&a));
  INGOT_TRY(find_offset(&a));
  ingot__value *in[] = {a.q, a.k, a.v, a.mask, INGOT__ONNX_IN(n, 6), a.offset};
  size_t n_in = a.offset ? 6 : in[4] ? 5 : a.mask ? 4 : 3;
  ingot__node *node = ingot__onnx_emit_outputs(n, INGOT__OP_FusedAttention, in, n_in, n->n_out > 3 && n->out_name[3] ? 2 : 1);
  INGOT__ONNX_NEED(n, node);
  *(ingot__attrs_FusedAttention *)node->attrs = (ingot__attrs_FusedAttention){
    .scale = a.scale, .softcap = a.softcap, .causal = a.causal, .left = a.left, .right = a.right, .scores = a.scores, .precision = a.precision,
    .mask_pads = a.mask && ingot__onnx_type(n, a.mask)->rank > 0};
  return finish(&a, node);
}
