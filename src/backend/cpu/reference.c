/* The row `reference`: any operator by its portable definition in ops/, on dense PLAIN tensors. Always last, so that every node has a
 * kernel. */
#include "backend/cpu/kernel.h"

static const ingot__op_functions *functions_of(const ingot__call *call) {
  return call->node ? ingot__op_functions_get(call->node->op) : NULL;
}

static bool supports(const ingot__call *call) {
  const ingot__op_functions *functions = functions_of(call);
  if (!functions || !functions->reference) return false;
  for (size_t i = 0; i < call->n_in; i++)
    if (ingot__has_in(call, i) && call->in[i].layout != INGOT__PLAIN) return false;
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i) && call->out[i].layout != INGOT__PLAIN) return false;
  return true;
}

/* Scalar loops with an index computed per element: measured in the order of 1 GFLOP/s and of 100 million elements a second. */
static double cost(const ingot__call *call) {
  double elements = 0;
  for (size_t i = 0; i < call->n_in; i++)
    if (ingot__has_in(call, i) && !call->in[i].constant) elements += (double)ingot__view_count(&call->in[i]);
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i)) elements += (double)ingot__view_count(&call->out[i]);
  return 1e-6 + elements * 1e-8 + (double)ingot__op_flops(call) * 1e-9;
}

static size_t workspace(const ingot__call *call) { return functions_of(call) ? ingot__reference_workspace(call) : 0; }

static ingot_status run(const ingot__call *call) { return ingot__reference(call); }

const ingot__kernel_functions ingot__cpu_reference = {.supports = supports, .cost = cost, .workspace = workspace, .run = run};
