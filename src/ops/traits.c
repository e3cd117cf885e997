/* What kinds of operators there are, for passes and the compiler. */
#include "ops/ops.h"

bool ingot__op_has_graphs(ingot__op op) {
  const ingot__op_info *info = ingot__op_get(op);
  for (size_t i = 0; i < info->n_attr; i++)
    if (info->attr[i].type == INGOT__ATTR_GRAPH) return true;
  return false;
}

bool ingot__op_is_random(ingot__op op) {
  return op == INGOT__OP_Dropout || op == INGOT__OP_RandomNormal || op == INGOT__OP_RandomUniform || op == INGOT__OP_Multinomial;
}

bool ingot__node_jumps(const ingot__node *n) {
  switch (n->op) {
  case INGOT__OP_Conv: return ((const ingot__attrs_Conv *)n->attrs)->act == INGOT__ACT_QUANTIZE;
  case INGOT__OP_MatMul: return ((const ingot__attrs_MatMul *)n->attrs)->act == INGOT__ACT_QUANTIZE;
  case INGOT__OP_Cast: return !ingot__dtype_is_float((ingot_dtype)((const ingot__attrs_Cast *)n->attrs)->to);
  case INGOT__OP_QuantizeLinear: case INGOT__OP_Round: case INGOT__OP_Floor: case INGOT__OP_Ceil: case INGOT__OP_Sign:
  case INGOT__OP_Mod: case INGOT__OP_Equal: case INGOT__OP_Less: case INGOT__OP_LessOrEqual: case INGOT__OP_Greater:
  case INGOT__OP_GreaterOrEqual: return true;
  case INGOT__OP_Fused:
    for (const ingot__node *m = ((const ingot__attrs_Fused *)n->attrs)->body->first; m; m = m->next)
      if (ingot__node_jumps(m)) return true;
    return false;
  default: return false;
  }
}
