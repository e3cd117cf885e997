/* Tiles for AVX2 with FMA: 6 pixels by 16 channels in 12 of 16 registers. */
#if defined(__x86_64__)
#include <immintrin.h>
#define VEC __m256
#define LANES 8
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps((p), (v))
#define SET1(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define MIN(a, b) _mm256_min_ps((a), (b))
#define MAX(a, b) _mm256_max_ps((a), (b))
#define MASK(n) _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define LOAD_PART(p, n) _mm256_maskload_ps((p), MASK(n))
#define STORE_PART(p, n, v) _mm256_maskstore_ps((p), MASK(n), (v))
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
