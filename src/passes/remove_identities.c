/* Nodes that hand on their input as it is. */
#include "passes/rewrite.h"

static bool same_type(const ingot__value *a, const ingot__value *b) {
  if (!ingot__type_same(&a->type, &b->type) || a->type.rank < 0) return false;
  for (int i = 0; i < a->type.rank; i++)
    if (a->type.dim[i] == INGOT__DIM_UNKNOWN) return false;
  return true;
}

static bool all_zero(const ingot__value *v) {
  int64_t x[2 * INGOT_MAX_RANK];
  size_t n;
  if (!ingot__constant_ints(v, x, sizeof x / sizeof *x, &n)) return false;
  for (size_t i = 0; i < n; i++)
    if (x[i]) return false;
  return true;
}

static bool in_order(ingot__ints perm) {
  for (size_t i = 0; i < perm.n; i++)
    if (perm.v[i] != (int64_t)i) return false;
  return perm.n > 0;
}

static bool positive_steps(const ingot__node *n) {
  int64_t x[INGOT_MAX_RANK];
  size_t count;
  if (n->n_in < 5 || !n->in[4]) return true;
  if (!ingot__constant_ints(n->in[4], x, INGOT_MAX_RANK, &count)) return false;
  for (size_t i = 0; i < count; i++)
    if (x[i] != 1) return false;
  return true;
}

/* Same type in and out, and the elements in the same order. */
static bool is_identity(const ingot__node *n) {
  const ingot__value *x = n->n_in ? n->in[0] : NULL, *y = n->n_out ? n->out[0] : NULL;
  if (!x || !y) return false;
  switch (n->op) {
  case INGOT__OP_Identity: return true;
  case INGOT__OP_Cast: case INGOT__OP_CastLike: return x->type.dtype == y->type.dtype;
  case INGOT__OP_Reshape: case INGOT__OP_Flatten: case INGOT__OP_Squeeze: case INGOT__OP_Unsqueeze: case INGOT__OP_Expand:
  case INGOT__OP_Tile: return same_type(x, y);
  case INGOT__OP_Slice: return same_type(x, y) && positive_steps(n);
  case INGOT__OP_Pad: return same_type(x, y) && all_zero(n->in[1]);
  case INGOT__OP_Transpose: return same_type(x, y) && in_order(((const ingot__attrs_Transpose *)n->attrs)->perm);
  case INGOT__OP_Concat: return n->n_in == 1;
  case INGOT__OP_Split: return n->n_out == 1 && same_type(x, y);
  default: return false;
  }
}

static ingot_status clean(ingot__graph *graph, const ingot__pass_context *context, bool *changed) {
  for (ingot__node *n = graph->first, *next; n; n = next) {
    next = n->next;
    const ingot__op_info *info = ingot__op_get(n->op);
    for (size_t i = 0; i < info->n_attr; i++) {
      ingot__graph *sub = info->attr[i].type == INGOT__ATTR_GRAPH ? *(ingot__graph **)((char *)n->attrs + info->attr[i].offset) : NULL;
      if (sub && n->op != INGOT__OP_Fused) INGOT_TRY(clean(sub, context, changed));
    }
    if (!is_identity(n)) continue;
    ingot__value *x = n->in[0], *y = n->out[0];
    if (ingot__value_is_public_pair(y, x)) continue; /* input and output of the network both need a name */
    if (y->is_output && x->graph != graph) continue;
    if (y->is_output && graph->outer && (x->is_input || x->is_output)) continue;
    INGOT_TRY(ingot__rewrite_replace(n, x, context->diag));
    *changed = true;
  }
  return INGOT_OK;
}

ingot_status ingot__pass_remove_identities(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  return clean(network->main, context, changed);
}
