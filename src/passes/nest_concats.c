/* Concatenations that grow, as in dense blocks: [a, b], [a, b, c], [a, b, c, d] become [[[a, b], c], d], whose parts can all be written where
 * the last one lies. */
#include "passes/rewrite.h"

static bool is_prefix(const ingot__node *shorter, const ingot__node *longer) {
  if (shorter->n_in < 2 || shorter->n_in >= longer->n_in) return false;
  const ingot__attrs_Concat *a = shorter->attrs, *b = longer->attrs;
  if (a->axis != b->axis) return false;
  for (size_t i = 0; i < shorter->n_in; i++)
    if (shorter->in[i] != longer->in[i]) return false;
  return true;
}

static bool comes_before(const ingot__node *a, const ingot__node *b) {
  for (; b; b = b->prev)
    if (a == b) return true;
  return false;
}

static ingot_status shorten(ingot__node *n, const ingot__node *prefix, ingot__diag *diag) {
  ingot__value *out = prefix->out[0];
  size_t gone = prefix->n_in - 1, left = n->n_in - gone;
  ingot__value **in = INGOT_NEW_ARRAY(&n->graph->network->arena, left, ingot__value *);
  if (!in) return ingot__no_memory(diag);
  in[0] = out;
  for (size_t i = 1; i < left; i++) in[i] = n->in[i + gone];
  ingot__node *now = ingot__node_new(n->graph, INGOT__OP_Concat, n->name, n, in, left, 1, NULL);
  if (!now) return ingot__no_memory(diag);
  *(ingot__attrs_Concat *)now->attrs = *(const ingot__attrs_Concat *)n->attrs;
  INGOT_TRY(ingot__rewrite_finish(now, n, diag));
  return ingot__rewrite_replace(n, now->out[0], diag);
}

ingot_status ingot__pass_nest_concats(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  for (ingot__node *n = network->main->last, *prev; n; n = prev) {
    prev = n->prev;
    if (n->op != INGOT__OP_Concat || n->n_in < 3 || !n->in[0]) continue;
    const ingot__node *best = NULL;
    for (size_t u = 0; u < n->in[0]->n_user; u++) {
      const ingot__node *other = n->in[0]->user[u];
      if (other->op != INGOT__OP_Concat || other == n || other->graph != n->graph || !is_prefix(other, n)) continue;
      if ((!best || other->n_in > best->n_in) && comes_before(other, n)) best = other;
    }
    if (!best) continue;
    INGOT_TRY(shorten(n, best, context->diag));
    *changed = true;
  }
  return INGOT_OK;
}
