/* From a tensor to a sequence and back: SplitToSequence, ConcatFromSequence. */
#include "ops/objects.h"

ingot_status ingot__infer_SplitToSequence(ingot__infer *f) {
  const ingot__attrs_SplitToSequence *a = f->attrs;
  bool unknown;
  int axis;
  INGOT_TRY(ingot__infer_rank(f, 0, 1, -1, &unknown));
  if (ingot__infer_has(f, 1) && !ingot__dtype_is_int(f->in[1]->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the lengths must be integers");
  ingot__type *t = &f->out[0];
  *t = *f->in[0];
  t->kind = INGOT__SEQUENCE;
  if (unknown) return INGOT_OK;
  INGOT_TRY(ingot__infer_axis(f, a->axis, t->rank, &axis));
  t->dim[axis] = ingot__infer_has(f, 1) ? INGOT__DIM_UNKNOWN : 1;
  if (ingot__infer_has(f, 1) || a->keepdims) return INGOT_OK;
  for (int i = axis; i + 1 < t->rank; i++) t->dim[i] = t->dim[i + 1];
  t->rank--;
  return INGOT_OK;
}

/* Length of part k, where `left` elements remain. */
static int64_t length_of(const ingot__view *split, size_t k, int64_t left) {
  if (!split) return 1;
  int64_t n = ingot__get_int(split->dtype, split->data, split->rank ? k : 0);
  return split->rank == 0 && n > left ? left : n;
}

ingot_status ingot__ref_SplitToSequence(const ingot__call *call) {
  const ingot__attrs_SplitToSequence *a = INGOT__ATTRS(call, SplitToSequence);
  const ingot__view *x = &call->in[0], *split = ingot__has_in(call, 1) ? &call->in[1] : NULL;
  int axis = (int)(a->axis < 0 ? a->axis + x->rank : a->axis);
  size_t size = ingot__move_size(x->dtype), parts = 0;
  if (axis < 0 || axis >= x->rank) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "axis %lld is outside the tensor", (long long)a->axis);
  if (size == 0) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "elements of type %s can't be split; Cast first", ingot_dtype_name(x->dtype));
  int64_t whole = x->dim[axis], sum = 0;
  size_t given = split && split->rank ? (size_t)ingot__view_count(split) : 0;
  if (split && split->rank > 1) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the lengths have rank %d", split->rank);
  if (split && split->rank) {
    for (; parts < given; parts++) {
      int64_t n = length_of(split, parts, whole - sum);
      if (n < 0 || n > whole - sum)
        return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "a part of %lld doesn't fit a dim of %lld", (long long)n, (long long)whole);
      sum += n;
    }
  } else { /* not by a loop: an empty tensor's other dims may be anything */
    int64_t n = length_of(split, 0, whole);
    if (n < 1 && whole) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "parts of %lld", (long long)n);
    parts = whole ? (size_t)((whole - 1) / n + 1) : 0;
    sum = whole;
  }
  if (sum != whole) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the parts add up to %lld, the dim is %lld", (long long)sum, (long long)whole);
  ingot__object *o = ingot__object_list(call->store, INGOT__SEQUENCE, x->dtype, parts);
  ingot__view part = *x;
  int64_t at = 0;
  bool drop = !split && !a->keepdims;
  for (size_t k = 0; o && k < parts; k++) {
    int64_t dim[INGOT_MAX_RANK];
    part.dim[axis] = length_of(split, k, whole - at);
    part.data = (char *)x->data + (size_t)(at * x->stride[axis]) * size;
    part.dense = false;
    at += part.dim[axis];
    int rank = 0;
    for (int d = 0; d < x->rank; d++)
      if (!(drop && d == axis)) dim[rank++] = part.dim[d];
    /* Strings are gathered first, since an object is made with their characters. */
    ingot__view dense = {0};
    void *gathered = NULL;
    if (!ingot__view_set(&dense, x->dtype, x->rank, part.dim, INGOT__PLAIN)) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "the tensor is too large");
    size_t bytes = (size_t)ingot__view_count(&dense) * size;
    if (x->dtype == INGOT_STRING) {
      if ((gathered = ingot__alloc(&call->store->heap, bytes))) {
        dense.data = gathered;
        ingot__view_copy(&dense, &part);
        o->item[k] = ingot__object_strings(call->store, rank, dim, gathered);
        ingot__free(&call->store->heap, gathered, bytes);
      }
    } else if ((o->item[k] = ingot__object_tensor(call->store, x->dtype, rank, dim))) {
      dense.data = o->item[k]->data;
      ingot__view_copy(&dense, &part);
    }
    if (!o->item[k]) {
      ingot__object_release(o);
      o = NULL;
    }
  }
  return ingot__out_object(call, 0, o);
}

ingot_status ingot__infer_ConcatFromSequence(ingot__infer *f) {
  const ingot__attrs_ConcatFromSequence *a = f->attrs;
  INGOT_TRY(ingot__infer_sequence(f, 0));
  ingot__type *t = &f->out[0];
  *t = *f->in[0];
  t->kind = INGOT__TENSOR;
  if (t->rank < 0) return INGOT_OK;
  int axis, rank = t->rank + (a->new_axis != 0);
  if (rank > INGOT_MAX_RANK || rank < 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the result would have rank %d", rank);
  INGOT_TRY(ingot__infer_axis(f, a->axis, rank, &axis));
  for (int i = rank - 1; i > axis && a->new_axis; i--) t->dim[i] = t->dim[i - 1];
  t->rank = (int8_t)rank;
  t->dim[axis] = INGOT__DIM_UNKNOWN;
  return INGOT_OK;
}

ingot_status ingot__ref_ConcatFromSequence(const ingot__call *call) {
  const ingot__attrs_ConcatFromSequence *a = INGOT__ATTRS(call, ConcatFromSequence);
  const ingot__object *from;
  int64_t dim[INGOT_MAX_RANK], offset = 0;
  INGOT_TRY(ingot__in_sequence(call, 0, &from));
  if (from->n == 0) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the sequence is empty");
  const ingot__object *first = from->item[0];
  int old = first->rank, rank = old + (a->new_axis != 0), axis = (int)(a->axis < 0 ? a->axis + rank : a->axis);
  size_t size = ingot__move_size(call->out[0].dtype);
  if (rank > INGOT_MAX_RANK || a->axis < -rank || a->axis >= rank)
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "axis %lld of rank %d", (long long)a->axis, rank);
  if (size == 0)
    return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "elements of type %s can't be joined; Cast first", ingot_dtype_name(call->out[0].dtype));
  for (int i = 0; i < rank; i++) dim[i] = !a->new_axis || i < axis ? (i < old ? first->dim[i] : 1) : i == axis ? 1 : first->dim[i - 1];
  dim[axis] = 0;
  for (size_t k = 0; k < from->n; k++) {
    const ingot__object *o = from->item[k];
    bool same = o->rank == old && o->dtype == call->out[0].dtype;
    for (int i = 0; same && i < old; i++) same = (!a->new_axis && i == axis) || o->dim[i] == first->dim[i];
    if (!same) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "elements 0 and %zu of the sequence don't fit together", k);
    if (__builtin_add_overflow(dim[axis], a->new_axis ? 1 : o->dim[axis], &dim[axis]))
      return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "the result is too large");
  }
  INGOT_TRY(ingot__set_out(call, 0, rank, dim));
  ingot__view part = call->out[0];
  for (size_t k = 0; k < from->n; k++) {
    const ingot__object *o = from->item[k];
    ingot__view v = {0};
    part.dim[axis] = a->new_axis ? 1 : o->dim[axis];
    part.data = (char *)call->out[0].data + (size_t)(offset * call->out[0].stride[axis]) * size;
    part.dense = false;
    offset += part.dim[axis];
    if (!ingot__view_set(&v, o->dtype, rank, part.dim, INGOT__PLAIN)) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "the result is too large");
    v.data = o->data;
    if (o->bytes) ingot__view_copy(&part, &v);
  }
  if (call->out[0].dtype != INGOT_STRING) return INGOT_OK;
  ingot_string *s = call->out[0].data; /* the characters are the objects', which may go before the run's end */
  for (int64_t i = 0, n = ingot__view_count(&call->out[0]); i < n; i++) {
    s[i] = ingot__string_copy(call->strings, s[i].data, s[i].size);
    if (!s[i].data) return ingot__no_memory(call->diag);
  }
  return INGOT_OK;
}
