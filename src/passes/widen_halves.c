/* Float16 and bfloat16 as float32, where the target computes them so anyway: all values but the network's inputs and outputs, which get
 * Casts; constants, Casts' targets and tensor attributes follow. Results are those of computing in float32 throughout: the roundings
 * between nodes go. Nodes that only move elements then move halves again, where Casts stand before them. */
#include "passes/rewrite.h"


static float *widened(ingot__network *network, ingot_dtype t, const void *data, size_t count) {
  float *now = INGOT_NEW_ARRAY(&network->arena, count ? count : 1, float);
  const uint16_t *old = data;
  if (!now) return NULL;
  for (size_t i = 0; i < count; i++) now[i] = t == INGOT_FLOAT16 ? ingot__f16_to_f32(old[i]) : ingot__bf16_to_f32(old[i]);
  return now;
}

/* Moves v's readers to `now`, but not the node `but`. */
static bool move_users(ingot__value *v, ingot__value *now, ingot__node *but) {
  for (size_t i = v->n_user; i-- > 0;) {
    ingot__node *user = i < v->n_user ? v->user[i] : NULL;
    for (size_t k = 0; user && user != but && k < user->n_in; k++)
      if (user->in[k] == v && !ingot__node_set_input(user, k, now)) return false;
  }
  return true;
}

static ingot__node *cast(ingot__value *v, ingot__node *before, ingot_dtype to) {
  ingot__node *n = ingot__node_new(v->graph, INGOT__OP_Cast, NULL, before, &v, 1, 1, NULL);
  if (!n) return NULL;
  ((ingot__attrs_Cast *)n->attrs)->to = to;
  n->out[0]->type = v->type;
  n->out[0]->type.dtype = to;
  return n;
}

static ingot_status widen_value(ingot__value *v, ingot__diag *diag) {
  ingot__network *network = v->graph->network;
  ingot_dtype old = v->type.dtype;
  bool public = !v->graph->outer;
  if (public && v->is_input) {
    if (!v->n_user) return INGOT_OK;
    ingot__node *c = cast(v, network->main->first, INGOT_FLOAT32);
    return c && move_users(v, c->out[0], c) ? INGOT_OK : ingot__no_memory(diag);
  }
  v->type.dtype = INGOT_FLOAT32;
  if (v->data) {
    size_t count;
    if (!ingot__type_count(&v->type, &count)) return INGOT_OK;
    float *now = widened(network, old, v->data, count);
    if (!now) return ingot__no_memory(diag);
    v->data = now;
    v->bytes = count * sizeof *now;
  }
  if (!public || !v->is_output) return INGOT_OK;
  ingot__node *c = cast(v, NULL, old);
  if (!c || !ingot__value_replace(v, c->out[0]) || !move_users(c->out[0], v, NULL)) return ingot__no_memory(diag);
  return INGOT_OK;
}

/* Which inputs a node moves the elements of: the first (1), all (2), or it does more than that (0). */
static int moves(const ingot__node *n) {
  switch (n->op) {
  case INGOT__OP_Reshape: case INGOT__OP_Flatten: case INGOT__OP_Squeeze: case INGOT__OP_Unsqueeze: case INGOT__OP_Transpose: case INGOT__OP_Split:
  case INGOT__OP_Slice: case INGOT__OP_Gather: case INGOT__OP_GatherND: case INGOT__OP_GatherElements: case INGOT__OP_DepthToSpace:
  case INGOT__OP_SpaceToDepth: case INGOT__OP_Expand: case INGOT__OP_Tile: return 1;
  case INGOT__OP_Pad: return n->n_in < 3 || !n->in[2];
  case INGOT__OP_Concat: return 2;
  default: return 0;
  }
}

/* Puts the Casts from halves before such a node behind it, where they convert no more elements than before. */
static ingot_status sink_casts(ingot__node *n, ingot__diag *diag) {
  size_t n_moved = moves(n) == 2 ? n->n_in : (size_t)moves(n);
  bool grows = n->op == INGOT__OP_Expand || n->op == INGOT__OP_Tile || n->op == INGOT__OP_Pad;
  ingot_dtype half = INGOT_UNDEFINED;
  if (!n_moved) return INGOT_OK;
  for (size_t i = 0; i < n_moved; i++) {
    ingot__node *c = n->in[i] ? n->in[i]->producer : NULL;
    if (!c || c->op != INGOT__OP_Cast || c->graph != n->graph || n->in[i]->n_user != 1 || n->in[i]->is_output) return INGOT_OK;
    ingot_dtype from = c->in[0]->type.dtype;
    if (!ingot__dtype_is_half(from) || n->in[i]->type.dtype != INGOT_FLOAT32 || (half != INGOT_UNDEFINED && half != from)) return INGOT_OK;
    half = from;
  }
  for (size_t i = 0; i < n->n_out; i++) {
    const ingot__value *v = n->out[i];
    if (!v) continue;
    if (v->is_output) return INGOT_OK;
    for (size_t u = 0; u < v->n_user; u++)
      if (v->user[u]->graph != n->graph || (grows && (v->user[u]->op != INGOT__OP_Cast || v->user[u]->out[0]->type.dtype != half))) return INGOT_OK;
  }
  for (size_t i = 0; i < n_moved; i++)
    if (!ingot__node_set_input(n, i, n->in[i]->producer->in[0])) return ingot__no_memory(diag);
  for (size_t i = 0; i < n->n_out; i++) {
    ingot__value *v = n->out[i];
    if (!v) continue;
    v->type.dtype = half;
    ingot__node *c = cast(v, n->next, INGOT_FLOAT32);
    if (!c || !move_users(v, c->out[0], c)) return ingot__no_memory(diag);
  }
  return INGOT_OK;
}

/* A BitCast's halves are no floats: where there is one they stay halves. */
static bool has_bit_casts(const ingot__network *network) {
  for (size_t i = 0; i < network->n_node; i++) {
    const ingot__node *n = network->node[i];
    if (n && n->op == INGOT__OP_BitCast && (ingot__dtype_is_half(n->in[0]->type.dtype) || ingot__dtype_is_half(n->out[0]->type.dtype))) return true;
  }
  return false;
}

static bool names_a_type(const char *name) {
  return !strcmp(name, "to") || !strcmp(name, "dtype") || !strcmp(name, "output_dtype") || !strcmp(name, "precision");
}

static ingot_status widen_attributes(ingot__node *n, ingot__diag *diag, bool *changed) {
  const ingot__op_info *info = ingot__op_get(n->op);
  for (size_t i = 0; i < info->n_attr; i++) {
    void *field = (char *)n->attrs + info->attr[i].offset;
    if (info->attr[i].type == INGOT__ATTR_INT && names_a_type(info->attr[i].name)) {
      int64_t *to = field;
      if (!ingot__dtype_is_half(*to)) continue;
      *to = INGOT_FLOAT32;
      *changed = true;
    } else if (info->attr[i].type == INGOT__ATTR_TENSOR) {
      ingot__literal *t = field;
      if (!t->data || !ingot__dtype_is_half(t->dtype)) continue;
      size_t count = t->bytes / sizeof(uint16_t);
      if (!(t->data = widened(n->graph->network, t->dtype, t->data, count))) return ingot__no_memory(diag);
      t->dtype = INGOT_FLOAT32;
      t->bytes = count * sizeof(float);
      *changed = true;
    }
  }
  return INGOT_OK;
}

ingot_status ingot__pass_widen_halves(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  if (!context->float_only || has_bit_casts(network)) return INGOT_OK;
  for (size_t i = 0; i < network->n_value; i++) /* what sequences and optionals hold can't change its type */
    if (network->value[i] && network->value[i]->type.kind != INGOT__TENSOR && ingot__dtype_is_half(network->value[i]->type.dtype)) return INGOT_OK;
  for (size_t i = 0; i < network->n_node; i++) /* before the values: the Casts made for those stay as they are */
    if (network->node[i]) INGOT_TRY(widen_attributes(network->node[i], context->diag, changed));
  for (size_t i = 0, n_value = network->n_value; i < n_value; i++) {
    ingot__value *v = network->value[i];
    if (!v || v->graph->removed || v->type.kind != INGOT__TENSOR || !ingot__dtype_is_half(v->type.dtype)) continue;
    INGOT_TRY(widen_value(v, context->diag));
    *changed = true;
  }
  if (!*changed) return INGOT_OK;
  INGOT_TRY(ingot__infer_network(network, context->diag));
  for (size_t g = 0; g < network->n_graph; g++) {
    ingot__graph *graph = network->graph[g];
    for (ingot__node *n = graph && !graph->removed ? graph->first : NULL; n; n = n->next) INGOT_TRY(sink_casts(n, context->diag));
  }
  INGOT_TRY(ingot__infer_network(network, context->diag));
  return ingot__pass_remove_identities(network, context, changed); /* Casts between halves and float32 are none now */
}
