/* Reads a convolution's views and attributes into numbers. */
#include "backend/cpu/kernels/conv/geometry.h"
#include "ops/window.h"

static bool is_float(const ingot__view *v, int rank) { return v->dtype == INGOT_FLOAT32 && v->rank == rank; }

/* All but the types. */
static bool dims(const ingot__call *call, ingot__conv *conv) {
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
  const int rank = x->rank;
  if ((rank != 3 && rank != 4) || w->rank != rank || y->rank != rank || !w->constant) return false;
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  *conv = (ingot__conv){.merged = 1, .residual = ingot__has_in(call, 3)};
  const bool image = rank == 4;
  const int iy = 2, ix = image ? 3 : 2; /* axes of y and x */
  if (attrs->group < 1 || y->dim[1] % attrs->group || y->dim[1] != w->dim[0] || x->dim[1] != w->dim[1] * attrs->group) return false;
  conv->groups = (size_t)attrs->group;
  conv->c = (size_t)w->dim[1], conv->oc = (size_t)(y->dim[1] / attrs->group);
  conv->n = (size_t)x->dim[0];
  conv->h = image ? (size_t)x->dim[iy] : 1, conv->w = (size_t)x->dim[ix];
  conv->oh = image ? (size_t)y->dim[iy] : 1, conv->ow = (size_t)y->dim[ix];
  conv->kh = image ? (size_t)w->dim[iy] : 1, conv->kw = (size_t)w->dim[ix];
  ingot__window window;
  const ingot__window_attrs window_attrs = INGOT__WINDOW_ATTRS(attrs);
  if (ingot__window_read(NULL, call->node, &window_attrs, rank - 2, &w->dim[2], &window) != INGOT_OK) return false;
  ingot__window_pads(&window, &x->dim[2]);
  const int wx = image ? 1 : 0; /* x among the window's axes */
  conv->sh = image ? window.stride[0] : 1, conv->sw = window.stride[wx];
  conv->dh = image ? window.dilation[0] : 1, conv->dw = window.dilation[wx];
  conv->ph = image ? window.begin[0] : 0, conv->pw = window.begin[wx];
  if (conv->kh < 1 || conv->kw < 1 || conv->oc < 1) return false;
  conv->in_n = (size_t)x->stride[0], conv->in_c = (size_t)x->stride[1];
  conv->in_y = image ? (size_t)x->stride[iy] : 0, conv->in_x = (size_t)x->stride[ix];
  conv->out_n = (size_t)y->stride[0], conv->out_y = image ? (size_t)y->stride[iy] : 0, conv->out_x = (size_t)y->stride[ix];
  return y->dim[1] <= 1 || y->stride[1] == 1;
}

bool ingot__conv_get(const ingot__call *call, ingot__conv *conv) {
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__view *y = &call->out[0];
  const int rank = call->in[0].rank;
  if (!is_float(&call->in[0], rank) || !is_float(&call->in[1], rank) || !is_float(y, rank) || !dims(call, conv)) return false;
  if (ingot__has_in(call, 2) && (!is_float(&call->in[2], 1) || !call->in[2].constant)) return false;
  if (!conv->residual) return true;
  const bool image = rank == 4;
  const ingot__view *r = &call->in[3];
  if (!is_float(r, rank)) return false;
  for (int i = 0; i < rank; i++)
    if (r->dim[i] != y->dim[i]) return false;
  if (r->dim[1] > 1 && r->stride[1] != 1) return false;
  conv->res_n = (size_t)r->stride[0], conv->res_y = image ? (size_t)r->stride[2] : 0, conv->res_x = (size_t)r->stride[image ? 3 : 2];
  return true;
}

bool ingot__conv_get_levels(const ingot__call *call, ingot__conv *conv) {
  if (call->n_in < 5 || !ingot__has_out(call, 0) || !ingot__has_in(call, 4)) return false;
  if (call->in[0].dtype != INGOT_UINT8 || call->in[1].dtype != INGOT_INT8 || call->out[0].dtype != INGOT_UINT8) return false;
  if (ingot__has_in(call, 3) || !call->in[4].constant || (ingot__has_in(call, 2) && !call->in[2].constant)) return false;
  return dims(call, conv) && (conv->in_c == 1 || conv->c * conv->groups == 1);
}

void ingot__conv_merge(ingot__conv *conv) {
  if (conv->groups == 1 || conv->oc >= 16 || 16 % conv->oc) return;
  if (conv->c == conv->oc && (conv->c == 4 || conv->c == 8)) {
    conv->width = conv->c;
    conv->channels = conv->groups * conv->c;
    conv->groups = (conv->channels + 15) / 16;
    conv->c = conv->oc = 16;
    return;
  }
  size_t merged = 16 / conv->oc;
  while (conv->groups % merged) merged /= 2;
  conv->merged = merged;
  conv->groups /= merged, conv->c *= merged, conv->oc *= merged;
}
