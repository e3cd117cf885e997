/* Numbers that a matrix product's inputs or result are multiplied with go into its alpha. */
#include "passes/rules.h"

static ingot__value *times_number(ingot__value *v, float *c) {
  ingot__node *n = ingot__made_for(v, INGOT__OP_Mul);
  ingot__value *x = n ? ingot__beside_number(n, c) : NULL;
  return x && ingot__is_float32(x) && ingot__same_type(x, v) ? x : NULL;
}

static ingot_status into_inputs(ingot__node *n, const ingot__pass_context *context, bool *done) {
  for (size_t side = 0; side < 2; side++) {
    float c;
    ingot__value *x = n->in[0] == n->in[1] ? NULL : times_number(n->in[side], &c);
    if (!x) continue;
    if (!ingot__node_absorb_origin(n, n->in[side]->producer) || !ingot__node_set_input(n, side, x)) return ingot__no_memory(context->diag);
    ((ingot__attrs_MatMul *)n->attrs)->alpha *= c;
    *done = true;
  }
  return INGOT_OK;
}

ingot_status ingot__rule_products(ingot__node *n, const ingot__pass_context *context, bool *done) {
  float c;
  if (n->op == INGOT__OP_MatMul) return ingot__is_float32(n->out[0]) ? into_inputs(n, context, done) : INGOT_OK;
  if (n->op != INGOT__OP_Mul || !ingot__is_float32(n->out[0])) return INGOT_OK;
  ingot__value *y = ingot__beside_number(n, &c);
  ingot__node *p = y ? ingot__made_by(y, INGOT__OP_MatMul) : NULL;
  if (!p || ingot__value_only_user(y) != n || !ingot__same_type(y, n->out[0])) return INGOT_OK;
  ingot__attrs_MatMul *a = p->attrs;
  for (size_t i = 2; i < p->n_in; i++)
    if (p->in[i]) return INGOT_OK;
  if (a->act || ingot__value_is_const(p->in[1])) return INGOT_OK; /* constant weights take it in themselves */
  a->alpha *= c;
  if (!ingot__node_absorb_origin(p, n)) return ingot__no_memory(context->diag);
  *done = true;
  return ingot__rewrite_replace(n, y, context->diag);
}
