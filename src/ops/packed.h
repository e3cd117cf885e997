/* Elements of less than a byte for operators that know whole bytes only: unpacked to a byte each around the reference. */
#ifndef INGOT_OPS_PACKED_H
#define INGOT_OPS_PACKED_H
#include "ops/ops.h"

/* Workspace that ingot__packed_run needs before that of the reference itself, a multiple of 64; 0 when the call has no packed tensors or its
 * operator takes them as they are; SIZE_MAX: too large. */
size_t ingot__packed_workspace(const ingot__call *call);
/* Runs the reference on bytes: int4 and int2 as int8, the other packed types as uint8 that hold their bits. */
ingot_status ingot__packed_run(const ingot__call *call, size_t workspace, ingot__reference_fn reference);
#endif
