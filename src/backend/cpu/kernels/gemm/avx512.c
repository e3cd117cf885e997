/* Tiles for AVX-512: 14 pixels by 32 channels in 28 of 32 registers, 6 by 64 in 24. */
#if defined(__x86_64__)
#include "backend/cpu/kernels/gemm/vectors_avx512.inc"
#define TILES ingot__tiles_avx512
#define TILES_ISA INGOT__ISA_AVX512
#define ROWS_1 14
#define ROWS_2 14
#define ROWS_4 6
#include "backend/cpu/kernels/gemm/tile.inc"
#else
#include "backend/cpu/kernels/gemm/tile.h"
const ingot__tiles ingot__tiles_avx512 = {.isa = INGOT__ISA_AVX512};
#endif
