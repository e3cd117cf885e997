/* Integer elements in shape inference; see the header. */
#include "ops/ints.h"

static int64_t floor_div(int64_t a, int64_t b) {
  int64_t q = a / b;
  return q - (a % b != 0 && (a < 0) != (b < 0));
}

ingot__dim ingot__element_do(const ingot__infer *f, ingot__element_op op, ingot__dim a, ingot__dim b) {
  if (a == INGOT__DIM_UNKNOWN || b == INGOT__DIM_UNKNOWN) return INGOT__DIM_UNKNOWN;
  int64_t x, y, r = 0;
  if (ingot__element_number(f, a, &x) && ingot__element_number(f, b, &y)) {
    switch (op) {
    case INGOT__EL_ADD: if (__builtin_add_overflow(x, y, &r)) return INGOT__DIM_UNKNOWN; break;
    case INGOT__EL_SUB: if (__builtin_sub_overflow(x, y, &r)) return INGOT__DIM_UNKNOWN; break;
    case INGOT__EL_MUL: if (__builtin_mul_overflow(x, y, &r)) return INGOT__DIM_UNKNOWN; break;
    case INGOT__EL_DIV:
      if (y == 0 || (y == -1 && x == INT64_MIN)) return INGOT__DIM_UNKNOWN;
      r = floor_div(x, y);
      break;
    case INGOT__EL_MIN: r = x < y ? x : y; break;
    case INGOT__EL_MAX: r = x > y ? x : y; break;
    }
    return ingot__element(f, r);
  }
  if (!f->dims) return INGOT__DIM_UNKNOWN;
  switch (op) {
  case INGOT__EL_ADD: return ingot__dim_add(f->dims, a, b);
  case INGOT__EL_SUB: return ingot__dim_sub(f->dims, a, b);
  case INGOT__EL_MUL: return ingot__dim_mul(f->dims, a, b);
  case INGOT__EL_DIV: return ingot__dim_div(f->dims, a, b);
  case INGOT__EL_MIN: return ingot__dim_min(f->dims, a, b);
  case INGOT__EL_MAX: return ingot__dim_max(f->dims, a, b);
  }
  return INGOT__DIM_UNKNOWN;
}

bool ingot__ints_count(const ingot__infer *f, size_t i, size_t *n) {
  if (!ingot__infer_has(f, i)) return false;
  const ingot__type *t = f->in[i];
  if (t->rank == 0) {
    *n = 1;
    return true;
  }
  if (t->rank != 1 || !ingot__dim_is_number(t->dim[0])) return false;
  *n = (size_t)t->dim[0];
  return true;
}

/* Whether input i is there and has an integer element k. */
static bool holds(const ingot__infer *f, size_t i, size_t k) {
  size_t n;
  return ingot__infer_has(f, i) && ingot__type_count(f->in[i], &n) && k < n &&
         (ingot__dtype_is_int(f->in[i]->dtype) || f->in[i]->dtype == INGOT_BOOL);
}

ingot__dim ingot__ints_get(const ingot__infer *f, size_t i, size_t k) {
  if (!holds(f, i, k)) return INGOT__DIM_UNKNOWN;
  const ingot__view *v = f->data[i];
  if (v && v->data) {
    int64_t number = ingot__get_int(v->dtype, v->data, k); /* Slice's 'to the beginning' must not look like an expression's handle */
    return ingot__element(f, number < -(INT64_C(1) << 62) ? -(INT64_C(1) << 62) : number);
  }
  return f->known[i] ? f->known[i][k] : INGOT__DIM_UNKNOWN;
}

ingot_status ingot__ints_shape(ingot__infer *f, size_t i, ingot__type *type) {
  size_t n;
  if (!ingot__ints_count(f, i, &n)) return INGOT_OK;
  if (n > INGOT_MAX_RANK) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "rank %zu is asked for; the most is %d", n, INGOT_MAX_RANK);
  type->rank = (int8_t)n;
  for (size_t k = 0; k < n; k++) {
    int64_t number;
    type->dim[k] = ingot__ints_get(f, i, k);
    if (ingot__element_number(f, type->dim[k], &number) && number < 0)
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the shape asked for has %lld at %zu", (long long)number, k);
  }
  return INGOT_OK;
}

bool ingot__ints_number(const ingot__infer *f, size_t i, size_t k, int64_t *number) {
  if (!holds(f, i, k)) return false;
  const ingot__view *v = f->data[i];
  if (v && v->data) {
    *number = ingot__get_int(v->dtype, v->data, k);
    return true;
  }
  return f->known[i] && ingot__element_number(f, f->known[i][k], number);
}

ingot_status ingot__ints_axes(ingot__infer *f, size_t i, int rank, int axis[INGOT_MAX_RANK], int *n, bool *unknown) {
  size_t count;
  *unknown = false;
  *n = 0;
  if (!ingot__ints_count(f, i, &count)) {
    *unknown = true;
    return INGOT_OK;
  }
  if (count > (size_t)rank) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "%zu axes are given for a tensor of rank %d", count, rank);
  unsigned seen = 0;
  for (size_t k = 0; k < count; k++) {
    int64_t a;
    if (!ingot__ints_number(f, i, k, &a)) {
      *unknown = true;
      return INGOT_OK;
    }
    if (a < -rank || a >= rank) {
      return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "axis %lld is outside %d..%d", (long long)a, -rank, rank - 1);
    }
    axis[k] = (int)(a < 0 ? a + rank : a);
    if (seen >> axis[k] & 1) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "axis %d is given twice", axis[k]);
    seen |= 1u << axis[k];
  }
  *n = (int)count;
  return INGOT_OK;
}

bool ingot__known_count(const ingot__infer *f, size_t i, size_t *n) {
  return ingot__infer_has(f, i) && f->known[i] && ingot__type_count(f->in[i], n);
}

ingot__dim ingot__dims_product(const ingot__infer *f, const ingot__type *type, int from, int to) {
  ingot__dim p = 1;
  for (int i = from; i < to; i++) p = ingot__element_do(f, INGOT__EL_MUL, p, type->dim[i]);
  return p;
}

void ingot__type_unknown(ingot__type *type, ingot_dtype dtype) { *type = (ingot__type){.dtype = dtype, .rank = -1}; }

ingot_status ingot__dim_merge(ingot__infer *f, ingot__dim a, ingot__dim b, const char *what, ingot__dim *out) {
  if (ingot__dim_is_number(a) && ingot__dim_is_number(b) && a != b) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%s: dims %lld and %lld don't agree", what, (long long)a, (long long)b);
  }
  *out = ingot__dim_is_number(b) || a == INGOT__DIM_UNKNOWN ? b : a;
  return INGOT_OK;
}
