/* Having a value in another order of its dims, by changing what computes it: constants are permuted, Transposes composed, nodes between
 * renamed their axes. What that costs is found first. */
#include "passes/pull.h"
#include <math.h>

enum { MOST_DEPTH = 24 };

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

/* ---- Nodes that commute */

typedef enum kind { OTHER, ELEMENTWISE /* all inputs */, FIRST /* the first input; others are scalars */, AXIS, CONCAT, QUANTISED, REDUCE, SLICE,
                    PAD } kind;

static bool constant_input(const ingot__node *n, size_t i) {
  int64_t x[2 * INGOT_MAX_RANK];
  size_t count;
  return i >= n->n_in || !n->in[i] || ingot__constant_ints(n->in[i], x, 2 * INGOT_MAX_RANK, &count);
}

static kind kind_of(const ingot__node *n) {
  const ingot__op_info *info = ingot__op_get(n->op);
  if (info->elementwise) return ELEMENTWISE;
  switch (n->op) {
  case INGOT__OP_Where: case INGOT__OP_Pow: case INGOT__OP_PRelu: case INGOT__OP_Mod: return ELEMENTWISE;
  case INGOT__OP_Clip: case INGOT__OP_Gelu: case INGOT__OP_Cast: case INGOT__OP_IsInf: case INGOT__OP_IsNaN: case INGOT__OP_Identity: return FIRST;
  case INGOT__OP_Softmax: case INGOT__OP_LogSoftmax: return AXIS;
  case INGOT__OP_Concat: return CONCAT;
  case INGOT__OP_QuantizeLinear: case INGOT__OP_DequantizeLinear:
    return ((const ingot__attrs_DequantizeLinear *)n->attrs)->block_size ? OTHER : QUANTISED; /* both begin with axis and block_size */
  case INGOT__OP_ReduceSum: case INGOT__OP_ReduceMean: case INGOT__OP_ReduceMax: case INGOT__OP_ReduceMin: case INGOT__OP_ReduceProd:
  case INGOT__OP_ReduceL1: case INGOT__OP_ReduceL2: case INGOT__OP_ReduceSumSquare: case INGOT__OP_ReduceLogSumExp:
    return ((const ingot__attrs_ReduceMean *)n->attrs)->keepdims && n->n_in > 1 && n->in[1] && constant_input(n, 1) ? REDUCE : OTHER;
  case INGOT__OP_Slice: return constant_input(n, 1) && constant_input(n, 3) ? SLICE : OTHER;
  case INGOT__OP_Pad: return constant_input(n, 1) && (n->n_in < 4 || !n->in[3]) ? PAD : OTHER;
  default: return OTHER;
  }
}

bool ingot__commutes(const ingot__node *n) { return n->n_out == 1 && n->out[0] && kind_of(n) != OTHER; }

/* How many inputs, from the first, are transposed with the result. */
static size_t moved_inputs(const ingot__node *n, kind k) { return k == ELEMENTWISE || k == CONCAT ? n->n_in : 1; }

/* ---- Cost */

static double cost(const ingot__value *v, const ingot__perm *p, const ingot__graph *graph, int depth);

/* The first slot that reads what slot i reads: a value read twice is computed once. */
static size_t same_input(const ingot__node *n, size_t i) {
  for (size_t k = 0; k < i && k < 2; k++)
    if (n->in[k] == n->in[i]) return k;
  return i;
}

static double node_cost(const ingot__node *n, const ingot__perm *p, int depth) {
  kind k = kind_of(n);
  double total = 0;
  for (size_t i = 0; i < moved_inputs(n, k); i++)
    if (n->in[i] && same_input(n, i) == i) total += cost(n->in[i], p, n->graph, depth + 1);
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
  if (one_element(&v->type)) return 0;
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

static int64_t renamed(int64_t axis, const ingot__perm *inverse) {
  return axis >= -inverse->rank && axis < inverse->rank ? inverse->axis[axis < 0 ? axis + inverse->rank : axis] : axis;
}

/* The copy's axes as they are after the transposition; false: no memory. */
static bool rename_axes(ingot__node *copy, const ingot__node *n, kind k, const ingot__perm *p) {
  ingot__perm inverse = ingot__perm_inverse(p);
  int64_t x[2 * INGOT_MAX_RANK], now[2 * INGOT_MAX_RANK];
  size_t count = 0, slot = k == SLICE ? 3 : 1;
  switch (k) {
  case AXIS: case CONCAT: case QUANTISED: {
    const ingot__attr_info *info = ingot__attr_find(n->op, "axis");
    int64_t *axis = (int64_t *)(void *)((char *)copy->attrs + info->offset);
    *axis = renamed(*axis, &inverse);
    return true;
  }
  case REDUCE: case SLICE:
    if (slot < n->n_in && n->in[slot]) {
      ingot__constant_ints(n->in[slot], x, INGOT_MAX_RANK, &count);
    } else {
      ingot__constant_ints(n->in[1], x, INGOT_MAX_RANK, &count); /* as many as starts */
      for (size_t i = 0; i < count; i++) x[i] = (int64_t)i;
    }
    for (size_t i = 0; i < count; i++) now[i] = renamed(x[i], &inverse);
    break;
  case PAD:
    ingot__constant_ints(n->in[1], x, 2 * INGOT_MAX_RANK, &count);
    for (int i = 0; i < p->rank && count == 2 * (size_t)p->rank; i++) {
      now[i] = x[p->axis[i]];
      now[i + p->rank] = x[p->axis[i] + p->rank];
    }
    break;
  default: return true;
  }
  ingot__value *c = ingot__constant_int64s(copy->graph, NULL, now, count);
  return c && ingot__node_set_input(copy, slot, c);
}

static ingot_status pull(ingot__value *v, const ingot__perm *p, ingot__node *before, int depth, ingot__diag *diag, ingot__value **made);

static ingot_status pull_node(ingot__node *n, const ingot__perm *p, ingot__node *before, int depth, ingot__diag *diag, ingot__value **made) {
  const ingot__op_info *info = ingot__op_get(n->op);
  kind k = kind_of(n);
  ingot__value **in = INGOT_NEW_ARRAY(&n->graph->network->arena, n->n_in + 1, ingot__value *);
  if (!in) return ingot__no_memory(diag);
  for (size_t i = 0; i < n->n_in; i++) {
    in[i] = n->in[i];
    if (!in[i] || i >= moved_inputs(n, k)) continue;
    if (same_input(n, i) != i) in[i] = in[same_input(n, i)];
    else INGOT_TRY(pull(in[i], p, before, depth + 1, diag, &in[i]));
  }
  ingot__node *copy = ingot__node_new(n->graph, n->op, n->name, before, in, n->n_in, 1, NULL);
  if (!copy) return ingot__no_memory(diag);
  memcpy(copy->attrs, n->attrs, info->attrs_size);
  if (!rename_axes(copy, n, k, p)) return ingot__no_memory(diag);
  *made = copy->out[0];
  return ingot__rewrite_finish(copy, n, diag);
}

static ingot_status pull(ingot__value *v, const ingot__perm *p, ingot__node *before, int depth, ingot__diag *diag, ingot__value **made) {
  ingot__perm first, all = *p;
  ingot__node *n = v->producer;
  *made = v;
  if (one_element(&v->type)) return INGOT_OK;
  if (v->data) return (*made = permuted_constant(v, p, before->graph)) ? INGOT_OK : ingot__no_memory(diag);
  if (n && n->op == INGOT__OP_Transpose && ingot__perm_of(n, &first)) {
    all = ingot__perm_then(&first, p);
    *made = v = n->in[0];
    if (ingot__perm_is_identity(&all)) return INGOT_OK;
  } else if (is_read_once(v) && n->graph == before->graph && depth < MOST_DEPTH && ingot__commutes(n) &&
             node_cost(n, p, depth) < ingot__weight(&v->type)) {
    return pull_node(n, p, before, depth, diag, made);
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
