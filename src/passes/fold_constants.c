/* Constants computed when the engine is built: nodes whose inputs are all constants, shape computations that inference has followed, and Ifs
 * whose condition is known, which become the branch taken. */
#include "passes/rewrite.h"
#include <string.h>

enum { MOST_BYTES = 256 << 20 };

/* Operators that must stay even so. */
static bool foldable(const ingot__node *n, bool dequantize) {
  if (ingot__op_has_graphs(n->op) || ingot__op_is_random(n->op)) return false;
  if (n->op == INGOT__OP_DequantizeLinear && !dequantize) return false; /* lift_scales wants to see them */
  switch (n->op) {
  case INGOT__OP_NonZero: case INGOT__OP_NonMaxSuppression: case INGOT__OP_Compress: case INGOT__OP_Unique: /* sizes known only afterwards */
    return false;
  default: break;
  }
  for (size_t i = 0; i < n->n_in; i++)
    if (n->in[i] && (!n->in[i]->data || n->in[i]->type.dtype == INGOT_STRING)) return false;
  for (size_t i = 0; i < n->n_out; i++) /* those are made in runs */
    if (n->out[i] && n->out[i]->type.kind != INGOT__TENSOR) return false;
  return true;
}

/* Growing a constant costs file size: only computations that stay small next to their inputs are done now. */
static bool worth_it(const ingot__node *n, size_t bytes) {
  size_t in = 0;
  for (size_t i = 0; i < n->n_in; i++) in += n->in[i] ? n->in[i]->bytes : 0;
  return bytes <= MOST_BYTES && (bytes <= 1 << 20 || bytes <= 4 * in);
}

static ingot_status become_constant(ingot__value *v, const void *data, size_t bytes, ingot__diag *diag) {
  ingot__value *c = ingot__constant_new(v->graph, v->name, &v->type, data, bytes);
  if (!c) return ingot__no_memory(diag);
  c->known = v->known;
  return ingot__value_replace(v, c) ? INGOT_OK : ingot__no_memory(diag);
}

static ingot_status compute(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__arena *arena = &n->graph->network->arena, scratch;
  *done = false;
  size_t total = 0, bytes;
  for (size_t i = 0; i < n->n_out; i++) {
    if (!n->out[i]) continue;
    if (!ingot__type_bytes(&n->out[i]->type, &bytes) || ingot_dtype_bits(n->out[i]->type.dtype) == 0) return INGOT_OK;
    total += bytes;
  }
  if (!worth_it(n, total)) return INGOT_OK;
  ingot__arena_init(&scratch, &n->graph->network->heap);
  ingot_status status = INGOT_OK;
  ingot__view *views = INGOT_NEW_ARRAY(&scratch, n->n_in + n->n_out + 1, ingot__view);
  if (!views) return ingot__no_memory(context->diag);
  for (size_t i = 0; i < n->n_in + n->n_out; i++) {
    const ingot__value *v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
    if (!v) continue;
    ingot__view_set(&views[i], v->type.dtype, v->type.rank, v->type.dim, INGOT__PLAIN);
    views[i].constant = i < n->n_in;
    views[i].data = (void *)v->data;
    if (i < n->n_in) continue;
    ingot__type_bytes(&v->type, &bytes);
    if (!(views[i].data = ingot__arena_alloc(arena, bytes))) status = ingot__no_memory(context->diag);
  }
  ingot__call call = {.node = n, .attrs = n->attrs, .in = views, .out = views + n->n_in, .n_in = n->n_in, .n_out = n->n_out, .pool = context->pool,
                      .threads = ingot__pool_threads(context->pool), .diag = context->diag};
  if (status == INGOT_OK && (call.workspace_size = ingot__reference_workspace(&call))) {
    if (!(call.workspace = ingot__arena_alloc(&scratch, call.workspace_size))) status = ingot__no_memory(context->diag);
  }
  if (status == INGOT_OK) status = ingot__reference(&call);
  for (size_t i = 0; status == INGOT_OK && i < n->n_out; i++) {
    if (!n->out[i]) continue;
    ingot__type_bytes(&n->out[i]->type, &bytes);
    status = become_constant(n->out[i], call.out[i].data, bytes, context->diag);
  }
  ingot__arena_free(&scratch);
  *done = status == INGOT_OK;
  return status;
}

/* An output whose elements are known as numbers. */
static ingot_status use_known(ingot__value *v, ingot__diag *diag, bool *done) {
  size_t count, bytes;
  if (!v || !v->known || (!v->n_user && !v->is_output) || !ingot__type_count(&v->type, &count) || !ingot__type_bytes(&v->type, &bytes)) {
    return INGOT_OK;
  }
  const ingot__dims *dims = &v->graph->network->dims;
  void *data = ingot__arena_alloc(&v->graph->network->arena, bytes);
  if (!data) return ingot__no_memory(diag);
  for (size_t i = 0; i < count; i++) {
    int64_t x;
    if (!ingot__dim_value(dims, v->known[i], &x)) return INGOT_OK;
    ingot__set_int(v->type.dtype, data, i, x);
  }
  *done = true;
  return become_constant(v, data, bytes, diag);
}

/* ---- If */

static void move_users(ingot__value *old, ingot__value *now, bool *good) {
  while (old->n_user && *good) {
    ingot__node *user = old->user[old->n_user - 1];
    for (size_t i = 0; i < user->n_in; i++)
      if (user->in[i] == old) *good = *good && ingot__node_set_input(user, i, now);
  }
}

/* Copies the taken branch's nodes before the If and puts their values in its outputs' place. */
static ingot_status take_branch(ingot__node *node, const ingot__graph *branch, ingot__diag *diag) {
  ingot__graph *outer = node->graph;
  ingot__network *net = outer->network;
  bool good = true;
  size_t n_value = net->n_value;
  ingot__value **made = ingot__arena_array(&net->arena, n_value + 1, sizeof *made); /* by id of the branch's value */
  if (!made) return ingot__no_memory(diag);
  for (ingot__node *n = branch->first; n; n = n->next) {
    ingot__node *copy = ingot__node_new(outer, n->op, n->name, node, n->in, n->n_in, n->n_out, NULL);
    if (!copy) return ingot__no_memory(diag);
    const ingot__op_info *info = ingot__op_get(n->op);
    memcpy(copy->attrs, n->attrs, info->attrs_size);
    copy->origin = n->origin ? n->origin : n->name;
    for (size_t i = 0; i < info->n_attr; i++) { /* its subgraphs move too */
      if (info->attr[i].type != INGOT__ATTR_GRAPH) continue;
      ingot__graph **sub = (ingot__graph **)((char *)copy->attrs + info->attr[i].offset);
      if (*sub) (*sub)->outer = outer;
      *(ingot__graph **)((char *)n->attrs + info->attr[i].offset) = NULL;
    }
    for (size_t i = 0; i < n->n_out; i++) {
      if (!n->out[i]) continue;
      copy->out[i]->type = n->out[i]->type;
      copy->out[i]->known = n->out[i]->known;
      made[n->out[i]->id] = copy->out[i];
      move_users(n->out[i], copy->out[i], &good);
    }
    for (size_t i = 0; i < n->n_in; i++) /* the branch's constants */
      if (n->in[i] && n->in[i]->graph == branch && n->in[i]->data && !n->in[i]->producer && !made[n->in[i]->id]) {
        ingot__value *c = n->in[i], *d = ingot__constant_new(outer, c->name, &c->type, c->data, c->bytes);
        if (!d) return ingot__no_memory(diag);
        d->known = c->known;
        made[c->id] = d;
        move_users(c, d, &good);
      }
  }
  for (size_t i = 0; i < node->n_out && i < branch->n_output; i++) {
    ingot__value *v = branch->output[i];
    if (!node->out[i]) continue;
    if (v->graph == branch && !made[v->id]) { /* a constant handed on */
      ingot__value *d = v->data ? ingot__constant_new(outer, v->name, &v->type, v->data, v->bytes) : NULL;
      if (!d) return ingot__no_memory(diag);
      made[v->id] = d;
    }
    good = good && ingot__value_replace(node->out[i], v->graph == branch ? made[v->id] : v);
  }
  if (!good) return ingot__no_memory(diag);
  for (size_t i = 0; i < net->n_graph; i++) { /* an outer graph has the smaller id */
    ingot__graph *g = net->graph[i];
    if (g) g->depth = g->outer ? g->outer->depth + 1 : 0;
  }
  ingot__node_remove(node);
  return INGOT_OK;
}

static ingot_status fold_graph(ingot__graph *graph, const ingot__pass_context *context, bool dequantize, bool *changed) {
  for (ingot__node *n = graph->first, *next; n; n = next) {
    next = n->next;
    if (n->op == INGOT__OP_If && n->in[0] && (n->in[0]->data || n->in[0]->known)) {
      const ingot__attrs_If *a = n->attrs;
      int64_t condition = n->in[0]->data ? *(const uint8_t *)n->in[0]->data : 0;
      if (n->in[0]->data || ingot__dim_value(&graph->network->dims, n->in[0]->known[0], &condition)) {
        ingot__node *before = n->prev;
        INGOT_TRY(take_branch(n, condition ? a->then_branch : a->else_branch, context->diag));
        *changed = true;
        next = before ? before->next : graph->first; /* the branch's nodes may fold in turn */
        continue;
      }
    }
    bool done = false, all = true;
    if (foldable(n, dequantize)) {
      INGOT_TRY(compute(n, context, &done));
    } else {
      for (size_t i = 0; i < n->n_out; i++) {
        bool one = false;
        INGOT_TRY(use_known(n->out[i], context->diag, &one));
        done |= one;
        all &= !n->out[i] || one;
      }
      done &= all;
    }
    *changed |= done;
    const ingot__op_info *info = ingot__op_get(n->op);
    for (size_t i = 0; i < info->n_attr; i++) {
      ingot__graph *sub = info->attr[i].type == INGOT__ATTR_GRAPH ? *(ingot__graph **)((char *)n->attrs + info->attr[i].offset) : NULL;
      if (sub && n->op != INGOT__OP_Fused) INGOT_TRY(fold_graph(sub, context, dequantize, changed));
    }
    if (done) ingot__node_remove(n);
  }
  return INGOT_OK;
}

static ingot_status fold(ingot__network *network, const ingot__pass_context *context, bool dequantize, bool *changed) {
  INGOT_TRY(fold_graph(network->main, context, dequantize, changed));
  if (!*changed) return INGOT_OK;
  ingot__network_sweep(network);
  return ingot__infer_network(network, context->diag); /* branches that were taken give exact types */
}

ingot_status ingot__pass_fold_constants(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  return fold(network, context, false, changed);
}

ingot_status ingot__pass_fold_dequantized(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  return fold(network, context, true, changed);
}
