/* What a MatMul node multiplies, for the kernels of products: sizes and strides, with the batches that can be rows made rows. */
#ifndef INGOT_KERNELS_GEMM_MATMUL_H
#define INGOT_KERNELS_GEMM_MATMUL_H
#include "backend/cpu/kernel.h"

enum { INGOT__MATMUL_BATCH = INGOT_MAX_RANK };
typedef struct ingot__matmul {
  size_t m, n, k;
  size_t a_m, a_k, b_k, b_n, c_m, r_m;                                   /* strides in elements; c's columns are neighbours */
  size_t batches, rank, batch[INGOT__MATMUL_BATCH];                      /* in all, and by axis, outermost first */
  size_t a_b[INGOT__MATMUL_BATCH], b_b[INGOT__MATMUL_BATCH], c_b[INGOT__MATMUL_BATCH], r_b[INGOT__MATMUL_BATCH]; /* by axis; 0: broadcast */
  bool bias, residual;
} ingot__matmul;
typedef struct ingot__matmul_at { size_t a, b, c, r; } ingot__matmul_at; /* where a batch element's matrices begin, in elements */

/* False: not a product of plain matrices of that type (constant: by one constant matrix) that kernels take. */
bool ingot__matmul_get(const ingot__call *call, ingot_dtype type, bool constant, ingot__matmul *d);
ingot__matmul_at ingot__matmul_place(const ingot__matmul *d, size_t batch);
#endif
