/* What attention needs of an instruction set beyond the register tiles. */
#ifndef INGOT_KERNELS_ATTENTION_H
#define INGOT_KERNELS_ATTENTION_H
#include "backend/cpu/kernels/gemm/tile.h"

typedef struct ingot__attention {
  const ingot__tiles *tiles;
  /* Softmax in place of `rows` rows of n floats, `stride` apart. */
  void (*softmax)(float *x, size_t stride, size_t rows, size_t n);
} ingot__attention;
extern const ingot__attention ingot__attention_avx512, ingot__attention_avx2, ingot__attention_portable;
#endif
