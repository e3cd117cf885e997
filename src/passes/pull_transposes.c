/* Having a value in another order of its dims, by changing what computes it: constants are permuted, Transposes composed, nodes between
 * renamed their axes. What that costs is found first. */
#include "passes/pull.h"
#include <math.h>

enum { MOST_DEPTH = 24 };

/* ---- Permutations */

bool ingot__perm_of(const ingot__node *transpose, ingot__perm *perm) {
  ingot__ints p = ((const ingot__attrs_Transpose *)transpose->attrs)->perm;
  perm->rank = transpose->in[0]->type.rank;
  if (perm->rank < 0 || (p.n && p.n != (size_t)perm->rank)) return false;
  for (int i = 0; i < perm->rank; i++) {
    perm->axis[i] = p.n ? (int)p.v[i] : perm->rank - 1 - i;
    if (perm->axis[i] < 0) perm->axis[i] += perm->rank;
    if (perm->axis[i] < 0 || perm->axis[i] >= perm->rank) return false;
  }
  return true;
}

bool ingot__perm_is_identity(const ingot__perm *p) {
  for (int i = 0; i < p->rank; i++)
    if (p->axis[i] != i) return false;
  return true;
}
bool ingot__perm_same(const ingot__perm *a, const ingot__perm *b) {
  for (int i = 0; i < a->rank && a->rank == b->rank; i++)
    if (a->axis[i] != b->axis[i]) return false;
  return a->rank == b->rank;
}
ingot__perm ingot__perm_then(const ingot__perm *first, const ingot__perm *second) {
  ingot__perm p = {.rank = first->rank};
  for (int i = 0; i < p.rank; i++) p.axis[i] = first->axis[second->axis[i]];
  return p;
}
ingot__perm ingot__perm_inverse(const ingot__perm *p) {
  ingot__perm q = {.rank = p->rank};
  for (int i = 0; i < p->rank; i++) q.axis[p->axis[i]] = i;
  return q;
}

ingot__type ingot__perm_type(const ingot__type *t, const ingot__perm *p) {
  ingot__type now = *t;
  for (int i = 0; i < p->rank; i++) now.dim[i] = t->dim[p->axis[i]];
  return now;
}

bool ingot__keeps_order(const ingot__type *t, const ingot__perm *p) {
  int last = -1;
  for (int i = 0; i < p->rank; i++) {
    if (t->dim[p->axis[i]] == 1) continue;
    if (p->axis[i] < last) return false;
    last = p->axis[i];
  }
  return true;
}

ingot__node *ingot__transpose_new(ingot__value *v, const ingot__perm *p, ingot__node *before) {
  int64_t *perm = INGOT_NEW_ARRAY(&v->graph->network->arena, (size_t)p->rank + 1, int64_t);
  ingot__node *n = perm ? ingot__node_new(before->graph, INGOT__OP_Transpose, NULL, before, &v, 1, 1, NULL) : NULL;
  if (!n) return NULL;
  for (int i = 0; i < p->rank; i++) perm[i] = p->axis[i];
  ((ingot__attrs_Transpose *)n->attrs)->perm = (ingot__ints){(size_t)p->rank, perm};
  return n;
}

double ingot__weight(const ingot__type *t) {
  double w = 1;
  for (int i = 0; i < t->rank; i++) w *= ingot__dim_is_number(t->dim[i]) ? (double)t->dim[i] : 4;
  return w;
}

/* ---- Cost */

static double cost(const ingot__value *v, const ingot__perm *p, const ingot__graph *graph, int depth);

size_t ingot__same_input(const ingot__node *n, size_t i) {
  for (size_t k = 0; k < i && k < 2; k++)
    if (n->in[k] == n->in[i]) return k;
  return i;
}

static double node_cost(const ingot__node *n, const ingot__perm *p, int depth) {
  ingot__perm in;
  double total = 0;
  if (!ingot__perm_into(n, p, &in)) return INFINITY;
  for (size_t i = 0; i < ingot__moved_inputs(n); i++)
    if (n->in[i] && ingot__same_input(n, i) == i) total += cost(n->in[i], &in, n->graph, depth + 1);
  return total;
}

static bool one_element(const ingot__type *t) {
  for (int i = 0; i < t->rank; i++)
    if (t->dim[i] != 1) return false;
  return t->rank >= 0;
}

static bool is_read_once(const ingot__value *v) {
  if (v->is_output || !v->producer) return false;
  for (size_t i = 1; i < v->n_user; i++)
    if (v->user[i] != v->user[0]) return false;
  return true;
}

static double cost(const ingot__value *v, const ingot__perm *p, const ingot__graph *graph, int depth) {
  ingot__perm first;
  double w = ingot__weight(&v->type);
  if (one_element(&v->type) || ingot__perm_is_identity(p)) return 0;
  if (v->data) return v->type.rank <= p->rank && ingot__dtype_size(v->type.dtype) ? 0 : INFINITY;
  if (v->type.rank != p->rank) return INFINITY;
  if (v->producer && v->producer->op == INGOT__OP_Transpose && ingot__perm_of(v->producer, &first)) {
    ingot__perm both = ingot__perm_then(&first, p);
    return (ingot__perm_is_identity(&both) ? 0 : w) - (is_read_once(v) ? w : 0);
  }
  if (is_read_once(v) && v->graph == graph && depth < MOST_DEPTH && ingot__commutes(v->producer)) {
    double inside = node_cost(v->producer, p, depth);
    if (inside < w) return inside;
  }
  return w;
}

double ingot__pull_cost(const ingot__value *v, const ingot__perm *p, const ingot__graph *graph) { return cost(v, p, graph, 0); }
double ingot__pull_node_cost(const ingot__node *n, const ingot__perm *p) { return node_cost(n, p, 0); }

/* ---- Making it */

static ingot__value *permuted_constant(const ingot__value *v, const ingot__perm *p, ingot__graph *graph) {
  size_t size = ingot__dtype_size(v->type.dtype), bytes, count, stride[INGOT_MAX_RANK], from[INGOT_MAX_RANK];
  int64_t dim[INGOT_MAX_RANK], at[INGOT_MAX_RANK] = {0};
  ingot__type type = {.dtype = v->type.dtype, .rank = (int8_t)p->rank};
  size_t s = 1;
  for (int i = p->rank - 1, k = v->type.rank - 1; i >= 0; i--, k--) {
    dim[i] = k >= 0 ? v->type.dim[k] : 1;
    stride[i] = s;
    s *= (size_t)dim[i];
  }
  for (int i = 0; i < p->rank; i++) {
    type.dim[i] = dim[p->axis[i]];
    from[i] = stride[p->axis[i]];
  }
  if (!ingot__type_bytes(&type, &bytes) || !ingot__type_count(&type, &count)) return NULL;
  char *data = ingot__arena_alloc(&graph->network->arena, bytes);
  if (!data) return NULL;
  for (size_t i = 0, source = 0; i < count; i++) {
    memcpy(data + i * size, (const char *)v->data + source * size, size);
    for (int d = p->rank - 1; d >= 0; d--) {
      source += from[d];
      if (++at[d] < type.dim[d]) break;
      source -= from[d] * (size_t)type.dim[d];
      at[d] = 0;
    }
  }
  return ingot__constant_new(graph, v->name, &type, data, bytes);
}

static ingot_status pull(ingot__value *v, const ingot__perm *p, ingot__node *before, int depth, ingot__diag *diag, ingot__value **made);

static ingot_status pull_node(ingot__node *n, const ingot__perm *p, ingot__node *before, int depth, ingot__diag *diag, ingot__value **made) {
  ingot__perm into;
  ingot__value **in = INGOT_NEW_ARRAY(&n->graph->network->arena, n->n_in + 1, ingot__value *);
  if (!in) return ingot__no_memory(diag);
  *made = NULL;
  if (!ingot__perm_into(n, p, &into)) return INGOT_OK;
  for (size_t i = 0; i < n->n_in; i++) {
    in[i] = n->in[i];
    if (!in[i] || i >= ingot__moved_inputs(n)) continue;
    if (ingot__same_input(n, i) != i) in[i] = in[ingot__same_input(n, i)];
    else INGOT_TRY(pull(in[i], &into, before, depth + 1, diag, &in[i]));
  }
  return ingot__commuted(n, in, p, before, diag, made);
}

static ingot_status pull(ingot__value *v, const ingot__perm *p, ingot__node *before, int depth, ingot__diag *diag, ingot__value **made) {
  ingot__perm first, all = *p;
  ingot__node *n = v->producer;
  *made = v;
  if (one_element(&v->type) || ingot__perm_is_identity(p)) return INGOT_OK;
  if (v->data) return (*made = permuted_constant(v, p, before->graph)) ? INGOT_OK : ingot__no_memory(diag);
  if (n && n->op == INGOT__OP_Transpose && ingot__perm_of(n, &first)) {
    all = ingot__perm_then(&first, p);
    *made = v = n->in[0];
    if (ingot__perm_is_identity(&all)) return INGOT_OK;
  } else if (is_read_once(v) && n->graph == before->graph && depth < MOST_DEPTH && ingot__commutes(n) &&
             node_cost(n, p, depth) < ingot__weight(&v->type)) {
    INGOT_TRY(pull_node(n, p, before, depth, diag, made));
    if (*made) return INGOT_OK;
  }
  ingot__node *t = ingot__transpose_new(v, &all, before);
  if (!t) return ingot__no_memory(diag);
  *made = t->out[0];
  return ingot__rewrite_finish(t, n ? n : before, diag);
}

ingot_status ingot__pull(ingot__value *v, const ingot__perm *p, ingot__node *before, ingot__diag *diag, ingot__value **made) {
  return pull(v, p, before, 0, diag, made);
}
ingot_status ingot__pull_node(ingot__node *n, const ingot__perm *p, ingot__node *before, ingot__diag *diag, ingot__value **made) {
  return pull_node(n, p, before, 0, diag, made);
}
