/* What the operators' inference functions share: broadcasting, axes, ranks, integer inputs. */
#include "ops/ints.h"

ingot_status ingot__infer_same(ingot__infer *infer, size_t out, size_t in) {
  if (in >= infer->n_in || !infer->in[in]) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "lacks input %zu", in);
  if (out < infer->n_out) infer->out[out] = *infer->in[in];
  return INGOT_OK;
}

ingot_status ingot__infer_broadcast(ingot__infer *infer, const ingot__type *a, const ingot__type *b, ingot__type *out) {
  if (a->kind != INGOT__TENSOR || b->kind != INGOT__TENSOR) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "takes tensors alone");
  ingot__type r = {.dtype = a->dtype, .rank = -1};
  if (a->rank < 0 || b->rank < 0) {
    *out = r;
    return INGOT_OK;
  }
  r.rank = a->rank > b->rank ? a->rank : b->rank;
  for (int i = 0; i < r.rank; i++) {
    int ia = i - (r.rank - a->rank), ib = i - (r.rank - b->rank);
    ingot__dim x = ia < 0 ? 1 : a->dim[ia], y = ib < 0 ? 1 : b->dim[ib];
    if (x == y) r.dim[i] = x;
    else if (x == 1) r.dim[i] = y;
    else if (y == 1) r.dim[i] = x;
    else if (x >= 0 && y >= 0) {
      return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the inputs don't broadcast: dims %lld and %lld (axis %d from the end)", (long long)x,
                               (long long)y, r.rank - i);
    } else if (x >= 0 || y >= 0) r.dim[i] = x >= 0 ? x : y; /* a number over 1 against one that must be it, or 1 */
    else if (x == INGOT__DIM_UNKNOWN || y == INGOT__DIM_UNKNOWN || !infer->dims) r.dim[i] = INGOT__DIM_UNKNOWN;
    else r.dim[i] = ingot__dim_max(infer->dims, x, y); /* they are equal, or one is 1 */
  }
  *out = r;
  return INGOT_OK;
}

ingot_status ingot__infer_axis(ingot__infer *infer, int64_t axis, int rank, int *out) {
  if (axis < -rank || axis >= rank) {
    return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "axis %lld is outside %d..%d", (long long)axis, -rank, rank - 1);
  }
  *out = (int)(axis < 0 ? axis + rank : axis);
  return INGOT_OK;
}

ingot_status ingot__infer_rank(ingot__infer *infer, size_t i, int min, int max, bool *unknown) {
  *unknown = false;
  if (i >= infer->n_in || !infer->in[i]) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "lacks input %zu", i);
  const ingot__type *t = infer->in[i];
  if (t->kind != INGOT__TENSOR) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "input %zu is no tensor", i);
  if (t->rank < 0) {
    *unknown = true;
    for (size_t k = 0; k < infer->n_out; k++) ingot__type_unknown(&infer->out[k], infer->in[0] ? infer->in[0]->dtype : t->dtype);
    return INGOT_OK;
  }
  if (t->rank < min || (max >= 0 && t->rank > max)) {
    if (max < 0) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "input %zu has rank %d, at least %d is needed", i, t->rank, min);
    if (min == max) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "input %zu has rank %d instead of %d", i, t->rank, min);
    return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "input %zu has rank %d, not between %d and %d", i, t->rank, min, max);
  }
  return INGOT_OK;
}

ingot__dim *ingot__infer_known(ingot__infer *infer, size_t i, size_t n) {
  if (n > INGOT__MAX_KNOWN || i >= infer->n_out || !infer->arena) return NULL;
  ingot__dim *known = INGOT_NEW_ARRAY(infer->arena, n ? n : 1, ingot__dim);
  if (known) infer->out_known[i] = known;
  return known;
}

/* Elements that are not known singly are INGOT__DIM_UNKNOWN; *unknown is true when none is known or their number isn't. */
ingot_status ingot__infer_ints(ingot__infer *infer, size_t i, const ingot__dim **values, size_t *n, bool *unknown) {
  *values = NULL;
  *n = 0;
  *unknown = false;
  if (i >= infer->n_in || !infer->in[i]) return INGOT_OK; /* left out: none */
  const ingot__type *t = infer->in[i];
  if (t->kind != INGOT__TENSOR || !ingot__dtype_is_int(t->dtype)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "input %zu must be a tensor of integers, not %s", i, ingot_dtype_name(t->dtype));
  }
  size_t count;
  if (!ingot__type_count(t, &count)) {
    *unknown = true;
    return INGOT_OK;
  }
  *n = count;
  if (count == 0) return INGOT_OK;
  if (infer->known[i]) {
    *values = infer->known[i];
    return INGOT_OK;
  }
  const ingot__view *v = infer->data[i];
  ingot__dim *made = v && v->data && count <= INGOT__MAX_KNOWN ? INGOT_NEW_ARRAY(infer->arena, count, ingot__dim) : NULL;
  if (!made) {
    *unknown = true;
    return INGOT_OK;
  }
  for (size_t k = 0; k < count; k++) made[k] = ingot__element(infer, ingot__get_int(v->dtype, v->data, k));
  *values = made;
  return INGOT_OK;
}
