/* Einsum as loops: what its reference and its kernels share. */
#ifndef INGOT_OPS_EINSUM_H
#define INGOT_OPS_EINSUM_H
#include "ops/ops.h"

enum { INGOT__EINSUM_OPERANDS = 16, INGOT__EINSUM_LOOPS = 52 + INGOT_MAX_RANK };
typedef struct ingot__einsum_loops {
  int n;
  int64_t dim[INGOT__EINSUM_LOOPS], at[INGOT__EINSUM_LOOPS], stride[INGOT__EINSUM_OPERANDS][INGOT__EINSUM_LOOPS]; /* 0: the operand stays */
} ingot__einsum_loops;
/* A loop for each of the output's dims, in order; and at least one for what is summed over, dims of 1 left out. False: the equation is wrong. */
bool ingot__einsum_read(const ingot__call *call, ingot__einsum_loops *outer, ingot__einsum_loops *inner);
#endif
