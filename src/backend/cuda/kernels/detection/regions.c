/* RoiAlign and MaxRoiPool of floats and halves, in either layout. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/detection/regions.h"
#include "ops/roi.h"
#include <string.h>

static bool supports(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *rois = &call->in[1];
  const bool align = call->node->op == INGOT__OP_RoiAlign;
  if ((!align && call->node->op != INGOT__OP_MaxRoiPool) || !ingot__cuda_is_float(x->dtype) || rois->dtype != x->dtype || !rois->dense) return false;
  return !align || ((call->in[2].dtype == INGOT_INT64 || call->in[2].dtype == INGOT_INT32) && call->in[2].dense);
}

static double cost(const ingot__call *call) {
  return ingot__cuda_cost(ingot__cuda_bytes(call), (double)ingot__view_count(&call->out[0]) * 200, 5e12);
}

static void define(const ingot__call *call, ingot__text *text) {
  bool known;
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
  ingot__cuda_define(text, "LAST", call->in[0].layout == INGOT__CHANNELS_LAST);
  ingot__cuda_define(text, "MAX", call->node->op == INGOT__OP_RoiAlign && ingot__roi_is_max(INGOT__ATTRS(call, RoiAlign), &known));
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  const bool align = call->node->op == INGOT__OP_RoiAlign;
  if (ingot__view_count(y) == 0) return INGOT_OK;
  if (call->in[1].dim[0] != y->dim[0] || call->in[1].dim[1] != (align ? 4 : 5)) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "rois don't fit");
  if (align && call->in[2].dim[0] != y->dim[0]) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "rois and batch_indices don't fit");
  regions_params p = {.x = x->data, .rois = call->in[1].data, .y = y->data, .count = y->dim[0], .channels = y->dim[1], .bins_y = y->dim[2],
                      .bins_x = y->dim[3], .length = {x->dim[2], x->dim[3]}, .batches = x->dim[0], .x_batch = x->stride[0],
                      .x_channel = x->stride[1], .x_axis = {x->stride[2], x->stride[3]}, .y_region = y->stride[0], .y_channel = y->stride[1],
                      .y_axis = {y->stride[2], y->stride[3]}};
  if (align) {
    const ingot__attrs_RoiAlign *a = INGOT__ATTRS(call, RoiAlign);
    p.images = call->in[2].data, p.wide = call->in[2].dtype == INGOT_INT64, p.samples = a->sampling_ratio, p.scale = (double)a->spatial_scale;
    p.half_pixel = strcmp(a->coordinate_transformation_mode, "half_pixel") == 0;
  } else {
    p.scale = (double)INGOT__ATTRS(call, MaxRoiPool)->spatial_scale;
  }
  const int64_t blocks = ingot__divide_up(ingot__view_count(y), 256);
  if (blocks > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld blocks", (long long)blocks);
  const ingot__cuda_grid grid = {.x = (unsigned)blocks, .threads = 256, .early = true};
  return ingot__cuda_launch(call, align ? "roi_align" : "max_roi_pool", &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_regions = {.supports = supports, .cost = cost, .run = run, .source = "detection/regions.cu",
    .define = define};
