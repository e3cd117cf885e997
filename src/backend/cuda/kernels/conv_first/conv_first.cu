/* Convolutions of one to four channels: what networks begin with. A block keeps its weights in shared memory and goes over tiles of TILE_Y by
 * 16 output pixels. A tile's input is put into shared memory with four channels a pixel, whatever layout it has; a step of the product is
 * four taps, and lane (g, t) of a warp takes tap t's four channels of its pixels: they are fragments of the tensor cores as they lie there.
 * The weights' columns are in such an order that a lane's sums are channels side by side, stored from registers.
 * Defined before: ELEMENT, HALVES, CHANNELS, KH, KW, STRIDE_Y, STRIDE_X, DILATION_Y, DILATION_X, COLUMNS (channels of a block: 16, 32 or 64),
 * WARPS, ROWS (of 16 pixels, of each warp), MIN_BLOCKS, ACT. */
#include "ingot.cuh"
#include "divide.cuh"
#include "conv_first/conv_first.h"
#include "copy_async.cuh"
#include "mma.cuh"
#include "act.cuh"
typedef ELEMENT T;

enum {
  THREADS = WARPS * 32, TILE_X = 16, TILE_Y = WARPS * ROWS, TAPS = KH * KW, STEPS = (TAPS + 3) / 4, NB = COLUMNS / 8,
  PATCH_Y = (TILE_Y - 1) * STRIDE_Y + (KH - 1) * DILATION_Y + 1, PATCH_X = (TILE_X - 1) * STRIDE_X + (KW - 1) * DILATION_X + 1,
  PIXEL = 4 * sizeof(T),                                     /* bytes */
  WEIGHT_WORDS = STEPS * NB * 32 * (HALVES ? 2 : 4),
  STEP_UNROLL = HALVES && ROWS < 4 ? 2 : 1,
  SIDE = HALVES && NB >= 4 ? 4 : 2,                          /* of mma()'s tiles whose channels a lane has side by side, */
  WIDE = 2 * SIDE                                            /* in all */
};
struct __align__(PIXEL) pixel { uint32_t word[PIXEL / 4]; };

DEVICE T rounded(T x) {
#if HALVES
  return x;
#else
  return bits_float(tf32_bits(float_bits(x)));
#endif
}

/* The patch of input pixels that begins at (y0, x0) of an image. */
DEVICE void load_patch(const conv_first_params &p, pixel *patch, const T *image, int y0, int x0) {
#pragma unroll 4
  for (int i = threadIdx.x; i < PATCH_Y * PATCH_X; i += THREADS) {
    const int y = y0 + i / PATCH_X, x = x0 + i % PATCH_X;
    const bool there = (uint32_t)y < (uint32_t)p.height && (uint32_t)x < (uint32_t)p.width;
    const T *from = image + y * p.in_line + x * p.in_pixel;
    vec<T, 4> v;
#pragma unroll
    for (int c = 0; c < 4; c++) v[c] = c < CHANNELS && there ? rounded(from[c * p.in_channel]) : T{};
    store((T *)(patch + i), v);
  }
}

/* A step for the warp's rows; pixels: for its first row of outputs, this lane's first; the second is 8 outputs on. */
template <bool LAST> DEVICE void step(float sums[ROWS][NB][4], const unsigned char *pixels, const word4 *weights, bool there) {
  uint32_t a[ROWS][PIXEL / 2];
#pragma unroll
  for (int i = 0; i < ROWS; i++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const pixel x = *(const pixel *)(pixels + (i * STRIDE_Y * PATCH_X + h * 8 * STRIDE_X) * PIXEL);
#pragma unroll
      for (int w = 0; w < PIXEL / 4; w++) a[i][w * 2 + h] = LAST && !there ? 0 : x.word[w];
    }
#if HALVES
#pragma unroll
  for (int j = 0; j < NB; j += 2) {
    const word4 w = weights[j / 2 * 32];
    const uint32_t b0[2] = {w.x, w.y}, b1[2] = {w.z, w.w};
#pragma unroll
    for (int i = 0; i < ROWS; i++) mma(sums[i][j], a[i], b0, T{}), mma(sums[i][j + 1], a[i], b1, T{});
  }
#else
#pragma unroll
  for (int j = 0; j < NB; j++) {
    const word4 w = weights[j * 32];
    const uint32_t b0[2] = {w.x, w.y}, b1[2] = {w.z, w.w};
#pragma unroll
    for (int i = 0; i < ROWS; i++) mma(sums[i][j], a[i], b0, T{}), mma(sums[i][j], a[i] + 4, b1, T{});
  }
#endif
}

/* A row of outputs: this lane's two pixels. */
DEVICE void finish(const conv_first_params &p, const float sums[NB][4], const float *bias, T *line, int x) {
  const int t = threadIdx.x % 4, n0 = blockIdx.y * COLUMNS;
#pragma unroll
  for (int h = 0; h < 2; h++) {
    if (x + h * 8 >= p.out_width) continue;
    T *out = line + (x + h * 8) * p.out_pixel + n0;
#pragma unroll
    for (int q = 0; q < NB / SIDE; q++) {
      const int n = q * (SIDE * 8) + t * WIDE;
      vec<T, WIDE> v;
#pragma unroll
      for (int i = 0; i < WIDE; i++)
        v[i] = from_float<T>(activate(ACT, p.act_alpha, p.act_beta, sums[q * SIDE + i / 2][h * 2 + i % 2] + bias[n + i]));
      if (p.vector && n0 + n + WIDE <= p.out_channels) store(out + n, v);
      else
#pragma unroll
        for (int i = 0; i < WIDE; i++)
          if (n0 + n + i < p.out_channels) out[n + i] = v[i];
    }
  }
}

KERNEL(conv_first, conv_first_params, THREADS, MIN_BLOCKS) {
  SHARED(unsigned char, shared);
  uint32_t *weights = (uint32_t *)shared;
  float *bias = (float *)(weights + WEIGHT_WORDS);
  int *taps = (int *)(bias + COLUMNS);
  pixel *patch = (pixel *)(taps + STEPS * 4);
  grid_launch();
  const uint32_t *from = (const uint32_t *)p.weights + (int64_t)blockIdx.y * WEIGHT_WORDS;
  for (int i = threadIdx.x * 4; i < WEIGHT_WORDS; i += THREADS * 4) copy_async16(weights + i, from + i, 16);
  copy_async_commit();
  for (int i = threadIdx.x; i < STEPS * 4; i += THREADS) /* taps past the last: any place, their values aren't used */
    taps[i] = i < TAPS ? (i / KW * DILATION_Y * PATCH_X + i % KW * DILATION_X) * PIXEL : 0;
  grid_wait();
  for (int i = threadIdx.x; i < COLUMNS; i += THREADS) {
    const int n = blockIdx.y * COLUMNS + i;
    bias[i] = p.bias && n < p.out_channels ? to_float(((const T *)p.bias)[n]) : 0;
  }
  const int warp = threadIdx.x / 32, l = threadIdx.x % 32, g = l / 4, t = l % 4;
  const unsigned char *pixels = (const unsigned char *)(patch + warp * ROWS * STRIDE_Y * PATCH_X + g * STRIDE_X);
  for (uint32_t tile = blockIdx.x; tile < p.tiles; tile += gridDim.x) {
    uint32_t rest = tile;
    const int x0 = (int)divide_rest(rest, p.tiles_x) * TILE_X, y0 = (int)divide_rest(rest, p.tiles_y) * TILE_Y;
    const int64_t image = rest;
    load_patch(p, patch, (const T *)p.in + image * p.in_image, y0 * STRIDE_Y - p.pad_y, x0 * STRIDE_X - p.pad_x);
    copy_async_wait<0>();
    __syncthreads();
    float sums[ROWS][NB][4];
#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
      for (int j = 0; j < NB; j++)
#pragma unroll
        for (int k = 0; k < 4; k++) sums[i][j][k] = 0;
    const word4 *b = (const word4 *)weights + l;
#pragma unroll (STEP_UNROLL)
    for (int s = 0; s < STEPS - 1; s++, b += WEIGHT_WORDS / STEPS / 4) step<false>(sums, pixels + taps[s * 4 + t], b, true);
    step<TAPS % 4 != 0>(sums, pixels + taps[(STEPS - 1) * 4 + t], b, (STEPS - 1) * 4 + t < TAPS);
    __syncthreads(); /* the patch may be written again */
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
      const int y = y0 + warp * ROWS + i;
      if (y < p.out_height) finish(p, sums[i], bias, (T *)p.out + image * p.out_image + y * p.out_line, x0 + g);
    }
  }
}
