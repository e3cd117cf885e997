/* Arithmetic on the known elements of integer and bool tensors: exporters compute shapes with these. */
#ifndef INGOT_OPS_KNOWN_H
#define INGOT_OPS_KNOWN_H
#include "ops/ints.h"

/* Sets out_known[0] of an elementwise node (also Mod, Where) of n inputs, all known, if it is one of those that shapes are computed with.
 * out[0]'s dims must be set. */
void ingot__known_fold(ingot__infer *infer, int n);
#endif
