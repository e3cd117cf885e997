/* Tiles for AVX-512: 14 pixels by 32 channels in 28 of 32 registers, 6 by 64 in 24. */
#if defined(__x86_64__)
#include <immintrin.h>
#define VEC __m512
#define LANES 16
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps((p), (v))
#define SET1(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps((a), (b), (c))
#define MIN(a, b) _mm512_min_ps((a), (b))
#define MAX(a, b) _mm512_max_ps((a), (b))
#define LOAD_PART(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), (p))
#define STORE_PART(p, n, v) _mm512_mask_storeu_ps((p), (__mmask16)((1u << (n)) - 1), (v))
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
