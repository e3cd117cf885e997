/* Any transposed convolution (conv_transpose/gather.cu), slowly. */
#include <stdint.h>
#include "backend/cuda/kernels/conv_transpose/geometry.h"
#include "backend/cuda/kernels/conv_transpose/gather.h"

static bool supports(const ingot__call *call) {
  ingot__window window;
  return ingot__conv_transpose_read(call, &window);
}

static void define(const ingot__call *call, ingot__text *text) {
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, ConvTranspose)->act);
}

static double cost(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *w = &call->in[1];
  const double flops = 2.0 * (double)ingot__view_count(x) * (double)ingot__view_count(w) / (double)(w->dim[0] > 0 ? w->dim[0] : 1);
  return ingot__cuda_cost(ingot__cuda_bytes(call) * 4, flops, 1e12);
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0], *r = &call->in[3];
  const ingot__attrs_ConvTranspose *attrs = INGOT__ATTRS(call, ConvTranspose);
  ingot__window window;
  if (!ingot__conv_transpose_read(call, &window)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "no transposed convolution");
  const int64_t outputs = ingot__view_count(y);
  if (outputs == 0) return INGOT_OK;
  gather_params p = {
    .in = x->data, .weights = w->data, .bias = ingot__has_in(call, 2) ? call->in[2].data : NULL,
    .residual = ingot__has_in(call, 3) ? r->data : NULL, .out = y->data, .in_image = x->stride[0], .out_image = y->stride[0],
    .residual_image = ingot__has_in(call, 3) ? r->stride[0] : 0, .images = y->dim[0], .groups = (int32_t)attrs->group,
    .channels = (int32_t)(w->dim[0] / attrs->group), .out_channels = (int32_t)w->dim[1], .act_alpha = attrs->act_alpha, .act_beta = attrs->act_beta};
  for (int i = 0; i < 3; i++) {
    const int axis = i - 3 + x->rank;
    const bool there = axis >= 2;
    if (there && (x->dim[axis] > INT32_MAX / 4096 || y->dim[axis] > INT32_MAX / 2))
      return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "an image is too large for this kernel");
    p.in_dim[i] = there ? (int32_t)x->dim[axis] : 1, p.out_dim[i] = there ? (int32_t)y->dim[axis] : 1;
    p.in_place[i] = there ? x->stride[axis] : 0, p.out_place[i] = there ? y->stride[axis] : 0;
    p.residual_place[i] = there && p.residual ? r->stride[axis] : 0;
    p.kernel[i] = (int32_t)window.kernel[i], p.stride[i] = (int32_t)window.stride[i], p.dilation[i] = (int32_t)window.dilation[i];
    p.pad[i] = (int32_t)window.begin[i];
  }
  const int64_t blocks = ingot__divide_up(outputs, 256);
  ingot__cuda_grid grid = {.x = (unsigned)(blocks < 1 << 20 ? blocks : 1 << 20), .threads = 256, .early = true};
  return ingot__cuda_launch(call, "conv_transpose_gather", &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_conv_transpose_gather = {
  .supports = supports, .cost = cost, .run = run, .source = "conv_transpose/gather.cu", .define = define};
