/* AffineGrid of floats and halves; the size is the host's. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/detection/affine_grid.h"

static bool supports(const ingot__call *call) {
  const ingot__view *theta = &call->in[0], *y = &call->out[0];
  if (call->node->op != INGOT__OP_AffineGrid || !ingot__cuda_is_float(theta->dtype) || theta->rank != 3 || !theta->dense || !y->dense) return false;
  const ingot__type *t = &call->node->out[0]->type;
  for (int i = 0; i < t->rank; i++)
    if (t->dim[i] == INGOT__DIM_UNKNOWN) return false; /* the host finds the size */
  return theta->layout == INGOT__PLAIN && y->layout == INGOT__PLAIN && (y->rank == 4 || y->rank == 5);
}

static double cost(const ingot__call *call) { return ingot__cuda_cost(ingot__cuda_bytes(call), 0, 1); }
static void define(const ingot__call *call, ingot__text *text) {
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
  ingot__cuda_define(text, "AXES", call->out[0].rank - 2);
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *theta = &call->in[0], *y = &call->out[0];
  const int axes = y->rank - 2;
  if (theta->dim[1] != axes || theta->dim[2] != axes + 1) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "theta and size don't fit");
  affine_grid_params p = {.theta = theta->data, .y = y->data, .positions = 1, .corners = INGOT__ATTRS(call, AffineGrid)->align_corners != 0};
  for (int i = 0; i < axes; i++) p.dim[i] = y->dim[1 + i], p.positions *= y->dim[1 + i];
  p.items = p.positions * y->dim[0];
  const int64_t blocks = ingot__divide_up(p.items, 256);
  if (blocks == 0) return INGOT_OK;
  if (blocks > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld blocks", (long long)blocks);
  const ingot__cuda_grid grid = {.x = (unsigned)blocks, .threads = 256, .early = true};
  return ingot__cuda_launch(call, "affine_grid", &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_affine_grid = {.supports = supports, .cost = cost, .run = run, .source = "detection/affine_grid.cu",
                                                         .define = define, .host_inputs = 2};
