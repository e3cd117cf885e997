/* What follows a product of 8-bit matrices in dynamically quantised networks: a Cast to float32, the product of the two scales, and often a bias.
 * MatMulInteger takes them in. */
#include "passes/match.h"

static bool vector_or_one(const ingot__value *v, const ingot__value *product) {
  size_t n;
  const ingot__type *t = &v->type, *p = &product->type;
  if (t->dtype != INGOT_FLOAT32 || t->kind != INGOT__TENSOR || p->rank < 1 || t->rank > p->rank || !ingot__type_count(t, &n)) return false;
  if (n == 1) return true;
  int64_t columns = p->dim[p->rank - 1];
  return columns >= 0 && (size_t)columns == n && t->dim[t->rank - 1] == columns;
}

/* A MatMulInteger that only `v`'s reader reads, with matrices on both sides: those that have columns to scale. */
static ingot__node *product_of(const ingot__value *v) {
  ingot__node *p = ingot__made_for(v, INGOT__OP_MatMulInteger);
  return p && p->in[0]->type.rank >= 2 && p->in[1]->type.rank >= 2 ? p : NULL;
}

static ingot_status put(ingot__node *n, const ingot__node *p, size_t slot, ingot__value *v, const ingot__pass_context *c, bool *done) {
  ingot__value *in[6] = {NULL};
  for (size_t i = 0; i < p->n_in; i++) in[i] = p->in[i];
  in[slot] = v;
  ingot__node *made = ingot__node_new(n->graph, INGOT__OP_MatMulInteger, p->name, n, in, slot + 1, 1, NULL);
  if (!made) return ingot__no_memory(c->diag);
  return ingot__put_node(n, made, c, done);
}

static ingot_status take_scale(ingot__node *n, const ingot__pass_context *c, bool *done) {
  if (n->op != INGOT__OP_Mul) return INGOT_OK;
  for (int i = 0; i < 2; i++) {
    ingot__node *cast = ingot__made_for(n->in[i], INGOT__OP_Cast), *p = cast ? product_of(cast->in[0]) : NULL;
    if (!p || (p->n_in > 4 && p->in[4]) || n->out[0]->type.dtype != INGOT_FLOAT32 || !vector_or_one(n->in[1 - i], n->in[i])) continue;
    if (p->graph != n->graph || cast->graph != n->graph) continue;
    return put(n, p, 4, n->in[1 - i], c, done);
  }
  return INGOT_OK;
}

static ingot_status take_bias(ingot__node *n, const ingot__pass_context *c, bool *done) {
  if (n->op != INGOT__OP_Add) return INGOT_OK;
  for (int i = 0; i < 2; i++) {
    ingot__node *p = product_of(n->in[i]);
    if (!p || p->graph != n->graph || p->n_in != 5 || !p->in[4] || !vector_or_one(n->in[1 - i], n->in[i])) continue;
    return put(n, p, 5, n->in[1 - i], c, done);
  }
  return INGOT_OK;
}

ingot_status ingot__pass_fuse_integer_scales(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  static const ingot__rule rules[] = {take_scale, take_bias};
  return ingot__rewrite_walk(network, rules, sizeof rules / sizeof *rules, context, changed);
}
