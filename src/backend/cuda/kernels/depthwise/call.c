/* What both kernels of depthwise convolutions read of a call, and their packed weights ("depthwise"): floats, by tap, channels filled up to
 * whole vectors of 8. */
#include <string.h>
#include "backend/cuda/kernels/depthwise/call.h"

bool ingot__cuda_dw_read(const ingot__call *call, ingot__cuda_dw *d) {
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  const int rank = x->rank;
  if (!ingot__cuda_is_float(x->dtype) || w->dtype != x->dtype || y->dtype != x->dtype || !w->constant) return false;
  if ((rank != 3 && rank != 4) || w->rank != rank || y->rank != rank || ingot__has_in(call, 4) || attrs->act > INGOT__ACT_MISH) return false;
  if (w->dim[1] != 1 || w->dim[0] != attrs->group || attrs->group < 2 || attrs->group > INT32_MAX / 16) return false;
  for (size_t i = 2; i < 4; i++)
    if (ingot__has_in(call, i) && (call->in[i].dtype != x->dtype || call->in[i].rank != (i == 2 ? 1 : rank))) return false;
  const ingot__window_attrs window_attrs = INGOT__WINDOW_ATTRS(attrs);
  ingot__window window;
  if (ingot__window_read(NULL, call->node, &window_attrs, rank - 2, &w->dim[2], &window) != INGOT_OK) return false;
  ingot__window_pads(&window, &x->dim[2]);
  ingot__window_3d(&window);
  *d = (ingot__cuda_dw){.channels = w->dim[0], .padded = ingot__divide_up(w->dim[0], 8) * 8, .size = ingot__dtype_size(x->dtype)};
  d->window.n = 2;
  for (int i = 0; i < 2; i++) {
    d->window.kernel[i] = window.kernel[i + 1], d->window.stride[i] = window.stride[i + 1], d->window.dilation[i] = window.dilation[i + 1];
    d->window.begin[i] = window.begin[i + 1];
    if (window.kernel[i + 1] < 1 || window.kernel[i + 1] > 32 || window.stride[i + 1] > 1024 || window.dilation[i + 1] > 1024) return false;
  }
  d->taps = d->window.kernel[0] * d->window.kernel[1];
  return d->taps <= 121;
}

size_t ingot__cuda_dw_pack_size(const ingot__call *call) {
  ingot__cuda_dw d;
  return ingot__cuda_dw_read(call, &d) ? (size_t)(d.taps * d.padded) * sizeof(float) : 0;
}

void ingot__cuda_dw_pack(const ingot__call *call, void *packed) {
  ingot__cuda_dw d;
  float *to = packed;
  if (!ingot__cuda_dw_read(call, &d)) return;
  for (int64_t tap = 0; tap < d.taps; tap++)
    for (int64_t c = 0; c < d.padded; c++)
      *to++ = c < d.channels ? (float)ingot__get_double(call->in[1].dtype, call->in[1].data, (size_t)(c * d.taps + tap)) : 0;
}
