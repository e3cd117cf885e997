/* What passes share: asking about constants, making them, putting new nodes in old ones' place. */
#ifndef INGOT_PASSES_REWRITE_H
#define INGOT_PASSES_REWRITE_H
#include "passes/passes.h"

/* The only element of a float constant of one element (or of one value repeated). */
bool ingot__constant_scalar(const ingot__value *v, float *x);
/* A constant's elements as integers; false when it is none or has more than max. */
bool ingot__constant_ints(const ingot__value *v, int64_t *x, size_t max, size_t *n);
/* A new float32 (int64) constant with room for its elements, in v's graph; *data is to be filled. NULL: no memory. */
ingot__value *ingot__constant_floats(ingot__graph *graph, const char *name, int rank, const int64_t *dims, float **data);
ingot__value *ingot__constant_int64s(ingot__graph *graph, const char *name, const int64_t *x, size_t n);
/* Types of a new node's outputs, and the origin of the node it stands for. */
ingot_status ingot__rewrite_finish(ingot__node *made, const ingot__node *for_node, ingot__diag *diag);
/* Puts `now` for the only output of `old` and removes it. `now` takes its name, for it is that tensor from now on: values of the same name
 * are equal in the network as given and in the optimised one, which is how `ingot compare --layers` finds where they part. */
ingot_status ingot__rewrite_replace(ingot__node *old, ingot__value *now, ingot__diag *diag);
/* Float32, and dims that are all numbers. */
bool ingot__is_float32(const ingot__value *v);
#endif
