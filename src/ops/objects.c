/* What the operators of sequences and optionals share. */
#include "ops/objects.h"

ingot_status ingot__in_sequence(const ingot__call *call, size_t i, const ingot__object **sequence) {
  const ingot__view *v = &call->in[i];
  const ingot__object *o = ingot__is_tensor(v) || !v->data ? NULL : *(ingot__object *const *)v->data;
  if (o && o->kind == INGOT__OPTIONAL) o = o->n ? o->item[0] : NULL;
  if (!o || o->kind != INGOT__SEQUENCE) return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "input %zu holds no sequence", i);
  *sequence = o;
  return INGOT_OK;
}

ingot_status ingot__out_object(const ingot__call *call, size_t i, ingot__object *object) {
  if (!object) return ingot__no_memory(call->diag);
  if (!ingot__has_out(call, i)) {
    ingot__object_release(object);
    return INGOT_OK;
  }
  if (ingot__is_tensor(&call->out[i])) {
    ingot__object_release(object);
    return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "output %zu is planned as a tensor", i);
  }
  ingot__object_put(call->out[i].data, object);
  return INGOT_OK;
}

ingot__object *ingot__view_to_object(const ingot__call *call, const ingot__view *view) {
  if (!ingot__is_tensor(view)) {
    ingot__object *held = *(ingot__object **)view->data;
    /* An input's optional that was never set holds nothing. */
    return held ? ingot__object_retain(held) : ingot__object_list(call->store, INGOT__OPTIONAL, view->dtype, 0);
  }
  return ingot__object_copy(call->store, view->dtype, view->rank, view->dim, view->data);
}

void ingot__object_view(const ingot__object *tensor, ingot__view *view) {
  *view = (ingot__view){.data = NULL};
  ingot__view_set(view, tensor->dtype, tensor->rank, tensor->dim, INGOT__PLAIN);
  view->data = tensor->data;
}

ingot_status ingot__out_tensor(const ingot__call *call, size_t i, const ingot__object *tensor) {
  if (!ingot__has_out(call, i)) return INGOT_OK;
  if (!tensor || tensor->kind != INGOT__TENSOR || tensor->dtype != call->out[i].dtype)
    return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "what it holds is no tensor of %s", ingot_dtype_name(call->out[i].dtype));
  INGOT_TRY(ingot__set_out(call, i, tensor->rank, tensor->dim));
  if (tensor->bytes == 0) return INGOT_OK;
  if (tensor->dtype == INGOT_STRING) { /* the characters stay with the object, which may go before the run's end */
    ingot_string *to = call->out[i].data;
    const ingot_string *from = tensor->data;
    for (int64_t k = 0, n = ingot__view_count(&call->out[i]); k < n; k++) {
      to[k] = ingot__string_copy(call->strings, from[k].data, from[k].size);
      if (!to[k].data) return ingot__no_memory(call->diag);
    }
    return INGOT_OK;
  }
  memcpy(call->out[i].data, tensor->data, tensor->bytes);
  return INGOT_OK;
}

ingot_status ingot__infer_sequence(ingot__infer *f, size_t i) {
  if (!ingot__infer_has(f, i)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input %zu is missing", i);
  if (f->in[i]->kind == INGOT__SEQUENCE || f->in[i]->kind == INGOT__OPTIONAL_SEQUENCE) return INGOT_OK;
  return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "input %zu must be a sequence", i);
}

void ingot__type_meet(ingot__type *a, const ingot__type *b) {
  if (a->rank < 0 || b->rank != a->rank) {
    a->rank = -1;
    return;
  }
  for (int i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i]) a->dim[i] = INGOT__DIM_UNKNOWN;
}
