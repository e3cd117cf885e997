/* Fewer operators for what follows: Gemm is MatMul with a bias; Flatten, Squeeze and Unsqueeze are Reshapes; a mean over all spatial axes is a
 * global average; of two operands the one of the result's shape comes first. */
#include "passes/rewrite.h"

static ingot_status lower_gemm(ingot__node *n, const ingot__pass_context *c, bool *changed) {
  const ingot__attrs_Gemm *g = n->attrs;
  ingot__value *bias = n->n_in > 2 ? n->in[2] : NULL;
  if (bias && g->beta != 1) return INGOT_OK;
  ingot__value *in[3] = {n->in[0], n->in[1], bias};
  ingot__node *m = ingot__node_new(n->graph, INGOT__OP_MatMul, n->name, n, in, bias ? 3 : 2, 1, NULL);
  if (!m) return ingot__no_memory(c->diag);
  ingot__attrs_MatMul *a = m->attrs;
  a->trans_a = g->transA;
  a->trans_b = g->transB;
  a->alpha = g->alpha;
  INGOT_TRY(ingot__rewrite_finish(m, n, c->diag));
  *changed = true;
  return ingot__rewrite_replace(n, m->out[0], c->diag);
}

/* Where at most one output dim is symbolic, Reshape's -1 stands for it; 0 copies a dim that keeps its place. Not both: where the copied one is 0 in
 * a run, -1 could stand for anything. */
static ingot_status lower_shape(ingot__node *n, const ingot__pass_context *c, bool *changed) {
  const ingot__type *x = &n->in[0]->type, *y = &n->out[0]->type;
  int64_t shape[INGOT_MAX_RANK];
  int free = 0, copied = 0;
  if (x->rank < 0 || y->rank < 0) return INGOT_OK;
  for (int i = 0; i < y->rank; i++) {
    if (y->dim[i] == INGOT__DIM_UNKNOWN) return INGOT_OK;
    bool kept = i < x->rank && x->dim[i] == y->dim[i] && !ingot__dim_is_number(y->dim[i]);
    shape[i] = ingot__dim_is_number(y->dim[i]) ? y->dim[i] : kept ? 0 : -1;
    if (shape[i] == 0 && !kept) return INGOT_OK; /* an empty tensor: 0 would copy */
    free += shape[i] == -1;
    copied += kept;
  }
  if (free > 1 || (free && copied)) return INGOT_OK;
  ingot__value *in[2] = {n->in[0], ingot__constant_int64s(n->graph, NULL, shape, (size_t)y->rank)};
  if (!in[1]) return ingot__no_memory(c->diag);
  ingot__node *r = ingot__node_new(n->graph, INGOT__OP_Reshape, n->name, n, in, 2, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(r, n, c->diag));
  r->out[0]->known = n->out[0]->known;
  *changed = true;
  return ingot__rewrite_replace(n, r->out[0], c->diag);
}

static ingot_status lower_mean(ingot__node *n, const ingot__pass_context *c, bool *changed) {
  const ingot__attrs_ReduceMean *a = n->attrs;
  const ingot__type *x = &n->in[0]->type;
  int64_t axes[INGOT_MAX_RANK];
  size_t count;
  unsigned set = 0;
  if (x->rank < 3 || !ingot__is_float32(n->in[0]) || n->n_in < 2 || !ingot__constant_ints(n->in[1], axes, INGOT_MAX_RANK, &count)) return INGOT_OK;
  for (size_t i = 0; i < count; i++) set |= 1u << (axes[i] < 0 ? axes[i] + x->rank : axes[i]);
  if (set != (1u << x->rank) - 4) return INGOT_OK; /* all but 0 and 1 */
  ingot__node *g = ingot__node_new(n->graph, INGOT__OP_GlobalAveragePool, n->name, n, n->in, 1, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(g, n, c->diag));
  ingot__value *out = g->out[0];
  if (!a->keepdims) {
    int64_t shape[2] = {0, 0};
    ingot__value *in[2] = {out, ingot__constant_int64s(n->graph, NULL, shape, 2)};
    ingot__node *r = in[1] ? ingot__node_new(n->graph, INGOT__OP_Reshape, NULL, n, in, 2, 1, NULL) : NULL;
    INGOT_TRY(ingot__rewrite_finish(r, n, c->diag));
    out = r->out[0];
  }
  *changed = true;
  return ingot__rewrite_replace(n, out, c->diag);
}

/* The planner lets a node's first input decide on its layout: that should be the one of the result's shape. */
static ingot_status order_operands(ingot__node *n, const ingot__pass_context *c, bool *changed) {
  ingot__value *a = n->in[0], *b = n->in[1];
  if (!a || !b || b->data || !ingot__type_same(&b->type, &n->out[0]->type) || (!a->data && ingot__type_same(&a->type, &n->out[0]->type))) {
    return INGOT_OK;
  }
  if (!ingot__node_set_input(n, 0, b) || !ingot__node_set_input(n, 1, a)) return ingot__no_memory(c->diag);
  *changed = true;
  return INGOT_OK;
}

ingot_status ingot__pass_lower_operators(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  for (size_t i = 0, n_node = network->n_node; i < n_node; i++) {
    ingot__node *n = network->node[i];
    if (!n) continue;
    switch (n->op) {
    case INGOT__OP_Add: case INGOT__OP_Mul: case INGOT__OP_Max: case INGOT__OP_Min: INGOT_TRY(order_operands(n, context, changed)); break;
    case INGOT__OP_Gemm: INGOT_TRY(lower_gemm(n, context, changed)); break;
    case INGOT__OP_Flatten: case INGOT__OP_Squeeze: case INGOT__OP_Unsqueeze: INGOT_TRY(lower_shape(n, context, changed)); break;
    case INGOT__OP_ReduceMean: INGOT_TRY(lower_mean(n, context, changed)); break;
    default: break;
    }
  }
  return INGOT_OK;
}
