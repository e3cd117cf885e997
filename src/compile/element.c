/* Convolutions and matrix products, one element at a time: the definition, for verifying layers whose whole would take long. */
#include "compile/element.h"
#include <math.h>
#include <string.h>

float ingot__element_at(const ingot__view *view, const int64_t *at) {
  int64_t i = 0;
  for (int d = 0; d < view->rank; d++) i += at[d] * view->stride[d];
  if (view->dtype == INGOT_FLOAT32) return ((const float *)view->data)[i];
  return (float)ingot__get_double(view->dtype, view->data, (size_t)i);
}

/* Broadcast: the element of `view` for position `at` of a tensor of the given rank. */
static double broadcast(const ingot__view *view, const int64_t *at, int rank) {
  int64_t i = 0;
  for (int d = 0; d < view->rank; d++)
    if (view->dim[d] != 1) i += at[rank - view->rank + d] * view->stride[d];
  return ingot__get_double(view->dtype, view->data, (size_t)i);
}

static bool is_real(ingot_dtype t) { return t == INGOT_FLOAT32 || t == INGOT_FLOAT16 || t == INGOT_BFLOAT16; }

bool ingot__element_known(const ingot__call *c) {
  if (c->node->op != INGOT__OP_Conv && c->node->op != INGOT__OP_MatMul && c->node->op != INGOT__OP_ConvTranspose) return false;
  const bool levels = c->node->op == INGOT__OP_Conv && c->in[0].dtype == INGOT_UINT8;
  for (size_t i = 0; i < c->n_in; i++)
    if (ingot__has_in(c, i) && ((!levels && !is_real(c->in[i].dtype)) || !c->in[i].data)) return false;
  if (!levels && !is_real(c->out[0].dtype)) return false;
  if (c->node->op == INGOT__OP_MatMul) return c->in[0].rank >= 2 && c->in[1].rank >= 2;
  const char *pad = c->node->op == INGOT__OP_Conv ? INGOT__ATTRS(c, Conv)->auto_pad : INGOT__ATTRS(c, ConvTranspose)->auto_pad;
  bool explicit_pads = !pad || !strcmp(pad, "NOTSET") || !strcmp(pad, "VALID");
  if (c->node->op == INGOT__OP_ConvTranspose && INGOT__ATTRS(c, ConvTranspose)->output_shape.n) return false;
  return explicit_pads && c->in[0].rank >= 3;
}

static int64_t attr(ingot__ints a, int i, int64_t otherwise) { return a.n > (size_t)i ? a.v[i] : otherwise; }

/* A sum and what its terms come to. */
typedef struct sum { double value, size; } sum;
static void add(sum *s, double term) { s->value += term, s->size += fabs(term); }

static sum conv(const ingot__call *c, const int64_t *at) {
  const ingot__attrs_Conv *a = INGOT__ATTRS(c, Conv);
  const ingot__view *x = &c->in[0], *w = &c->in[1];
  int spatial = x->rank - 2;
  int64_t per_group = w->dim[0] / a->group, first = at[1] / per_group * w->dim[1], taps = 1;
  bool valid = a->auto_pad && !strcmp(a->auto_pad, "VALID");
  for (int d = 0; d < spatial; d++) taps *= w->dim[2 + d];
  sum s = {0};
  for (int64_t tap = 0; tap < taps; tap++) {
    int64_t xi[INGOT_MAX_RANK] = {at[0]}, wi[INGOT_MAX_RANK] = {at[1]}, rest = tap;
    bool inside = true;
    for (int d = spatial - 1; d >= 0; d--) {
      wi[2 + d] = rest % w->dim[2 + d];
      rest /= w->dim[2 + d];
      xi[2 + d] = at[2 + d] * attr(a->strides, d, 1) - (valid ? 0 : attr(a->pads, d, 0)) + wi[2 + d] * attr(a->dilations, d, 1);
      inside &= xi[2 + d] >= 0 && xi[2 + d] < x->dim[2 + d];
    }
    for (int64_t ch = 0; inside && ch < w->dim[1]; ch++) {
      xi[1] = first + ch;
      wi[1] = ch;
      add(&s, ((double)ingot__element_at(x, xi) - (double)a->x_zero) * ingot__element_at(w, wi));
    }
  }
  return s;
}

/* A sum of a convolution of levels, as the level it becomes. */
static double level(const ingot__call *c, int64_t channel, double sum) {
  const ingot__attrs_Conv *a = INGOT__ATTRS(c, Conv);
  const ingot__view *s = &c->in[4];
  const float low = (float)(a->y_low - a->y_zero), high = (float)(a->y_high - a->y_zero);
  if (ingot__has_in(c, 2)) sum += ((const int32_t *)c->in[2].data)[channel];
  float v = (float)sum * ((const float *)s->data)[ingot__view_count(s) == 1 ? 0 : channel];
  return (double)(rintf(v < low ? low : v > high ? high : v) + (float)a->y_zero);
}

static sum conv_transpose(const ingot__call *c, const int64_t *at) {
  const ingot__attrs_ConvTranspose *a = INGOT__ATTRS(c, ConvTranspose);
  const ingot__view *x = &c->in[0], *w = &c->in[1];
  int spatial = x->rank - 2;
  int64_t out_group = w->dim[1], in_group = x->dim[1] / a->group, first = at[1] / out_group * in_group, taps = 1;
  bool valid = a->auto_pad && !strcmp(a->auto_pad, "VALID");
  for (int d = 0; d < spatial; d++) taps *= w->dim[2 + d];
  sum s = {0};
  for (int64_t tap = 0; tap < taps; tap++) {
    int64_t xi[INGOT_MAX_RANK] = {at[0]}, wi[INGOT_MAX_RANK] = {0, at[1] % out_group}, rest = tap;
    bool inside = true;
    for (int d = spatial - 1; d >= 0; d--) {
      wi[2 + d] = rest % w->dim[2 + d];
      rest /= w->dim[2 + d];
      int64_t stride = attr(a->strides, d, 1);
      int64_t from = at[2 + d] + (valid ? 0 : attr(a->pads, d, 0)) - wi[2 + d] * attr(a->dilations, d, 1);
      inside &= from >= 0 && from % stride == 0 && from / stride < x->dim[2 + d];
      xi[2 + d] = from / stride;
    }
    for (int64_t ch = 0; inside && ch < in_group; ch++) {
      xi[1] = wi[0] = first + ch;
      add(&s, (double)ingot__element_at(x, xi) * ingot__element_at(w, wi));
    }
  }
  return s;
}

static sum matmul(const ingot__call *c, const int64_t *at) {
  const ingot__attrs_MatMul *m = INGOT__ATTRS(c, MatMul);
  const ingot__view *a = &c->in[0], *b = &c->in[1];
  int rank = c->out[0].rank;
  int64_t ai[INGOT_MAX_RANK], bi[INGOT_MAX_RANK];
  for (int d = 0; d < a->rank - 2; d++) ai[d] = a->dim[d] == 1 ? 0 : at[rank - a->rank + d];
  for (int d = 0; d < b->rank - 2; d++) bi[d] = b->dim[d] == 1 ? 0 : at[rank - b->rank + d];
  int ak = a->rank - (m->trans_a ? 2 : 1), am = a->rank - (m->trans_a ? 1 : 2);
  int bk = b->rank - (m->trans_b ? 1 : 2), bn = b->rank - (m->trans_b ? 2 : 1);
  ai[am] = at[rank - 2];
  bi[bn] = at[rank - 1];
  sum s = {0};
  for (int64_t k = 0; k < a->dim[ak]; k++) {
    ai[ak] = bi[bk] = k;
    add(&s, (double)ingot__element_at(a, ai) * ingot__element_at(b, bi));
  }
  return (sum){s.value * m->alpha, s.size * fabs((double)m->alpha)};
}

double ingot__element(const ingot__call *c, const int64_t *at, double *size) {
  int64_t act, bias_at[1] = {at[1]};
  float alpha, beta;
  sum s;
  *size = 0;
  if (c->node->op == INGOT__OP_MatMul) {
    const ingot__attrs_MatMul *m = INGOT__ATTRS(c, MatMul);
    act = m->act, alpha = m->act_alpha, beta = m->act_beta;
    s = matmul(c, at);
    if (ingot__has_in(c, 2)) add(&s, broadcast(&c->in[2], at, c->out[0].rank));
    if (ingot__has_in(c, 3)) add(&s, broadcast(&c->in[3], at, c->out[0].rank));
  } else {
    bool t = c->node->op == INGOT__OP_ConvTranspose;
    act = t ? INGOT__ATTRS(c, ConvTranspose)->act : INGOT__ATTRS(c, Conv)->act;
    alpha = t ? INGOT__ATTRS(c, ConvTranspose)->act_alpha : INGOT__ATTRS(c, Conv)->act_alpha;
    beta = t ? INGOT__ATTRS(c, ConvTranspose)->act_beta : INGOT__ATTRS(c, Conv)->act_beta;
    s = t ? conv_transpose(c, at) : conv(c, at);
    if (c->out[0].dtype == INGOT_UINT8) return level(c, at[1], s.value);
    if (ingot__has_in(c, 2)) add(&s, ingot__element_at(&c->in[2], bias_at));
    if (ingot__has_in(c, 3)) add(&s, ingot__element_at(&c->in[3], at));
  }
  *size = s.size;
  return ingot__act_apply((ingot__act)act, alpha, beta, (float)s.value);
}
