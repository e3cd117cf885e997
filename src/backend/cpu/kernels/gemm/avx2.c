/* Tiles for AVX2 with FMA: 6 pixels by 16 channels in 12 of 16 registers. */
#if defined(__x86_64__)
#include "backend/cpu/kernels/gemm/vectors_avx2.inc"
#define TILES ingot__tiles_avx2
#define TILES_ISA INGOT__ISA_AVX2
#define ROWS_1 6
#define ROWS_2 2
#define ROWS_4 0
#include "backend/cpu/kernels/gemm/tile.inc"
#else
#include "backend/cpu/kernels/gemm/tile.h"
const ingot__tiles ingot__tiles_avx2 = {.isa = INGOT__ISA_AVX2};
#endif
