/* softmax(Q K^T * scale + mask) V as one FusedAttention, whose scores never leave the caches. The product with K is expected with trans_b,
 * as cancel_transposes leaves it. A mask may be added, or two (a bias of positions and padding, which become one), or stand in a Where with
 * -inf; a Where that puts 0 for rows of NaN, which come of queries without any key, goes: FusedAttention gives zeros there. Then what is around
 * one is taken in: keys and values repeated for heads that share them, and Transposes that put heads before positions or back. */
#include "passes/pull.h"
#include <math.h>

typedef struct attention {
  ingot__value *in[4];
  double scale;
  bool not_mask;             /* the mask is to be negated */
  ingot__value *more;        /* another mask, to be added to it */
} attention;

static bool plain_product(const ingot__node *n) {
  const ingot__attrs_MatMul *a = n->attrs;
  for (size_t i = 2; i < n->n_in; i++)
    if (n->in[i]) return false;
  return !a->act && !a->trans_a && ingot__is_float32(n->in[0]) && ingot__is_float32(n->in[1]) && n->in[0]->type.rank >= 2 && n->in[1]->type.rank >= 2;
}

/* An added mask's rows must be the scores' own; one of bools may be broadcast along them. */
static bool is_mask(const ingot__value *mask, const ingot__type *scores) {
  const ingot__type *m = &mask->type;
  const bool bools = m->dtype == INGOT_BOOL && m->kind == INGOT__TENSOR;
  if ((!bools && !ingot__is_float32(mask)) || m->rank < (bools ? 0 : 1) || m->rank > scores->rank) return false;
  for (int i = 1; i <= m->rank; i++) {
    ingot__dim have = m->dim[m->rank - i], want = scores->dim[scores->rank - i];
    if (want == INGOT__DIM_UNKNOWN || (have != want && (have != 1 || (i == 1 && !bools)))) return false;
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

/* The Softmax that v is, with or without Where(IsNaN(p), 0, p) behind it. */
static ingot__node *softmax_of(ingot__value *v) {
  ingot__node *softmax = ingot__made_for(v, INGOT__OP_Softmax), *where = ingot__made_for(v, INGOT__OP_Where);
  if (softmax || !where || !ingot__is_number(where->in[1], 0)) return softmax;
  ingot__node *test = ingot__made_for(where->in[0], INGOT__OP_IsNaN);
  ingot__value *p = where->in[2];
  if (!test || test->in[0] != p || p->n_user != 2 || p->is_output) return NULL;
  return ingot__made_by(p, INGOT__OP_Softmax);
}

/* The product with K that v is a number times of. */
static ingot__node *scores_of(ingot__value *v, const ingot__value *like, attention *a) {
  a->scale = 1;
  v = unscaled(v, &a->scale);
  return ingot__same_type(v, like) ? ingot__made_for(v, INGOT__OP_MatMul) : NULL;
}

static bool is_addend(const ingot__value *mask, const ingot__value *scores) {
  return is_mask(mask, &scores->type) && mask->type.dtype != INGOT_BOOL;
}

/* The product under a mask, which comes into a->in[3]. */
static ingot__node *masked(ingot__node *softmax, attention *a) {
  ingot__value *v = softmax->in[0], *like = softmax->out[0];
  ingot__node *add = ingot__made_for(v, INGOT__OP_Add), *where = ingot__made_for(v, INGOT__OP_Where), *product;
  float low;
  for (int side = 0; add && side < 2; side++) {
    a->in[3] = add->in[1 - side];
    if (!is_addend(a->in[3], like)) continue;
    if ((product = scores_of(add->in[side], like, a))) return product;
    const ingot__node *first = ingot__made_for(add->in[side], INGOT__OP_Add);
    for (int k = 0; first && k < 2; k++) {
      a->more = first->in[1 - k];
      if (is_addend(a->more, like) && (product = scores_of(first->in[k], like, a))) return product;
    }
    a->more = NULL;
  }
  for (int side = 1; where && side < 3; side++) {
    a->in[3] = where->in[0];
    a->not_mask = side == 2;
    if (!ingot__constant_scalar(where->in[3 - side], &low) || low != -INFINITY || !is_mask(a->in[3], &like->type)) continue;
    if ((product = scores_of(where->in[side], like, a))) return product;
  }
  a->in[3] = NULL;
  return add || where ? NULL : scores_of(v, like, a);
}

static bool match(const ingot__node *n, attention *a, ingot__node **softmax) {
  if (n->op != INGOT__OP_MatMul || !plain_product(n)) return false;
  const ingot__attrs_MatMul *last = n->attrs;
  if (last->trans_b || last->alpha != 1 || !(*softmax = softmax_of(n->in[0]))) return false;
  int64_t axis = ((const ingot__attrs_Softmax *)(*softmax)->attrs)->axis;
  const ingot__type *scores = &(*softmax)->out[0]->type;
  if (scores->rank < 2 || (axis != -1 && axis != scores->rank - 1)) return false;
  ingot__node *product = masked(*softmax, a);
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
  ingot__node *softmax;
  if (!match(n, &a, &softmax)) return INGOT_OK;
  if (a.not_mask) {
    ingot__node *not = ingot__node_new(n->graph, INGOT__OP_Not, NULL, n, &a.in[3], 1, 1, NULL);
    INGOT_TRY(ingot__rewrite_finish(not, n, context->diag));
    a.in[3] = not->out[0];
  }
  if (a.more) {
    ingot__node *both = ingot__node_new(n->graph, INGOT__OP_Add, NULL, n, (ingot__value *[]){a.more, a.in[3]}, 2, 1, NULL);
    INGOT_TRY(ingot__rewrite_finish(both, n, context->diag));
    a.in[3] = both->out[0];
  }
  ingot__node *made = ingot__node_new(n->graph, INGOT__OP_FusedAttention, n->name, n, a.in, a.in[3] ? 4 : 3, 1, NULL);
  if (!made) return ingot__no_memory(context->diag);
  ((ingot__attrs_FusedAttention *)made->attrs)->scale = (float)a.scale;
  INGOT_TRY(ingot__rewrite_finish(made, n, context->diag));
  if (!ingot__node_absorb_origin(made, softmax)) return ingot__no_memory(context->diag);
  *done = true;
  return ingot__rewrite_replace(n, made->out[0], context->diag);
}

/* (B, heads, S, D) that repeats each of the heads of (B, own, S, D): the latter, or NULL. */
static ingot__value *before_repeating(const ingot__value *v, int64_t heads) {
  const ingot__node *merge = ingot__made_by(v, INGOT__OP_Reshape), *expand = merge ? ingot__made_by(merge->in[0], INGOT__OP_Expand) : NULL;
  const ingot__node *split = expand ? ingot__made_by(expand->in[0], INGOT__OP_Reshape) : NULL;
  if (expand && !split) split = ingot__made_by(expand->in[0], INGOT__OP_Unsqueeze);
  if (!split) return NULL;
  ingot__value *x = split->in[0];
  const ingot__type *from = &x->type, *five = &split->out[0]->type, *wide = &expand->out[0]->type, *to = &v->type;
  if (from->rank != 4 || five->rank != 5 || wide->rank != 5 || to->rank != 4 || !ingot__dim_is_number(from->dim[1]) || from->dim[1] < 1) return NULL;
  if (heads % from->dim[1] || five->dim[2] != 1 || wide->dim[2] != heads / from->dim[1] || to->dim[1] != heads) return NULL;
  for (int i = 0; i < 4; i++) {
    int at = i < 2 ? i : i + 1;
    if (from->dim[i] == INGOT__DIM_UNKNOWN || from->dim[i] != five->dim[at] || from->dim[i] != wide->dim[at]) return NULL;
    if (i != 1 && from->dim[i] != to->dim[i]) return NULL;
  }
  return x;
}

static ingot_status share_heads(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (n->op != INGOT__OP_FusedAttention || (((const ingot__attrs_FusedAttention *)n->attrs)->swapped & 7)) return INGOT_OK;
  const ingot__type *q = &n->in[0]->type;
  if (q->rank != 4 || !ingot__dim_is_number(q->dim[1])) return INGOT_OK;
  ingot__value *k = before_repeating(n->in[1], q->dim[1]), *v = before_repeating(n->in[2], q->dim[1]);
  if (!k || !v || k->type.dim[1] != v->type.dim[1]) return INGOT_OK;
  if (!ingot__node_set_input(n, 1, k) || !ingot__node_set_input(n, 2, v)) return ingot__no_memory(context->diag);
  *done = true;
  return INGOT_OK;
}

/* Exchanges the two dims before the last: heads behind positions, or back. */
static bool swap_of(int rank, ingot__perm *swap) {
  swap->rank = rank;
  for (int i = 0; i < rank; i++) swap->axis[i] = i == rank - 2 ? i - 1 : i == rank - 3 ? i + 1 : i;
  return rank >= 3;
}

/* x in the order of p, when that is x or a Reshape of it; else NULL. */
static ingot_status without_moving(ingot__value *x, const ingot__perm *p, ingot__node *n, ingot__diag *diag, ingot__value **made) {
  *made = ingot__perm_is_identity(p) ? x : NULL;
  if (*made || !ingot__keeps_order(&x->type, p)) return INGOT_OK;
  const ingot__type type = ingot__perm_type(&x->type, p);
  return ingot__reshape_to(x, &type, n, diag, made);
}

static ingot_status take_input(ingot__node *n, size_t i, const ingot__pass_context *context, bool *done) {
  ingot__perm p, swap;
  ingot__value *x;
  const ingot__node *t = ingot__made_for(n->in[i], INGOT__OP_Transpose);
  if (!t || n->in[0] == n->in[1] || n->in[1] == n->in[2] || n->in[0] == n->in[2]) return INGOT_OK;
  if (!ingot__perm_of(t, &p) || !swap_of(p.rank, &swap)) return INGOT_OK;
  p = ingot__perm_then(&p, &swap);
  INGOT_TRY(without_moving(t->in[0], &p, n, context->diag, &x));
  if (!x) return INGOT_OK;
  if (!ingot__node_set_input(n, i, x)) return ingot__no_memory(context->diag);
  ((ingot__attrs_FusedAttention *)n->attrs)->swapped ^= (int64_t)1 << i;
  *done = true;
  return INGOT_OK;
}

/* n is the Transpose behind it. */
static ingot_status take_output(ingot__node *n, ingot__node *attention, const ingot__pass_context *context, bool *done) {
  ingot__perm p, swap;
  ingot__value *y;
  if (attention->n_out != 1 || attention->graph != n->graph || !ingot__perm_of(n, &p) || !swap_of(p.rank, &swap)) return INGOT_OK;
  const ingot__type swapped = ingot__perm_type(&n->in[0]->type, &swap), type = n->out[0]->type;
  p = ingot__perm_then(&swap, &p);
  if (!ingot__keeps_order(&swapped, &p) || (!ingot__perm_is_identity(&p) && !ingot__can_reshape(&swapped, &type))) return INGOT_OK;
  ingot__node *made = ingot__node_new(n->graph, attention->op, attention->name, attention, attention->in, attention->n_in, 1, NULL);
  if (!made) return ingot__no_memory(context->diag);
  *(ingot__attrs_FusedAttention *)made->attrs = *(const ingot__attrs_FusedAttention *)attention->attrs;
  ((ingot__attrs_FusedAttention *)made->attrs)->swapped ^= 8;
  INGOT_TRY(ingot__rewrite_finish(made, attention, context->diag));
  INGOT_TRY(without_moving(made->out[0], &p, n, context->diag, &y));
  return y ? ingot__put_value(n, y, context, done) : INGOT_OK;
}

/* Transposes that put heads before positions, or back, at its inputs and its result; others where dims of one element make them the same. */
ingot_status ingot__rule_heads(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (n->op == INGOT__OP_FusedAttention)
    for (size_t i = 0; i < 3; i++) INGOT_TRY(take_input(n, i, context, done));
  ingot__node *before = n->op == INGOT__OP_Transpose ? ingot__made_for(n->in[0], INGOT__OP_FusedAttention) : NULL;
  return before ? take_output(n, before, context, done) : INGOT_OK;
}

ingot_status ingot__pass_fuse_attention(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  static const ingot__rule rules[] = {fuse, share_heads, ingot__rule_heads};
  return ingot__rewrite_walk(network, rules, sizeof rules / sizeof *rules, context, changed);
}
