/* Quantised products in whole numbers. A Conv, Gemm or MatMul between DequantizeLinears and a QuantizeLinear is
 *
 *     round(relu(sum((x - zx) sx (w - zw) sw) + b) / sy) + zy  =  round(relu(sum((x - zx)(w - zw)) + b / (sx sw)) / (sy / (sx sw))) + zy.
 *
 * On the right the sum is of whole numbers, which float32 adds exactly up to 2^24, in any order and with any kernel: what integer
 * arithmetic gives, as QLinearConv is defined. The left one's rounding errors would now and then end in the next level. So the inputs'
 * scales become 1 and the QuantizeLinear's scale takes them in, one for each output channel. For convolutions that is what is left when
 * quantize_convolutions has taken those that fit 8-bit integers. */
#include "passes/quantizers.h"
#include <string.h>

static ingot__value *ones(ingot__graph *graph, const ingot__value *like) {
  float *data;
  ingot__value *v = ingot__constant_floats(graph, NULL, like->type.rank, like->type.dim, &data);
  size_t n;
  if (v && ingot__type_count(&like->type, &n))
    for (size_t i = 0; i < n; i++) data[i] = 1;
  return v;
}

/* The same dequantisation with scale 1: one that is there already, or a new one. */
static ingot_status whole_numbers(ingot__node *d, ingot__diag *diag, ingot__value **out) {
  ingot__value *q = d->in[0];
  size_t n;
  for (size_t u = 0; u < q->n_user; u++) {
    ingot__node *other = q->user[u];
    size_t same = 0;
    if (other->op != INGOT__OP_DequantizeLinear || other->graph != d->graph || other == d || !ingot__floats_of(other->in[1], &n)) continue;
    while (same < n && ingot__float_at(other->in[1], same, n) == 1) same++;
    if (same != n || (other->n_in > 2 ? other->in[2] : NULL) != (d->n_in > 2 ? d->in[2] : NULL)) continue;
    *out = other->out[0];
    return INGOT_OK;
  }
  ingot__value *in[3] = {q, ones(d->graph, d->in[1]), d->n_in > 2 ? d->in[2] : NULL};
  if (!in[1]) return ingot__no_memory(diag);
  ingot__node *made = ingot__node_new(d->graph, d->op, NULL, q->producer ? q->producer->next : d->graph->first, in, d->n_in, 1, NULL);
  if (!made) return ingot__no_memory(diag);
  *(ingot__attrs_DequantizeLinear *)made->attrs = *(const ingot__attrs_DequantizeLinear *)d->attrs;
  INGOT_TRY(ingot__rewrite_finish(made, d, diag));
  *out = made->out[0];
  return INGOT_OK;
}

/* Where the product's output channels are: the axis of its result, and of its weights. */
static bool channel_axes(const ingot__node *p, int *result, int *weights, size_t *channels) {
  const ingot__type *w = &p->in[1]->type, *y = &p->out[0]->type;
  if (w->rank < 2 || y->rank < 2) return false;
  switch (p->op) {
  case INGOT__OP_Conv: *result = 1, *weights = 0; break;
  case INGOT__OP_Gemm: {
    const ingot__attrs_Gemm *g = p->attrs;
    if (g->alpha != 1 || g->beta != 1 || g->transA) return false;
    *result = 1, *weights = g->transB ? 0 : 1;
    break;
  }
  case INGOT__OP_MatMul:
    if (w->rank != 2 || p->n_in > 2) return false;
    *result = y->rank - 1, *weights = 1;
    break;
  default: return false;
  }
  if (!ingot__dim_is_number(w->dim[*weights])) return false;
  *channels = (size_t)w->dim[*weights];
  return true;
}

/* One zero point a channel, as a quantiser with one scale a channel has. NULL: no memory. */
static ingot__value *repeated(ingot__graph *graph, const ingot__value *zero, size_t n) {
  ingot__type type = {.dtype = zero->type.dtype, .rank = 1, .dim = {(int64_t)n}};
  size_t size = ingot__dtype_size(type.dtype);
  char *data = INGOT_NEW_ARRAY(&graph->network->arena, n * size, char);
  for (size_t i = 0; data && i < n; i++) memcpy(data + i * size, zero->data, size);
  return data ? ingot__constant_new(graph, NULL, &type, data, n * size) : NULL;
}

static ingot_status lift(ingot__node *p, ingot__diag *diag, bool *changed) {
  int axis, w_axis;
  size_t channels, n_x, n_w, n_y;
  if (!p->in[1] || !channel_axes(p, &axis, &w_axis, &channels)) return INGOT_OK;
  ingot__node *dx = ingot__dequantized(p->in[0], 1, &n_x), *dw = ingot__dequantized(p->in[1], channels, &n_w);
  if (!dx || !dw || n_x != 1 || !ingot__value_is_const(dw->in[0])) return INGOT_OK;
  int64_t along = ((const ingot__attrs_DequantizeLinear *)dw->attrs)->axis;
  if (n_w > 1 && (along < 0 ? along + p->in[1]->type.rank : along) != w_axis) return INGOT_OK;
  ingot__node *q = ingot__follower(p->out[0]);
  if (q && q->op == INGOT__OP_Relu) q = ingot__follower(q->out[0]);
  if (!q || q->op != INGOT__OP_QuantizeLinear || q->graph != p->graph || !ingot__floats_of(q->in[1], &n_y) || n_y != 1) return INGOT_OK;
  if (((const ingot__attrs_QuantizeLinear *)q->attrs)->block_size) return INGOT_OK;
  if (q->in[0] != p->out[0] && q->in[0]->producer->in[0] != p->out[0]) return INGOT_OK;
  ingot__value *zero = q->n_in > 2 ? q->in[2] : NULL;
  if (zero && (!ingot__value_is_const(zero) || zero->type.rank > 1 || !ingot__dtype_size(zero->type.dtype))) return INGOT_OK;
  ingot__value *bias = p->n_in > 2 ? p->in[2] : NULL, *new_bias = NULL, *in = NULL, *weights = NULL;
  double b;
  if (bias && !ingot__bias_at(bias, channels, 0, &b)) return INGOT_OK;

  int64_t dims[1] = {(int64_t)channels};
  size_t n_scale = n_w == 1 ? 1 : channels;
  float *scale, *whole = NULL, sx = ingot__float_at(dx->in[1], 0, 1), sy = ingot__float_at(q->in[1], 0, 1);
  ingot__value *scales = ingot__constant_floats(p->graph, NULL, n_scale == 1 ? 0 : 1, dims, &scale);
  if (!scales || (bias && !(new_bias = ingot__constant_floats(p->graph, NULL, 1, dims, &whole)))) return ingot__no_memory(diag);
  for (size_t i = 0; i < channels; i++) {
    double unit = (double)sx * (double)ingot__float_at(dw->in[1], i, n_w);
    if (i < n_scale) scale[i] = (float)((double)sy / unit);
    if (!bias) continue;
    ingot__bias_at(bias, channels, i, &b);
    whole[i] = (float)ingot__bias_units(b, unit);
  }
  INGOT_TRY(whole_numbers(dx, diag, &in));
  INGOT_TRY(whole_numbers(dw, diag, &weights));
  if (!ingot__node_set_input(p, 0, in) || !ingot__node_set_input(p, 1, weights) || (bias && !ingot__node_set_input(p, 2, new_bias)) ||
      !ingot__node_set_input(q, 1, scales) || (zero && n_scale > 1 && !ingot__node_set_input(q, 2, repeated(p->graph, zero, channels))))
    return ingot__no_memory(diag);
  ((ingot__attrs_QuantizeLinear *)q->attrs)->axis = axis;
  if (p->op == INGOT__OP_Conv) ((ingot__attrs_Conv *)p->attrs)->exact = 1;
  *changed = true;
  return INGOT_OK;
}

/* The mean of whole numbers is exact more often than that of scaled ones, and its ties fall as integers' do. */
static ingot_status lift_mean(ingot__node *p, ingot__diag *diag, bool *changed) {
  size_t n_x, n_y;
  ingot__node *dx = ingot__dequantized(p->in[0], 1, &n_x), *q = ingot__follower(p->out[0]);
  if (!dx || !q || q->op != INGOT__OP_QuantizeLinear || q->graph != p->graph || q->in[0] != p->out[0]) return INGOT_OK;
  if (!ingot__floats_of(q->in[1], &n_y) || n_y != 1) return INGOT_OK;
  ingot__value *in, *scale;
  float *ratio;
  if (!(scale = ingot__constant_floats(p->graph, NULL, 0, NULL, &ratio))) return ingot__no_memory(diag);
  *ratio = (float)((double)ingot__float_at(q->in[1], 0, 1) / (double)ingot__float_at(dx->in[1], 0, 1));
  INGOT_TRY(whole_numbers(dx, diag, &in));
  if (!ingot__node_set_input(p, 0, in) || !ingot__node_set_input(q, 1, scale)) return ingot__no_memory(diag);
  *changed = true;
  return INGOT_OK;
}

ingot_status ingot__pass_lift_scales(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  for (ingot__node *n = network->main->first; n; n = n->next) {
    if (n->op == INGOT__OP_Conv || n->op == INGOT__OP_Gemm || n->op == INGOT__OP_MatMul) INGOT_TRY(lift(n, context->diag, changed));
    if (n->op == INGOT__OP_GlobalAveragePool || n->op == INGOT__OP_AveragePool) INGOT_TRY(lift_mean(n, context->diag, changed));
  }
  return INGOT_OK;
}
