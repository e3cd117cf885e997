/* GridSample of floats and halves along one to three axes, in any layout. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/detection/grid_sample.h"
#include "ops/grid_sample.h"

enum { SPREAD = 8, SIDE_BY_SIDE = 2 }; /* channels of a thread where they lie apart, and where they lie side by side */

static bool supports(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *grid = &call->in[1];
  ingot__grid g;
  if (call->node->op != INGOT__OP_GridSample || !ingot__cuda_is_float(x->dtype) || !ingot__cuda_is_float(grid->dtype)) return false;
  if (!ingot__grid_read(INGOT__ATTRS(call, GridSample), &g) || grid->rank != x->rank) return false;
  return x->rank >= 3 && x->rank <= 2 + (g.mode == INGOT__GRID_CUBIC ? 2 : SAMPLE_MOST_AXES); /* 64 taps don't fit into registers */
}

static int64_t channels_of(const ingot__call *call) { return call->in[0].layout == INGOT__CHANNELS_LAST ? SIDE_BY_SIDE : SPREAD; }

static double cost(const ingot__call *call) {
  ingot__grid g;
  ingot__grid_read(INGOT__ATTRS(call, GridSample), &g);
  double taps = 1;
  for (int i = 2; i < call->in[0].rank; i++) taps *= ingot__grid_taps(&g);
  const double items = (double)ingot__view_count(&call->out[0]);
  return ingot__cuda_cost(ingot__cuda_bytes(call), items * (taps * 4 + 100.0 / (double)channels_of(call)), 10e12);
}

static void define(const ingot__call *call, ingot__text *text) {
  ingot__grid g = {0};
  ingot__grid_read(INGOT__ATTRS(call, GridSample), &g);
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
  ingot__cuda_define_type(text, "GRID", call->in[1].dtype);
  ingot__cuda_define(text, "AXES", call->in[0].rank - 2);
  ingot__cuda_define(text, "TAPS", ingot__grid_taps(&g));
  ingot__cuda_define(text, "PADDING", g.padding == INGOT__GRID_ZEROS ? 0 : g.padding == INGOT__GRID_BORDER ? 1 : 2);
  ingot__cuda_define(text, "CORNERS", g.align_corners);
  ingot__cuda_define(text, "LAST", call->in[0].layout == INGOT__CHANNELS_LAST);
  ingot__cuda_define(text, "CHANNELS", channels_of(call));
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *grid = &call->in[1], *y = &call->out[0];
  const int axes = x->rank - 2;
  if (ingot__view_count(y) == 0) return INGOT_OK;
  grid_sample_params p = {.x = x->data, .grid = grid->data, .y = y->data, .batches = y->dim[0], .channels = y->dim[1], .positions = 1,
                          .groups = ingot__divide_up(y->dim[1], channels_of(call)), .x_batch = x->stride[0], .x_channel = x->stride[1],
                          .y_batch = y->stride[0], .y_channel = y->stride[1], .grid_batch = grid->stride[0],
                          .grid_number = grid->stride[grid->rank - 1]};
  for (int i = 0; i < axes; i++) {
    p.in_dim[i] = x->dim[2 + i], p.out_dim[i] = y->dim[2 + i], p.positions *= y->dim[2 + i];
    p.x_axis[i] = x->stride[2 + i], p.y_axis[i] = y->stride[2 + i], p.grid_axis[i] = grid->stride[1 + i];
  }
  const int64_t blocks = ingot__divide_up(p.batches * p.positions * p.groups, 256);
  if (blocks > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld blocks", (long long)blocks);
  const ingot__cuda_grid launch = {.x = (unsigned)blocks, .threads = 256, .early = true};
  return ingot__cuda_launch(call, "grid_sample", &launch, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_grid_sample = {.supports = supports, .cost = cost, .run = run, .source = "detection/grid_sample.cu",
                                                         .define = define};
