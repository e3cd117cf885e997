/* Sequences made and changed: each operator makes a new list of the same elements, which are counted, not copied. */
#include "ops/objects.h"

static ingot_status out_sequence(ingot__infer *f, ingot_dtype dtype) {
  f->out[0] = (ingot__type){.dtype = dtype, .kind = INGOT__SEQUENCE, .rank = -1};
  return INGOT_OK;
}

ingot_status ingot__infer_SequenceEmpty(ingot__infer *f) {
  int64_t dtype = ((const ingot__attrs_SequenceEmpty *)f->attrs)->dtype;
  if (dtype <= 0 || dtype > INT32_MAX || !ingot__dtype_bytes((ingot_dtype)dtype, 1, &(size_t){0}))
    return INGOT__FAIL_INFER(f, INGOT_E_UNSUPPORTED, "element type %lld", (long long)dtype);
  return out_sequence(f, (ingot_dtype)dtype);
}

ingot_status ingot__ref_SequenceEmpty(const ingot__call *call) {
  return ingot__out_object(call, 0, ingot__object_list(call->store, INGOT__SEQUENCE, call->out[0].dtype, 0));
}

ingot_status ingot__infer_SequenceConstruct(ingot__infer *f) {
  for (size_t i = 0; i < f->n_in; i++) {
    if (!f->in[i]) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input %zu is missing", i);
    if (i == 0) {
      f->out[0] = *f->in[0];
      f->out[0].kind = INGOT__SEQUENCE;
      continue;
    }
    if (f->in[i]->dtype != f->in[0]->dtype) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the elements are %s and %s",
                                                                     ingot_dtype_name(f->in[0]->dtype), ingot_dtype_name(f->in[i]->dtype));
    ingot__type_meet(&f->out[0], f->in[i]);
  }
  return INGOT_OK;
}

ingot_status ingot__ref_SequenceConstruct(const ingot__call *call) {
  ingot__object *o = ingot__object_list(call->store, INGOT__SEQUENCE, call->in[0].dtype, call->n_in);
  for (size_t i = 0; o && i < call->n_in; i++)
    if (!(o->item[i] = ingot__view_to_object(call, &call->in[i]))) {
      ingot__object_release(o);
      o = NULL;
    }
  return ingot__out_object(call, 0, o);
}

/* Input i: where; an integer scalar, counted from the end where it is below 0. */
static ingot_status position(const ingot__call *call, size_t i, size_t limit, size_t absent, size_t *at) {
  *at = absent;
  if (!ingot__has_in(call, i)) return INGOT_OK;
  if (ingot__view_count(&call->in[i]) != 1) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the position must be one number");
  int64_t v = ingot__get_int(call->in[i].dtype, call->in[i].data, 0), n = (int64_t)limit;
  if (v < -n || v >= n)
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "position %lld is outside %lld..%lld", (long long)v, (long long)-n, (long long)n - 1);
  *at = (size_t)(v < 0 ? v + n : v);
  return INGOT_OK;
}

static ingot_status infer_position(ingot__infer *f, size_t i) {
  if (!ingot__infer_has(f, i) || ingot__dtype_is_int(f->in[i]->dtype)) return INGOT_OK;
  return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the position must be an integer, not %s", ingot_dtype_name(f->in[i]->dtype));
}

ingot_status ingot__infer_SequenceInsert(ingot__infer *f) {
  INGOT_TRY(ingot__infer_sequence(f, 0));
  INGOT_TRY(infer_position(f, 2));
  if (!ingot__infer_has(f, 1) || f->in[1]->dtype != f->in[0]->dtype)
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the tensor isn't of the sequence's element type, %s", ingot_dtype_name(f->in[0]->dtype));
  f->out[0] = *f->in[0];
  f->out[0].kind = INGOT__SEQUENCE;
  ingot__type_meet(&f->out[0], f->in[1]);
  return INGOT_OK;
}

ingot_status ingot__ref_SequenceInsert(const ingot__call *call) {
  const ingot__object *from;
  size_t at;
  INGOT_TRY(ingot__in_sequence(call, 0, &from));
  if (ingot__has_in(call, 2) && ingot__view_count(&call->in[2]) == 1 &&
      ingot__get_int(call->in[2].dtype, call->in[2].data, 0) == (int64_t)from->n) {
    at = from->n; /* behind the last, which is a position here alone */
  } else {
    INGOT_TRY(position(call, 2, from->n, from->n, &at));
  }
  ingot__object *o = ingot__object_list(call->store, INGOT__SEQUENCE, call->in[1].dtype, from->n + 1);
  if (o && !(o->item[at] = ingot__view_to_object(call, &call->in[1]))) {
    ingot__object_release(o);
    o = NULL;
  }
  for (size_t i = 0; o && i < from->n; i++) o->item[i + (i >= at)] = ingot__object_retain(from->item[i]);
  return ingot__out_object(call, 0, o);
}

ingot_status ingot__infer_SequenceErase(ingot__infer *f) {
  INGOT_TRY(ingot__infer_sequence(f, 0));
  INGOT_TRY(infer_position(f, 1));
  f->out[0] = *f->in[0];
  f->out[0].kind = INGOT__SEQUENCE;
  return INGOT_OK;
}

ingot_status ingot__ref_SequenceErase(const ingot__call *call) {
  const ingot__object *from;
  size_t at;
  INGOT_TRY(ingot__in_sequence(call, 0, &from));
  if (from->n == 0) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the sequence is empty");
  INGOT_TRY(position(call, 1, from->n, from->n - 1, &at));
  ingot__object *o = ingot__object_list(call->store, INGOT__SEQUENCE, from->dtype, from->n - 1);
  for (size_t i = 0, k = 0; o && i < from->n; i++)
    if (i != at) o->item[k++] = ingot__object_retain(from->item[i]);
  return ingot__out_object(call, 0, o);
}

ingot_status ingot__infer_SequenceAt(ingot__infer *f) {
  INGOT_TRY(ingot__infer_sequence(f, 0));
  INGOT_TRY(infer_position(f, 1));
  if (!ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "the position is missing");
  f->out[0] = *f->in[0];
  f->out[0].kind = INGOT__TENSOR;
  return INGOT_OK;
}

ingot_status ingot__ref_SequenceAt(const ingot__call *call) {
  const ingot__object *from;
  size_t at;
  INGOT_TRY(ingot__in_sequence(call, 0, &from));
  if (from->n == 0) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the sequence is empty");
  INGOT_TRY(position(call, 1, from->n, 0, &at));
  return ingot__out_tensor(call, 0, from->item[at]);
}

ingot_status ingot__infer_SequenceLength(ingot__infer *f) {
  INGOT_TRY(ingot__infer_sequence(f, 0));
  f->out[0] = (ingot__type){.dtype = INGOT_INT64};
  return INGOT_OK;
}

ingot_status ingot__ref_SequenceLength(const ingot__call *call) {
  const ingot__object *from;
  INGOT_TRY(ingot__in_sequence(call, 0, &from));
  INGOT_TRY(ingot__set_out(call, 0, 0, NULL));
  *(int64_t *)call->out[0].data = (int64_t)from->n;
  return INGOT_OK;
}

/* ---- SequenceMap: its subgraph for the elements of the sequences, one after the other; tensors go to all. */

enum { MOST = 64 };

ingot_status ingot__infer_SequenceMap(ingot__infer *f) {
  const ingot__graph *body = ((const ingot__attrs_SequenceMap *)f->attrs)->body;
  ingot__type in[MOST];
  INGOT_TRY(ingot__infer_sequence(f, 0));
  if (!body) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "the body is missing");
  if (body->n_input != f->n_in || body->n_output != f->n_out || f->n_in > MOST || f->n_out > MOST)
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "%zu inputs and %zu outputs don't fit a body with %zu and %zu (at most %d)", f->n_in, f->n_out,
                             body->n_input, body->n_output, MOST);
  for (size_t i = 0; i < f->n_in; i++) {
    if (!f->in[i]) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input %zu is missing", i);
    in[i] = *f->in[i];
    in[i].kind = INGOT__TENSOR;
  }
  INGOT_TRY(f->subgraph(f, body, in, f->n_in, f->out, f->n_out));
  for (size_t i = 0; i < f->n_out; i++) {
    if (f->out[i].kind != INGOT__TENSOR) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "output %zu of its body is no tensor", i);
    f->out[i].kind = INGOT__SEQUENCE;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_SequenceMap(const ingot__call *call) {
  const ingot__graph *body = INGOT__ATTRS(call, SequenceMap)->body;
  const ingot__object *from[MOST];
  ingot__object *made[MOST];
  ingot__view in[MOST], out[MOST];
  ingot_status status = INGOT_OK;
  if (call->n_in > MOST || call->n_out > MOST) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has more than %d values", MOST);
  for (size_t i = 0; i < call->n_in; i++) {
    from[i] = NULL;
    in[i] = call->in[i];
    if (ingot__is_tensor(&in[i])) continue;
    INGOT_TRY(ingot__in_sequence(call, i, &from[i]));
    if (from[i]->n != from[0]->n)
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "its sequences have %zu and %zu elements", from[0]->n, from[i]->n);
  }
  for (size_t i = 0; i < call->n_out; i++) {
    made[i] = ingot__object_list(call->store, INGOT__SEQUENCE, body->output[i]->type.dtype, from[0]->n);
    if (!made[i]) status = ingot__no_memory(call->diag);
  }
  for (size_t k = 0; k < from[0]->n && status == INGOT_OK; k++) {
    for (size_t i = 0; i < call->n_in; i++)
      if (from[i]) ingot__object_view(from[i]->item[k], &in[i]);
    status = call->subgraph(call->user, (ingot__call *)call, body, in, call->n_in, out, call->n_out);
    for (size_t i = 0; i < call->n_out && status == INGOT_OK; i++) {
      if (!ingot__is_tensor(&out[i])) status = INGOT__FAIL_CALL(call, INGOT_E_TYPE, "output %zu of its body is no tensor", i);
      else if (!(made[i]->item[k] = ingot__view_to_object(call, &out[i]))) status = ingot__no_memory(call->diag);
    }
  }
  for (size_t i = 0; i < call->n_out; i++) {
    if (status == INGOT_OK) status = ingot__out_object(call, i, made[i]);
    else ingot__object_release(made[i]);
  }
  return status;
}
