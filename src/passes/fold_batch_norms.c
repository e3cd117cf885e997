/* Per-channel scales and shifts go into the weights before them: BatchNormalization, and Mul or Add with a constant of one value a channel,
 * after Conv, ConvTranspose and MatMul. A BatchNormalization that stays becomes a Mul and an Add, which elementwise fusion takes. */
#include "passes/rewrite.h"
#include <math.h>

/* y = x * scale[c] + shift[c] */
typedef struct affine { size_t n; float *scale, *shift; ingot__value *x; } affine;

static bool read_vector(const ingot__value *v, size_t n) {
  size_t count;
  return ingot__value_is_const(v) && v->type.dtype == INGOT_FLOAT32 && ingot__type_count(&v->type, &count) && count == n;
}

static ingot_status batch_norm(ingot__node *n, affine *a, ingot__diag *diag, bool *found) {
  const ingot__type *x = &n->in[0]->type;
  *found = false;
  if (x->rank < 2 || !ingot__is_float32(n->in[0]) || !ingot__dim_is_number(x->dim[1])) return INGOT_OK;
  a->n = (size_t)x->dim[1];
  for (int i = 1; i < 5; i++)
    if (!read_vector(n->in[i], a->n)) return INGOT_OK;
  a->scale = INGOT_NEW_ARRAY(&n->graph->network->arena, 2 * a->n + 1, float);
  if (!a->scale) return ingot__no_memory(diag);
  a->shift = a->scale + a->n;
  const float *gamma = n->in[1]->data, *beta = n->in[2]->data, *mean = n->in[3]->data, *variance = n->in[4]->data;
  float epsilon = ((const ingot__attrs_BatchNormalization *)n->attrs)->epsilon;
  for (size_t i = 0; i < a->n; i++) {
    double s = (double)gamma[i] / sqrt((double)variance[i] + (double)epsilon);
    a->scale[i] = (float)s;
    a->shift[i] = (float)((double)beta[i] - (double)mean[i] * s);
  }
  a->x = n->in[0];
  *found = true;
  return INGOT_OK;
}

/* Mul or Add of x with a constant that varies along one axis only: axis 1 counted from the front for convolutions, the last for MatMul. */
static ingot_status scale_or_shift(ingot__node *n, bool last, affine *a, ingot__diag *diag, bool *found) {
  *found = false;
  for (int side = 0; side < 2; side++) {
    ingot__value *x = n->in[side], *c = n->in[1 - side];
    const ingot__type *type = &n->out[0]->type;
    if (!ingot__is_float32(x) || !ingot__is_float32(c) || !ingot__value_is_const(c) || ingot__value_is_const(x) || x->type.rank != type->rank) {
      continue;
    }
    int axis = last ? type->rank - 1 : 1, from = type->rank - c->type.rank;
    if (type->rank < 2 || !ingot__dim_is_number(x->type.dim[axis]) || from < 0) continue;
    bool fits = true;
    int64_t along = 1;
    for (int d = 0; d < c->type.rank; d++) {
      if (d + from == axis) along = c->type.dim[d];
      else fits = fits && c->type.dim[d] == 1;
    }
    if (!fits || (along != 1 && along != x->type.dim[axis])) continue;
    a->n = (size_t)x->type.dim[axis];
    a->scale = INGOT_NEW_ARRAY(&n->graph->network->arena, 2 * a->n + 1, float);
    if (!a->scale) return ingot__no_memory(diag);
    a->shift = a->scale + a->n;
    for (size_t i = 0; i < a->n; i++) {
      float v = ((const float *)c->data)[along == 1 ? 0 : i];
      a->scale[i] = n->op == INGOT__OP_Mul ? v : 1;
      a->shift[i] = n->op == INGOT__OP_Mul ? 0 : n->op == INGOT__OP_Add ? v : 0;
    }
    a->x = x;
    *found = true;
    return INGOT_OK;
  }
  return INGOT_OK;
}

/* New weights: each output channel's times scale. Its axis is 0 for Conv, 1 (in groups) for ConvTranspose, the columns for MatMul. */
static ingot__value *scaled(const ingot__node *p, const affine *a) {
  const ingot__value *w = p->in[1];
  size_t count, inner = 1, group = 1, per_group = a->n;
  float *data;
  ingot__type_count(&w->type, &count);
  ingot__value *now = ingot__constant_floats(p->graph, w->name, w->type.rank, w->type.dim, &data);
  if (!now) return NULL;
  const float *old = w->data;
  int axis = p->op == INGOT__OP_Conv ? 0 : p->op == INGOT__OP_ConvTranspose ? 1 : ((const ingot__attrs_MatMul *)p->attrs)->trans_b
      ? w->type.rank - 2 : w->type.rank - 1;
  for (int d = axis + 1; d < w->type.rank; d++) inner *= (size_t)w->type.dim[d];
  if (p->op == INGOT__OP_ConvTranspose) {
    group = (size_t)((const ingot__attrs_ConvTranspose *)p->attrs)->group;
    per_group = (size_t)w->type.dim[1];
  }
  size_t in_per_group = p->op == INGOT__OP_ConvTranspose ? (size_t)w->type.dim[0] / group : 1;
  for (size_t i = 0; i < count; i++) {
    size_t channel = i / inner % per_group;
    if (group > 1) channel += i / inner / per_group / in_per_group * per_group;
    data[i] = old[i] * a->scale[channel];
  }
  return now;
}

/* A product that nobody else reads, with constant weights and no activation yet. */
static bool takes(const ingot__node *p, const ingot__value *x, size_t channels) {
  if (!p || ingot__value_only_user(x) == NULL || !ingot__is_float32(x) || !ingot__value_is_const(p->in[1]) || p->in[1]->type.dtype != INGOT_FLOAT32)
    return false;
  if (p->n_in > 3 && p->in[3]) return false;
  if (p->n_in > 2 && p->in[2] && !read_vector(p->in[2], channels)) return false;
  switch (p->op) {
  case INGOT__OP_Conv: return ((const ingot__attrs_Conv *)p->attrs)->act == 0 && p->in[1]->type.dim[0] == (int64_t)channels;
  case INGOT__OP_ConvTranspose: return ((const ingot__attrs_ConvTranspose *)p->attrs)->act == 0;
  case INGOT__OP_MatMul: return ((const ingot__attrs_MatMul *)p->attrs)->act == 0 && p->in[1]->type.rank == 2 && p->in[0]->type.rank >= 2;
  default: return false;
  }
}

static ingot_status fold_into(ingot__node *p, ingot__node *n, const affine *a, ingot__diag *diag) {
  bool scales = false;
  for (size_t i = 0; i < a->n; i++) scales |= a->scale[i] != 1;
  ingot__value *weights = scales ? scaled(p, a) : p->in[1];
  float *bias;
  int64_t dims[1] = {(int64_t)a->n};
  ingot__value *b = ingot__constant_floats(p->graph, NULL, 1, dims, &bias);
  if (!weights || !b) return ingot__no_memory(diag);
  const float *old = p->n_in > 2 && p->in[2] ? p->in[2]->data : NULL;
  for (size_t i = 0; i < a->n; i++) bias[i] = (old ? old[i] * a->scale[i] : 0) + a->shift[i];
  if (!ingot__node_set_input(p, 1, weights) || !ingot__node_set_input(p, 2, b)) return ingot__no_memory(diag);
  if (!ingot__node_absorb_origin(p, n)) return ingot__no_memory(diag);
  return ingot__rewrite_replace(n, p->out[0], diag);
}

/* x * scale + shift with constants shaped [1, C, 1, ..]. */
static ingot_status spell_out(ingot__node *n, const affine *a, ingot__diag *diag) {
  int64_t dims[INGOT_MAX_RANK];
  int rank = a->x->type.rank;
  float *s, *t;
  for (int d = 0; d < rank; d++) dims[d] = d == 1 ? (int64_t)a->n : 1;
  ingot__value *scale = ingot__constant_floats(n->graph, NULL, rank - 1, dims + 1, &s);
  ingot__value *shift = ingot__constant_floats(n->graph, NULL, rank - 1, dims + 1, &t);
  if (!scale || !shift) return ingot__no_memory(diag);
  for (size_t i = 0; i < a->n; i++) s[i] = a->scale[i], t[i] = a->shift[i];
  ingot__value *in[2] = {a->x, scale};
  ingot__node *mul = ingot__node_new(n->graph, INGOT__OP_Mul, NULL, n, in, 2, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(mul, n, diag));
  in[0] = mul->out[0];
  in[1] = shift;
  ingot__node *add = ingot__node_new(n->graph, INGOT__OP_Add, n->name, n, in, 2, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(add, n, diag));
  return ingot__rewrite_replace(n, add->out[0], diag);
}

ingot_status ingot__pass_fold_batch_norms(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  for (ingot__node *n = network->main->first, *next; n; n = next) {
    next = n->next;
    affine a = {0};
    bool found = false, norm = n->op == INGOT__OP_BatchNormalization;
    if (norm) INGOT_TRY(batch_norm(n, &a, context->diag, &found));
    else if (n->op == INGOT__OP_Mul || n->op == INGOT__OP_Add) {
      ingot__value *x = n->in[0] && n->in[0]->data ? n->in[1] : n->in[0];
      ingot__node *p = x ? x->producer : NULL;
      if (!p || p->graph != n->graph || (p->op != INGOT__OP_Conv && p->op != INGOT__OP_ConvTranspose && p->op != INGOT__OP_MatMul)) continue;
      INGOT_TRY(scale_or_shift(n, p->op == INGOT__OP_MatMul, &a, context->diag, &found));
    }
    if (!found) continue;
    ingot__node *p = a.x->producer;
    if (norm && p && p->op == INGOT__OP_MatMul && a.x->type.rank != 2) p = NULL; /* its channels are axis 1, MatMul's the last */
    bool public = a.x->is_output;
    if (p && p->graph == n->graph && !public && takes(p, a.x, a.n)) INGOT_TRY(fold_into(p, n, &a, context->diag));
    else if (norm) INGOT_TRY(spell_out(n, &a, context->diag));
    else continue;
    *changed = true;
  }
  return INGOT_OK;
}
