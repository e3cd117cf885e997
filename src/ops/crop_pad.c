/* CenterCropPad: axes cut or padded with zeros, equally at both ends (one more at the far end where the difference is odd). */
#include "ops/ints.h"
#include "ops/move.h"

/* The axes that `shape` is for; false when they are no axes. */
static bool read_axes(const ingot__attrs_CenterCropPad *a, int rank, int axis[INGOT_MAX_RANK], int *n) {
  unsigned seen = 0;
  *n = a->axes.n ? (int)a->axes.n : rank;
  if (a->axes.n > (size_t)rank) return false;
  for (int i = 0; i < *n; i++) {
    int64_t x = a->axes.n ? a->axes.v[i] : i;
    if (x < -rank || x >= rank) return false;
    axis[i] = (int)(x < 0 ? x + rank : x);
    if (seen >> axis[i] & 1) return false;
    seen |= 1u << axis[i];
  }
  return true;
}

ingot_status ingot__infer_CenterCropPad(ingot__infer *f) {
  bool unknown;
  int axis[INGOT_MAX_RANK], n;
  INGOT_TRY(ingot__infer_rank(f, 0, 0, -1, &unknown));
  if (!ingot__infer_has(f, 1) || (f->in[1]->dtype != INGOT_INT64 && f->in[1]->dtype != INGOT_INT32)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "shape must be int64 or int32");
  }
  if (unknown) return INGOT_OK;
  const ingot__type *in = f->in[0];
  if (!read_axes(INGOT__ATTRS(f, CenterCropPad), in->rank, axis, &n)) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "axes don't fit rank %d", in->rank);
  }
  size_t count;
  if (ingot__ints_count(f, 1, &count) && count != (size_t)n) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "shape has %zu numbers for %d axes", count, n);
  }
  f->out[0] = *in;
  for (int i = 0; i < n; i++) {
    int64_t number;
    ingot__dim d = ingot__ints_get(f, 1, (size_t)i);
    if (ingot__element_number(f, d, &number) && number < 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "shape has %lld", (long long)number);
    f->out[0].dim[axis[i]] = d;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_CenterCropPad(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *shape = &call->in[1], *out = &call->out[0];
  int axis[INGOT_MAX_RANK], n;
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  if (!read_axes(INGOT__ATTRS(call, CenterCropPad), in->rank, axis, &n) || ingot__view_count(shape) != n) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "shape isn't for %d axes", n);
  }
  int64_t dim[INGOT_MAX_RANK], from = 0, to = 0;
  for (int i = 0; i < in->rank; i++) dim[i] = in->dim[i];
  for (int i = 0; i < n; i++) dim[axis[i]] = ingot__get_int(shape->dtype, shape->data, (size_t)i);
  INGOT_TRY(ingot__check_out(call, 0, in->rank, dim));
  if (ingot__view_count(out) > 0) memset(out->data, 0, (size_t)ingot__view_count(out) * size); /* of strings: empty ones */
  ingot__move m = {0};
  for (int i = 0; i < in->rank; i++) {
    int64_t a = in->dim[i], b = dim[i];
    if (a > b) from += (a - b) / 2 * in->stride[i];
    else to += (b - a) / 2 * out->stride[i];
    ingot__move_add(&m, a < b ? a : b, out->stride[i], in->stride[i]);
  }
  for (int i = 0; i < m.rank; i++)
    if (m.dim[i] == 0) return INGOT_OK;
  ingot__move_run(&m, size, (char *)out->data + (size_t)to * size, (const char *)in->data + (size_t)from * size);
  return INGOT_OK;
}
