/* BitCast: the same bits as another type of the same width. */
#include "ops/move.h"

ingot_status ingot__infer_BitCast(ingot__infer *f) {
  int64_t to = ((const ingot__attrs_BitCast *)f->attrs)->to;
  INGOT_TRY(ingot__infer_same(f, 0, 0));
  ingot_dtype from = f->in[0]->dtype;
  unsigned bits = to > 0 && to < INGOT__DTYPE_COUNT ? ingot_dtype_bits((ingot_dtype)to) : 0;
  if (f->in[0]->kind != INGOT__TENSOR || bits == 0 || bits != ingot_dtype_bits(from)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "from %s to %s: the types must have the same number of bits", ingot_dtype_name(from),
                             bits ? ingot_dtype_name((ingot_dtype)to) : "a type without bits");
  }
  f->out[0].dtype = (ingot_dtype)to;
  return INGOT_OK;
}

ingot_status ingot__ref_BitCast(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  size_t n = (size_t)ingot__view_count(in), bytes, room;
  if (!ingot__dtype_bytes(in->dtype, n, &bytes) || !ingot__dtype_bytes(out->dtype, (size_t)ingot__view_count(out), &room) || bytes != room) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "%zu elements of %s don't fit the output", n, ingot_dtype_name(in->dtype));
  }
  if (bytes && out->data != in->data) memmove(out->data, in->data, bytes);
  if (out->dtype == INGOT_BOOL) { /* any byte but 0 is true, and 1 in memory */
    for (size_t i = 0; i < n; i++) ((uint8_t *)out->data)[i] = ((const uint8_t *)out->data)[i] != 0;
  }
  return INGOT_OK;
}
