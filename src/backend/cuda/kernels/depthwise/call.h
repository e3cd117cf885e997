/* Depthwise convolutions as their kernels see them. */
#ifndef INGOT_BACKEND_CUDA_DEPTHWISE_CALL_H
#define INGOT_BACKEND_CUDA_DEPTHWISE_CALL_H
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/depthwise/tensors.h"
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
/* The call's tensors; images that are too large for 32-bit places are an error. */
ingot_status ingot__cuda_dw_tensors(const ingot__call *call, const ingot__cuda_dw *d, depthwise_tensors *t);
/* Whether `bytes` of channels can be loaded and stored at once: of input and output; of the residual, true where there is none. */
bool ingot__cuda_dw_aligned(const depthwise_tensors *t, const ingot__cuda_dw *d, size_t bytes);
bool ingot__cuda_dw_residual_aligned(const depthwise_tensors *t, const ingot__cuda_dw *d, size_t bytes);
/* Puts a kernel of 128 threads a block into the queue, of which each image wants `image_threads`, so many images at a time as its numbers allow.
 * t and threads are in params, and set for each launch, of at most `most` images. Lines too long for 32-bit places are an error. */
ingot_status ingot__cuda_dw_launch(const ingot__call *call, const ingot__cuda_dw *d, const char *entry, depthwise_tensors *t, uint32_t *threads,
                                   int64_t image_threads, int64_t most, const void *params, size_t size);
/* The same for kernels of depthwise_strips_params: a thread has `wide` channels of `strip` outputs side by side and of at most so many rows, as
 * many as leave every multiprocessor 1,000 threads. `narrow`: the entry where its channels can't be loaded at once. */
ingot_status ingot__cuda_dw_run_strips(const ingot__call *call, const ingot__cuda_dw *d, int wide, int strip, int64_t rows, const char *entry,
                                       const char *narrow);
double ingot__cuda_dw_strips_cost(const ingot__call *call);
/* Whether it is for columns (depthwise/columns.c). */
bool ingot__cuda_dw_suits_columns(const ingot__cuda_dw *d);
/* The tensors from image `first` on. */
depthwise_tensors ingot__cuda_dw_from(const depthwise_tensors *t, const ingot__cuda_dw *d, int64_t first);
#endif
