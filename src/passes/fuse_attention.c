/* softmax(Q K^T * scale + mask) V as one FusedAttention, whose scores never leave the caches. The product with K is expected with trans_b,
 * as cancel_transposes leaves it. */
#include "passes/match.h"
#include <math.h>

typedef struct attention { ingot__value *in[4]; double scale; } attention;

static bool plain_product(const ingot__node *n) {
  const ingot__attrs_MatMul *a = n->attrs;
  for (size_t i = 2; i < n->n_in; i++)
    if (n->in[i]) return false;
  return !a->act && !a->trans_a && ingot__is_float32(n->in[0]) && ingot__is_float32(n->in[1]) && n->in[0]->type.rank >= 2 && n->in[1]->type.rank >= 2;
}

/* The scores' rows are added as they lie: the mask's last dim must be theirs. */
static bool is_mask(const ingot__value *mask, const ingot__type *scores) {
  const ingot__type *m = &mask->type;
  if (!ingot__is_float32(mask) || m->rank < 1 || m->rank > scores->rank) return false;
  for (int i = 1; i <= m->rank; i++) {
    ingot__dim have = m->dim[m->rank - i], want = scores->dim[scores->rank - i];
    if (want == INGOT__DIM_UNKNOWN || (have != want && (have != 1 || i == 1))) return false;
  }
  return true;
}

/* Takes Mul or Div by a number off v. */
static ingot__value *unscaled(ingot__value *v, double *scale) {
  float c;
  for (;;) {
    ingot__node *n = ingot__made_for(v, INGOT__OP_Mul);
    ingot__value *x = n ? ingot__beside_number(n, &c) : NULL;
    if (!x && (n = ingot__made_for(v, INGOT__OP_Div)) && ingot__constant_scalar(n->in[1], &c) && c != 0) {
      x = n->in[0];
      c = 1 / c;
    }
    if (!x || !ingot__same_type(x, v)) return v;
    *scale *= (double)c;
    v = x;
  }
}

static bool match(const ingot__node *n, attention *a) {
  if (n->op != INGOT__OP_MatMul || !plain_product(n)) return false;
  const ingot__attrs_MatMul *last = n->attrs;
  ingot__node *softmax = ingot__made_for(n->in[0], INGOT__OP_Softmax);
  if (!softmax || last->trans_b || last->alpha != 1) return false;
  int64_t axis = ((const ingot__attrs_Softmax *)softmax->attrs)->axis;
  const ingot__type *scores = &softmax->out[0]->type;
  if (scores->rank < 2 || (axis != -1 && axis != scores->rank - 1)) return false;
  ingot__node *product = NULL, *add = ingot__made_for(softmax->in[0], INGOT__OP_Add);
  for (int side = 0; side < (add ? 2 : 1) && !product; side++) {
    a->scale = 1;
    ingot__value *v = unscaled(add ? add->in[side] : softmax->in[0], &a->scale);
    product = ingot__made_for(v, INGOT__OP_MatMul);
    a->in[3] = add ? add->in[1 - side] : NULL;
    if (product && ((a->in[3] && !is_mask(a->in[3], scores)) || !ingot__same_type(v, softmax->out[0]))) product = NULL;
  }
  if (!product || !plain_product(product) || !((const ingot__attrs_MatMul *)product->attrs)->trans_b) return false;
  a->scale *= (double)((const ingot__attrs_MatMul *)product->attrs)->alpha;
  a->in[0] = unscaled(product->in[0], &a->scale);
  a->in[1] = unscaled(product->in[1], &a->scale);
  a->in[2] = n->in[1];
  for (int i = 0; i < 3; i++) /* its batches would have to be repeated */
    if (a->in[i]->type.rank != n->out[0]->type.rank) return false;
  return (float)a->scale != 0 && isfinite((float)a->scale);
}

static ingot_status fuse(ingot__node *n, const ingot__pass_context *context, bool *done) {
  attention a = {0};
  if (!match(n, &a)) return INGOT_OK;
  ingot__node *made = ingot__node_new(n->graph, INGOT__OP_FusedAttention, n->name, n, a.in, a.in[3] ? 4 : 3, 1, NULL);
  if (!made) return ingot__no_memory(context->diag);
  ((ingot__attrs_FusedAttention *)made->attrs)->scale = (float)a.scale;
  INGOT_TRY(ingot__rewrite_finish(made, n, context->diag));
  ingot__node *softmax = n->in[0]->producer;
  if (!ingot__node_absorb_origin(made, softmax)) return ingot__no_memory(context->diag);
  *done = true;
  return ingot__rewrite_replace(n, made->out[0], context->diag);
}

ingot_status ingot__pass_fuse_attention(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  static const ingot__rule rules[] = {fuse};
  return ingot__rewrite_walk(network, rules, 1, context, changed);
}
