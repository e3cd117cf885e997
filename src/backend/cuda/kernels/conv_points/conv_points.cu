/* Convolutions of single pixels whose weights fit into shared memory, CHANNELS_LAST: what binds is reading and writing pixels, so those go straight
 * between memory and the fragments of tensor cores' products, in whole sectors, and nothing is staged. A warp has TILES times 16 pixels at a time.
 *
 * A sum doesn't mind which channels a lane's words stand for as long as both operands agree: lane (g, t) takes WORDS words of pixels g and g + 8
 * at once, the t-th piece of a chunk. Nor does a product mind which output a column stands for: column c of matrix j is output
 * 8 (c / 2) + 2 j + c % 2 of its group, so that a lane ends with eight outputs in a row. Weights are packed in the order in which lanes read them.
 * Defined before: ELEMENT (of 16 bits), CHANNELS, WORDS (2 or 4), TILES, AHEAD (whether there are registers for the next pixels), BLOCKS (on a
 * multiprocessor), RESIDUAL, ACT. */
#include "ingot.cuh"
#include "pixel.cuh"
#include "conv_points/conv_points.h"
#include "mma.cuh"
#include "act.cuh"

enum {
  THREADS = 128, WARPS = THREADS / 32, TILE = TILES * 16, PIECE = 2 * WORDS, CHUNK = 4 * PIECE, CHUNKS = (CHANNELS + CHUNK - 1) / CHUNK,
  GROUP = 32, MATRICES = GROUP / 8, OUTPUTS = 8 /* of a lane, in a group */
};

struct __align__(4 * WORDS) piece {
  uint32_t word[WORDS];
};
struct pixels {
  piece x[TILES][2][CHUNKS];
};
template <bool VECTOR> DEVICE piece load_piece(const ELEMENT *from, bool there) {
  piece x;
#pragma unroll
  for (int i = 0; i < WORDS; i++) x.word[i] = 0;
  if (!there) return x;
  if (VECTOR) return *reinterpret_cast<const piece *>(from);
  ELEMENT *to = reinterpret_cast<ELEMENT *>(&x);
#pragma unroll
  for (int i = 0; i < PIECE; i++) to[i] = from[i];
  return x;
}

/* Beyond the last pixel that one again. */
template <bool VECTOR> DEVICE void load_pixels(const conv_points_params &p, uint32_t tile, pixels &to) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int i = 0; i < TILES * 2; i++) {
    const pixel at = pixel_of(tile * TILE + i * 8 + g, p.pixels, p.width, p.height);
    const ELEMENT *from = static_cast<const ELEMENT *>(p.in) + place_of(at, p.in_image, p.in_line, p.in_pixel) + t * PIECE;
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) to.x[i / 2][i % 2][c] = load_piece<VECTOR>(from + c * CHUNK, c * CHUNK + t * PIECE < CHANNELS);
  }
}

DEVICE void multiply(const pixels &a, const piece *weights, float sums[TILES][MATRICES][4]) {
#pragma unroll
  for (int c = 0; c < CHUNKS; c++) {
    piece b[MATRICES];
#pragma unroll
    for (int j = 0; j < MATRICES; j++) b[j] = weights[(c * MATRICES + j) * 32];
#pragma unroll
    for (int i = 0; i < TILES; i++) {
      const piece &low = a.x[i][0][c], &high = a.x[i][1][c];
#pragma unroll
      for (int w = 0; w < WORDS; w += 2) {
        const uint32_t rows[4] = {low.word[w], high.word[w], low.word[w + 1], high.word[w + 1]};
#pragma unroll
        for (int j = 0; j < MATRICES; j++) mma(sums[i][j], rows, &b[j].word[w], ELEMENT{});
      }
    }
  }
}

template <bool VECTOR> DEVICE vec<ELEMENT, OUTPUTS> load_outputs(const ELEMENT *from) {
  if (VECTOR) return load<OUTPUTS>(from);
  vec<ELEMENT, OUTPUTS> x;
#pragma unroll
  for (int i = 0; i < OUTPUTS; i++) x[i] = from[i];
  return x;
}

/* A group's sums, complete, to memory. n: the lane's first output. */
template <bool VECTOR> DEVICE void put(const conv_points_params &p, const float sums[TILES][MATRICES][4], uint32_t tile, int n, const float *bias) {
  const int g = threadIdx.x % 32 / 4;
  if (n >= p.outputs) return;
  float b[OUTPUTS];
#pragma unroll
  for (int i = 0; i < OUTPUTS; i++) b[i] = bias[n + i];
  pixel at[TILES * 2];
  vec<ELEMENT, OUTPUTS> residual[RESIDUAL ? TILES * 2 : 1]; /* all asked for before the first is used */
#pragma unroll
  for (int i = 0; i < TILES * 2; i++) {
    at[i] = pixel_of(tile * TILE + i * 8 + g, p.pixels, p.width, p.height);
    if (!RESIDUAL) continue;
    const int64_t from = place_of(at[i], p.residual_image, p.residual_line, p.residual_pixel);
    residual[i] = load_outputs<VECTOR>(static_cast<const ELEMENT *>(p.residual) + from + n);
  }
#pragma unroll
  for (int i = 0; i < TILES * 2; i++) {
    float y[OUTPUTS];
#pragma unroll
    for (int k = 0; k < OUTPUTS; k++) y[k] = sums[i / 2][k / 2][i % 2 * 2 + k % 2] + b[k];
    if (RESIDUAL) {
      float r[OUTPUTS];
      to_floats(residual[i], r);
#pragma unroll
      for (int k = 0; k < OUTPUTS; k++) y[k] += r[k];
    }
#pragma unroll
    for (int k = 0; k < OUTPUTS; k++) y[k] = activate(ACT, p.act_alpha, p.act_beta, y[k]);
    vec<ELEMENT, OUTPUTS> z;
    from_floats(y, z);
    if (!at[i].there) continue;
    ELEMENT *to = static_cast<ELEMENT *>(p.out) + place_of(at[i], p.out_image, p.out_line, p.out_pixel) + n;
    if (VECTOR) store(to, z);
    else
#pragma unroll
      for (int k = 0; k < OUTPUTS; k++) to[k] = z[k];
  }
}

template <bool VECTOR> DEVICE void convolve(const conv_points_params &p) {
  SHARED(piece, weights);
  const int lane = threadIdx.x % 32, t = lane % 4, count = p.groups * CHUNKS * MATRICES * 32;
  float *bias = reinterpret_cast<float *>(weights + count);
  grid_launch();
  for (int i = threadIdx.x; i < count; i += THREADS) weights[i] = static_cast<const piece *>(p.weights)[i];
  for (int i = threadIdx.x; i < p.groups * GROUP; i += THREADS)
    bias[i] = p.bias && i < p.outputs ? to_float(static_cast<const ELEMENT *>(p.bias)[i]) : 0;
  __syncthreads();
  const uint32_t step = gridDim.x * WARPS;
  uint32_t tile = blockIdx.x * WARPS + threadIdx.x / 32;
  grid_wait();
  if (tile >= p.tiles) return;
  pixels x;
  load_pixels<VECTOR>(p, tile, x);
#pragma unroll 1
  while (true) {
    const uint32_t after = tile + step;
    pixels next;
    if (AHEAD && after < p.tiles) load_pixels<VECTOR>(p, after, next);
#pragma unroll 1
    for (int group = 0; group < p.groups; group++) {
      float sums[TILES][MATRICES][4] = {};
      multiply(x, weights + group * CHUNKS * MATRICES * 32 + lane, sums);
      put<VECTOR>(p, sums, tile, group * GROUP + t * OUTPUTS, bias);
    }
    if (after >= p.tiles) return;
    tile = after;
    if (AHEAD) x = next;
    else load_pixels<VECTOR>(p, tile, x);
  }
}

KERNEL(conv_points, conv_points_params, THREADS, BLOCKS) { convolve<true>(p); }
/* Where a lane's piece can't be loaded, or its outputs not be stored, at once. */
KERNEL(conv_points_narrow, conv_points_params, THREADS, BLOCKS) { convolve<false>(p); }
