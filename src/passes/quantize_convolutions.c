/* Convolutions between levels are computed in 8-bit integers:
 *
 *     QuantizeLinear(Relu(Conv(DequantizeLinear(x, sx, zx), DequantizeLinear(w, sw, zw), bias)), sy, zy)
 *
 * becomes one Conv of x itself: uint8 in and out, int8 weights (less their zero point), an int32 bias and the factor sx sw / sy for each output
 * channel, computed in float32 as QLinearConv's is. What lies between two layers is then a quarter of the bytes, and the sums are integers'.
 *
 * The alternative, the same sums in float32 (lift_scales), stays for what doesn't fit: weights beyond int8 when their zero point is taken off,
 * 16-bit levels, sums that could pass int32, levels that the network's inputs or outputs spell as int8. */
#include "passes/quantizers.h"
#include <math.h>
#include <string.h>

enum { MOST_SUMMANDS = 65000 }; /* 255 * 128 * 65000 < 2^31 */

/* ---- int8 levels become uint8 ones, 128 higher */

static bool per_tensor_int8(const ingot__node *n, const ingot__value *levels, int64_t *zero) {
  const int64_t block = n->op == INGOT__OP_QuantizeLinear ? ((const ingot__attrs_QuantizeLinear *)n->attrs)->block_size
                                                          : ((const ingot__attrs_DequantizeLinear *)n->attrs)->block_size;
  return levels->type.dtype == INGOT_INT8 && block == 0 && ingot__zero_of(n, zero);
}

static ingot_status set_zero(ingot__node *n, int64_t zero, ingot__diag *diag) {
  const ingot__value *scale = n->in[1];
  ingot__type type = {.dtype = INGOT_UINT8, .rank = scale->type.rank, .dim = {scale->type.dim[0]}};
  size_t count;
  if (!ingot__type_count(&scale->type, &count)) return INGOT_OK;
  uint8_t *data = INGOT_NEW_ARRAY(&n->graph->network->arena, count + 1, uint8_t);
  if (!data) return ingot__no_memory(diag);
  memset(data, (int)(zero + 128), count);
  ingot__value *z = ingot__constant_new(n->graph, NULL, &type, data, count);
  return z && ingot__node_set_input(n, 2, z) ? INGOT_OK : ingot__no_memory(diag);
}

static ingot_status unsign(ingot__node *q, ingot__diag *diag, bool *changed) {
  int64_t zero, other;
  ingot__value *levels = q->out[0];
  if (levels->is_output || !per_tensor_int8(q, levels, &zero)) return INGOT_OK;
  for (size_t u = 0; u < levels->n_user; u++) {
    const ingot__node *d = levels->user[u];
    if (d->op != INGOT__OP_DequantizeLinear || d->graph != q->graph || d->in[0] != levels || !per_tensor_int8(d, levels, &other)) return INGOT_OK;
    if (!ingot__value_is_const(d->in[1])) return INGOT_OK;
  }
  if (!ingot__value_is_const(q->in[1])) return INGOT_OK;
  ((ingot__attrs_QuantizeLinear *)q->attrs)->output_dtype = 0;
  INGOT_TRY(set_zero(q, zero, diag));
  levels->type.dtype = INGOT_UINT8;
  for (size_t u = 0; u < levels->n_user; u++) {
    ingot__zero_of(levels->user[u], &other);
    INGOT_TRY(set_zero(levels->user[u], other, diag));
  }
  *changed = true;
  return INGOT_OK;
}

/* ---- The convolution */

typedef struct product {
  ingot__node *conv, *dx, *dw, *relu, *q;
  int64_t zx, zw, zy;
  size_t channels, weights, n_scale;
} product;

static bool find(ingot__node *conv, product *p) {
  *p = (product){.conv = conv};
  size_t n_x, n_y;
  const ingot__type *w = conv->in[1] ? &conv->in[1]->type : NULL;
  if (((const ingot__attrs_Conv *)conv->attrs)->act != INGOT__ACT_NONE || (conv->n_in > 3 && conv->in[3]) || !w) return false;
  if (w->rank < 3 || !ingot__type_count(w, &p->weights) || p->weights == 0) return false;
  p->channels = (size_t)w->dim[0];
  p->dx = ingot__dequantized(conv->in[0], 1, &n_x);
  p->dw = ingot__dequantized(conv->in[1], p->channels, &p->n_scale);
  if (!p->dx || !p->dw || n_x != 1 || !ingot__zero_of(p->dx, &p->zx) || !ingot__zero_of(p->dw, &p->zw)) return false;
  if (p->dx->in[0]->type.dtype != INGOT_UINT8 || !ingot__value_is_const(p->dw->in[0])) return false;
  const int64_t along = ((const ingot__attrs_DequantizeLinear *)p->dw->attrs)->axis;
  if (p->n_scale > 1 && along != 0 && along != -w->rank) return false;
  p->q = ingot__follower(conv->out[0]);
  if (p->q && p->q->op == INGOT__OP_Relu) {
    p->relu = p->q;
    p->q = ingot__follower(p->relu->out[0]);
  }
  if (!p->q || p->q->op != INGOT__OP_QuantizeLinear || p->q->graph != conv->graph || p->q->out[0]->type.dtype != INGOT_UINT8) return false;
  if (p->q->in[0] != (p->relu ? p->relu : conv)->out[0] || ((const ingot__attrs_QuantizeLinear *)p->q->attrs)->block_size) return false;
  if (!ingot__zero_of(p->q, &p->zy) || !ingot__floats_of(p->q->in[1], &n_y) || n_y != 1 || !(ingot__float_at(p->q->in[1], 0, 1) > 0)) return false;
  const ingot__value *levels = p->dw->in[0];
  if (ingot__dtype_size(levels->type.dtype) != 1 || p->weights / p->channels > MOST_SUMMANDS) return false;
  for (size_t i = 0; i < p->weights; i++) {
    int64_t v = ingot__get_int(levels->type.dtype, levels->data, i) - p->zw;
    if (v < -128 || v > 127) return false;
  }
  return true;
}

/* The bias in units of the products; false when it could pass int32 with them. */
static bool whole_bias(const product *p, int32_t *to) {
  const ingot__value *b = p->conv->n_in > 2 ? p->conv->in[2] : NULL;
  const double sx = (double)ingot__float_at(p->dx->in[1], 0, 1), room = 2147483647.0 - 255.0 * 128.0 * (double)(p->weights / p->channels);
  for (size_t i = 0; i < p->channels; i++) {
    double v = 0;
    if (b && !ingot__bias_at(b, p->channels, i, &v)) return false;
    v = rint(ingot__bias_units(v, sx * (double)ingot__float_at(p->dw->in[1], i, p->n_scale)));
    if (!(fabs(v) < room)) return false;
    to[i] = (int32_t)v;
  }
  return true;
}

static ingot_status rewrite(product *p, ingot__diag *diag, bool *changed) {
  ingot__graph *graph = p->conv->graph;
  ingot__arena *arena = &graph->network->arena;
  const ingot__value *w = p->dw->in[0];
  ingot__type weights = w->type, bias = {.dtype = INGOT_INT32, .rank = 1, .dim = {(int64_t)p->channels}};
  weights.dtype = INGOT_INT8;
  int8_t *wd = INGOT_NEW_ARRAY(arena, p->weights, int8_t);
  int32_t *bd = INGOT_NEW_ARRAY(arena, p->channels, int32_t);
  float *scale;
  int64_t dims[1] = {(int64_t)p->n_scale};
  if (!wd || !bd) return ingot__no_memory(diag);
  if (!whole_bias(p, bd)) return INGOT_OK;
  for (size_t i = 0; i < p->weights; i++) wd[i] = (int8_t)(ingot__get_int(w->type.dtype, w->data, i) - p->zw);
  ingot__value *in[5] = {p->dx->in[0], ingot__constant_new(graph, NULL, &weights, wd, p->weights),
                         ingot__constant_new(graph, NULL, &bias, bd, p->channels * sizeof *bd), NULL,
                         ingot__constant_floats(graph, NULL, 1, dims, &scale)};
  if (!in[1] || !in[2] || !in[4]) return ingot__no_memory(diag);
  const float sx = ingot__float_at(p->dx->in[1], 0, 1), sy = ingot__float_at(p->q->in[1], 0, 1);
  for (size_t i = 0; i < p->n_scale; i++) scale[i] = sx * ingot__float_at(p->dw->in[1], i, p->n_scale) / sy;
  ingot__node *made = ingot__node_new(graph, INGOT__OP_Conv, p->conv->name, p->q, in, 5, 1, NULL);
  if (!made) return ingot__no_memory(diag);
  ingot__attrs_Conv *a = made->attrs;
  *a = *(const ingot__attrs_Conv *)p->conv->attrs;
  a->x_zero = p->zx, a->y_zero = p->zy, a->y_low = p->relu ? p->zy : 0, a->y_high = 255;
  made->origin = p->conv->origin ? p->conv->origin : p->conv->name;
  INGOT_TRY(ingot__rewrite_finish(made, p->conv, diag));
  if (p->relu && !ingot__node_absorb_origin(made, p->relu)) return ingot__no_memory(diag);
  if (!ingot__node_absorb_origin(made, p->q)) return ingot__no_memory(diag);
  INGOT_TRY(ingot__rewrite_replace(p->q, made->out[0], diag));
  if (p->relu) ingot__node_remove(p->relu);
  ingot__node_remove(p->conv);
  *changed = true;
  return INGOT_OK;
}

ingot_status ingot__pass_quantize_convolutions(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  ingot__graph *graph = network->main;
  for (ingot__node *n = graph->first; n; n = n->next)
    if (n->op == INGOT__OP_QuantizeLinear) INGOT_TRY(unsign(n, context->diag, changed));
  for (ingot__node *n = graph->first, *next; n; n = next) {
    product p;
    next = n->next;
    if (n->op != INGOT__OP_Conv || !find(n, &p)) continue;
    while (next && (next == p.relu || next == p.q)) next = next->next; /* they go with n */
    INGOT_TRY(rewrite(&p, context->diag, changed));
  }
  return INGOT_OK;
}
