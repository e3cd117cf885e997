/* Winograd's transforms for avx512. */
#if defined(__x86_64__)
#include "backend/cpu/kernels/gemm/vectors_avx512.inc"
#define WINOGRAD ingot__winograd_avx512
#define TILES ingot__tiles_avx512
#include "backend/cpu/kernels/winograd/transform.inc"
#else
#include "backend/cpu/kernels/winograd/winograd.h"
const ingot__winograd ingot__winograd_avx512 = {.tiles = &ingot__tiles_avx512};
#endif
