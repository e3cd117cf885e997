/* DeformConv of images of floats and halves, in either layout. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/vision/deform_conv.h"
#include "ops/deform_conv.h"

static bool supports(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  if (call->node->op != INGOT__OP_DeformConv || !ingot__cuda_is_float(x->dtype) || x->rank != 4 || !call->in[1].dense) return false;
  return call->in[1].layout == INGOT__PLAIN;
}

static double cost(const ingot__call *call) { return ingot__cuda_cost(ingot__cuda_bytes(call), (double)ingot__op_flops(call), 5e12); }

static void define(const ingot__call *call, ingot__text *text) {
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
  ingot__cuda_define(text, "LAST", call->in[0].layout == INGOT__CHANNELS_LAST);
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *y = &call->out[0], *offset = &call->in[2], *mask = &call->in[4];
  ingot__deform d;
  INGOT_TRY(ingot__deform_setup(call, &d));
  if (ingot__view_count(y) == 0) return INGOT_OK;
  const bool masked = ingot__has_in(call, 4);
  deform_conv_params p = {.x = x->data, .w = call->in[1].data, .offset = offset->data, .bias = ingot__has_in(call, 3) ? call->in[3].data : NULL,
                          .mask = masked ? mask->data : NULL, .y = y->data, .positions = y->dim[0] * d.out_plane, .plane = d.out_plane,
                          .x_batch = x->stride[0], .x_channel = x->stride[1], .y_batch = y->stride[0], .y_channel = y->stride[1],
                          .offset_batch = offset->stride[0], .offset_channel = offset->stride[1], .groups = (int32_t)d.groups, .cg = (int32_t)d.cg,
                          .mg = (int32_t)d.mg, .co = (int32_t)d.co, .taps = (int32_t)d.taps, .tiles = (int32_t)ingot__divide_up(d.mg, 64)};
  if (masked) p.mask_batch = mask->stride[0], p.mask_channel = mask->stride[1];
  for (int i = 0; i < 2; i++) {
    p.in[i] = (int32_t)x->dim[2 + i], p.out[i] = (int32_t)y->dim[2 + i];
    p.kernel[i] = (int32_t)d.window.kernel[i], p.stride[i] = (int32_t)d.window.stride[i];
    p.begin[i] = (int32_t)d.window.begin[i], p.dilation[i] = (int32_t)d.window.dilation[i];
    p.x_axis[i] = x->stride[2 + i], p.y_axis[i] = y->stride[2 + i], p.offset_axis[i] = offset->stride[2 + i];
    if (masked) p.mask_axis[i] = mask->stride[2 + i];
  }
  const int64_t blocks = ingot__divide_up(p.positions, 64), rows = (int64_t)p.groups * p.tiles;
  if (d.out_plane > INT32_MAX || blocks > INT32_MAX || rows > 65535 || d.cg * d.taps > INT32_MAX / 64) {
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld x %lld blocks", (long long)blocks, (long long)rows);
  }
  const ingot__cuda_grid grid = {.x = (unsigned)blocks, .y = (unsigned)rows, .threads = 256, .shared = 2 * 16 * (64 + 4) * 4, .early = true};
  return ingot__cuda_launch(call, "deform_conv", &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_deform_conv = {.supports = supports, .cost = cost, .run = run, .source = "vision/deform_conv.cu",
                                                         .define = define};
