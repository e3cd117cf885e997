/* Single elements of products, from the definition. */
#ifndef INGOT_COMPILE_ELEMENT_H
#define INGOT_COMPILE_ELEMENT_H
#include "ops/ops.h"
/* Whether ingot__element knows the call's operator. */
bool ingot__element_known(const ingot__call *call);
/* The element of out[0] at `at`, computed in double from the inputs, which may be strided; constants come as the network holds them. *size: what the
 * magnitudes of the terms come to, of sums of real numbers, whose rounding errors are parts of it. */
double ingot__element(const ingot__call *call, const int64_t *at, double *size);
/* The element of a view of real numbers. */
float ingot__element_at(const ingot__view *view, const int64_t *at);
#endif
