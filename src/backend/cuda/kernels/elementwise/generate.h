/* From an elementwise node, or the body of a Fused node, to CUDA code: a function `apply` from one element of each input to one of each
 * output. Expressions are those of ops.def's rows, as text; functions.cuh has what they call. */
#ifndef INGOT_BACKEND_CUDA_KERNELS_ELEMENTWISE_GENERATE_H
#define INGOT_BACKEND_CUDA_KERNELS_ELEMENTWISE_GENERATE_H
#include "backend/cuda/kernel.h"

enum { ELEMENTWISE_MOST_IN = 10, ELEMENTWISE_MOST_OUT = 4 };

typedef struct elementwise_operands {
  int n_in, n_out;
  uint8_t in[ELEMENTWISE_MOST_IN];     /* the call's inputs that are read, by number */
  int8_t in_axis[ELEMENTWISE_MOST_IN]; /* the axis that a vector lies along; -1: broadcast as NumPy does */
  uint8_t out[ELEMENTWISE_MOST_OUT];   /* the call's outputs that are wanted */
  int nodes;                           /* how much there is to compute for an element, roughly */
} elementwise_operands;

/* False when the call is none that can be generated. text: NULL, or where the code goes. */
bool ingot__elementwise_generate(const ingot__call *call, elementwise_operands *operands, ingot__text *text);
/* The type that elements of `dtype` have in device memory, as the code spells it; NULL where it has none. */
const char *ingot__elementwise_type(ingot_dtype dtype);
#endif
