/* Views of values: strides from their layout, or those of the value that they are a part of. */
#include "runtime/state.h"

ingot__value *ingot__root(const ingot_engine *engine, ingot__value *value) {
  while (engine->place[value->id].home != INGOT__HOME_OWN) value = engine->network->value[engine->place[value->id].of];
  return value;
}

/* The axis along which `value` is a part of its parent, and where it starts. */
static bool part(const ingot__instance *inst, const ingot__value *value, const ingot__value *parent, int *axis, int64_t *start) {
  const ingot__place *place = &inst->context->engine->place[value->id];
  const ingot__node *node = place->home == INGOT__HOME_CONCAT ? parent->producer : value->producer;
  int rank = inst->type[parent->id].rank;
  *start = 0;
  if (!node || rank < 1) return false;
  if (node->op == INGOT__OP_Slice) { /* the planner lets through one constant axis, step 1 */
    int64_t dim, from, ax = 0;
    if (!node->in[1]->data) return false;
    if (node->n_in > 3 && node->in[3]) ax = ingot__get_int(node->in[3]->type.dtype, node->in[3]->data, 0);
    *axis = (int)(ax < 0 ? ax + rank : ax);
    if (*axis < 0 || *axis >= rank) return false;
    from = ingot__get_int(node->in[1]->type.dtype, node->in[1]->data, 0);
    dim = inst->type[parent->id].dim[*axis];
    from = from < 0 ? from + dim : from;
    *start = from < 0 ? 0 : from > dim ? dim : from;
    return true;
  }
  int64_t ax = node->op == INGOT__OP_Concat ? ((const ingot__attrs_Concat *)node->attrs)->axis : ((const ingot__attrs_Split *)node->attrs)->axis;
  *axis = (int)(ax < 0 ? ax + rank : ax);
  if (*axis < 0 || *axis >= rank) return false;
  for (unsigned i = 0; i < place->index; i++) {
    const ingot__value *sibling = place->home == INGOT__HOME_CONCAT ? node->in[i] : node->out[i];
    if (!sibling) return false;
    *start += inst->type[sibling->id].dim[*axis];
  }
  return true;
}

static bool is_dense(const ingot__view *v) {
  ingot__view d = *v;
  if (!ingot__view_set(&d, (ingot_dtype)v->dtype, v->rank, v->dim, (ingot__layout)v->layout)) return false;
  for (int i = 0; i < v->rank; i++)
    if (v->dim[i] != 1 && d.stride[i] != v->stride[i]) return false;
  return true;
}

ingot_status ingot__view_value(ingot__instance *inst, const ingot__value *value, size_t *offset) {
  const ingot_engine *engine = inst->context->engine;
  const ingot__place *place = &engine->place[value->id];
  ingot__view *view = &inst->view[value->id];
  const ingot__type *type = &inst->type[value->id];
  *offset = 0;
  int64_t dim[INGOT_MAX_RANK];
  for (int i = 0; i < type->rank; i++) dim[i] = type->dim[i];
  if (!ingot__view_set(view, type->dtype, type->rank, dim, (ingot__layout)place->layout))
    return ingot__fail(inst->diag, INGOT_E_LIMIT, value->name, "the tensor is too large");
  view->constant = !value->producer && !value->is_input;
  if (place->home == INGOT__HOME_OWN) return INGOT_OK;
  ingot__value *parent = engine->network->value[place->of];
  INGOT_TRY(ingot__view_value(inst, parent, offset));
  const ingot__view *whole = &inst->view[parent->id];
  if (place->home == INGOT__HOME_VIEW) {
    if (ingot__view_covers(view, whole)) return INGOT_OK;
    return ingot__fail(inst->diag, INGOT_E_FORMAT, value->name, "isn't all of '%s', whose memory the engine gives it", parent->name);
  }
  int axis;
  int64_t start;
  if (inst->type[parent->id].rank != type->rank || !part(inst, value, parent, &axis, &start))
    return ingot__fail(inst->diag, INGOT_E_INTERNAL, value->name, "is no part of '%s'", parent->name);
  for (int i = 0; i < view->rank; i++)
    if (i == axis ? start < 0 || view->dim[i] > whole->dim[i] - start : view->dim[i] != whole->dim[i])
      return ingot__fail(inst->diag, INGOT_E_FORMAT, value->name, "is no part of '%s', whose memory the engine gives it", parent->name);
  if (view->dtype != whole->dtype || view->layout != whole->layout || !ingot__dtype_size(view->dtype))
    return ingot__fail(inst->diag, INGOT_E_FORMAT, value->name, "has another type than '%s', whose memory the engine gives it", parent->name);
  for (int i = 0; i < view->rank; i++) view->stride[i] = whole->stride[i];
  *offset += (size_t)(start * whole->stride[axis]) * ingot__dtype_size(type->dtype);
  view->dense = is_dense(view);
  return INGOT_OK;
}

void ingot__view_object(ingot__view *view, const ingot__type *type, ingot__object **slot) {
  *view = (ingot__view){.data = slot, .dtype = type->dtype, .dense = true, .kind = type->kind};
}

bool ingot__view_covers(const ingot__view *view, const ingot__view *root) {
  return view->dense && root->dense && ingot__view_count(view) == ingot__view_count(root) && view->dtype == root->dtype;
}
