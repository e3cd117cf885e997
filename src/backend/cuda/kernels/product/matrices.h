/* A MatMul in numbers: what kernels of matrix products read out of a call. */
#ifndef INGOT_BACKEND_CUDA_PRODUCT_MATRICES_H
#define INGOT_BACKEND_CUDA_PRODUCT_MATRICES_H
#include "backend/cuda/kernels/product/launch.h"

typedef struct ingot__matrices {
  int64_t m, n, k;
  bool a_strided, b_strided;   /* not k, but m or n lies side by side in memory */
  bool packed;                 /* B is constant, and packed: for each of its batches and columns its k, filled up to 16 bytes */
  int64_t padded;              /* k's of a packed column */
  int64_t b_batches;           /* of a packed B */
  ingot__product product;
} ingot__matrices;

/* Whether a call is a MatMul of one of float16, bfloat16 and float32. */
bool ingot__matrices_take(const ingot__call *call);
/* All but the batches; data needn't be there. */
void ingot__matrices_shape(const ingot__call *call, ingot__matrices *d);
ingot_status ingot__matrices_prepare(const ingot__call *call, ingot__matrices *d);
size_t ingot__matrices_pack_size(const ingot__call *call);
void ingot__matrices_pack(const ingot__call *call, void *packed);
void ingot__matrices_pack_tf32(const ingot__call *call, void *packed);
#endif
