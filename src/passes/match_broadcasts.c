/* Expand before an operator that broadcasts by itself. */
#include "passes/rules.h"

static bool broadcasts(const ingot__node *n) {
  return (ingot__op_get(n->op)->elementwise && n->n_in == 2) || n->op == INGOT__OP_Where || n->op == INGOT__OP_Pow || n->op == INGOT__OP_Mod;
}

/* Whether the result's dims come from the inputs even when input `slot` is x. */
static bool same_result(const ingot__node *n, size_t slot, const ingot__value *x) {
  const ingot__type *y = &n->out[0]->type;
  int most = 0;
  for (int d = 0; d < y->rank; d++) { /* from the last */
    int64_t want = y->dim[y->rank - 1 - d];
    bool found = false, ones = true;
    if (want == INGOT__DIM_UNKNOWN) return false;
    for (size_t i = 0; i < n->n_in; i++) {
      const ingot__type *t = i == slot ? &x->type : &n->in[i]->type;
      if (t->rank < 0) return false;
      most = t->rank > most ? t->rank : most;
      if (d >= t->rank) continue;
      found |= t->dim[t->rank - 1 - d] == want;
      ones &= t->dim[t->rank - 1 - d] == 1;
    }
    if (!found && !(ones && want == 1)) return false;
  }
  return most == y->rank;
}

ingot_status ingot__rule_broadcasts(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (!broadcasts(n) || !n->out[0] || n->out[0]->type.rank < 1) return INGOT_OK;
  for (size_t i = 0; i < n->n_in; i++) {
    ingot__node *expand = ingot__made_by(n->in[i], INGOT__OP_Expand);
    if (!expand || !same_result(n, i, expand->in[0])) continue;
    if (!ingot__node_set_input(n, i, expand->in[0])) return ingot__no_memory(context->diag);
    *done = true;
    return INGOT_OK;
  }
  return INGOT_OK;
}
