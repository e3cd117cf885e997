/* Whether a row takes a call, as far as all targets agree on it. */
#include "backend/fit.h"

bool ingot__layouts_fit(const ingot__kernel *kernel, const ingot__call *call) {
  uint8_t in = INGOT__PLAIN;
  if (ingot__has_in(call, 0)) {
    in = call->in[0].layout;
    if (kernel->in_layout != INGOT__ANY_LAYOUT && kernel->in_layout != in) return false;
    if (!call->in[0].dense && !(kernel->flags & INGOT__K_STRIDED_IN)) return false;
  }
  if (ingot__has_out(call, 0)) {
    uint8_t out = kernel->out_layout == INGOT__ANY_LAYOUT ? in : kernel->out_layout;
    if (call->out[0].rank >= 3 && call->out[0].layout != out) return false;
    if (!call->out[0].dense && !(kernel->flags & INGOT__K_STRIDED_OUT)) return false;
  }
  return true;
}

bool ingot__numbers_alone(const ingot__call *call) {
  for (size_t i = 0; i < call->n_in + call->n_out; i++) {
    const ingot__view *v = i < call->n_in ? &call->in[i] : &call->out[i - call->n_in];
    if (!ingot__is_tensor(v) || v->dtype == INGOT_STRING) return false;
  }
  return true;
}
