/* Operators that need no work at all because the result is the input's memory under other dims: the runtime skips these steps. Where the
 * two turn out to be different memory after all, run copies. */
#include "backend/cpu/kernel.h"

/* Whether dim i is one for every shape the network may get, not just for the dims asked about. */
static bool always_one(const ingot__value *v, int i) { return v && i < v->type.rank && v->type.dim[i] == 1; }

/* CHANNELS_LAST and PLAIN are the same order of elements: one channel, or one pixel. */
static bool orders_agree(const ingot__value *v) {
  if (!v || v->type.rank < 3) return false;
  if (always_one(v, 1)) return true;
  for (int i = 2; i < v->type.rank; i++)
    if (!always_one(v, i)) return false;
  return true;
}

static bool sound(const ingot__call *call) {
  return call->node && call->node->n_in && call->node->n_out && ingot__has_in(call, 0) && ingot__has_out(call, 0) && call->in[0].dense &&
         call->out[0].dense && call->in[0].dtype == call->out[0].dtype && ingot__dtype_size(call->in[0].dtype) > 0;
}

static bool reshapes(const ingot__call *call) {
  switch (call->node->op) {
    case INGOT__OP_Reshape:
    case INGOT__OP_Flatten:
    case INGOT__OP_Squeeze:
    case INGOT__OP_Unsqueeze:
    case INGOT__OP_Identity: return true;
    default: return false;
  }
}

/* Source axis of the result's axis i. */
static int source(const ingot__call *call, int i) {
  const ingot__ints *perm = &INGOT__ATTRS(call, Transpose)->perm;
  int axis = perm->n ? (int)perm->v[i] : call->in[0].rank - 1 - i;
  return axis < 0 ? axis + call->in[0].rank : axis;
}

/* A transpose that moves only dims of one. */
static bool keeps_order(const ingot__call *call) {
  int before = -1;
  for (int i = 0; i < call->in[0].rank; i++) {
    int axis = source(call, i);
    if (always_one(call->node->in[0], axis)) continue;
    if (axis < before) return false;
    before = axis;
  }
  return true;
}

static bool supports(const ingot__call *call) {
  return sound(call) && (reshapes(call) || (call->node->op == INGOT__OP_Transpose && keeps_order(call)));
}
static bool supports_same(const ingot__call *call) { return sound(call) && call->node->op == INGOT__OP_Identity; }
static bool supports_to_plain(const ingot__call *call) {
  return sound(call) && (reshapes(call) || call->node->op == INGOT__OP_Reformat) && orders_agree(call->node->in[0]);
}
static bool supports_to_last(const ingot__call *call) {
  return sound(call) && (reshapes(call) || call->node->op == INGOT__OP_Reformat) && orders_agree(call->node->out[0]);
}
/* To the order that the elements have anyway: N, spatial dims, C. */
static bool supports_transpose_to_plain(const ingot__call *call) {
  int rank = call->in[0].rank;
  if (!sound(call) || rank < 3) return false;
  for (int i = 0; i < rank; i++)
    if (source(call, i) != (i == 0 ? 0 : i == rank - 1 ? 1 : i + 1)) return false;
  return true;
}
static bool supports_transpose_to_last(const ingot__call *call) {
  int rank = call->in[0].rank;
  if (!sound(call) || rank < 3) return false;
  for (int i = 0; i < rank; i++)
    if (source(call, i) != (i == 0 ? 0 : i == 1 ? rank - 1 : i - 1)) return false;
  return true;
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  if (in->data != call->out[0].data) memcpy(call->out[0].data, in->data, (size_t)ingot__view_count(in) * ingot__dtype_size(in->dtype));
  return INGOT_OK;
}

const ingot__kernel_functions ingot__cpu_view = {.supports = supports, .run = run};
const ingot__kernel_functions ingot__cpu_view_same = {.supports = supports_same, .run = run};
const ingot__kernel_functions ingot__cpu_view_to_plain = {.supports = supports_to_plain, .run = run};
const ingot__kernel_functions ingot__cpu_view_to_last = {.supports = supports_to_last, .run = run};
const ingot__kernel_functions ingot__cpu_view_transpose_to_plain = {.supports = supports_transpose_to_plain, .run = run};
const ingot__kernel_functions ingot__cpu_view_transpose_to_last = {.supports = supports_transpose_to_last, .run = run};
