/* What Loop and Scan share: values that go from one iteration to the next. */
#ifndef INGOT_OPS_CONTROL_H
#define INGOT_OPS_CONTROL_H
#include "ops/ops.h"

enum { INGOT__MAX_BODY = 128 }; /* inputs and outputs of a body */

size_t ingot__control_bytes(const ingot__view *v);
/* Output i takes a value that a subgraph made. */
ingot_status ingot__control_take(const ingot__call *call, size_t i, const ingot__view *from);
/* The body's outputs become the carried values, outputs 0..n-1. An output may be another carried value passed on, so none is overwritten while
 * it is still to be read. */
ingot_status ingot__control_carry(const ingot__call *call, size_t n, const ingot__view *from);
/* Infers the body's outputs from its inputs' types, of which those from `first` on, n of them, are carried: what changes from one iteration to
 * the next becomes unknown. Their outputs begin at `out_first`. */
ingot_status ingot__control_infer(ingot__infer *f, const ingot__graph *body, ingot__type *in, ingot__type *out, size_t first, size_t out_first,
                                  size_t n);
#endif
