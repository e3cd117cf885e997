/* Weights of convolutions and matrices, packed for product/mma.cu: for each group and output channel (each column) its k side by side. */
#ifndef INGOT_BACKEND_CUDA_PRODUCT_WEIGHTS_H
#define INGOT_BACKEND_CUDA_PRODUCT_WEIGHTS_H
#include "backend/cuda/kernels/product/launch.h"

/* One element of T at index `i` of both, or 0 for from < 0; rounded to tf32 if asked. */
static inline void ingot__put_weight(void *to, int64_t i, const void *data, int64_t from, size_t size, bool tf32) {
  char *at = (char *)to + i * (int64_t)size;
  if (from < 0) memset(at, 0, size);
  else memcpy(at, (const char *)data + from * (int64_t)size, size);
  if (tf32 && from >= 0) {
    float x;
    memcpy(&x, at, 4);
    x = ingot__tf32(x);
    memcpy(at, &x, 4);
  }
}
#endif
