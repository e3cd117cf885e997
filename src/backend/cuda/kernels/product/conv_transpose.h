/* A transposed convolution's weights as "classes" has them, for the kernels that take this form: see conv_transpose.c. */
#ifndef INGOT_BACKEND_CUDA_PRODUCT_CONV_TRANSPOSE_H
#define INGOT_BACKEND_CUDA_PRODUCT_CONV_TRANSPOSE_H
#include "backend/cuda/kernel.h"
size_t ingot__conv_transpose_pack_size(const ingot__call *call);
void ingot__conv_transpose_pack(const ingot__call *call, void *packed);
#endif
