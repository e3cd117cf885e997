/* ReverseSequence, TensorScatter and CenterCropPad of elements of 1 to 8 bytes. */
#include <stdint.h>
#include <stdio.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/arrange/arrange.h"
#include <string.h>

static bool takes(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  const size_t size = ingot__dtype_size(y->dtype);
  if ((size != 1 && size != 2 && size != 4 && size != 8) || y->dtype == INGOT_STRING || x->layout != INGOT__PLAIN ||
      y->layout != INGOT__PLAIN) return false;
  switch (call->node->op) {
  case INGOT__OP_ReverseSequence: return x->dense && y->dense && call->in[1].dtype == INGOT_INT64;
  case INGOT__OP_TensorScatter:
    return x->dense && y->dense && call->in[1].dense && call->in[1].layout == INGOT__PLAIN && (!ingot__has_in(call, 2) ||
        call->in[2].dtype == INGOT_INT64);
  case INGOT__OP_CenterCropPad:
    for (int i = 0; i < call->node->out[0]->type.rank; i++)
      if (call->node->out[0]->type.dim[i] == INGOT__DIM_UNKNOWN) return false; /* the host finds the size */
    return x->rank == y->rank && x->rank <= ARRANGE_RANK;
  default: return false;
  }
}

/* Of `run` elements that lie together: units of as many bytes as addresses and sizes allow. */
static int units(int64_t *run, size_t size, const void *a, const void *b, const void *c) {
  const int64_t bytes = *run * (int64_t)size;
  const uintptr_t all = (uintptr_t)a | (uintptr_t)b | (uintptr_t)c | (uintptr_t)bytes;
  int unit = 16;
  while (all % (uintptr_t)unit) unit /= 2;
  *run = bytes / unit;
  return unit;
}

static ingot_status launch(const ingot__call *call, const char *what, int unit, const arrange_params *p) {
  char entry[40];
  snprintf(entry, sizeof entry, "%s_%d", what, unit);
  const int64_t blocks = ingot__divide_up(p->items, 256);
  if (blocks > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld blocks", (long long)blocks);
  const ingot__cuda_grid grid = {.x = (unsigned)blocks, .threads = 256, .early = true};
  return ingot__cuda_launch(call, entry, &grid, p, sizeof *p);
}

static ingot_status run_reverse(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  const int64_t batch_axis = INGOT__ATTRS(call, ReverseSequence)->batch_axis;
  arrange_params p = {.from = x->data, .to = call->out[0].data, .places = call->in[1].data, .run = 1, .batch = x->dim[batch_axis],
                      .steps = x->dim[1 - batch_axis], .batch_first = batch_axis == 0};
  for (int i = 2; i < x->rank; i++) p.run *= x->dim[i];
  const int unit = units(&p.run, ingot__dtype_size(x->dtype), p.from, p.to, NULL);
  p.items = p.batch * p.steps * p.run;
  return launch(call, "reverse", unit, &p);
}

static ingot_status run_scatter(const ingot__call *call) {
  const ingot__attrs_TensorScatter *a = INGOT__ATTRS(call, TensorScatter);
  const ingot__view *x = &call->in[0];
  const int axis = (int)(a->axis < 0 ? a->axis + x->rank : a->axis);
  arrange_params p = {.from = x->data, .update = call->in[1].data, .to = call->out[0].data, .run = 1, .batch = x->dim[0], .outer = 1,
                      .places = ingot__has_in(call, 2) ? call->in[2].data : NULL, .steps = x->dim[axis], .count = call->in[1].dim[axis],
                      .circular = strcmp(a->mode, "circular") == 0};
  for (int i = axis + 1; i < x->rank; i++) p.run *= x->dim[i];
  for (int i = 1; i < axis; i++) p.outer *= x->dim[i];
  const int unit = units(&p.run, ingot__dtype_size(x->dtype), p.from, p.to, p.update);
  p.items = p.batch * p.outer * p.steps * p.run;
  return launch(call, "scatter", unit, &p);
}

static ingot_status run_crop_pad(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  arrange_params p = {.from = x->data, .to = y->data, .items = ingot__view_count(y), .rank = y->rank};
  for (int i = 0; i < y->rank; i++) {
    const int64_t a = x->dim[i], b = y->dim[i];
    p.dim[i] = b, p.in_dim[i] = a, p.in_stride[i] = x->stride[i], p.out_stride[i] = y->stride[i];
    p.shift[i] = a > b ? (a - b) / 2 : -((b - a) / 2);
  }
  return launch(call, "crop_pad", (int)ingot__dtype_size(x->dtype), &p);
}

static ingot_status run(const ingot__call *call) {
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  switch (call->node->op) {
  case INGOT__OP_ReverseSequence: return run_reverse(call);
  case INGOT__OP_TensorScatter: return run_scatter(call);
  default: return run_crop_pad(call);
  }
}

static double cost(const ingot__call *call) { return ingot__cuda_cost(ingot__cuda_bytes(call), 0, 1); }

static bool supports(const ingot__call *call) { return call->node->op != INGOT__OP_CenterCropPad && takes(call); }
const ingot__kernel_functions ingot__cuda_arrange = {.supports = supports, .cost = cost, .run = run, .source = "arrange/arrange.cu"};
/* CenterCropPad's shape is the host's. */
static bool supports_shaped(const ingot__call *call) { return call->node->op == INGOT__OP_CenterCropPad && takes(call); }
const ingot__kernel_functions ingot__cuda_arrange_shaped = {.supports = supports_shaped, .cost = cost, .run = run, .source = "arrange/arrange.cu",
                                                            .host_inputs = 2};
