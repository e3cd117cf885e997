/* The CUDA sources of kernels/, put into the library by cmake/IngotCuda.cmake. */
#ifndef INGOT_BACKEND_CUDA_SOURCES_H
#define INGOT_BACKEND_CUDA_SOURCES_H
#include <stddef.h>

typedef struct ingot__cuda_source { const char *name, *text; } ingot__cuda_source; /* name: below kernels/, "product/wgmma.cu" */
extern const ingot__cuda_source ingot__cuda_sources[];
extern const size_t ingot__cuda_n_source;
#endif
