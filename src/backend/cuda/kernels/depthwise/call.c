/* What the kernels of depthwise convolutions read of a call, and their packed weights ("depthwise"): floats, by tap, channels filled up to
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
  if (ingot__has_in(call, 2) && !call->in[2].constant) return false; /* read before the kernels in front have ended */
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

ingot_status ingot__cuda_dw_tensors(const ingot__call *call, const ingot__cuda_dw *d, depthwise_tensors *t) {
  const ingot__view *x = &call->in[0], *y = &call->out[0], *r = &call->in[3];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  const int last = x->rank - 1;
  const bool image = x->rank == 4;
  const int64_t oh = image ? y->dim[2] : 1, ow = y->dim[last], h = image ? x->dim[2] : 1, w = x->dim[last];
  if (oh > INT32_MAX / 2048 || ow > INT32_MAX / 2048 || h > INT32_MAX / 2 || w > INT32_MAX / 2)
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  *t = (depthwise_tensors){
    .in = x->data, .bias = ingot__has_in(call, 2) ? call->in[2].data : NULL, .weights = call->packed, .out = y->data,
    .in_image = x->stride[0], .in_line = image ? x->stride[2] : 0, .in_pixel = x->stride[last],
    .out_image = y->stride[0], .out_line = image ? y->stride[2] : 0, .out_pixel = y->stride[last],
    .height = (int32_t)h, .width = (int32_t)w, .out_height = (int32_t)oh, .out_width = (int32_t)ow, .channels = (int32_t)d->channels,
    .padded = (int32_t)d->padded, .pad_y = (int32_t)d->window.begin[0], .pad_x = (int32_t)d->window.begin[1],
    .act_alpha = attrs->act_alpha, .act_beta = attrs->act_beta};
  if (!ingot__has_in(call, 3)) return INGOT_OK;
  t->residual = r->data;
  t->residual_image = r->stride[0], t->residual_line = image ? r->stride[2] : 0, t->residual_pixel = r->stride[last];
  return INGOT_OK;
}

static bool aligned(const void *data, size_t bytes, size_t size, int64_t image, int64_t line, int64_t pixel) {
  return (((uint64_t)(uintptr_t)data | (uint64_t)(image | line | pixel) * size) & (bytes - 1)) == 0;
}
bool ingot__cuda_dw_aligned(const depthwise_tensors *t, const ingot__cuda_dw *d, size_t bytes) {
  return aligned(t->in, bytes, d->size, t->in_image, t->in_line, t->in_pixel) &&
         aligned(t->out, bytes, d->size, t->out_image, t->out_line, t->out_pixel);
}
bool ingot__cuda_dw_residual_aligned(const depthwise_tensors *t, const ingot__cuda_dw *d, size_t bytes) {
  return !t->residual || aligned(t->residual, bytes, d->size, t->residual_image, t->residual_line, t->residual_pixel);
}

depthwise_tensors ingot__cuda_dw_from(const depthwise_tensors *t, const ingot__cuda_dw *d, int64_t first) {
  depthwise_tensors part = *t;
  part.in = (const char *)t->in + first * t->in_image * (int64_t)d->size;
  part.out = (char *)t->out + first * t->out_image * (int64_t)d->size;
  if (t->residual) part.residual = (const char *)t->residual + first * t->residual_image * (int64_t)d->size;
  return part;
}

ingot_status ingot__cuda_dw_launch(const ingot__call *call, const ingot__cuda_dw *d, const char *entry, depthwise_tensors *t, uint32_t *threads,
                                   int64_t image_threads, int64_t most, const void *params, size_t size) {
  enum { THREADS = 128 };
  const depthwise_tensors all = *t;
  if (all.width > INT32_MAX / (all.in_pixel ? all.in_pixel : 1)) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  const int64_t images = call->out[0].dim[0];
  if (most > INT32_MAX / image_threads) most = INT32_MAX / image_threads;
  for (int64_t first = 0; first < images; first += most) {
    const int64_t count = images - first < most ? images - first : most;
    *t = ingot__cuda_dw_from(&all, d, first);
    *threads = (uint32_t)(image_threads * count);
    const ingot__cuda_grid grid = {.x = (unsigned)ingot__divide_up(*threads, THREADS), .threads = THREADS, .early = true};
    INGOT_TRY(ingot__cuda_launch(call, entry, &grid, params, size));
  }
  return INGOT_OK;
}
