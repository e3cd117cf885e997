/* A Transpose pushed on to all who read its result, through nodes that commute, to where it meets other Transposes. What that gains is found
 * first: a value that several read (queries, keys and values of one product) is pushed through for all of them, which pulling can't see. */
#include "passes/pull.h"

enum { MOST_DEPTH = 8 };

/* v is a transposed value, by p; u reads it. */
typedef enum way { STAYS /* u needs it transposed */, MEETS /* u is a Transpose */, ASKS /* for its shape */, PASSES } way;

static double push_cost(const ingot__value *v, const ingot__perm *p, int depth);

static bool is_dead(const ingot__node *u) { /* goes with the next sweep */
  for (size_t i = 0; i < u->n_out; i++)
    if (u->out[i] && (u->out[i]->n_user || u->out[i]->is_output)) return false;
  return true;
}

static bool repeats(const ingot__value *v, size_t i) { /* the i-th user was met before */
  for (size_t k = 0; k < i; k++)
    if (v->user[k] == v->user[i]) return true;
  return false;
}

/* A Transpose u, with this permutation, moves nothing: what reads it takes it in. */
static bool is_taken_in(const ingot__node *u, const ingot__perm *p) {
  const ingot__node *reader = ingot__value_only_user(u->out[0]);
  const int last = p->rank - 1, product = reader && reader->op == INGOT__OP_MatMul, attention = reader && reader->op == INGOT__OP_FusedAttention;
  const int a = product ? last - 1 : last - 2, b = a + 1; /* the dims that may be exchanged */
  if ((!product && !attention) || a < 0) return false;
  for (int i = 0; i < p->rank; i++)
    if (p->axis[i] != (i == a ? b : i == b ? a : i)) return false;
  return true;
}

/* Which way it is, and what it costs. PASSES: *out is how u's result will be transposed. */
static way way_of(const ingot__value *v, const ingot__perm *p, const ingot__node *u, int depth, ingot__perm *out, double *cost) {
  ingot__perm then, inverse = ingot__perm_inverse(p);
  double w = ingot__weight(&v->type);
  *cost = 0;
  if (u->graph != v->graph) return STAYS;
  if (u->op == INGOT__OP_Transpose && ingot__perm_of(u, &then)) {
    const ingot__type x = ingot__perm_type(&v->type, &inverse);
    const ingot__perm now = ingot__perm_then(p, &then);
    *cost = (ingot__keeps_order(&x, &now) || is_taken_in(u, &now) ? 0 : w) - (is_taken_in(u, &then) ? 0 : w);
    return MEETS;
  }
  if (u->op == INGOT__OP_Shape) {
    const ingot__attrs_Shape *a = u->attrs;
    return a->start || a->end != INGOT__NO_INT || u->out[0]->is_output ? STAYS : ASKS;
  }
  if (depth == MOST_DEPTH || !ingot__commutes(u) || u->out[0]->is_output || !ingot__perm_out_of(u, &inverse, out)) return STAYS;
  for (size_t i = 0; i < u->n_in; i++) {
    if (u->in[i] == v && i >= ingot__moved_inputs(u)) return STAYS;
    if (!u->in[i] || u->in[i] == v || i >= ingot__moved_inputs(u) || ingot__same_input(u, i) != i) continue;
    if (!u->in[i]->data && u->in[i]->type.rank != p->rank) return STAYS;
    *cost += ingot__pull_cost(u->in[i], &inverse, u->graph);
  }
  *out = ingot__perm_inverse(out);
  *cost += push_cost(u->out[0], out, depth + 1);
  return *cost < w ? PASSES : STAYS;
}

/* Elements that Transposes move more, less those that they move less, when v's readers are given it as it is before p. */
static double push_cost(const ingot__value *v, const ingot__perm *p, int depth) {
  double total = 0, cost;
  bool stays = v->is_output;
  ingot__perm out;
  for (size_t i = 0; i < v->n_user; i++) {
    if (repeats(v, i) || is_dead(v->user[i])) continue;
    if (way_of(v, p, v->user[i], depth, &out, &cost) == STAYS) stays = true;
    else total += cost;
  }
  return total + (stays ? ingot__weight(&v->type) : 0);
}

static ingot_status meet(ingot__node *u, ingot__value *x, const ingot__perm *p, ingot__diag *diag) {
  ingot__perm then;
  if (!ingot__perm_of(u, &then)) return INGOT_OK;
  then = ingot__perm_then(p, &then);
  int64_t *axis = INGOT_NEW_ARRAY(&u->graph->network->arena, (size_t)then.rank + 1, int64_t);
  if (!axis || !ingot__node_set_input(u, 0, x)) return ingot__no_memory(diag);
  for (int i = 0; i < then.rank; i++) axis[i] = then.axis[i];
  ((ingot__attrs_Transpose *)u->attrs)->perm = (ingot__ints){(size_t)then.rank, axis};
  return INGOT_OK;
}

/* The shape of the transposed value is that of x, permuted. */
static ingot_status ask(ingot__node *u, ingot__value *x, const ingot__perm *p, ingot__diag *diag) {
  int64_t axis[INGOT_MAX_RANK];
  for (int i = 0; i < p->rank; i++) axis[i] = p->axis[i];
  ingot__node *shape = ingot__node_new(u->graph, INGOT__OP_Shape, NULL, u, &x, 1, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(shape, u, diag));
  ingot__value *in[] = {shape->out[0], ingot__constant_int64s(u->graph, NULL, axis, (size_t)p->rank)};
  if (!in[1]) return ingot__no_memory(diag);
  ingot__node *gather = ingot__node_new(u->graph, INGOT__OP_Gather, NULL, u, in, 2, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(gather, u, diag));
  return ingot__value_replace(u->out[0], gather->out[0]) ? INGOT_OK : ingot__no_memory(diag);
}

/* u's result out of x instead of v, which is x by p; NULL: it can't be. */
static ingot_status pass(ingot__node *u, const ingot__value *v, ingot__value *x, const ingot__perm *p, const ingot__perm *out, ingot__diag *diag,
                         ingot__value **made) {
  ingot__perm inverse = ingot__perm_inverse(p), back = ingot__perm_inverse(out);
  ingot__value **in = INGOT_NEW_ARRAY(&u->graph->network->arena, u->n_in + 1, ingot__value *);
  if (!in) return ingot__no_memory(diag);
  for (size_t i = 0; i < u->n_in; i++) {
    in[i] = u->in[i] == v ? x : u->in[i];
    if (!in[i] || in[i] == x || i >= ingot__moved_inputs(u)) continue;
    if (ingot__same_input(u, i) != i) in[i] = in[ingot__same_input(u, i)];
    else INGOT_TRY(ingot__pull(in[i], &inverse, u, diag, &in[i]));
  }
  return ingot__commuted(u, in, &back, u, diag, made);
}

/* Gives v's readers x instead, which v is by p; what a node computes from then on has new values, and its old ones go with the next sweep. */
static ingot_status push(ingot__value *v, ingot__value *x, const ingot__perm *p, int depth, ingot__diag *diag) {
  size_t n = 0;
  ingot__perm out;
  double cost;
  ingot__node **user = INGOT_NEW_ARRAY(&v->graph->network->arena, v->n_user + 1, ingot__node *);
  if (!user) return ingot__no_memory(diag);
  for (size_t i = 0; i < v->n_user; i++)
    if (!repeats(v, i) && !is_dead(v->user[i])) user[n++] = v->user[i];
  for (size_t i = 0; i < n; i++) {
    ingot__value *made = NULL;
    switch (way_of(v, p, user[i], depth, &out, &cost)) {
    case STAYS: break;
    case MEETS: INGOT_TRY(meet(user[i], x, p, diag)); break;
    case ASKS: INGOT_TRY(ask(user[i], x, p, diag)); break;
    case PASSES:
      INGOT_TRY(pass(user[i], v, x, p, &out, diag, &made));
      if (made) INGOT_TRY(push(user[i]->out[0], made, &out, depth + 1, diag));
      break;
    }
  }
  if (depth == 0 || !v->n_user) return INGOT_OK; /* those that stay read the Transpose that is there */
  ingot__node *t = ingot__transpose_new(x, p, v->producer);
  INGOT_TRY(ingot__rewrite_finish(t, v->producer, diag));
  return ingot__value_replace(v, t->out[0]) ? INGOT_OK : ingot__no_memory(diag);
}

ingot_status ingot__rule_push(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__perm p;
  if (n->op != INGOT__OP_Transpose || !n->out[0]->n_user || !ingot__perm_of(n, &p)) return INGOT_OK;
  if (push_cost(n->out[0], &p, 0) >= ingot__weight(&n->out[0]->type)) return INGOT_OK;
  *done = true;
  return push(n->out[0], n->in[0], &p, 0, context->diag);
}
