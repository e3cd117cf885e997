/* Copies between the host's memory and the device's: the planner puts a Transfer wherever a value is needed on the other side. */
#include "backend/cuda/device.h"

static bool supports(const ingot__call *call) {
  return call->in[0].dense && call->out[0].dense && call->in[0].layout == call->out[0].layout;
}

/* Over the bus: 25 GB/s each way, and about 8 us until it begins. */
static double cost(const ingot__call *call) {
  return 8e-6 + (double)ingot__view_count(&call->in[0]) * (double)ingot_dtype_bits(call->in[0].dtype) / 8 / 25e9;
}

static ingot_status run(const ingot__call *call) {
  size_t bytes;
  if (!ingot__dtype_bytes(call->in[0].dtype, (size_t)ingot__view_count(&call->in[0]), &bytes)) return INGOT_E_LIMIT;
  if (call->in[0].data == call->out[0].data) return INGOT_OK; /* the caller's memory is where it should be */
  return ingot__cuda_copy(call->queue, call->out[0].data, call->in[0].data, bytes, call->diag);
}

const ingot__kernel_functions ingot__cuda_transfer = {.supports = supports, .cost = cost, .run = run};
