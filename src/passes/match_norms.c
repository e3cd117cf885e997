/* LayerNormalization, RMSNormalization and InstanceNormalization out of means, and the factors and shifts after them. */
#include "passes/rules.h"

/* (centre ? x - mean(x) : x) / sqrt(mean(that squared) + epsilon), means over `axes` */
typedef struct norm { ingot__value *x; unsigned axes; float epsilon; bool centre; } norm;

static bool kept_mean(const ingot__node *mean, unsigned *axes) {
  return mean && ((const ingot__attrs_ReduceMean *)mean->attrs)->keepdims && ingot__reduced_axes(mean, axes);
}

/* x where v is x - mean(x). */
static ingot__value *centred(const ingot__value *v, unsigned *axes) {
  ingot__node *sub = ingot__made_by(v, INGOT__OP_Sub), *mean = sub ? ingot__made_by(sub->in[1], INGOT__OP_ReduceMean) : NULL;
  return kept_mean(mean, axes) && mean->in[0] == sub->in[0] ? sub->in[0] : NULL;
}

static bool same_difference(const ingot__value *a, const ingot__value *b) {
  const ingot__node *s = ingot__made_by(a, INGOT__OP_Sub), *t = ingot__made_by(b, INGOT__OP_Sub);
  return a == b || (s && t && s->in[0] == t->in[0] && s->in[1] == t->in[1]);
}

/* The value whose squares' mean v has, where v is sqrt(mean(d * d) + epsilon). */
static ingot__value *deviation(const ingot__value *v, unsigned *axes, float *epsilon) {
  ingot__node *root = ingot__made_for(v, INGOT__OP_Sqrt), *add = root ? ingot__made_for(root->in[0], INGOT__OP_Add) : NULL;
  ingot__value *variance = add ? ingot__beside_number(add, epsilon) : NULL;
  ingot__node *mean = ingot__made_for(variance, INGOT__OP_ReduceMean);
  if (!kept_mean(mean, axes)) return NULL;
  ingot__node *square = ingot__made_for(mean->in[0], INGOT__OP_Mul);
  return square && same_difference(square->in[0], square->in[1]) ? square->in[0] : NULL;
}

static bool match(const ingot__node *n, norm *m) {
  for (int side = 0; side < 2; side++) {
    ingot__value *d = n->in[side], *below = n->in[1 - side];
    if (n->op == INGOT__OP_Mul) {
      ingot__node *inverse = ingot__made_for(below, INGOT__OP_Reciprocal);
      if (!inverse) continue;
      below = inverse->in[0];
    } else if (side == 1) {
      break;
    }
    ingot__value *squared = deviation(below, &m->axes, &m->epsilon);
    unsigned axes = 0;
    if (!squared || !same_difference(squared, d)) continue;
    m->x = centred(d, &axes);
    m->centre = m->x && axes == m->axes;
    if (!m->centre) m->x = d;
    return true;
  }
  return false;
}

/* A constant of x's dims from..to-1, filled. */
static ingot__value *vector(ingot__graph *graph, const ingot__type *x, int from, int to, float fill) {
  float *data;
  size_t count = 1;
  int64_t dims[INGOT_MAX_RANK] = {0};
  for (int i = from; i < to; i++) {
    dims[i - from] = x->dim[i];
    if (!ingot__mul(count, (size_t)x->dim[i], &count)) return NULL;
  }
  ingot__value *v = ingot__constant_floats(graph, NULL, to - from, dims, &data);
  for (size_t i = 0; v && i < count; i++) data[i] = fill;
  return v;
}

static bool all_numbers(const ingot__type *x, int from, int to) {
  for (int i = from; i < to; i++)
    if (!ingot__dim_is_number(x->dim[i]) || x->dim[i] == 0) return false;
  return true;
}

ingot_status ingot__rule_norms(ingot__node *n, const ingot__pass_context *context, bool *done) {
  norm m = {0};
  if ((n->op != INGOT__OP_Div && n->op != INGOT__OP_Mul) || !ingot__is_float32(n->out[0]) || !match(n, &m)) return INGOT_OK;
  const ingot__type *x = &m.x->type;
  int axis = 0;
  while (axis < x->rank && !(m.axes >> axis & 1)) axis++;
  if (axis == x->rank || m.axes != (1u << x->rank) - (1u << axis) || !ingot__same_type(m.x, n->out[0])) return INGOT_OK;
  bool instance = axis == 2 && x->rank > 3 && m.centre;
  if (instance ? !all_numbers(x, 1, 2) : !all_numbers(x, axis, x->rank)) return INGOT_OK;
  ingot__value *in[3] = {m.x, instance ? vector(n->graph, x, 1, 2, 1) : vector(n->graph, x, axis, x->rank, 1),
                         instance ? vector(n->graph, x, 1, 2, 0) : NULL};
  if (!in[1] || (instance && !in[2])) return ingot__no_memory(context->diag);
  ingot__op op = instance ? INGOT__OP_InstanceNormalization : m.centre ? INGOT__OP_LayerNormalization : INGOT__OP_RMSNormalization;
  ingot__node *made = ingot__node_new(n->graph, op, n->name, n, in, instance ? 3 : 2, 1, NULL);
  if (!made) return ingot__no_memory(context->diag);
  if (instance) {
    ((ingot__attrs_InstanceNormalization *)made->attrs)->epsilon = m.epsilon;
  } else { /* both have the same attributes */
    ((ingot__attrs_LayerNormalization *)made->attrs)->axis = axis - x->rank;
    ((ingot__attrs_LayerNormalization *)made->attrs)->epsilon = m.epsilon;
  }
  return ingot__put_node(n, made, context, done);
}

/* ---- Factors and shifts */

/* Whether c varies along the dims from..to-1 of x alone, with all their elements or one. */
static bool varies_along(const ingot__value *c, const ingot__type *x, int from, int to) {
  int64_t count = 1, want = 1;
  if (!ingot__value_is_const(c) || !ingot__is_float32(c) || c->type.rank > x->rank) return false;
  for (int d = 0; d < c->type.rank; d++) {
    int at = d + x->rank - c->type.rank;
    if (c->type.dim[d] == 1) continue;
    if (at < from || at >= to || c->type.dim[d] != x->dim[at]) return false;
    count *= c->type.dim[d];
  }
  for (int d = from; d < to; d++) want *= x->dim[d];
  return count == want || count == 1;
}

/* old * factor + shift, elements of one-element constants repeated; any may be NULL. */
static ingot__value *combined(ingot__graph *graph, const ingot__type *x, int from, int to, const ingot__value *old, const ingot__value *factor,
                              const ingot__value *shift) {
  ingot__value *now = vector(graph, x, from, to, 0);
  size_t n, one;
  if (!now) return NULL;
  ingot__type_count(&now->type, &n);
  float *data = (float *)(uintptr_t)now->data;
  const float *parts[3] = {old ? old->data : NULL, factor ? factor->data : NULL, shift ? shift->data : NULL};
  const ingot__value *values[3] = {old, factor, shift};
  size_t step[3] = {1, 1, 1};
  for (int i = 0; i < 3; i++)
    if (values[i] && ingot__type_count(&values[i]->type, &one) && one == 1) step[i] = 0;
  for (size_t i = 0; i < n; i++) {
    data[i] = parts[0] ? parts[0][i * step[0]] : 0;
    if (parts[1]) data[i] *= parts[1][i * step[1]];
    if (parts[2]) data[i] += parts[2][i * step[2]];
  }
  return now;
}

static bool is_whole_vector(const ingot__value *v, const ingot__type *x, int from, int to) {
  ingot__type leading = *x; /* v's dims are from..to-1, which need not be the last */
  leading.rank = (int8_t)to;
  return !v || (varies_along(v, &leading, from, to) && v->type.rank <= to - from);
}

ingot_status ingot__rule_norm_affine(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (n->op != INGOT__OP_Mul && n->op != INGOT__OP_Add) return INGOT_OK;
  for (int side = 0; side < 2; side++) {
    ingot__value *y = n->in[side], *c = n->in[1 - side];
    ingot__node *p = y->producer;
    if (!p || !ingot__value_only_user(y) || p->out[0] != y || p->in[0]->type.rank < 2 || !ingot__same_type(y, n->out[0])) continue;
    const ingot__type *x = &p->in[0]->type;
    int from = 1, to = 2;
    switch (p->op) {
    case INGOT__OP_LayerNormalization: case INGOT__OP_RMSNormalization:
      if (p->op == INGOT__OP_RMSNormalization && n->op == INGOT__OP_Add) continue;
      from = (int)((const ingot__attrs_LayerNormalization *)p->attrs)->axis;
      if (from < 0) from += x->rank;
      to = x->rank;
      break;
    case INGOT__OP_InstanceNormalization: case INGOT__OP_GroupNormalization: break;
    default: continue;
    }
    ingot__value *scale = p->in[1], *bias = p->n_in > 2 ? p->in[2] : NULL;
    if (!ingot__is_float32(p->in[0]) || !all_numbers(x, from, to) || !varies_along(c, x, from, to)) continue;
    if (!ingot__value_is_const(scale) || !is_whole_vector(scale, x, from, to) || !is_whole_vector(bias, x, from, to)) continue;
    bool multiply = n->op == INGOT__OP_Mul;
    if (multiply) {
      scale = combined(p->graph, x, from, to, scale, c, NULL);
      if (!scale || !ingot__node_set_input(p, 1, scale)) return ingot__no_memory(context->diag);
    }
    if (!multiply || bias) {
      bias = combined(p->graph, x, from, to, bias, multiply ? c : NULL, multiply ? NULL : c);
      if (!bias || !ingot__node_set_input(p, 2, bias)) return ingot__no_memory(context->diag);
    }
    if (!ingot__node_absorb_origin(p, n)) return ingot__no_memory(context->diag);
    *done = true;
    return ingot__rewrite_replace(n, y, context->diag);
  }
  return INGOT_OK;
}
