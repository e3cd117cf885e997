/* Optionals: made, asked, opened. What is no optional holds itself. */
#include "ops/objects.h"

ingot_status ingot__infer_Optional(ingot__infer *f) {
  const ingot__attrs_Optional *a = f->attrs;
  ingot__type *t = &f->out[0];
  if (ingot__infer_has(f, 0)) {
    if (f->in[0]->kind != INGOT__TENSOR && f->in[0]->kind != INGOT__SEQUENCE)
      return INGOT__FAIL_INFER(f, INGOT_E_UNSUPPORTED, "an optional of an optional");
    *t = *f->in[0];
    t->kind = f->in[0]->kind == INGOT__TENSOR ? INGOT__OPTIONAL : INGOT__OPTIONAL_SEQUENCE;
    return INGOT_OK;
  }
  if (a->dtype <= 0 || a->dtype > INT32_MAX || !ingot__dtype_bytes((ingot_dtype)a->dtype, 1, &(size_t){0}))
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "has neither an input nor a type");
  *t = (ingot__type){.dtype = (ingot_dtype)a->dtype, .kind = a->sequence ? INGOT__OPTIONAL_SEQUENCE : INGOT__OPTIONAL, .rank = -1};
  return INGOT_OK;
}

ingot_status ingot__ref_Optional(const ingot__call *call) {
  bool given = ingot__has_in(call, 0);
  ingot__object *o = ingot__object_list(call->store, INGOT__OPTIONAL, call->out[0].dtype, given);
  if (o && given && !(o->item[0] = ingot__view_to_object(call, &call->in[0]))) {
    ingot__object_release(o);
    o = NULL;
  }
  return ingot__out_object(call, 0, o);
}

/* What input 0 holds, if it isn't a tensor; NULL: nothing. */
static ingot__object *content(const ingot__call *call) {
  ingot__object *o = *(ingot__object **)call->in[0].data;
  if (o && o->kind == INGOT__OPTIONAL) return o->n ? o->item[0] : NULL;
  return o;
}

ingot_status ingot__infer_OptionalHasElement(ingot__infer *f) {
  f->out[0] = (ingot__type){.dtype = INGOT_BOOL};
  return INGOT_OK;
}

ingot_status ingot__ref_OptionalHasElement(const ingot__call *call) {
  INGOT_TRY(ingot__set_out(call, 0, 0, NULL));
  *(uint8_t *)call->out[0].data = ingot__has_in(call, 0) && (ingot__is_tensor(&call->in[0]) || content(call));
  return INGOT_OK;
}

ingot_status ingot__infer_OptionalGetElement(ingot__infer *f) {
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  f->out[0] = *f->in[0];
  if (f->in[0]->kind == INGOT__OPTIONAL) f->out[0].kind = INGOT__TENSOR;
  if (f->in[0]->kind == INGOT__OPTIONAL_SEQUENCE) f->out[0].kind = INGOT__SEQUENCE;
  return INGOT_OK;
}

ingot_status ingot__ref_OptionalGetElement(const ingot__call *call) {
  if (ingot__is_tensor(&call->in[0])) return ingot__move_all(call);
  ingot__object *o = content(call);
  if (!o) return INGOT__FAIL_CALL(call, INGOT_E_STATE, "the optional holds nothing");
  if (ingot__has_out(call, 0) && ingot__is_tensor(&call->out[0])) return ingot__out_tensor(call, 0, o);
  return ingot__out_object(call, 0, ingot__object_retain(o));
}
