/* CumSum and CumProd of all numbers but the narrow floats; the axis is the host's. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/signal/running.h"

static bool is_product(const ingot__call *call) { return call->node->op == INGOT__OP_CumProd; }

static bool supports(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  if (call->node->op != INGOT__OP_CumSum && !is_product(call)) return false;
  const size_t size = ingot__dtype_size(x->dtype);
  const bool number = ingot__cuda_is_float(x->dtype) || x->dtype == INGOT_FLOAT64 || (ingot__dtype_is_int(x->dtype) && size >= 1 && size <= 8);
  return number && x->dense && call->out[0].dense && x->layout == INGOT__PLAIN && call->out[0].layout == INGOT__PLAIN && x->rank >= 1;
}

static double cost(const ingot__call *call) { return 2e-6 + ingot__cuda_cost(ingot__cuda_bytes(call) * 2, 0, 1); }

static void define(const ingot__call *call, ingot__text *text) {
  const ingot_dtype t = call->in[0].dtype;
  ingot__cuda_define_type(text, "TYPE", t);
  ingot__text_printf(text, "#define SUM %s\n", t == INGOT_FLOAT64 ? "double" : ingot__dtype_is_float(t) ? "float" : "uint64_t");
  ingot__cuda_define(text, "PRODUCT", is_product(call));
  ingot__cuda_define(text, "REAL", ingot__cuda_is_float(t));
  int64_t low, high;
  if (ingot__dtype_range(t, &low, &high)) ingot__text_printf(text, "#define LOW %lldll\n#define HIGH %lldll\n", (long long)low, (long long)high);
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  int64_t axis = ingot__get_int(call->in[1].dtype, call->in[1].data, 0);
  if (axis < 0) axis += x->rank;
  if (axis < 0 || axis >= x->rank) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "the axis is outside %d dims", x->rank);
  running_params p = {.x = x->data, .y = call->out[0].data, .lines = 1, .n = x->dim[axis], .inner = 1};
  p.exclusive = is_product(call) ? INGOT__ATTRS(call, CumProd)->exclusive != 0 : INGOT__ATTRS(call, CumSum)->exclusive != 0;
  p.reverse = is_product(call) ? INGOT__ATTRS(call, CumProd)->reverse != 0 : INGOT__ATTRS(call, CumSum)->reverse != 0;
  for (int i = 0; i < x->rank; i++) {
    if (i > axis) p.inner *= x->dim[i];
    if (i != axis) p.lines *= x->dim[i];
  }
  if (p.lines == 0 || p.n == 0) return INGOT_OK;
  const bool threads = p.inner >= 32 && (p.lines >= 32 * (int64_t)ingot__cuda_info_get()->sms || p.n <= 64);
  const int64_t blocks = threads ? ingot__divide_up(p.lines, 256) : p.lines;
  if (blocks > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld blocks", (long long)blocks);
  const ingot__cuda_grid grid = {.x = (unsigned)blocks, .threads = 256, .shared = threads ? 0 : 64, .early = true};
  return ingot__cuda_launch(call, threads ? "running_thread" : "running_line", &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_running = {.supports = supports, .cost = cost, .run = run, .source = "signal/running.cu", .define = define,
                                                     .host_inputs = 2};
