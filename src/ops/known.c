/* Arithmetic on the known elements of integer and bool tensors. Bools are 0 and 1. */
#include "ops/known.h"

/* A number that an element is never below; INT64_MIN when nothing is known. Symbols are dims, at least 1. */
static int64_t lower(const ingot__infer *f, ingot__dim d, int depth) {
  int64_t v, a, b;
  if (d == INGOT__DIM_UNKNOWN || depth > 16) return INT64_MIN;
  if (ingot__element_number(f, d, &v)) return v;
  if (!f->dims || !ingot__dim_is_expr(d)) return INT64_MIN;
  const ingot__dim_expr *e = ingot__dim_get(f->dims, d);
  if (e->kind == INGOT__DIM_SYMBOL) return 1;
  a = lower(f, e->a, depth + 1), b = lower(f, e->b, depth + 1);
  switch (e->kind) {
  case INGOT__DIM_ADD: return a == INT64_MIN || b == INT64_MIN || __builtin_add_overflow(a, b, &v) ? INT64_MIN : v;
  case INGOT__DIM_MUL: return a < 0 || b < 0 || __builtin_mul_overflow(a, b, &v) ? INT64_MIN : v;
  case INGOT__DIM_DIV: return a < 0 || b < 0 ? INT64_MIN : 0;
  case INGOT__DIM_MOD: return b < 0 ? INT64_MIN : 0;
  case INGOT__DIM_MIN: return a < b ? a : b;
  case INGOT__DIM_MAX: return a > b ? a : b;
  default: return INT64_MIN;
  }
}

static ingot__dim compare(const ingot__infer *f, ingot__op op, ingot__dim a, ingot__dim b) {
  if (a == INGOT__DIM_UNKNOWN || b == INGOT__DIM_UNKNOWN) return INGOT__DIM_UNKNOWN;
  int64_t above = lower(f, ingot__element_do(f, INGOT__EL_SUB, a, b), 0), below = lower(f, ingot__element_do(f, INGOT__EL_SUB, b, a), 0);
  bool same = a == b, less = below > 0, more = above > 0, not_less = same || above >= 0, not_more = same || below >= 0;
  switch (op) {
  case INGOT__OP_Equal: return same || (not_less && not_more) ? 1 : less || more ? 0 : INGOT__DIM_UNKNOWN;
  case INGOT__OP_Less: return less ? 1 : not_less ? 0 : INGOT__DIM_UNKNOWN;
  case INGOT__OP_LessOrEqual: return not_more ? 1 : more ? 0 : INGOT__DIM_UNKNOWN;
  case INGOT__OP_Greater: return more ? 1 : not_more ? 0 : INGOT__DIM_UNKNOWN;
  default: return not_less ? 1 : less ? 0 : INGOT__DIM_UNKNOWN;
  }
}

/* ONNX's integer Div truncates, dims' is floor. They differ for negative quotients only, which no shape has: expressions are taken to be
 * positive, and when their symbols have numbers everything is computed again. */
static ingot__dim divide(const ingot__infer *f, ingot__dim a, ingot__dim b) {
  int64_t x, y;
  if (a == INGOT__DIM_UNKNOWN || b == INGOT__DIM_UNKNOWN) return INGOT__DIM_UNKNOWN;
  if (ingot__element_number(f, a, &x) && ingot__element_number(f, b, &y)) {
    return y == 0 || (y == -1 && x == INT64_MIN) ? INGOT__DIM_UNKNOWN : ingot__element(f, x / y);
  }
  return lower(f, b, 0) > 0 ? ingot__element_do(f, INGOT__EL_DIV, a, b) : INGOT__DIM_UNKNOWN;
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
  return lower(f, b, 0) > 0 && f->dims ? ingot__dim_mod(f->dims, a, b) : INGOT__DIM_UNKNOWN;
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
    if (a == INGOT__DIM_UNKNOWN || lower(f, a, 0) >= 0) return a;
    return ingot__element_number(f, a, &x) ? ingot__element_do(f, INGOT__EL_SUB, 0, a) : INGOT__DIM_UNKNOWN;
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
