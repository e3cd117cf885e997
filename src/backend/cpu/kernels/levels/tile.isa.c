/* The register tile of 8-bit convolutions: some pixels times one or two panels of 16 output channels, sums in registers. */
#include "backend/cpu/kernels/levels/levels.h"
#include "backend/cpu/kernels/levels/quads.inc"
#include "backend/cpu/kernels/template.h"

#define PV (INGOT__LEVELS_PANEL / LANES) /* vectors of a panel */
#if defined(__AVX512BW__)
enum { ROWS_1 = 14, ROWS_2 = 14 };
#else
enum { ROWS_1 = 4, ROWS_2 = 0 };
#endif

LANES_INLINE void store(uint8_t *to, ivec levels, size_t n) {
#if defined(__AVX512BW__)
  if (n >= 16) _mm_storeu_si128((__m128i *)(void *)to, _mm512_cvtepi32_epi8((__m512i)levels));
  else _mm512_mask_cvtepi32_storeu_epi8(to, (__mmask16)((1u << n) - 1), (__m512i)levels);
#else
  for (size_t i = 0; i < LANES; i++)
    if (i < n) to[i] = (uint8_t)levels[i];
#endif
}

LANES_INLINE ivec broadcast(const uint8_t *p) {
  int32_t x;
  memcpy(&x, p, sizeof x);
  return ivec_set(x);
}

/* Five rows share a base pointer (see gemm/tile.inc). */
LANES_INLINE const uint8_t *row(const uint8_t *p0, const uint8_t *p1, const uint8_t *p2, size_t stride, size_t stride3, const int r) {
  const uint8_t *p = r < 5 ? p0 : r < 10 ? p1 : p2;
  switch (r % 5) {
    case 0: return p;
    case 1: return p + stride;
    case 2: return p + 2 * stride;
    case 3: return p + stride3;
    default: return p + 4 * stride;
  }
}

LANES_INLINE void compute(const ingot__levels_tile *t, const int R, const int P, const bool with_vnni) {
  const int V = P * PV;
  ivec sum[INGOT__LEVELS_MAX_ROWS][INGOT__LEVELS_MAX_PANELS * PV];
  UNROLL for (int r = 0; r < R; r++)
    UNROLL for (int v = 0; v < V; v++) sum[r][v] = ivec_load(t->bias + v * LANES);
  const size_t stride = t->a_stride, stride3 = 3 * stride, panel = t->b_stride;
  const int8_t *b = t->b;
  for (size_t i = 0; i < t->runs; i++) {
    const uint8_t *p0 = t->a[i], *p1 = p0 + (R > 5 ? 5 * stride : 0), *p2 = p0 + (R > 10 ? 10 * stride : 0);
    for (size_t k = t->quads; k > 0; k--) {
      __asm__("" : "+r"(p0), "+r"(p1), "+r"(p2), "+r"(b)); /* or compilers make a pointer of each row */
      ivec w[INGOT__LEVELS_MAX_PANELS * PV], odd[INGOT__LEVELS_MAX_PANELS * PV];
      UNROLL for (int v = 0; v < V; v++) {
        w[v] = ivec_load(b + (size_t)(v / PV) * panel + (size_t)(v % PV) * sizeof(ivec));
        if (!with_vnni) odd[v] = odd_signed(w[v]), w[v] = even_signed(w[v]);
      }
      UNROLL for (int r = 0; r < R; r++) {
        const ivec x = broadcast(row(p0, p1, p2, stride, stride3, r));
        UNROLL for (int v = 0; v < V; v++) {
          if (with_vnni) sum[r][v] = vnni(sum[r][v], x, w[v]);
          else sum[r][v] += pairs(even_unsigned(x), w[v]) + pairs(odd_unsigned(x), odd[v]);
        }
      }
      p0 += INGOT__QUAD, p1 += INGOT__QUAD, p2 += INGOT__QUAD, b += INGOT__LEVELS_PANEL * INGOT__QUAD;
    }
  }
  const vec low = vec_set(t->finish.low), high = vec_set(t->finish.high);
  const ivec shift = ivec_set(0x4b400000 - t->finish.zero);
  uint8_t *c = t->c;
  UNROLL for (int v = 0; v < V; v++) {
    const vec scale = vec_load(t->scale + v * LANES);
    const size_t at = (size_t)v * LANES, n = t->channels > at ? t->channels - at : 0;
    UNROLL for (int r = 0; r < R; r++) store(c + (size_t)r * t->c_stride + at, to_levels(sum[r][v], scale, low, high, shift), n < LANES ? n : LANES);
  }
}

#define FN(v, p, r) static void fn_##v##_##p##_##r(const ingot__levels_tile *t) { compute(t, r, p, v); }
#define FN_4(v, p) FN(v, p, 1) FN(v, p, 2) FN(v, p, 3) FN(v, p, 4)
#define FN_14(v, p) FN_4(v, p) FN(v, p, 5) FN(v, p, 6) FN(v, p, 7) FN(v, p, 8) FN(v, p, 9) FN(v, p, 10) \
  FN(v, p, 11) FN(v, p, 12) FN(v, p, 13) FN(v, p, 14)
#define LIST_4(v, p) NULL, fn_##v##_##p##_1, fn_##v##_##p##_2, fn_##v##_##p##_3, fn_##v##_##p##_4
#define LIST_14(v, p) LIST_4(v, p), fn_##v##_##p##_5, fn_##v##_##p##_6, fn_##v##_##p##_7, fn_##v##_##p##_8, fn_##v##_##p##_9, fn_##v##_##p##_10, \
                      fn_##v##_##p##_11, fn_##v##_##p##_12, fn_##v##_##p##_13, fn_##v##_##p##_14
#define TILES INGOT__ISA_FUNCTION(levels_tiles)
#if defined(__AVX512BW__)
FN_14(0, 1)
FN_14(0, 2)
FN_14(1, 1)
FN_14(1, 2)
const ingot__levels_tiles TILES = {INGOT__ISA_AVX512, {0, ROWS_1, ROWS_2},
                                   {{{NULL}, {LIST_14(0, 1)}, {LIST_14(0, 2)}}, {{NULL}, {LIST_14(1, 1)}, {LIST_14(1, 2)}}}};
#else
FN_4(0, 1)
#if defined(__AVX2__)
#define LEVEL INGOT__ISA_AVX2
#else
#define LEVEL INGOT__ISA_PORTABLE
#endif
const ingot__levels_tiles TILES = {LEVEL, {0, ROWS_1, ROWS_2}, {{{NULL}, {LIST_4(0, 1)}, {NULL}}, {{NULL}, {NULL}, {NULL}}}};
#endif
