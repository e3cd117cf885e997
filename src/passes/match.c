/* Recognising patterns of nodes. */
#include "passes/match.h"
#include <math.h>

enum { MOST_ROUNDS = 16, MOST_DEPTH = 8 };

static ingot_status walk(ingot__graph *graph, const ingot__rule *rules, size_t n_rules, const ingot__pass_context *context, bool *changed) {
  for (ingot__node *n = graph->first, *next; n; n = next) {
    next = n->next;
    const ingot__op_info *info = ingot__op_get(n->op);
    for (size_t i = 0; i < info->n_attr && n->op != INGOT__OP_Fused; i++) {
      if (info->attr[i].type != INGOT__ATTR_GRAPH) continue;
      ingot__graph *sub = *(ingot__graph **)(void *)((char *)n->attrs + info->attr[i].offset);
      if (sub) INGOT_TRY(walk(sub, rules, n_rules, context, changed));
    }
    bool done = false;
    for (size_t i = 0; i < n_rules && !done; i++) INGOT_TRY(rules[i](n, context, &done));
    *changed |= done;
  }
  return INGOT_OK;
}

ingot_status ingot__rewrite_walk(ingot__network *network, const ingot__rule *rules, size_t n, const ingot__pass_context *context, bool *changed) {
  for (int round = 0; round < MOST_ROUNDS; round++) {
    bool now = false;
    INGOT_TRY(walk(network->main, rules, n, context, &now));
    if (!now) break;
    *changed = true;
    ingot__network_sweep(network); /* so that what a match left over does not count as a user */
  }
  return INGOT_OK;
}

ingot__node *ingot__made_by(const ingot__value *v, ingot__op op) { return v && v->producer && v->producer->op == op ? v->producer : NULL; }

ingot__node *ingot__made_for(const ingot__value *v, ingot__op op) {
  ingot__node *n = ingot__made_by(v, op);
  if (!n || v->is_output) return NULL;
  for (size_t i = 1; i < v->n_user; i++)
    if (v->user[i] != v->user[0]) return NULL;
  return n;
}

bool ingot__is_number(const ingot__value *v, float x) {
  float c;
  return v && ingot__constant_scalar(v, &c) && ingot__nearly(c, x);
}

bool ingot__same_type(const ingot__value *a, const ingot__value *b) {
  if (!ingot__type_same(&a->type, &b->type) || a->type.rank < 0) return false;
  for (int i = 0; i < a->type.rank; i++)
    if (a->type.dim[i] == INGOT__DIM_UNKNOWN) return false;
  return true;
}

ingot__value *ingot__beside_number(const ingot__node *node, float *number) {
  if (node->n_in != 2) return NULL;
  for (int side = 0; side < 2; side++)
    if (node->in[side] && ingot__constant_scalar(node->in[1 - side], number)) return node->in[side];
  return NULL;
}

ingot__value *ingot__with_number(const ingot__value *v, ingot__op op, float x) {
  float c;
  ingot__node *n = ingot__made_for(v, op);
  ingot__value *other = n ? ingot__beside_number(n, &c) : NULL;
  return other && ingot__nearly(c, x) ? other : NULL;
}

static bool multiply(const ingot__node *n, int depth, ingot__product *p) {
  float c;
  for (int side = 0; side < 2; side++) {
    ingot__value *v = n->in[side];
    bool divisor = n->op == INGOT__OP_Div && side == 1;
    if (ingot__constant_scalar(v, &c)) {
      if (divisor && c == 0) return false;
      p->number = divisor ? p->number / (double)c : p->number * (double)c;
      continue;
    }
    if (divisor) return false;
    ingot__node *inner = ingot__made_for(v, INGOT__OP_Mul);
    if (!inner && (inner = ingot__made_for(v, INGOT__OP_Div)) && !ingot__constant_scalar(inner->in[1], &c)) inner = NULL;
    if (inner && depth < MOST_DEPTH && inner->in[0] == inner->in[1] && p->n + 2 <= INGOT__MAX_FACTORS) { /* x*x */
      p->factor[p->n++] = inner->in[0];
      p->factor[p->n++] = inner->in[0];
    } else if (inner && depth < MOST_DEPTH) {
      if (!multiply(inner, depth + 1, p)) return false;
    } else {
      if (p->n == INGOT__MAX_FACTORS) return false;
      p->factor[p->n++] = v;
    }
  }
  return true;
}

bool ingot__product_of(const ingot__node *root, ingot__product *product) {
  *product = (ingot__product){.number = 1};
  return (root->op == INGOT__OP_Mul || root->op == INGOT__OP_Div) && ingot__is_float32(root->out[0]) && multiply(root, 0, product);
}

size_t ingot__product_find(const ingot__product *product, const ingot__value *factor) {
  for (size_t i = 0; i < product->n; i++)
    if (product->factor[i] == factor) return i;
  return SIZE_MAX;
}

bool ingot__reduced_axes(const ingot__node *node, unsigned *axes) {
  int64_t x[INGOT_MAX_RANK];
  size_t n = 0;
  int rank = node->in[0]->type.rank;
  if (rank < 0) return false;
  *axes = 0;
  if (node->n_in > 1 && node->in[1] && !ingot__constant_ints(node->in[1], x, INGOT_MAX_RANK, &n)) return false;
  for (size_t i = 0; i < n; i++) {
    int64_t a = x[i] < 0 ? x[i] + rank : x[i];
    if (a < 0 || a >= rank) return false;
    *axes |= 1u << a;
  }
  if (n == 0) *axes = ((const ingot__attrs_ReduceMean *)node->attrs)->noop_with_empty_axes ? 0 : (1u << rank) - 1;
  return true;
}

bool ingot__clip_bounds(const ingot__node *node, float *low, float *high) {
  *low = -INFINITY;
  *high = INFINITY;
  if (node->n_in > 1 && node->in[1] && !ingot__constant_scalar(node->in[1], low)) return false;
  return node->n_in < 3 || !node->in[2] || ingot__constant_scalar(node->in[2], high);
}

bool ingot__can_stand_for(const ingot__value *old, const ingot__value *now) {
  if (!old->is_output) return true;
  if (ingot__value_is_public_pair(old, now) || now->graph != old->graph) return false;
  return !old->graph->outer || (!now->is_input && !now->is_output); /* a subgraph's outputs are values of their own */
}

ingot_status ingot__put_value(ingot__node *n, ingot__value *now, const ingot__pass_context *context, bool *done) {
  if (!ingot__can_stand_for(n->out[0], now)) return INGOT_OK;
  *done = true;
  return ingot__rewrite_replace(n, now, context->diag);
}

ingot_status ingot__put_node(ingot__node *n, ingot__node *made, const ingot__pass_context *context, bool *done) {
  INGOT_TRY(ingot__rewrite_finish(made, n, context->diag));
  *done = true;
  return ingot__rewrite_replace(n, made->out[0], context->diag);
}

ingot_status ingot__put_unary(ingot__node *n, ingot__op op, ingot__value *x, const ingot__pass_context *context, bool *done) {
  return ingot__put_node(n, ingot__node_new(n->graph, op, n->name, n, &x, 1, 1, NULL), context, done);
}
