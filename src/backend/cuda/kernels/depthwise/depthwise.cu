/* Depthwise convolutions, CHANNELS_LAST, limited by memory: a thread has 16 bytes of channels of STRIP outputs side by side, whose sums are in
 * registers; an input pixel is loaded once for all of them. A block covers some rows, so that what is read again comes out of the L1 cache;
 * its channels' weights are in shared memory as floats.
 * Defined before: ELEMENT, KH, KW, STRIDE_Y, STRIDE_X, DILATION_Y, DILATION_X, ACT. */
#include "ingot.cuh"
#include "divide.cuh"
#include "depthwise/tensors.h"
#include "depthwise/depthwise.h"
#include "act.cuh"
typedef ELEMENT T;

enum {
  THREADS = 256, STRIP = 4, VECTOR = 16 / sizeof(T), QUADS = VECTOR / 4, TAPS = KH * KW,
  SPAN = (STRIP - 1) * STRIDE_X + (KW - 1) * DILATION_X + 1, /* input pixels that a strip reaches over */
  LINE_UNROLL = TAPS <= 9 ? KH : 1
};

DEVICE void load_channels(float v[VECTOR], const T *from, bool vector, int channels) {
  if (vector && channels >= VECTOR) {
    const vec<T, VECTOR> x = load<VECTOR>(from);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) v[i] = to_float(x[i]);
  } else {
#pragma unroll
    for (int i = 0; i < VECTOR; i++) v[i] = i < channels ? to_float(from[i]) : 0;
  }
}

/* Whether an output of the strip needs its input pixel `x`. */
DEVICE constexpr bool is_needed(int x) {
  for (int o = 0; o < STRIP; o++)
    for (int k = 0; k < KW; k++)
      if (o * STRIDE_X + k * DILATION_X == x) return true;
  return false;
}

KERNEL(depthwise, depthwise_params, THREADS, 2) {
  SHARED(float, weights);
  grid_launch();
  uint32_t rest = blockIdx.x;
  const int group = (int)divide_rest(rest, p.groups), block_x = (int)divide_rest(rest, p.blocks_x), block_y = (int)divide_rest(rest, p.blocks_y);
  const int64_t image = rest;
  const int vectors = 1 << p.vectors_shift, rows = 1 << p.rows_shift, first = group * vectors * VECTOR;
  /* By tap, and by quads of a vector's channels, so that neighbours' loads meet no bank twice. */
  for (int i = threadIdx.x; i < TAPS * QUADS * vectors; i += THREADS) {
    const int v = i & (vectors - 1), q = (i >> p.vectors_shift) % QUADS, tap = (i >> p.vectors_shift) / QUADS, c = first + v * VECTOR + q * 4;
    vec<float, 4> w = {};
    if (c < p.t.padded) w = load<4>(p.t.weights + (int64_t)tap * p.t.padded + c);
    store(weights + i * 4, w);
  }
  __syncthreads();
  grid_wait();
  const int v = threadIdx.x & (vectors - 1), row = threadIdx.x >> p.vectors_shift & (rows - 1);
  const int strip = threadIdx.x >> (p.vectors_shift + p.rows_shift), strips = THREADS >> (p.vectors_shift + p.rows_shift);
  const int c = first + v * VECTOR, left = p.t.channels - c;
  const int y = block_y * rows + row, x = (block_x * strips + strip) * STRIP;
  if (left <= 0 || y >= p.t.out_height || x >= p.t.out_width) return;
  float sums[STRIP][VECTOR];
#pragma unroll
  for (int i = 0; i < VECTOR; i++) {
    const float b = p.t.bias && i < left ? to_float(((const T *)p.t.bias)[c + i]) : 0;
#pragma unroll
    for (int o = 0; o < STRIP; o++) sums[o][i] = b;
  }
  const int x0 = x * STRIDE_X - p.t.pad_x;
  const T *in = (const T *)p.t.in + image * p.t.in_image + x0 * p.t.in_pixel + c;
#pragma unroll(LINE_UNROLL)
  for (int ky = 0; ky < KH; ky++) {
    const int iy = y * STRIDE_Y - p.t.pad_y + ky * DILATION_Y;
    if ((uint32_t)iy >= (uint32_t)p.t.height) continue;
    const T *line = in + iy * p.t.in_line;
    const float *w = weights + ((ky * KW * QUADS << p.vectors_shift) + v) * 4;
#pragma unroll
    for (int s = 0; s < SPAN; s++) {
      if (!is_needed(s)) continue;
      float a[VECTOR];
      if ((uint32_t)(x0 + s) < (uint32_t)p.t.width) load_channels(a, line + s * p.t.in_pixel, p.vector, left);
      else
        for (int i = 0; i < VECTOR; i++) a[i] = 0;
#pragma unroll
      for (int o = 0; o < STRIP; o++) {
        const int at = s - o * STRIDE_X, kx = at / DILATION_X;
        if (at < 0 || at % DILATION_X || kx >= KW) continue;
#pragma unroll
        for (int q = 0; q < QUADS; q++) {
          const vec<float, 4> f = load<4>(w + ((kx * QUADS + q) << p.vectors_shift) * 4);
#pragma unroll
          for (int i = 0; i < 4; i++) sums[o][q * 4 + i] = fmaf(a[q * 4 + i], f[i], sums[o][q * 4 + i]);
        }
      }
    }
  }
  T *out = (T *)p.t.out + image * p.t.out_image + y * p.t.out_line + c;
#pragma unroll
  for (int o = 0; o < STRIP; o++) {
    if (x + o >= p.t.out_width) continue;
    if (p.t.residual) {
      float r[VECTOR];
      const T *from = (const T *)p.t.residual + image * p.t.residual_image + y * p.t.residual_line + (x + o) * p.t.residual_pixel + c;
      load_channels(r, from, p.vector_residual, left);
#pragma unroll
      for (int i = 0; i < VECTOR; i++) sums[o][i] += r[i];
    }
    vec<T, VECTOR> z;
#pragma unroll
    for (int i = 0; i < VECTOR; i++) z[i] = from_float<T>(activate(ACT, p.t.act_alpha, p.t.act_beta, sums[o][i]));
    T *to = out + (x + o) * p.t.out_pixel;
    if (p.vector && left >= VECTOR) store(to, z);
    else
#pragma unroll
      for (int i = 0; i < VECTOR; i++)
        if (i < left) to[i] = z[i];
  }
}
