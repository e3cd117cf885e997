/* Less moving of elements: Transposes and Reshapes in a row are one, Transposes are pulled up or pushed down to where they meet another,
 * those before matrix products go into them, and those that move only dims of one element are Reshapes. */
#include "passes/pull.h"
#include <math.h>

ingot_status ingot__rule_transposes(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__perm p, first;
  if (n->op != INGOT__OP_Transpose || !ingot__perm_of(n, &p)) return INGOT_OK;
  ingot__value *x = n->in[0];
  if (ingot__perm_is_identity(&p)) return ingot__put_value(n, x, context, done);
  ingot__node *before = ingot__made_by(x, INGOT__OP_Transpose);
  if (before && ingot__perm_of(before, &first)) {
    ingot__perm both = ingot__perm_then(&first, &p);
    if (ingot__perm_is_identity(&both)) return ingot__put_value(n, before->in[0], context, done);
    return ingot__put_node(n, ingot__transpose_new(before->in[0], &both, n), context, done);
  }
  if (ingot__keeps_order(&x->type, &p)) return ingot__put_reshape(n, x, context, done);
  for (size_t i = 0; i < x->n_user; i++) { /* the same once more */
    ingot__node *twin = x->user[i], *at = n->prev;
    if (twin == n || twin->op != n->op || twin->graph != n->graph || !ingot__perm_of(twin, &first) || !ingot__perm_same(&p, &first)) continue;
    while (at && at != twin) at = at->prev;
    if (at && !twin->out[0]->is_output) return ingot__put_value(n, twin->out[0], context, done);
  }
  return INGOT_OK;
}

/* A Transpose that swaps the last two dims of what a matrix product reads is its trans_a or trans_b; of one that does so among others, the
 * rest stays, so that whole rows are moved. */
static ingot_status products(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (n->op != INGOT__OP_MatMul) return INGOT_OK;
  ingot__attrs_MatMul *a = n->attrs;
  for (size_t side = 0; side < 2; side++) {
    ingot__perm p;
    ingot__node *t = ingot__made_by(n->in[side], INGOT__OP_Transpose);
    if (!t || !ingot__perm_of(t, &p) || p.rank < 2 || n->in[0] == n->in[1]) continue;
    int last = p.rank - 1, swap = p.axis[last];
    p.axis[last] = p.axis[last - 1];
    p.axis[last - 1] = swap;
    bool whole = ingot__perm_is_identity(&p);
    if (!whole && (p.axis[last] != last || !ingot__made_for(n->in[side], t->op) || t->graph != n->graph)) continue;
    ingot__value *now = t->in[0];
    if (!whole) {
      ingot__node *rest = ingot__transpose_new(now, &p, n);
      INGOT_TRY(ingot__rewrite_finish(rest, t, context->diag));
      now = rest->out[0];
    }
    if (!ingot__node_set_input(n, side, now)) return ingot__no_memory(context->diag);
    int64_t *flag = side ? &a->trans_b : &a->trans_a;
    *flag = !*flag;
    *done = true;
    return INGOT_OK;
  }
  return INGOT_OK;
}

/* A Transpose whose input can be computed transposed with less moved. */
ingot_status ingot__rule_pull(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__perm p;
  ingot__value *made, *x = n->in[0];
  if (n->op != INGOT__OP_Transpose || !ingot__perm_of(n, &p) || !x->producer || !ingot__commutes(x->producer)) return INGOT_OK;
  if (ingot__pull_cost(x, &p, n->graph) >= ingot__weight(&x->type)) return INGOT_OK;
  INGOT_TRY(ingot__pull(x, &p, n, context->diag, &made));
  return ingot__put_value(n, made, context, done);
}

/* A Transpose that v is computed from, through nodes that commute. */
static const ingot__node *source(const ingot__node *n, int depth) {
  for (size_t i = 0; i < n->n_in; i++) {
    const ingot__node *p = n->in[i] ? n->in[i]->producer : NULL;
    if (!p || n->in[i]->type.rank != n->out[0]->type.rank) continue;
    if (p->op == INGOT__OP_Transpose) return p;
    if (depth < 8 && ingot__commutes(p) && (p = source(p, depth + 1))) return p;
  }
  return NULL;
}

/* A node of several transposed inputs, or one that makes less of them, is computed before and its result transposed, where less is moved. */
static ingot_status push_down(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__perm p, back;
  ingot__value *made;
  if (!ingot__commutes(n)) return INGOT_OK;
  const ingot__node *t = source(n, 0);
  if (!t || !ingot__perm_of(t, &p) || p.rank != n->out[0]->type.rank) return INGOT_OK;
  back = ingot__perm_inverse(&p);
  if (ingot__pull_node_cost(n, &back) + ingot__weight(&n->out[0]->type) >= 0) return INGOT_OK;
  INGOT_TRY(ingot__pull_node(n, &back, n, context->diag, &made));
  return !made ? INGOT_OK : ingot__put_node(n, ingot__transpose_new(made, &p, n), context, done);
}

ingot_status ingot__pass_cancel_transposes(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  static const ingot__rule rules[] = {ingot__rule_reshapes, ingot__rule_transposes, ingot__rule_flattened, ingot__rule_splits, ingot__rule_rows,
                                      ingot__rule_pull, push_down, ingot__rule_push, products};
  return ingot__rewrite_walk(network, rules, sizeof rules / sizeof *rules, context, changed);
}
