/* Convolutions of single pixels to at most eight channels, CHANNELS_LAST, such as segmentation ends with: nothing but reading the input. A warp has
 * 16 pixels in each of four groups, which are the rows of tensor cores' products, and eight columns of weights. Pixels go from memory straight into
 * the fragments: a sum doesn't mind which channels a lane's words stand for, as long as both operands agree, so lane (g, t) takes 16 bytes of
 * pixels g and g + 8 at once.
 * Defined before: ELEMENT, ACT. */
#include "ingot.cuh"
#include "pixel.cuh"
#include "conv_few/conv_few.h"
#include "mma.cuh"
#include "act.cuh"

enum { THREADS = 128, GROUPS = 4, WARP_PIXELS = GROUPS * 16, PIECE = 8, STEP = 64 /* channels at once */ };

/* 16 bytes of a pixel's channels. */
template <bool VECTOR> DEVICE word4 load_piece(const ELEMENT *from, bool there) {
  if (!there) return word4{0, 0, 0, 0};
  if (VECTOR) return *reinterpret_cast<const word4 *>(from);
  vec<ELEMENT, PIECE> v;
#pragma unroll
  for (int i = 0; i < PIECE; i++) v[i] = from[i];
  return *reinterpret_cast<const word4 *>(&v);
}

template <bool VECTOR> DEVICE void convolve(const conv_few_params &p) {
  grid_launch();
  const uint32_t lane = threadIdx.x % 32, t = lane % 4, first = (blockIdx.x * (THREADS / 32) + threadIdx.x / 32) * WARP_PIXELS + lane / 4;
  const ELEMENT *in = static_cast<const ELEMENT *>(p.in), *weights = static_cast<const ELEMENT *>(p.weights) + lane / 4 * p.padded + t * PIECE;
  const ELEMENT *from[GROUPS][2];
#pragma unroll
  for (int i = 0; i < GROUPS * 2; i++)
    from[i / 2][i % 2] = in + place_of(pixel_of(first + i * 8, p.pixels, p.width, p.height), p.in_image, p.in_line, p.in_pixel) + t * PIECE;
  float sums[GROUPS][4] = {};
  grid_wait();
#pragma unroll 1
  for (int k = 0; k < p.padded; k += STEP) {
    word4 w[2], x[2][GROUPS][2];
#pragma unroll
    for (int s = 0; s < 2; s++) {
      const int at = k + s * 4 * PIECE;
      w[s] = *reinterpret_cast<const word4 *>(weights + at);
#pragma unroll
      for (int i = 0; i < GROUPS * 2; i++) x[s][i / 2][i % 2] = load_piece<VECTOR>(from[i / 2][i % 2] + at, at + (int)t * PIECE < p.channels);
    }
#pragma unroll
    for (int s = 0; s < 2; s++) {
      const uint32_t b0[2] = {w[s].x, w[s].y}, b1[2] = {w[s].z, w[s].w};
#pragma unroll
      for (int g = 0; g < GROUPS; g++) {
        const word4 low = x[s][g][0], high = x[s][g][1];
        const uint32_t a0[4] = {low.x, high.x, low.y, high.y}, a1[4] = {low.z, high.z, low.w, high.w};
        mma(sums[g], a0, b0, ELEMENT{});
        mma(sums[g], a1, b1, ELEMENT{});
      }
    }
  }
  /* A lane's sums: outputs 2t and 2t + 1 of pixels g and g + 8. */
  float bias[2];
#pragma unroll
  for (int j = 0; j < 2; j++) {
    const int n = (int)t * 2 + j;
    bias[j] = p.bias && n < p.outputs ? to_float(static_cast<const ELEMENT *>(p.bias)[n]) : 0;
  }
#pragma unroll
  for (int i = 0; i < GROUPS * 2; i++) {
    const pixel at = pixel_of(first + i * 8, p.pixels, p.width, p.height);
    ELEMENT *to = static_cast<ELEMENT *>(p.out) + place_of(at, p.out_image, p.out_line, p.out_pixel);
#pragma unroll
    for (int j = 0; j < 2; j++) {
      const int n = (int)t * 2 + j;
      if (!at.there || n >= p.outputs) continue;
      to[n * p.out_channel] = from_float<ELEMENT>(activate(ACT, p.act_alpha, p.act_beta, sums[i / 2][i % 2 * 2 + j] + bias[j]));
    }
  }
}

KERNEL(conv_few, conv_few_params, THREADS, 4) { convolve<true>(p); }
/* Where 16 bytes can't be loaded at once. */
KERNEL(conv_few_narrow, conv_few_params, THREADS, 4) { convolve<false>(p); }
