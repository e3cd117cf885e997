/* Winograd's transforms for avx2. */
#if defined(__x86_64__)
#include "backend/cpu/kernels/gemm/vectors_avx2.inc"
#define WINOGRAD ingot__winograd_avx2
#define TILES ingot__tiles_avx2
#include "backend/cpu/kernels/winograd/transform.inc"
#else
#include "backend/cpu/kernels/winograd/winograd.h"
const ingot__winograd ingot__winograd_avx2 = {.tiles = &ingot__tiles_avx2};
#endif
