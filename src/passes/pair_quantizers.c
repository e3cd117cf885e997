/* QuantizeLinear followed by nothing but DequantizeLinears of the same zero point rounds floats to a grid; the integers between need never
 * be made. It becomes Div (or Mul), Round and Clip to the integers less the zero point, and each DequantizeLinear a Mul with its scale:
 * elementwise nodes, which fuse. */
#include "passes/rewrite.h"

static bool levels(ingot_dtype t, double *low, double *high) {
  switch (t) {
  case INGOT_UINT8: *low = 0, *high = 255; return true;
  case INGOT_INT8: *low = -128, *high = 127; return true;
  case INGOT_UINT16: *low = 0, *high = 65535; return true;
  case INGOT_INT16: *low = -32768, *high = 32767; return true;
  default: return false;
  }
}

/* The zero point, where it is the same for all channels; 0 where there is none. */
static bool zero_point(const ingot__node *n, double *zero) {
  const ingot__value *z = n->n_in > 2 ? n->in[2] : NULL;
  size_t count;
  *zero = 0;
  if (!z) return true;
  if (!ingot__value_is_const(z) || !ingot__type_count(&z->type, &count) || count == 0) return false;
  *zero = ingot__get_double(z->type.dtype, z->data, 0);
  for (size_t i = 1; i < count; i++)
    if (ingot__get_double(z->type.dtype, z->data, i) != *zero) return false;
  return true;
}

/* Whether a product of whole numbers is quantised: its scale is a factor, as integer kernels requantise. */
static bool of_product(const ingot__value *x) {
  const ingot__node *p = x->producer;
  if (p && p->op == INGOT__OP_Relu) p = p->in[0]->producer;
  return p && p->op == INGOT__OP_Conv && ((const ingot__attrs_Conv *)p->attrs)->exact;
}

/* A scale vector along `axis` as a constant that broadcasts, its elements or their inverses; a scalar stays one. */
static ingot__value *spread(ingot__graph *graph, const ingot__value *scale, int64_t axis, int rank, bool inverse) {
  size_t n;
  int64_t dims[INGOT_MAX_RANK];
  float *data;
  if (!ingot__type_count(&scale->type, &n)) return NULL;
  if (axis < 0) axis += rank;
  int r = n == 1 ? 0 : rank - (int)axis;
  for (int d = 0; d < r; d++) dims[d] = d == 0 ? (int64_t)n : 1;
  ingot__value *v = ingot__constant_floats(graph, NULL, r, dims, &data);
  for (size_t i = 0; v && i < n; i++) data[i] = inverse ? 1 / ((const float *)scale->data)[i] : ((const float *)scale->data)[i];
  return v;
}

static ingot__value *scalar(ingot__graph *graph, double x) {
  float *data;
  ingot__value *v = ingot__constant_floats(graph, NULL, 0, NULL, &data);
  if (v) *data = (float)x;
  return v;
}

static bool float_scale(const ingot__node *n, size_t *count) {
  const ingot__value *s = n->in[1];
  return ingot__value_is_const(s) && s->type.dtype == INGOT_FLOAT32 && s->type.rank <= 1 && ingot__type_count(&s->type, count) && *count > 0;
}

/* Every reader is a DequantizeLinear of one scale whose zero point is the quantiser's. */
static bool all_dequantized(const ingot__node *q) {
  const ingot__value *y = q->out[0];
  size_t n;
  double zero, other;
  if (!zero_point(q, &zero)) return false;
  if (y->is_output || !y->n_user) return false;
  for (size_t u = 0; u < y->n_user; u++) {
    const ingot__node *d = y->user[u];
    if (d->op != INGOT__OP_DequantizeLinear || d->graph != q->graph || d->in[0] != y || !float_scale(d, &n) || n != 1) return false;
    if (((const ingot__attrs_DequantizeLinear *)d->attrs)->block_size || !ingot__is_float32(d->out[0])) return false;
    if (!zero_point(d, &other) || other != zero) return false;
  }
  return true;
}

static ingot_status node(ingot__node *q, ingot__op op, ingot__value *a, ingot__value *b, ingot__value *c, ingot__diag *diag, ingot__value **out) {
  ingot__value *in[3] = {a, b, c};
  size_t n = op == INGOT__OP_Clip ? 3 : b ? 2 : 1;
  if (op == INGOT__OP_Clip ? !b || !c : op != INGOT__OP_Round && !b) return ingot__no_memory(diag);
  ingot__node *made = ingot__node_new(q->graph, op, NULL, q, in, n, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(made, q, diag));
  *out = made->out[0];
  return INGOT_OK;
}

static ingot_status pair(ingot__node *q, ingot__diag *diag, bool *changed) {
  double low, high, zero;
  size_t n;
  ingot__value *x = q->in[0], *y;
  int rank = x->type.rank;
  if (!ingot__is_float32(x) || rank < 0 || !levels(q->out[0]->type.dtype, &low, &high) || !float_scale(q, &n) || !all_dequantized(q)) return INGOT_OK;
  if (((const ingot__attrs_QuantizeLinear *)q->attrs)->block_size) return INGOT_OK;
  if (!zero_point(q, &zero)) return INGOT_OK;
  bool product = n > 1 || of_product(x);
  ingot__value *s = spread(q->graph, q->in[1], ((const ingot__attrs_QuantizeLinear *)q->attrs)->axis, rank, product);
  INGOT_TRY(node(q, product ? INGOT__OP_Mul : INGOT__OP_Div, x, s, NULL, diag, &y));
  INGOT_TRY(node(q, INGOT__OP_Round, y, NULL, NULL, diag, &y));
  INGOT_TRY(node(q, INGOT__OP_Clip, y, scalar(q->graph, low - zero), scalar(q->graph, high - zero), diag, &y));
  while (q->out[0]->n_user) {
    ingot__node *d = q->out[0]->user[q->out[0]->n_user - 1];
    ingot__value *out = y;
    float scale = *(const float *)d->in[1]->data;
    if (scale != 1) INGOT_TRY(node(d, INGOT__OP_Mul, y, scalar(q->graph, (double)scale), NULL, diag, &out));
    INGOT_TRY(ingot__rewrite_replace(d, out, diag));
  }
  ingot__node_remove(q);
  *changed = true;
  return INGOT_OK;
}

ingot_status ingot__pass_pair_quantizers(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  for (ingot__node *n = network->main->first, *next; n; n = next) {
    next = n->next;
    if (n->op != INGOT__OP_QuantizeLinear) continue;
    while (next && next->op == INGOT__OP_DequantizeLinear) next = next->next; /* may go with n */
    INGOT_TRY(pair(n, context->diag, changed));
  }
  return INGOT_OK;
}
