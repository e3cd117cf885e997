/* Integer elements in shape inference: reading attribute-like inputs (axes, shape, pads) and arithmetic on known elements.
 *
 * An element is an ingot__dim: a number, negative ones too, or the handle of an expression (when compiling only: infer->dims is set), or
 * INGOT__DIM_UNKNOWN. */
#ifndef INGOT_OPS_INTS_H
#define INGOT_OPS_INTS_H
#include "ops/ops.h"

static inline bool ingot__infer_has(const ingot__infer *f, size_t i) { return i < f->n_in && f->in[i]; }

/* The number that an element is; false when it is an expression or unknown. */
static inline bool ingot__element_number(const ingot__infer *f, ingot__dim d, int64_t *number) {
  if (d < 0 && f->dims) return d != INGOT__DIM_UNKNOWN && ingot__dim_value(f->dims, d, number);
  *number = d;
  return d != INGOT__DIM_UNKNOWN && !ingot__dim_is_expr(d);
}
static inline ingot__dim ingot__element(const ingot__infer *f, int64_t number) {
  return number < 0 && f->dims ? ingot__dim_number(f->dims, number) : number;
}

/* a op b; unknown when either is, or on overflow. div is floor. */
typedef enum ingot__element_op { INGOT__EL_ADD, INGOT__EL_SUB, INGOT__EL_MUL, INGOT__EL_DIV, INGOT__EL_MIN, INGOT__EL_MAX } ingot__element_op;
ingot__dim ingot__element_do(const ingot__infer *f, ingot__element_op op, ingot__dim a, ingot__dim b);

/* Whether input i is there and its number of elements is known: *n. Inputs of rank over 1 count as unknown. */
bool ingot__ints_count(const ingot__infer *f, size_t i, size_t *n);
/* Element k of input i, of any integer type; INGOT__DIM_UNKNOWN where not known. */
ingot__dim ingot__ints_get(const ingot__infer *f, size_t i, size_t k);
/* The same as a number; false where it is not one. */
bool ingot__ints_number(const ingot__infer *f, size_t i, size_t k, int64_t *number);
/* Reads input i, a vector of axes of a tensor of `rank`, into axis[] (0..rank-1, each once) and *n. *unknown = true where the elements are
 * not known. INGOT_E_NETWORK for axes out of range or given twice. */
ingot_status ingot__ints_axes(ingot__infer *f, size_t i, int rank, int axis[INGOT_MAX_RANK], int *n, bool *unknown);

/* Number of elements of an input that has known elements, if its dims are numbers and known is set: for known elements of outputs. */
bool ingot__known_count(const ingot__infer *f, size_t i, size_t *n);
/* Product of dims [from, to) of a type; INGOT__DIM_UNKNOWN where one is. INGOT__DIM_UNKNOWN on overflow, too. */
ingot__dim ingot__dims_product(const ingot__infer *f, const ingot__type *type, int from, int to);
/* Sets a type to rank -1 (unknown). */
void ingot__type_unknown(ingot__type *type, ingot_dtype dtype);
/* *type's dims are the elements of input i, a vector; it stays as it is where their number isn't known. INGOT_E_LIMIT, INGOT_E_SHAPE (below 0). */
ingot_status ingot__ints_shape(ingot__infer *f, size_t i, ingot__type *type);
/* One dim that two types must share: the better known of both; INGOT_E_SHAPE when they are different numbers. */
ingot_status ingot__dim_merge(ingot__infer *f, ingot__dim a, ingot__dim b, const char *what, ingot__dim *out);
#endif
