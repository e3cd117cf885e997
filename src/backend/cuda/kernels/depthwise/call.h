/* Depthwise convolutions as their kernels see them. */
#ifndef INGOT_BACKEND_CUDA_DEPTHWISE_CALL_H
#define INGOT_BACKEND_CUDA_DEPTHWISE_CALL_H
#include "backend/cuda/kernel.h"
#include "ops/window.h"

typedef struct ingot__cuda_dw {
  ingot__window window;                /* of two dims */
  int64_t channels, padded, taps;
  size_t size;                         /* of an element */
} ingot__cuda_dw;

/* Whether the call is a depthwise convolution of one or two dims that can be had here. */
bool ingot__cuda_dw_read(const ingot__call *call, ingot__cuda_dw *d);
size_t ingot__cuda_dw_pack_size(const ingot__call *call);
void ingot__cuda_dw_pack(const ingot__call *call, void *packed);
#endif
