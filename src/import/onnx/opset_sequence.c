/* Conversions of the newest operators of sequence models that are a few others: FlexAttention with its subgraphs, CausalConvWithState, SwiGLU. */
#include "import/onnx/convert.h"

typedef struct flex {
  ingot__onnx_node *n;
  ingot__value *q, *k, *v;
  const ingot__pb_attr *score_mod, *prob_mod;
  ingot_dtype type, precision;
  float scale;                    /* 0: one over the root of the width */
} flex;

static ingot_status read_flex(flex *f) {
  ingot__onnx_node *n = f->n;
  int64_t precision;
  INGOT_TRY(ingot__onnx_inputs(n, 3, 3));
  INGOT_TRY(ingot__onnx_get_float(n, "scale", 0, &f->scale));
  INGOT_TRY(ingot__onnx_get_int(n, "softmax_precision", 0, &precision));
  f->score_mod = ingot__onnx_get(n, "score_mod"), f->prob_mod = ingot__onnx_get(n, "prob_mod");
  const ingot__pb_attr *mod[] = {f->score_mod, f->prob_mod};
  for (int i = 0; i < 2; i++)
    if (mod[i] && mod[i]->type != INGOT__PB_GRAPH) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "score_mod and prob_mod must be graphs");
  f->q = n->in[0], f->k = n->in[1], f->v = n->in[2];
  f->type = ingot__onnx_type(n, f->q)->dtype;
  if (f->type == INGOT_UNDEFINED) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has queries of unknown type");
  f->precision = precision ? (ingot_dtype)precision : f->type == INGOT_FLOAT64 ? INGOT_FLOAT64 : INGOT_FLOAT32;
  return INGOT_OK;
}

/* Keys (values) repeated so that each head of queries has its own. */
static ingot_status repeat_heads(flex *f) {
  ingot__onnx_node *n = f->n;
  int64_t heads = ingot__onnx_known_dim(n, f->q, 1), own = ingot__onnx_known_dim(n, f->k, 1);
  if (heads == own || own == 1) return INGOT_OK;
  if (heads < 1 || own < 1 || heads % own || heads > 65536) {
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "%lld heads of queries on %lld of keys (-1: not known)", (long long)heads, (long long)own);
  }
  int64_t *index = INGOT_NEW_ARRAY(n->o->scratch, (size_t)heads, int64_t);
  INGOT__ONNX_NEED(n, index);
  for (int64_t i = 0; i < heads; i++) index[i] = i / (heads / own);
  ingot__value *which = ingot__onnx_ints(n, index, (size_t)heads), **v[] = {&f->k, &f->v};
  for (int i = 0; i < 2; i++) {
    ingot__value *in[] = {*v[i], which};
    ingot__node *gather = which ? ingot__onnx_emit(n, INGOT__OP_Gather, in, 2) : NULL;
    INGOT__ONNX_NEED(n, gather);
    ((ingot__attrs_Gather *)gather->attrs)->axis = 1;
    *v[i] = gather->out[0];
  }
  return INGOT_OK;
}

/* FlexAttention(Q, K, V): without subgraphs one FusedAttention; with them products and softmax around what they do to scores and weights. */
ingot_status ingot__onnx_convert_flex_attention(ingot__onnx_node *n) {
  flex f = {.n = n};
  INGOT_TRY(read_flex(&f));
  if (!f.score_mod && !f.prob_mod && f.type == f.precision) {
    ingot__node *node = ingot__onnx_finish(n, INGOT__OP_FusedAttention, n->in, 3);
    INGOT__ONNX_NEED(n, node);
    ((ingot__attrs_FusedAttention *)node->attrs)->scale = f.scale;
    return INGOT_OK;
  }
  int64_t width = ingot__onnx_known_dim(n, f.q, 3);
  if (f.scale == 0 && width < 1) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has heads of unknown width and no scale");
  INGOT_TRY(repeat_heads(&f));
  float scale = f.scale != 0 ? f.scale : 1 / sqrtf((float)width);
  ingot__value *factor = ingot__onnx_float_like(n, sqrtf(scale), f.q);
  ingot__value *keys = ingot__onnx_transpose(n, ingot__onnx_binary(n, INGOT__OP_Mul, f.k, factor), (const int64_t[]){0, 1, 3, 2}, 4);
  ingot__value *v = ingot__onnx_binary(n, INGOT__OP_MatMul, ingot__onnx_binary(n, INGOT__OP_Mul, f.q, factor), keys);
  INGOT__ONNX_NEED(n, v = ingot__onnx_cast(n, v, f.precision));
  if (f.score_mod) INGOT_TRY(ingot__onnx_inline_graph(n, f.score_mod->s, "score_mod", &v, 1, &v, 1));
  INGOT__ONNX_NEED(n, v = ingot__onnx_unary(n, INGOT__OP_Softmax, v));
  if (f.prob_mod) INGOT_TRY(ingot__onnx_inline_graph(n, f.prob_mod->s, "prob_mod", &v, 1, &v, 1));
  INGOT__ONNX_NEED(n, v = ingot__onnx_binary(n, INGOT__OP_MatMul, v, ingot__onnx_cast(n, f.v, f.precision)));
  ingot__node *cast = ingot__onnx_finish(n, INGOT__OP_Cast, &v, 1);
  INGOT__ONNX_NEED(n, cast);
  ((ingot__attrs_Cast *)cast->attrs)->to = f.type;
  return INGOT_OK;
}

/* What is convolved: the state and the new positions, or zeros before these. */
static ingot__value *with_state(ingot__onnx_node *n, int64_t before) {
  ingot__value *past = INGOT__ONNX_IN(n, 3), *in[] = {past, n->in[0]};
  ingot__node *node;
  if (past) {
    node = ingot__onnx_emit(n, INGOT__OP_Concat, in, 2);
    if (node) ((ingot__attrs_Concat *)node->attrs)->axis = 2;
  } else {
    ingot__value *pad[] = {n->in[0], ingot__onnx_ints(n, (const int64_t[]){0, 0, before, 0, 0, 0}, 6)};
    node = pad[1] ? ingot__onnx_emit(n, INGOT__OP_Pad, pad, 2) : NULL;
  }
  return node ? node->out[0] : NULL;
}

/* CausalConvWithState(x, w, bias, past) of (batch, channels, length): a depthwise convolution over the past positions and the new ones, and
 * the last of these as the next state. */
ingot_status ingot__onnx_convert_causal_conv(ingot__onnx_node *n) {
  const char *activation;
  INGOT_TRY(ingot__onnx_inputs(n, 2, 4));
  INGOT_TRY(ingot__onnx_get_string(n, "activation", "none", &activation));
  bool silu = strcmp(activation, "silu") == 0 || strcmp(activation, "swish") == 0;
  if (!silu && strcmp(activation, "none") != 0) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the activation '%.40s'", activation);
  int64_t channels = ingot__onnx_known_dim(n, n->in[1], 0), taps = ingot__onnx_known_dim(n, n->in[1], 2);
  if (channels < 1 || taps < 1) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has weights of unknown or empty shape");
  ingot__value *x = with_state(n, taps - 1);
  INGOT__ONNX_NEED(n, x);
  ingot__value *in[] = {x, n->in[1], INGOT__ONNX_IN(n, 2)};
  size_t n_in = in[2] ? 3 : 2;
  ingot__node *conv = silu || !n->out_name[0] ? ingot__onnx_emit(n, INGOT__OP_Conv, in, n_in)
                                              : ingot__onnx_finish_output(n, 0, INGOT__OP_Conv, in, n_in);
  INGOT__ONNX_NEED(n, conv);
  ((ingot__attrs_Conv *)conv->attrs)->group = channels;
  if (silu && n->out_name[0]) INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, 0, INGOT__OP_Silu, conv->out, 1));
  if (n->n_out < 2 || !n->out_name[1]) return INGOT_OK;
  ingot__value *state = ingot__onnx_slice(n, x, taps > 1 ? 1 - taps : 0, taps > 1 ? INT64_MAX : 0, 2);
  INGOT__ONNX_NEED(n, state && ingot__onnx_finish_output(n, 1, INGOT__OP_Identity, &state, 1));
  return INGOT_OK;
}

/* SwiGLU(a, b) = a sigmoid(alpha a) b. */
ingot_status ingot__onnx_convert_swiglu(ingot__onnx_node *n) {
  float alpha;
  INGOT_TRY(ingot__onnx_inputs(n, 2, 2));
  INGOT_TRY(ingot__onnx_get_float(n, "alpha", 1, &alpha));
  ingot__value *a = n->in[0], *gate;
  if (alpha == 1) {
    gate = ingot__onnx_unary(n, INGOT__OP_Silu, a);
  } else {
    ingot__value *scaled = ingot__onnx_binary(n, INGOT__OP_Mul, a, ingot__onnx_float_like(n, alpha, a));
    gate = ingot__onnx_binary(n, INGOT__OP_Mul, a, ingot__onnx_unary(n, INGOT__OP_Sigmoid, scaled));
  }
  ingot__value *in[] = {gate, n->in[1]};
  INGOT__ONNX_NEED(n, gate);
  return ingot__onnx_build(n, INGOT__OP_Mul, in, 2);
}
