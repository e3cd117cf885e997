/* Convolutions of few channels whose windows don't overlap (a vision transformer's patches): SpaceToDepth puts each window's elements into the
 * channels of one pixel, and what is left is a 1x1 convolution, a plain product. For targets with a device of their own: their tensor cores
 * take deep products much better than few channels, and the copy costs little. */
#include "passes/rewrite.h"

enum { FEW = 8, LEAST = 64 /* elements of a window */ };

static bool all(const ingot__ints *x, size_t n, int64_t value) {
  for (size_t i = 0; i < x->n && i < n; i++)
    if (x->v[i] != value) return false;
  return true;
}

/* The windows' side, or 0 where it isn't such a convolution. */
static int64_t side_of(const ingot__node *n) {
  const ingot__attrs_Conv *a = n->attrs;
  const ingot__value *x = n->in[0], *w = n->in[1];
  if (a->group != 1 || a->exact || n->n_in > 4 || !ingot__is_float32(w) || !w->data || w->type.rank != 4 || x->type.rank != 4) return 0;
  if (x->type.dtype != INGOT_FLOAT32 || x->type.dim[1] > FEW || !ingot__dim_is_number(x->type.dim[1])) return 0;
  int64_t side = w->type.dim[2];
  if (w->type.dim[3] != side || a->strides.n != 2 || !all(&a->strides, 2, side) || !all(&a->pads, 4, 0) || !all(&a->dilations, 2, 1)) return 0;
  if (side < 2 || w->type.dim[1] * side * side < LEAST) return 0;
  for (int i = 2; i < 4; i++)
    if (!ingot__dim_is_number(x->type.dim[i]) || x->type.dim[i] % side) return 0;
  return side;
}

/* Weights (O, C, side, side) as (O, side * side * C, 1, 1), in SpaceToDepth's order of channels. */
static ingot__value *weights(const ingot__node *n, int64_t side) {
  const ingot__value *w = n->in[1];
  const int64_t outs = w->type.dim[0], c = w->type.dim[1], area = side * side, dims[4] = {outs, area * c, 1, 1};
  const float *from = w->data;
  float *to;
  ingot__value *made = ingot__constant_floats(n->graph, w->name, 4, dims, &to);
  for (int64_t o = 0; made && o < outs; o++)
    for (int64_t k = 0; k < area; k++)
      for (int64_t i = 0; i < c; i++) *to++ = from[(o * c + i) * area + k];
  return made;
}

static ingot_status unfold(ingot__node *n, int64_t side, const ingot__pass_context *c) {
  const ingot__attrs_Conv *old = n->attrs;
  ingot__node *deep = ingot__node_new(n->graph, INGOT__OP_SpaceToDepth, NULL, n, n->in, 1, 1, NULL);
  if (!deep) return ingot__no_memory(c->diag);
  ((ingot__attrs_SpaceToDepth *)deep->attrs)->blocksize = side;
  INGOT_TRY(ingot__rewrite_finish(deep, n, c->diag));
  ingot__value *in[4] = {deep->out[0], weights(n, side)};
  if (!in[1]) return ingot__no_memory(c->diag);
  for (size_t i = 2; i < n->n_in; i++) in[i] = n->in[i];
  ingot__node *conv = ingot__node_new(n->graph, INGOT__OP_Conv, n->name, n, in, n->n_in, 1, NULL);
  if (!conv) return ingot__no_memory(c->diag);
  ingot__attrs_Conv *a = conv->attrs;
  int64_t *ones = INGOT_NEW_ARRAY(&n->graph->network->arena, 2, int64_t), *zeros = INGOT_NEW_ARRAY(&n->graph->network->arena, 4, int64_t);
  if (!ones || !zeros) return ingot__no_memory(c->diag);
  ones[0] = ones[1] = 1;
  a->kernel_shape = a->strides = a->dilations = (ingot__ints){.v = ones, .n = 2};
  a->pads = (ingot__ints){.v = zeros, .n = 4};
  a->act = old->act;
  a->act_alpha = old->act_alpha;
  a->act_beta = old->act_beta;
  INGOT_TRY(ingot__rewrite_finish(conv, n, c->diag));
  return ingot__rewrite_replace(n, conv->out[0], c->diag);
}

ingot_status ingot__pass_unfold_patches(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  for (size_t i = 0, n_node = network->n_node; context->device && i < n_node; i++) {
    ingot__node *n = network->node[i];
    int64_t side = n && n->op == INGOT__OP_Conv ? side_of(n) : 0;
    if (!side) continue;
    INGOT_TRY(unfold(n, side, context));
    *changed = true;
  }
  return INGOT_OK;
}
