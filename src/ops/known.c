/* Arithmetic on the known elements of integer and bool tensors. Bools are 0 and 1. */
#include "ops/known.h"

/* Whether an element is surely >= 0: symbols are dims, and so is what they are made of but for differences. */
static bool never_negative(const ingot__infer *f, ingot__dim d, int depth) {
  int64_t v;
  if (d == INGOT__DIM_UNKNOWN || depth > 16) return false;
  if (ingot__element_number(f, d, &v)) return v >= 0;
  ingot__dim_expr e = ingot__dim_get(f->dims, d);
  switch (e.kind) {
  case INGOT__DIM_SYMBOL: return true;
  case INGOT__DIM_ADD: case INGOT__DIM_MUL: case INGOT__DIM_DIV: case INGOT__DIM_MIN:
    return never_negative(f, e.a, depth + 1) && never_negative(f, e.b, depth + 1);
  case INGOT__DIM_MAX: return never_negative(f, e.a, depth + 1) || never_negative(f, e.b, depth + 1);
  case INGOT__DIM_MOD: return never_negative(f, e.b, depth + 1);
  default: return false;
  }
}

static ingot__dim truth(bool v) { return v ? 1 : 0; }

static ingot__dim compare(const ingot__infer *f, ingot__op op, ingot__dim a, ingot__dim b) {
  int64_t x, y;
  if (a == INGOT__DIM_UNKNOWN || b == INGOT__DIM_UNKNOWN) return INGOT__DIM_UNKNOWN;
  bool nx = ingot__element_number(f, a, &x), ny = ingot__element_number(f, b, &y);
  int sign = 2; /* of a - b; 2: not known */
  if (nx && ny) sign = (x > y) - (x < y);
  else if (a == b) sign = 0;
  else if (nx && x < 0 && never_negative(f, b, 0)) sign = -1;
  else if (ny && y < 0 && never_negative(f, a, 0)) sign = 1;
  if (sign == 2) return INGOT__DIM_UNKNOWN;
  switch (op) {
  case INGOT__OP_Equal: return truth(sign == 0);
  case INGOT__OP_Less: return truth(sign < 0);
  case INGOT__OP_LessOrEqual: return truth(sign <= 0);
  case INGOT__OP_Greater: return truth(sign > 0);
  default: return truth(sign >= 0);
  }
}

static ingot__dim divide(const ingot__infer *f, ingot__dim a, ingot__dim b) { /* ONNX's integer Div truncates; dims' is floor */
  int64_t x, y;
  if (a == INGOT__DIM_UNKNOWN || b == INGOT__DIM_UNKNOWN) return INGOT__DIM_UNKNOWN;
  if (ingot__element_number(f, a, &x) && ingot__element_number(f, b, &y)) {
    return y == 0 || (y == -1 && x == INT64_MIN) ? INGOT__DIM_UNKNOWN : ingot__element(f, x / y);
  }
  bool same = never_negative(f, a, 0) && never_negative(f, b, 0);
  return same ? ingot__element_do(f, INGOT__EL_DIV, a, b) : INGOT__DIM_UNKNOWN;
}

static ingot__dim modulo(const ingot__infer *f, ingot__dim a, ingot__dim b) {
  int64_t x, y;
  if (a == INGOT__DIM_UNKNOWN || b == INGOT__DIM_UNKNOWN) return INGOT__DIM_UNKNOWN;
  bool c_like = INGOT__ATTRS(f, Mod)->fmod != 0;
  if (ingot__element_number(f, a, &x) && ingot__element_number(f, b, &y)) {
    if (y == 0) return INGOT__DIM_UNKNOWN;
    int64_t r = y == -1 ? 0 : x % y;
    return ingot__element(f, !c_like && r && (r < 0) != (y < 0) ? r + y : r);
  }
  if (c_like && !(never_negative(f, a, 0) && never_negative(f, b, 0))) return INGOT__DIM_UNKNOWN;
  return ingot__dim_mod(f->dims, a, b);
}

/* Elements are folded only where the result is the same in the tensor's own type: int32 that leaves its range is not followed. */
static ingot__dim fold(const ingot__infer *f, const ingot__dim *e) {
  ingot__dim a = e[0], b = e[1];
  int64_t x, y;
  switch (f->node->op) {
  case INGOT__OP_Add: return ingot__element_do(f, INGOT__EL_ADD, a, b);
  case INGOT__OP_Sub: return ingot__element_do(f, INGOT__EL_SUB, a, b);
  case INGOT__OP_Mul: return ingot__element_do(f, INGOT__EL_MUL, a, b);
  case INGOT__OP_Div: return divide(f, a, b);
  case INGOT__OP_Max: return ingot__element_do(f, INGOT__EL_MAX, a, b);
  case INGOT__OP_Min: return ingot__element_do(f, INGOT__EL_MIN, a, b);
  case INGOT__OP_Neg: return ingot__element_do(f, INGOT__EL_SUB, 0, a);
  case INGOT__OP_Relu: return ingot__element_do(f, INGOT__EL_MAX, 0, a);
  case INGOT__OP_Abs:
    if (never_negative(f, a, 0)) return a;
    return a != INGOT__DIM_UNKNOWN && ingot__element_number(f, a, &x) ? ingot__element_do(f, INGOT__EL_SUB, 0, a) : INGOT__DIM_UNKNOWN;
  case INGOT__OP_Mod: return modulo(f, a, b);
  case INGOT__OP_Equal: case INGOT__OP_Less: case INGOT__OP_LessOrEqual: case INGOT__OP_Greater: case INGOT__OP_GreaterOrEqual:
    return compare(f, f->node->op, a, b);
  case INGOT__OP_Not: return a == 0 || a == 1 ? !a : INGOT__DIM_UNKNOWN;
  case INGOT__OP_And:
    x = a, y = b;
    return x == 0 || y == 0 ? 0 : x == 1 && y == 1 ? 1 : INGOT__DIM_UNKNOWN;
  case INGOT__OP_Or: return a == 1 || b == 1 ? 1 : a == 0 && b == 0 ? 0 : INGOT__DIM_UNKNOWN;
  case INGOT__OP_Where:
    if (a == 1) return b;
    if (a == 0) return e[2];
    return b == e[2] ? b : INGOT__DIM_UNKNOWN;
  default: return INGOT__DIM_UNKNOWN;
  }
}

static bool followed(ingot__op op) {
  switch (op) {
  case INGOT__OP_Add: case INGOT__OP_Sub: case INGOT__OP_Mul: case INGOT__OP_Div: case INGOT__OP_Max: case INGOT__OP_Min: case INGOT__OP_Neg:
  case INGOT__OP_Relu: case INGOT__OP_Abs: case INGOT__OP_Mod: case INGOT__OP_Equal: case INGOT__OP_Less: case INGOT__OP_LessOrEqual:
  case INGOT__OP_Greater: case INGOT__OP_GreaterOrEqual: case INGOT__OP_Not: case INGOT__OP_And: case INGOT__OP_Or: case INGOT__OP_Where:
    return true;
  default: return false;
  }
}

static bool fits(const ingot__infer *f, ingot_dtype dtype, ingot__dim d) {
  int64_t v;
  return dtype != INGOT_INT32 || d == INGOT__DIM_UNKNOWN || !ingot__element_number(f, d, &v) || (v >= INT32_MIN && v <= INT32_MAX);
}

void ingot__known_fold(ingot__infer *infer, int n) {
  const ingot__type *out = &infer->out[0];
  size_t count;
  if (!followed(infer->node->op) || n > 3 || !ingot__type_count(out, &count) || count > INGOT__MAX_KNOWN) return;
  for (int k = 0; k < n; k++) {
    ingot_dtype t = infer->in[k]->dtype;
    if (t != INGOT_INT64 && t != INGOT_INT32 && t != INGOT_BOOL) return;
  }
  ingot__dim *known = ingot__infer_known(infer, 0, count);
  if (!known) return;
  int64_t stride[3][INGOT_MAX_RANK], index[INGOT_MAX_RANK] = {0}, at[3] = {0};
  for (int k = 0; k < n; k++) {
    const ingot__type *t = infer->in[k];
    int64_t step = 1;
    for (int i = out->rank - 1, j = t->rank - 1; i >= 0; i--, j--) {
      stride[k][i] = j < 0 || t->dim[j] == 1 ? 0 : step;
      if (j >= 0) step *= t->dim[j];
    }
  }
  ingot_dtype dtype = infer->in[n - 1]->dtype;
  for (size_t c = 0; c < count; c++) {
    ingot__dim e[3] = {0, 0, 0};
    for (int k = 0; k < n; k++) e[k] = infer->known[k][at[k]];
    ingot__dim r = fold(infer, e);
    known[c] = fits(infer, dtype, r) ? r : INGOT__DIM_UNKNOWN;
    for (int i = out->rank - 1; i >= 0; i--) {
      for (int k = 0; k < n; k++) at[k] += stride[k][i];
      if (++index[i] < out->dim[i]) break;
      for (int k = 0; k < n; k++) at[k] -= stride[k][i] * index[i];
      index[i] = 0;
    }
  }
}
