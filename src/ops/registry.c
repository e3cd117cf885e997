/* The table from operator to inference, reference and workspace, expanded from ops.def. An operator without its functions fails at link. */
#include "ops/packed.h"

#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, attrs) \
  ingot_status ingot__infer_##name(ingot__infer *infer); \
  ingot_status ingot__ref_##name(const ingot__call *call);
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, attrs, expression)
#include "ops.def"
#undef INGOT_OP
#undef INGOT_ELEMENTWISE
ingot_status ingot__infer_elementwise(ingot__infer *infer);
ingot_status ingot__ref_elementwise(const ingot__call *call);

/* References that work in memory of the call's define ingot__workspace_<Name> beside ingot__ref_<Name>; for the others the weak name is
 * NULL. */
#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, attrs) \
  size_t ingot__workspace_##name(const ingot__call *call) __attribute__((weak));
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, attrs, expression)
#include "ops.def"
#undef INGOT_OP
#undef INGOT_ELEMENTWISE

static const ingot__op_functions functions[INGOT__OP_COUNT] = {
#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, attrs) \
  [INGOT__OP_##name] = {ingot__infer_##name, ingot__ref_##name, ingot__workspace_##name},
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, attrs, expression) \
  [INGOT__OP_##name] = {ingot__infer_elementwise, ingot__ref_elementwise, NULL},
#include "ops.def"
#undef INGOT_OP
#undef INGOT_ELEMENTWISE
};

const ingot__op_functions *ingot__op_functions_get(ingot__op op) {
  return op > INGOT__OP_NONE && op < INGOT__OP_COUNT ? &functions[op] : NULL;
}

size_t ingot__reference_workspace(const ingot__call *call) {
  const ingot__op_functions *f = ingot__op_functions_get(call->node->op);
  size_t own = f && f->workspace ? f->workspace(call) : 0, packed = ingot__packed_workspace(call), sum;
  return own != SIZE_MAX && packed != SIZE_MAX && ingot__add(own, packed, &sum) ? sum : SIZE_MAX;
}

ingot_status ingot__reference(const ingot__call *call) {
  const ingot__op_functions *f = ingot__op_functions_get(call->node->op);
  if (!f) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has no operator");
  /* Where there is nothing to write, dims beside the 0 may be so large that counting through them would take forever. An output that the
   * operator is to size is empty too, but has no memory yet. */
  bool empty = call->n_out > 0;
  for (size_t i = 0; empty && i < call->n_out; i++)
    empty = !ingot__has_out(call, i) || (ingot__view_count(&call->out[i]) == 0 && (call->out[i].data || !call->resize));
  if (empty) return INGOT_OK;
  size_t packed = ingot__packed_workspace(call);
  return packed ? ingot__packed_run(call, packed, f->reference) : f->reference(call);
}
