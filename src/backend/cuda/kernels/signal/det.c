/* Det of floats and halves. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/signal/det.h"

static bool supports(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  return call->node->op == INGOT__OP_Det && ingot__cuda_is_float(x->dtype) && x->dense && x->layout == INGOT__PLAIN && x->rank >= 2 &&
         call->out[0].dense && call->out[0].layout == INGOT__PLAIN;
}
static size_t workspace(const ingot__call *call) { return (size_t)ingot__view_count(&call->in[0]) * sizeof(float); }
static double cost(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  return ingot__cuda_cost(ingot__cuda_bytes(call), (double)ingot__view_count(x) * (double)x->dim[x->rank - 1], 1e12) +
      (double)x->dim[x->rank - 1] * 1e-6;
}
static void define(const ingot__call *call, ingot__text *text) { ingot__cuda_define_type(text, "TYPE", call->in[0].dtype); }

static ingot_status run(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  const int64_t n = x->dim[x->rank - 1], count = ingot__view_count(&call->out[0]);
  if (x->dim[x->rank - 2] != n) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "matrices of %lld x %lld", (long long)x->dim[x->rank - 2], (long long)n);
  if (count == 0) return INGOT_OK;
  if (count > INT32_MAX || n > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld matrices", (long long)count);
  const det_params p = {.x = x->data, .y = call->out[0].data, .work = call->workspace, .n = n};
  const ingot__cuda_grid grid = {.x = (unsigned)count, .threads = 128, .shared = 64, .early = true};
  return ingot__cuda_launch(call, "det", &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_det = {.supports = supports, .cost = cost, .workspace = workspace, .run = run, .source = "signal/det.cu",
                                                 .define = define};
