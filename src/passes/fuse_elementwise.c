/* Chains of elementwise nodes become one Fused node: its result is computed block by block, and what lies between never reaches memory.
 * Grown from its last node backwards over producers of the same shape that nobody else reads. */
#include "passes/rewrite.h"
#include <string.h>

enum { MOST_NODES = 20, MOST_INPUTS = 8 };

typedef struct group {
  ingot__node *node[MOST_NODES];
  size_t n;
  bool halves;               /* the target computes with halves; else they are only converted */
} group;

static bool is_real(ingot_dtype t) { return t == INGOT_FLOAT32 || t == INGOT_FLOAT64; }
static bool is_whole_or_real(ingot_dtype t) { return is_real(t) || t == INGOT_BOOL || (ingot__dtype_is_int(t) && ingot__dtype_size(t)); }

/* Numbers as they are computed with. Elements that inference follows are shapes: those stay in the open. */
static bool types_fit(const ingot__node *n, bool halves) {
  ingot_dtype to = n->out[0]->type.dtype;
  if (n->out[0]->known && to != INGOT_FLOAT32) return false;
  if (n->op == INGOT__OP_Cast && !halves) {
    ingot_dtype from = n->in[0]->type.dtype;
    if (ingot__dtype_is_half(to)) return from == INGOT_FLOAT32;
    if (ingot__dtype_is_half(from)) return to == INGOT_FLOAT32;
    return is_whole_or_real(from) && is_whole_or_real(to);
  }
  if (!is_whole_or_real(to) && !(halves && ingot__dtype_is_half(to))) return false;
  for (size_t i = 0; i < n->n_in; i++) {
    ingot_dtype t = n->in[i] ? n->in[i]->type.dtype : INGOT_FLOAT32;
    if (!is_whole_or_real(t) && !(halves && ingot__dtype_is_half(t))) return false;
  }
  return true;
}

/* 8-bit integers, which a chain may begin or end with. */
static bool levels(const ingot__value *v) { return v && (v->type.dtype == INGOT_UINT8 || v->type.dtype == INGOT_INT8); }
static bool float_number(const ingot__value *v) { return v && v->data && v->type.rank == 0 && v->type.dtype == INGOT_FLOAT32; }

/* A quantiser between float32 and 8-bit levels, with one scale and zero point. */
static bool quantizer(const ingot__node *n) {
  const ingot__value *from = n->in[0], *to = n->out[0], *zero = n->n_in > 2 ? n->in[2] : NULL;
  if ((zero && (!zero->data || zero->type.rank != 0)) || !float_number(n->in[1])) return false;
  if (n->op == INGOT__OP_QuantizeLinear)
    return levels(to) && ingot__is_float32(from) && ((const ingot__attrs_QuantizeLinear *)n->attrs)->block_size == 0;
  return levels(from) && ingot__is_float32(to) && ((const ingot__attrs_DequantizeLinear *)n->attrs)->block_size == 0;
}

static bool known_dims(const ingot__value *v) {
  for (int d = 0; d < v->type.rank; d++)
    if (v->type.dim[d] == INGOT__DIM_UNKNOWN) return false;
  return v->type.rank >= 0;
}

static bool fusable(const ingot__node *n, bool halves) {
  if (n->n_out != 1 || !n->out[0] || !known_dims(n->out[0]) || n->n_in < 1 || !n->in[0]) return false;
  if (n->op == INGOT__OP_QuantizeLinear || n->op == INGOT__OP_DequantizeLinear) return quantizer(n);
  if (!types_fit(n, halves)) return false;
  ingot_dtype t = n->in[0]->type.dtype;
  if (halves && ingot__dtype_is_half(t)) t = INGOT_FLOAT32;
  switch (n->op) {
  case INGOT__OP_Clip: case INGOT__OP_Where: case INGOT__OP_Cast: break;
  case INGOT__OP_PRelu: if (!is_real(t)) return false; break;
  case INGOT__OP_Pow: if (!is_real(t) || n->in[1]->type.dtype != n->in[0]->type.dtype) return false; break;
  case INGOT__OP_Mod: if (is_real(t) && !((const ingot__attrs_Mod *)n->attrs)->fmod) return false; break;
  case INGOT__OP_Gelu: if (t != INGOT_FLOAT32) return false; break;
  default:
    if (!ingot__op_get(n->op)->elementwise) return false;
  }
  return true;
}

static bool contains(const group *g, const ingot__node *n) {
  for (size_t i = 0; i < g->n; i++)
    if (g->node[i] == n) return true;
  return false;
}

static bool same_dims(const ingot__type *a, const ingot__type *b) {
  return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

static bool scalar_constant(const ingot__value *v) {
  size_t count;
  return v->data && ingot__type_count(&v->type, &count) && count == 1;
}

/* Inputs from outside, each once, scalar constants left out. */
static size_t outside(const group *g, ingot__value **in) {
  size_t n = 0;
  for (size_t k = g->n; k-- > 0;)
    for (size_t i = 0; i < g->node[k]->n_in; i++) {
      ingot__value *v = g->node[k]->in[i];
      if (!v || (v->producer && contains(g, v->producer)) || scalar_constant(v)) continue;
      size_t at = 0;
      while (at < n && in[at] != v) at++;
      if (at < n) continue;
      if (n == MOST_INPUTS) return MOST_INPUTS + 1;
      in[n++] = v;
    }
  return n;
}

static bool is_quantizer(const ingot__node *n) { return n->op == INGOT__OP_QuantizeLinear || n->op == INGOT__OP_DequantizeLinear; }

/* Of floats, bools and levels, as chains with quantisers must be. */
static bool plain(const ingot__node *n) {
  if (n->op == INGOT__OP_Cast && levels(n->in[0]) && levels(n->out[0])) return false;
  for (size_t i = 0; i < n->n_in + n->n_out; i++) {
    const ingot__value *v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
    if (v && v->type.dtype != INGOT_FLOAT32 && v->type.dtype != INGOT_BOOL && !levels(v)) return false;
    if (v && levels(v) && n->op != INGOT__OP_Cast && !is_quantizer(n)) return false;
  }
  return true;
}

static bool joins(const group *g, const ingot__node *p, const ingot__node *root) {
  if (!p || p->graph != root->graph || contains(g, p) || !fusable(p, g->halves) || p->out[0]->is_output) return false;
  bool quantizes = is_quantizer(p), all_plain = plain(p);
  for (size_t k = 0; k < g->n; k++) quantizes |= is_quantizer(g->node[k]), all_plain &= plain(g->node[k]);
  if (quantizes && (!all_plain || levels(p->out[0]))) return false; /* what makes levels ends a chain */
  if (!same_dims(&p->out[0]->type, &root->out[0]->type)) return false;
  for (size_t u = 0; u < p->out[0]->n_user; u++)
    if (!contains(g, p->out[0]->user[u])) return false;
  return true;
}

static void grow(group *g, ingot__node *root) {
  ingot__value *in[MOST_INPUTS + 1];
  g->node[0] = root;
  g->n = 1;
  for (bool more = true; more;) {
    more = false;
    for (size_t k = 0; k < g->n; k++)
      for (size_t i = 0; i < g->node[k]->n_in && g->n < MOST_NODES; i++) {
        ingot__node *p = g->node[k]->in[i] ? g->node[k]->in[i]->producer : NULL;
        if (!joins(g, p, root)) continue;
        g->node[g->n++] = p;
        if (outside(g, in) > MOST_INPUTS) g->n--;
        else more = true;
      }
  }
}

/* Running order: as in the graph. */
static void sort_group(group *g) {
  size_t n = 0;
  ingot__node *sorted[MOST_NODES];
  for (ingot__node *at = g->node[0]; at && n < g->n; at = at->prev)
    if (contains(g, at)) sorted[n++] = at;
  for (size_t i = 0; i < n; i++) g->node[i] = sorted[n - 1 - i];
}

/* An input of the result's own shape stands first: kernels take their layout from the first input and may write in its place. */
static size_t leader(ingot__value *const *in, size_t n, const ingot__type *result) {
  for (size_t i = 0; i < n; i++)
    if (in[i] && !in[i]->data && same_dims(&in[i]->type, result)) return i;
  for (size_t i = 0; i < n; i++)
    if (in[i] && !in[i]->data && in[i]->type.rank == result->rank) return i;
  return 0;
}

static ingot_status lead(ingot__node *n, ingot__diag *diag) {
  if (n->op != INGOT__OP_Add && n->op != INGOT__OP_Mul && n->op != INGOT__OP_Max && n->op != INGOT__OP_Min) return INGOT_OK;
  if (leader(n->in, n->n_in, &n->out[0]->type) != 1) return INGOT_OK;
  ingot__value *a = n->in[0], *b = n->in[1];
  return ingot__node_set_input(n, 0, b) && ingot__node_set_input(n, 1, a) ? INGOT_OK : ingot__no_memory(diag);
}

static ingot_status make(const group *g, ingot__diag *diag) {
  ingot__node *root = g->node[g->n - 1];
  ingot__graph *outer = root->graph;
  ingot__network *net = outer->network;
  ingot__value *in[MOST_INPUTS + 1];
  size_t n_in = outside(g, in);
  for (size_t i = 0; i < n_in; i++) /* the first input decides on the layout: one that isn't constant, of the result's shape */
    if (!in[i]->data && same_dims(&in[i]->type, &root->out[0]->type)) {
      ingot__value *lead = in[i];
      in[i] = in[0];
      in[0] = lead;
      break;
    }
  ingot__graph *body = ingot__graph_new(net, outer, root->name);
  ingot__node *fused = body ? ingot__node_new(outer, INGOT__OP_Fused, root->name, root, in, n_in, 1, NULL) : NULL;
  if (!fused) return ingot__no_memory(diag);
  ((ingot__attrs_Fused *)fused->attrs)->body = body;
  ingot__value *inner[MOST_INPUTS], *made[MOST_NODES];
  for (size_t i = 0; i < n_in; i++)
    if (!(inner[i] = ingot__input_new(body, in[i]->name, &in[i]->type))) return ingot__no_memory(diag);
  for (size_t k = 0; k < g->n; k++) {
    const ingot__node *n = g->node[k];
    ingot__value *args[4] = {0};
    for (size_t i = 0; i < n->n_in && i < 4; i++) {
      ingot__value *v = n->in[i];
      if (!v) continue;
      for (size_t m = 0; m < k; m++)
        if (g->node[m]->out[0] == v) args[i] = made[m];
      for (size_t m = 0; m < n_in; m++)
        if (in[m] == v) args[i] = inner[m];
      if (!args[i] && !(args[i] = ingot__constant_new(body, v->name, &v->type, v->data, v->bytes))) return ingot__no_memory(diag);
    }
    ingot__node *copy = ingot__node_new(body, n->op, n->name, NULL, args, n->n_in, 1, NULL);
    if (!copy) return ingot__no_memory(diag);
    memcpy(copy->attrs, n->attrs, ingot__op_get(n->op)->attrs_size);
    copy->out[0]->type = n->out[0]->type;
    made[k] = copy->out[0];
  }
  if (!ingot__graph_add_output(body, made[g->n - 1])) return ingot__no_memory(diag);
  fused->origin = g->node[0]->origin ? g->node[0]->origin : g->node[0]->name;
  for (size_t k = 1; k < g->n; k++)
    if (!ingot__node_absorb_origin(fused, g->node[k])) return ingot__no_memory(diag);
  fused->out[0]->type = root->out[0]->type;
  fused->out[0]->known = root->out[0]->known;
  const char *name = root->out[0]->name; /* the fused value is that tensor, and is called so: see ingot__rewrite_replace */
  bool take_name = !root->out[0]->is_output;
  if (!ingot__value_replace(root->out[0], fused->out[0])) return ingot__no_memory(diag);
  for (size_t k = g->n; k-- > 0;) ingot__node_remove(g->node[k]);
  return !take_name || ingot__value_rename(fused->out[0], name) ? INGOT_OK : ingot__no_memory(diag);
}

static ingot_status fuse_graph(ingot__graph *graph, bool halves, ingot__diag *diag, bool *changed) {
  for (ingot__node *n = graph->last; n;) {
    group g = {.halves = halves};
    ingot__node *prev = n->prev;
    if (fusable(n, halves)) {
      grow(&g, n);
      ingot__value *in[MOST_INPUTS + 1];
      if (g.n > 1 && outside(&g, in) > 0) { /* constants alone are fold_constants' */
        sort_group(&g);
        while (prev && contains(&g, prev)) prev = prev->prev;
        INGOT_TRY(make(&g, diag));
        *changed = true;
      } else {
        INGOT_TRY(lead(n, diag));
      }
    }
    n = prev;
  }
  return INGOT_OK;
}

ingot_status ingot__pass_fuse_elementwise(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  size_t n_graph = network->n_graph; /* bodies made here come after */
  for (size_t g = 0; g < n_graph; g++) {
    ingot__graph *graph = network->graph[g];
    if (graph && !graph->removed) INGOT_TRY(fuse_graph(graph, context->narrow != INGOT_UNDEFINED, context->diag, changed));
  }
  return INGOT_OK;
}
