/* Reading convolutions of few channels: conv_first/shape.h. */
#include <stdint.h>
#include "backend/cuda/kernels/conv_first/shape.h"

bool ingot__first_read(const ingot__call *call, ingot__first_shape *s) {
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  if (!ingot__cuda_is_float(x->dtype) || w->dtype != x->dtype || y->dtype != x->dtype || !w->constant || attrs->group != 1) return false;
  if (x->rank != 4 || w->rank != 4 || y->rank != 4 || ingot__has_in(call, 3) || ingot__has_in(call, 4) || attrs->act > INGOT__ACT_MISH) return false;
  if (ingot__has_in(call, 2) && (call->in[2].dtype != x->dtype || call->in[2].rank != 1)) return false;
  *s = (ingot__first_shape){.c = w->dim[1], .oc = w->dim[0], .taps = w->dim[2] * w->dim[3], .size = ingot__dtype_size(x->dtype)};
  if (s->c < 1 || s->c > 4 || s->oc < 1 || s->oc > INT32_MAX / 4 || w->dim[2] < 1 || w->dim[3] < 1 || w->dim[2] > 64 || w->dim[3] > 64) return false;
  const ingot__window_attrs window_attrs = INGOT__WINDOW_ATTRS(attrs);
  if (ingot__window_read(NULL, call->node, &window_attrs, 2, &w->dim[2], &s->window) != INGOT_OK) return false;
  ingot__window_pads(&s->window, &x->dim[2]);
  for (int i = 0; i < 2; i++)
    if (s->window.stride[i] > 64 || s->window.dilation[i] > 64) return false;
  return true;
}

int64_t ingot__first_tiles(const ingot__call *call, int tile_y, int tile_x) {
  const int64_t *y = call->out[0].dim;
  return y[0] * ingot__divide_up(y[2], tile_y) * ingot__divide_up(y[3], tile_x);
}

ingot_status ingot__first_params(const ingot__call *call, const ingot__first_shape *s, int tile_y, int tile_x, int side, conv_first_params *p) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  const int64_t tiles = ingot__first_tiles(call, tile_y, tile_x);
  if (tiles > INT32_MAX / 2 || x->dim[2] > INT32_MAX / 2 || x->dim[3] > INT32_MAX / 2 || x->stride[2] > INT32_MAX || x->stride[3] > INT32_MAX)
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  *p = (conv_first_params){
    .in = x->data, .weights = call->packed, .bias = ingot__has_in(call, 2) ? call->in[2].data : NULL, .out = y->data,
    .in_image = x->stride[0], .in_channel = x->stride[1], .in_line = x->stride[2], .in_pixel = x->stride[3],
    .out_image = y->stride[0], .out_line = y->stride[2], .out_pixel = y->stride[3],
    .height = (int32_t)x->dim[2], .width = (int32_t)x->dim[3], .out_height = (int32_t)y->dim[2], .out_width = (int32_t)y->dim[3],
    .out_channels = (int32_t)s->oc, .pad_y = (int32_t)s->window.begin[0], .pad_x = (int32_t)s->window.begin[1], .tiles = (uint32_t)tiles,
    .tiles_x = ingot__divisor(ingot__divide_up(y->dim[3], tile_x)), .tiles_y = ingot__divisor(ingot__divide_up(y->dim[2], tile_y)),
    .act_alpha = attrs->act_alpha, .act_beta = attrs->act_beta};
  const uint64_t places = (uint64_t)(uintptr_t)y->data | (uint64_t)(y->stride[0] | y->stride[2] | y->stride[3]) * s->size;
  p->vector = places % ((uint64_t)side * s->size) == 0;
  return INGOT_OK;
}
