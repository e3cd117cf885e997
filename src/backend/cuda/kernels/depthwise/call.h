/* Depthwise convolutions as their kernels see them. */
#ifndef INGOT_BACKEND_CUDA_DEPTHWISE_CALL_H
#define INGOT_BACKEND_CUDA_DEPTHWISE_CALL_H
#include "backend/cuda/kernel.h"
#include "ops/window.h"

typedef struct ingot__depthwise {
  ingot__window window;                /* of two dims */
  int64_t channels, padded, taps;
  size_t size;                         /* of an element */
} ingot__depthwise;

/* Whether the call is a depthwise convolution of one or two dims that can be had here. */
bool ingot__depthwise_read(const ingot__call *call, ingot__depthwise *d);
size_t ingot__depthwise_pack_size(const ingot__call *call);
void ingot__depthwise_pack(const ingot__call *call, void *packed);
#endif
