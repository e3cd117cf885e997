/* EyeLike: ones on diagonal k of a matrix of another's shape, zeros elsewhere. */
#include "ops/move.h"

ingot_status ingot__infer_EyeLike(ingot__infer *f) {
  const ingot__attrs_EyeLike *a = f->attrs;
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 2, 2, &unknown));
  int64_t to = a->dtype ? a->dtype : (int64_t)f->in[0]->dtype;
  if (to < 0 || to >= INGOT__DTYPE_COUNT || !ingot__dtype_size((ingot_dtype)to)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not make type %lld", (long long)to);
  }
  if (!unknown) f->out[0] = *f->in[0];
  f->out[0].dtype = (ingot_dtype)to;
  return INGOT_OK;
}

ingot_status ingot__ref_EyeLike(const ingot__call *call) {
  ingot__view *out = &call->out[0];
  int64_t k = INGOT__ATTRS(call, EyeLike)->k, rows = out->dim[0], columns = out->dim[1];
  size_t bytes;
  if (!ingot__dtype_bytes(out->dtype, (size_t)ingot__view_count(out), &bytes)) return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "has no size");
  if (bytes) memset(out->data, 0, bytes);
  if (k >= columns || k <= -rows) return INGOT_OK; /* also keeps the sums below in range */
  for (int64_t i = k < 0 ? -k : 0; i < rows && i + k < columns; i++) ingot__set_int(out->dtype, out->data, (size_t)(i * columns + i + k), 1);
  return INGOT_OK;
}
