/* A transposed convolution's window, whatever way its pads are given. */
#ifndef INGOT_BACKEND_CUDA_CONV_TRANSPOSE_GEOMETRY_H
#define INGOT_BACKEND_CUDA_CONV_TRANSPOSE_GEOMETRY_H
#include "backend/cuda/kernel.h"
#include "ops/window.h"

/* False when the call isn't a transposed convolution of one float type with constant weights. The window has three dims, its begin what is
 * cut off at the front. */
static inline bool ingot__conv_transpose_read(const ingot__call *call, ingot__window *window) {
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
  const ingot__attrs_ConvTranspose *attrs = INGOT__ATTRS(call, ConvTranspose);
  if (!ingot__cuda_is_float(x->dtype) || w->dtype != x->dtype || y->dtype != x->dtype || !w->constant || attrs->act > INGOT__ACT_MISH) return false;
  if (x->rank < 3 || x->rank > 5 || w->rank != x->rank || y->rank != x->rank || attrs->group < 1) return false;
  for (size_t i = 2; i < 4; i++)
    if (ingot__has_in(call, i) && (call->in[i].dtype != x->dtype || call->in[i].rank != (i == 2 ? 1 : x->rank))) return false;
  for (int i = 0; i < w->rank; i++)
    if (w->dim[i] < 1 || w->dim[i] > INT32_MAX / 64) return false;
  if (w->dim[0] % attrs->group) return false;
  const ingot__window_attrs window_attrs = INGOT__WINDOW_ATTRS(attrs);
  const int n = x->rank - 2;
  if (ingot__window_read(NULL, call->node, &window_attrs, n, &w->dim[2], window) != INGOT_OK) return false;
  if (attrs->output_shape.n || window->auto_pad == INGOT__PAD_SAME_UPPER || window->auto_pad == INGOT__PAD_SAME_LOWER)
    for (int i = 0; i < n; i++) { /* ONNX splits what the given output cuts off */
      const int64_t extra = attrs->output_padding.n ? attrs->output_padding.v[i] : 0;
      int64_t total = window->stride[i] * (x->dim[2 + i] - 1) + extra + (window->kernel[i] - 1) * window->dilation[i] + 1 - y->dim[2 + i];
      if (total < 0) total = 0;
      window->begin[i] = window->auto_pad == INGOT__PAD_SAME_UPPER ? total / 2 : total - total / 2;
    }
  ingot__window_3d(window);
  return true;
}
#endif
