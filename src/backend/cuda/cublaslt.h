/* NVIDIA's cuBLASLt, opened when a kernel that calls it is first asked about, and products by it. The declarations are of its public binary
 * interface, of versions 12 and 13, as far as it is used. */
#ifndef INGOT_BACKEND_CUDA_CUBLASLT_H
#define INGOT_BACKEND_CUDA_CUBLASLT_H
#include "backend/cuda/driver.h"
#include "backend/cuda/kernel.h"

typedef struct cublaslt_context_ *cublaslt_handle;
typedef struct cublaslt_descriptor { uint64_t opaque[64]; } cublaslt_descriptor; /* of a product, a matrix, a preference */
typedef struct cublaslt_algorithm { uint64_t opaque[8]; } cublaslt_algorithm;    /* cublasLtMatmulAlgo_t */
typedef struct cublaslt_result {     /* cublasLtMatmulHeuristicResult_t */
  cublaslt_algorithm algorithm;
  size_t workspace;
  int status;
  float waves;
  int reserved[4];
} cublaslt_result;

enum { /* numbers out of the interface's enumerations */
  CUDA_R_32F = 0, CUDA_R_16F = 2, CUDA_R_16BF = 14, CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_32F_FAST_TF32 = 77, CUBLAS_OP_T = 1,
  CUBLAS_SUCCESS = 0, CUBLAS_ALLOC_FAILED = 3, CUBLAS_NOT_SUPPORTED = 15,
  CUBLASLT_DESC_TRANSA = 3, CUBLASLT_DESC_TRANSB = 4, CUBLASLT_DESC_EPILOGUE = 7, CUBLASLT_DESC_BIAS = 8,
  CUBLASLT_EPILOGUE_DEFAULT = 1, CUBLASLT_EPILOGUE_RELU = 2, CUBLASLT_EPILOGUE_BIAS = 4, CUBLASLT_EPILOGUE_GELU = 32,
  CUBLASLT_LAYOUT_BATCHES = 5, CUBLASLT_LAYOUT_BATCH_STRIDE = 6,
  CUBLASLT_PREFERENCE_WORKSPACE = 1, CUBLASLT_PREFERENCE_ALIGN_A = 5, CUBLASLT_PREFERENCE_ALIGN_B = 6, CUBLASLT_PREFERENCE_ALIGN_C = 7,
  CUBLASLT_PREFERENCE_ALIGN_D = 8,
};

extern const ingot__library ingot__cublaslt;

/* out (m x n) = act(alpha A (m x k) B (k x n) + bias + residual), rows one after the other, for each of the batches. Strides are in elements. */
enum { INGOT__CUBLASLT_OUTER = 6 };
typedef struct ingot__cublaslt_product {
  ingot_dtype dtype;                   /* of all */
  bool tf32;                           /* float32 may be rounded to TF32 */
  bool a_transposed, b_transposed;     /* A is kept as k rows of m, B as n rows of k */
  int64_t m, n, k;
  int64_t a_row, b_row, out_row, residual_row;
  int64_t batches, a_batch, b_batch, out_batch, residual_batch; /* by one call; and several calls: */
  int outer_rank;
  int64_t outer[INGOT__CUBLASLT_OUTER], a_outer[INGOT__CUBLASLT_OUTER], b_outer[INGOT__CUBLASLT_OUTER], out_outer[INGOT__CUBLASLT_OUTER],
      residual_outer[INGOT__CUBLASLT_OUTER];
  const void *a, *b, *bias, *residual; /* NULL when asking, too */
  void *out;
  bool has_bias, has_residual;         /* the bias: n of them */
  int act;                             /* NONE, RELU, or GELU_TANH: GELU is that in cuBLASLt */
  float alpha;
} ingot__cublaslt_product;

/* Bytes that the product's algorithm wants on the call's device (see ingot__cuda_hold), at most 32 MiB; SIZE_MAX: it has none. 0 when no device is
 * open. */
size_t ingot__cublaslt_workspace(const ingot__call *call, const ingot__cublaslt_product *product);
/* Puts it into the call's queue; works in the call's workspace. The algorithm is the library's first choice for the product (sizes, strides,
 * alignment) and what workspace there is, asked for once and remembered by the device. Errors name the library's function and the node. */
ingot_status ingot__cublaslt_run(const ingot__call *call, const ingot__cublaslt_product *product);
/* Frees what belongs to a device that is about to be closed. */
void ingot__cublaslt_leave(ingot__device *device);
#endif
