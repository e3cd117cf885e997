/* Reformat: the same dims and elements in another physical layout. The one reference whose views may have any strides. Transfer: the same
 * between a device's memory and the host's, which targets with memory of their own do by themselves. */
#include "ops/move.h"

ingot_status ingot__infer_Reformat(ingot__infer *infer) {
  INGOT_TRY(ingot__infer_same(infer, 0, 0));
  infer->out_known[0] = infer->known[0];
  return INGOT_OK;
}

ingot_status ingot__ref_Reformat(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  ingot__move move = {.rank = 0};
  for (int i = 0; i < out->rank; i++) ingot__move_add(&move, out->dim[i], out->stride[i], in->stride[i]);
  ingot__move_run(&move, size, out->data, in->data);
  return INGOT_OK;
}

ingot_status ingot__infer_Transfer(ingot__infer *infer) { return ingot__infer_Reformat(infer); }
ingot_status ingot__ref_Transfer(const ingot__call *call) { return ingot__ref_Reformat(call); }
