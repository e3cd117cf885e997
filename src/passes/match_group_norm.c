/* GroupNormalization out of a reshape to groups, InstanceNormalization and the reshape back, as exporters write it. */
#include "passes/rules.h"

ingot_status ingot__rule_group_norm(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (n->op != INGOT__OP_Reshape || !ingot__is_float32(n->out[0])) return INGOT_OK;
  ingot__node *norm = ingot__made_for(n->in[0], INGOT__OP_InstanceNormalization);
  ingot__node *split = norm ? ingot__made_for(norm->in[0], INGOT__OP_Reshape) : NULL;
  if (!split || !ingot__is_number(norm->in[1], 1) || !ingot__is_number(norm->in[2], 0)) return INGOT_OK;
  ingot__value *x = split->in[0];
  const ingot__type *t = &x->type, *g = &split->out[0]->type;
  if (!ingot__same_type(x, n->out[0]) || t->rank < 3 || g->rank != 3 || t->dim[0] != g->dim[0]) return INGOT_OK;
  if (!ingot__dim_is_number(t->dim[1]) || !ingot__dim_is_number(g->dim[1]) || g->dim[1] < 1 || t->dim[1] % g->dim[1]) return INGOT_OK;
  ingot__value *in[3] = {x};
  for (int i = 1; i < 3; i++) {
    float *data;
    in[i] = ingot__constant_floats(n->graph, NULL, 1, &t->dim[1], &data);
    if (!in[i]) return ingot__no_memory(context->diag);
    for (int64_t k = 0; k < t->dim[1]; k++) data[k] = i == 1 ? 1 : 0;
  }
  ingot__node *made = ingot__node_new(n->graph, INGOT__OP_GroupNormalization, norm->name, n, in, 3, 1, NULL);
  if (!made) return ingot__no_memory(context->diag);
  ingot__attrs_GroupNormalization *a = made->attrs;
  a->num_groups = g->dim[1];
  a->epsilon = ((const ingot__attrs_InstanceNormalization *)norm->attrs)->epsilon;
  return ingot__put_node(n, made, context, done);
}
