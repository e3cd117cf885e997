/* Depthwise convolution of 8-bit levels. Four rows of the window, a vector of channels each, are interleaved to quads (a column of four taps
 * for each channel), which one instruction multiplies and adds. A column serves all outputs of the tile that it lies under.
 *
 * Interleaving works within each 16 bytes, so sums stand in the order of `place` below; weights, bias and factors are packed in that order,
 * and the way back to bytes restores the channels' own.
 *
 * columns64, the packed form: [block of 64 channels][kx][ceil(kh/4)][4][64] int8, then [block][4][16] int32 of bias and as many floats of
 * factors. */
#include "backend/cpu/kernels/levels/levels.h"
#include "backend/cpu/kernels/levels/quads.inc"
#include "backend/cpu/kernels/template.h"

enum { BLOCK = 64, BYTES = LANES * 4, MAX_SIDE = 12, WIDE = LANES == 16 ? 4 : 2 }; /* WIDE: outputs of a tile */
typedef uint8_t bytes __attribute__((vector_size(BYTES)));
typedef uint8_t bytes_unaligned __attribute__((vector_size(BYTES), aligned(1), may_alias));

/* Where channel c of a block stands: vector q, lane 4 L + i for c = 16 L + 4 q + i. */
static size_t place(size_t c) { return c % 16 / 4 * 16 + c / 16 * 4 + c % 4; }

typedef struct job {
  ingot__conv conv;
  ingot__levels_finish finish;
  size_t columns;             /* quads in a column: ceil(kh / 4) */
  size_t blocks;
  const uint8_t *in, *outside;/* outside: a row of the zero point */
  uint8_t *out;
  const int8_t *weights;
  const int32_t *bias;
  const float *scale;
} job;

/* A tile's input: the window's first byte, or at the border each pixel's. */
typedef struct spot { const uint8_t *base, *table[MAX_SIDE][MAX_SIDE]; } spot;

LANES_INLINE bytes load(const uint8_t *p, size_t n) {
  if (n >= BYTES) return *(const bytes_unaligned *)(const void *)p;
#if defined(__AVX512BW__)
  return (bytes)_mm512_maskz_loadu_epi8((__mmask64)((UINT64_C(1) << n) - 1), p);
#else
  bytes v = {0};
  memcpy(&v, p, n);
  return v;
#endif
}

#if defined(__AVX512BW__)
LANES_INLINE bytes low8(bytes a, bytes b) { return (bytes)_mm512_unpacklo_epi8((__m512i)a, (__m512i)b); }
LANES_INLINE bytes high8(bytes a, bytes b) { return (bytes)_mm512_unpackhi_epi8((__m512i)a, (__m512i)b); }
LANES_INLINE ivec low16(bytes a, bytes b) { return (ivec)_mm512_unpacklo_epi16((__m512i)a, (__m512i)b); }
LANES_INLINE ivec high16(bytes a, bytes b) { return (ivec)_mm512_unpackhi_epi16((__m512i)a, (__m512i)b); }
LANES_INLINE bytes narrow(ivec a, ivec b, ivec c, ivec d) {
  return (bytes)_mm512_packus_epi16(_mm512_packs_epi32((__m512i)a, (__m512i)b), _mm512_packs_epi32((__m512i)c, (__m512i)d));
}
#elif defined(__AVX2__)
LANES_INLINE bytes low8(bytes a, bytes b) { return (bytes)_mm256_unpacklo_epi8((__m256i)a, (__m256i)b); }
LANES_INLINE bytes high8(bytes a, bytes b) { return (bytes)_mm256_unpackhi_epi8((__m256i)a, (__m256i)b); }
LANES_INLINE ivec low16(bytes a, bytes b) { return (ivec)_mm256_unpacklo_epi16((__m256i)a, (__m256i)b); }
LANES_INLINE ivec high16(bytes a, bytes b) { return (ivec)_mm256_unpackhi_epi16((__m256i)a, (__m256i)b); }
LANES_INLINE bytes narrow(ivec a, ivec b, ivec c, ivec d) {
  return (bytes)_mm256_packus_epi16(_mm256_packs_epi32((__m256i)a, (__m256i)b), _mm256_packs_epi32((__m256i)c, (__m256i)d));
}
#else
LANES_INLINE bytes low8(bytes a, bytes b) { return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23); }
LANES_INLINE bytes high8(bytes a, bytes b) { return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31); }
LANES_INLINE ivec low16(bytes a, bytes b) {
  return (ivec)__builtin_shufflevector(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}
LANES_INLINE ivec high16(bytes a, bytes b) {
  return (ivec)__builtin_shufflevector(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}
LANES_INLINE bytes narrow(ivec a, ivec b, ivec c, ivec d) {
  bytes ab = __builtin_shufflevector((bytes)a, (bytes)b, 0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0);
  bytes cd = __builtin_shufflevector((bytes)c, (bytes)d, 0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0);
  return __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}
#endif

LANES_INLINE void store(uint8_t *p, size_t n, bytes v) {
  if (n >= BYTES) *(bytes_unaligned *)(void *)p = v;
#if defined(__AVX512BW__)
  else _mm512_mask_storeu_epi8(p, (__mmask64)((UINT64_C(1) << n) - 1), (__m512i)v);
#else
  else memcpy(p, &v, n);
#endif
}

LANES_INLINE ivec multiply(ivec sum, ivec x, ivec w, const bool with_vnni) {
  if (with_vnni) return vnni(sum, x, w);
  return sum + pairs(even_unsigned(x), even_signed(w)) + pairs(odd_unsigned(x), odd_signed(w));
}

/* T outputs of n channels from channel c on, the h-th vector of its block. */
LANES_INLINE void tile(const job *j, const spot *s, uint8_t *out, const int KH, const int KW, const int S, const int T, const bool inside,
                       const bool with_vnni, size_t c, size_t n) {
  const size_t block = c / BLOCK, half = c % BLOCK / BYTES, columns = ((size_t)KH + 3) / 4;
  const int8_t *w = j->weights + block * columns * (size_t)KW * 4 * BLOCK + half * BYTES;
  const size_t at = block * BLOCK + half * LANES;
  const size_t ys = j->conv.in_y, xs = j->conv.in_x;
  ivec sum[WIDE][4];
  UNROLL for (int t = 0; t < T; t++)
    UNROLL for (int q = 0; q < 4; q++) sum[t][q] = ivec_load(j->bias + at + (size_t)q * 16);
  UNROLL for (int x = 0; x < (T - 1) * S + KW; x++)
    UNROLL for (int g = 0; g < KH; g += 4) {
      bytes r[4];
      UNROLL for (int i = 0; i < 4; i++)
        r[i] = g + i < KH ? load((inside ? s->base + (size_t)(g + i) * ys + (size_t)x * xs : s->table[g + i][x]) + c, n) : (bytes){0};
      bytes a = low8(r[0], r[1]), b = high8(r[0], r[1]), d = low8(r[2], r[3]), e = high8(r[2], r[3]);
      ivec column[4] = {low16(a, d), high16(a, d), low16(b, e), high16(b, e)};
      UNROLL for (int t = 0; t < T; t++) {
        const int kx = x - t * S;
        if (kx < 0 || kx >= KW) continue;
        const int8_t *v = w + ((size_t)kx * columns + (size_t)g / 4) * 4 * BLOCK;
        UNROLL for (int q = 0; q < 4; q++) sum[t][q] = multiply(sum[t][q], column[q], ivec_load(v + q * BLOCK), with_vnni);
      }
    }
  const vec low = vec_set(j->finish.low), high = vec_set(j->finish.high);
  const ivec shift = ivec_set(0x4b400000 - j->finish.zero);
  UNROLL for (int t = 0; t < T; t++) {
    ivec v[4];
    UNROLL for (int q = 0; q < 4; q++) v[q] = to_levels(sum[t][q], vec_load(j->scale + at + (size_t)q * 16), low, high, shift);
    store(out + (size_t)t * j->conv.out_x + c, n, narrow(v[0], v[1], v[2], v[3]));
  }
}

typedef void tile_fn(const job *j, const spot *s, uint8_t *out, bool inside);
#define CHANNELS(KH, KW, S, T, inside, with_vnni)                                                            \
  for (; c + BYTES <= channels; c += BYTES) tile(j, s, out, KH, KW, S, T, inside, with_vnni, c, BYTES);       \
  if (c < channels) tile(j, s, out, KH, KW, S, T, inside, with_vnni, c, channels - c);
#define TILE_FN(name, KH, KW, S, T, with_vnni)                                                               \
  static void name(const job *j, const spot *s, uint8_t *out, bool inside) {                                 \
    const size_t channels = j->conv.groups;                                                                  \
    size_t c = 0;                                                                                            \
    if (inside) { CHANNELS(KH, KW, S, T, true, with_vnni) }                                                  \
    else { CHANNELS(KH, KW, S, T, false, with_vnni) }                                                        \
  }
#define ALL_FNS(v)                                                                                           \
  TILE_FN(tile_3_1_##v, 3, 3, 1, WIDE, v)                                                                    \
  TILE_FN(tile_3_2_##v, 3, 3, 2, WIDE, v)                                                                    \
  TILE_FN(tile_5_1_##v, 5, 5, 1, WIDE, v)                                                                    \
  TILE_FN(tile_5_2_##v, 5, 5, 2, WIDE, v)                                                                    \
  TILE_FN(tile_any_##v, (int)j->conv.kh, (int)j->conv.kw, 1, 1, v)
ALL_FNS(0)
#if defined(__AVX512BW__)
ALL_FNS(1)
#else

#define tile_3_1_1 tile_3_1_0
#define tile_3_2_1 tile_3_2_0
#define tile_5_1_1 tile_5_1_0
#define tile_5_2_1 tile_5_2_0
#define tile_any_1 tile_any_0
#endif

/* The tile of several outputs, or NULL. */
static tile_fn *wide_tile(const ingot__conv *v, bool with_vnni) {
  if (v->kh != v->kw || v->sh != v->sw || v->dh != 1 || v->dw != 1 || v->ow < WIDE || v->sw > 2) return NULL;
  if (v->kh == 3) return v->sw == 1 ? (with_vnni ? tile_3_1_1 : tile_3_1_0) : with_vnni ? tile_3_2_1 : tile_3_2_0;
  if (v->kh == 5) return v->sw == 1 ? (with_vnni ? tile_5_1_1 : tile_5_1_0) : with_vnni ? tile_5_2_1 : tile_5_2_0;
  return NULL;
}

static void run_row(const job *j, size_t n, size_t oy, tile_fn *fn, int wide) {
  const ingot__conv *v = &j->conv;
  const int64_t y = (int64_t)oy * v->sh - v->ph;
  const int width = (wide - 1) * (int)v->sw + (int)v->kw; /* pixels under the tile; of one output with dilation, its taps */
  const uint8_t *image = j->in + n * v->in_n;
  for (size_t ox = 0; ox < v->ow; ox += (size_t)wide) {
    if (ox + (size_t)wide > v->ow) ox = v->ow - (size_t)wide;
    const int64_t x = (int64_t)ox * v->sw - v->pw;
    spot s = {.base = image};
    bool inside = v->dh == 1 && v->dw == 1 && y >= 0 && x >= 0 && y + (int64_t)v->kh <= (int64_t)v->h && x + width <= (int64_t)v->w;
    if (inside) s.base = image + (size_t)y * v->in_y + (size_t)x * v->in_x;
    for (size_t ky = 0; !inside && ky < v->kh; ky++)
      for (int kx = 0; kx < width; kx++) {
        const int64_t iy = y + (int64_t)ky * v->dh, ix = x + kx * v->dw;
        const bool in = iy >= 0 && iy < (int64_t)v->h && ix >= 0 && ix < (int64_t)v->w;
        s.table[ky][kx] = in ? image + (size_t)iy * v->in_y + (size_t)ix * v->in_x : j->outside;
      }
    fn(j, &s, j->out + n * v->out_n + oy * v->out_y + ox * v->out_x, inside);
  }
}

static void work(void *arg, int thread, int threads) {
  const job *j = arg;
  const ingot__conv *v = &j->conv;
  const bool with_vnni = HAS_VNNI && ingot__levels_vnni(INGOT__ISA_AVX512);
  tile_fn *fn = wide_tile(v, with_vnni), *one = with_vnni ? tile_any_1 : tile_any_0;
  size_t first, last;
  ingot__share(v->n * v->oh, 1, thread, threads, &first, &last);
  for (size_t u = first; u < last; u++) run_row(j, u / v->oh, u % v->oh, fn ? fn : one, fn ? WIDE : 1);
}

static bool get(const ingot__call *call, job *j) {
  *j = (job){0};
  ingot__conv *v = &j->conv;
  if (!ingot__conv_get_levels(call, v) || v->c != 1 || v->oc != 1 || v->groups < 2 || v->kh >= MAX_SIDE || v->kw >= MAX_SIDE) return false;
  j->columns = (v->kh + 3) / 4;
  j->blocks = (v->groups + BLOCK - 1) / BLOCK;
  return true;
}

static bool supports(const ingot__call *call) {
  job j;
  return get(call, &j);
}

static size_t pack_size(const ingot__call *call) {
  job j;
  size_t n;
  if (!get(call, &j)) return 0;
  return ingot__mul(j.blocks * BLOCK, j.columns * j.conv.kw * 4 + sizeof(int32_t) + sizeof(float), &n) ? n : SIZE_MAX;
}

static void pack(const ingot__call *call, void *packed) {
  job j;
  if (!get(call, &j)) return;
  const ingot__conv *v = &j.conv;
  const int8_t *w = call->in[1].data;
  const size_t taps = v->kh * v->kw, vectors = j.columns * v->kw * 4;
  int8_t *to = packed;
  int32_t *bias = (int32_t *)(void *)(to + j.blocks * vectors * BLOCK);
  float *scale = (float *)(void *)(bias + j.blocks * BLOCK);
  memset(packed, 0, pack_size(call));
  for (size_t m = 0; m < v->groups; m++) {
    const size_t block = m / BLOCK, at = place(m % BLOCK);
    bias[block * BLOCK + at] = ingot__levels_bias(call, m, taps);
    scale[block * BLOCK + at] = ingot__levels_scale(call, m);
    for (size_t ky = 0; ky < v->kh; ky++)
      for (size_t kx = 0; kx < v->kw; kx++)
        to[block * vectors * BLOCK + (kx * j.columns + ky / 4) * 4 * BLOCK + at * 4 + ky % 4] = w[m * taps + ky * v->kw + kx];
  }
}

static size_t workspace(const ingot__call *call) {
  job j;
  return get(call, &j) ? ingot__align(j.conv.groups, 64) : 0;
}

static ingot_status run(const ingot__call *call) {
  job j;
  if (!get(call, &j)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "not a depthwise convolution of levels");
  const ingot__conv *v = &j.conv;
  j.finish = ingot__levels_finish_get(call);
  j.in = call->in[0].data, j.out = call->out[0].data, j.outside = call->workspace, j.weights = call->packed;
  j.bias = (const int32_t *)(const void *)(j.weights + j.blocks * j.columns * v->kw * 4 * BLOCK);
  j.scale = (const float *)(const void *)(j.bias + j.blocks * BLOCK);
  memset(call->workspace, (int)INGOT__ATTRS(call, Conv)->x_zero, v->groups);
  if (v->n * v->groups * v->oh * v->ow * v->kh * v->kw < 262144) work(&j, 0, 1);
  else ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}

static double cost(const ingot__call *call) {
  job j;
  if (!get(call, &j)) return 1;
  const ingot__conv *v = &j.conv;
  const ingot__cpu_rates *rates = ingot__cpu_rates_get(LANES == 16 ? INGOT__ISA_AVX512 : LANES == 8 ? INGOT__ISA_AVX2 : INGOT__ISA_PORTABLE);
  double flops = 2.0 * (double)(v->n * v->oh * v->ow * j.blocks * BLOCK) * (double)(v->kw * j.columns * 4 + 4);
  double move = (double)(v->n * v->groups) * (double)(v->h * v->w + v->oh * v->ow) / rates->l2_bytes;
  return 1e-6 + (flops / (rates->f32_flops * (wide_tile(v, false) ? 1 : 0.4)) + move) / (call->threads > 1 ? call->threads : 1);
}

const ingot__kernel_functions INGOT__KERNEL(depthwise_u8s8) = {
  .supports = supports, .cost = cost, .workspace = workspace, .pack_size = pack_size, .pack = pack, .pack_format = "columns64",
  .packs_inputs = 1u << 1 | 1u << 2 | 1u << 4, .run = run};
