/* Depthwise convolutions of small maps, CHANNELS_LAST: a thread has WIDE channels of one output. Its weights are asked for before the wait for the
 * kernel in front, all its pixels at once behind it: what little there is to do waits for memory once. Larger maps want pixels used again
 * (depthwise/columns.cu).
 * Defined before: ELEMENT, KH, KW, ACT, WIDE, BLOCKS (on a multiprocessor). */
#include "ingot.cuh"
#include "divide.cuh"
#include "depthwise/tensors.h"
#include "depthwise/points.h"
#include "depthwise/channels.cuh"
#include "act.cuh"

enum { THREADS = 128 };

template <bool VECTOR> DEVICE void one_output(const depthwise_points_params &p) {
  grid_launch();
  uint32_t rest = blockIdx.x * THREADS + threadIdx.x;
  if (rest >= p.threads) rest = p.threads - 1; /* the last thread's work again: the same results */
  const int c = (int)divide_rest(rest, p.vectors) * WIDE, x = (int)divide_rest(rest, p.columns), y = (int)divide_rest(rest, p.lines);
  const int64_t image = rest;
  float weights[KH * KW][WIDE], sum[WIDE];
#pragma unroll
  for (int k = 0; k < KH * KW; k++) {
    const vec<float, WIDE> w = load<WIDE>(p.t.weights + (int64_t)k * p.t.padded + c);
#pragma unroll
    for (int i = 0; i < WIDE; i++) weights[k][i] = w[i];
  }
#pragma unroll
  for (int i = 0; i < WIDE; i++) sum[i] = p.t.bias ? to_float(static_cast<const ELEMENT *>(p.t.bias)[c + i]) : 0;
  const int x0 = x * p.stride_x - p.t.pad_x, y0 = y * p.stride_y - p.t.pad_y;
  int offset[KW]; /* of the nearest place in the image: what isn't wanted is taken out when it is used. A branch would wait for the load. */
  uint32_t mask[KW];
#pragma unroll
  for (int kx = 0; kx < KW; kx++) {
    const int column = x0 + kx * p.dilation_x;
    offset[kx] = nearest_place(column, p.t.width) * (int)p.t.in_pixel;
    mask[kx] = mask_of((uint32_t)column < (uint32_t)p.t.width);
  }
  grid_wait();
  const ELEMENT *in = static_cast<const ELEMENT *>(p.t.in) + image * p.t.in_image + c;
  channels pixel[KH][KW];
#pragma unroll
  for (int ky = 0; ky < KH; ky++) {
    const ELEMENT *line = in + (int64_t)nearest_place(y0 + ky * p.dilation_y, p.t.height) * p.t.in_line;
#pragma unroll
    for (int kx = 0; kx < KW; kx++) pixel[ky][kx] = load_channels<VECTOR>(line + offset[kx]);
  }
  if (p.t.residual) {
    const ELEMENT *from = static_cast<const ELEMENT *>(p.t.residual) + image * p.t.residual_image;
    float r[WIDE];
    to_floats(load_channels<VECTOR>(from + y * p.t.residual_line + x * p.t.residual_pixel + c), r);
#pragma unroll
    for (int i = 0; i < WIDE; i++) sum[i] += r[i];
  }
#pragma unroll
  for (int ky = 0; ky < KH; ky++) {
    const uint32_t row = mask_of((uint32_t)(y0 + ky * p.dilation_y) < (uint32_t)p.t.height);
#pragma unroll
    for (int kx = 0; kx < KW; kx++) {
      float v[WIDE];
      to_floats(wanted(pixel[ky][kx], mask[kx], row), v);
#pragma unroll
      for (int i = 0; i < WIDE; i++) sum[i] = fmaf(v[i], weights[ky * KW + kx][i], sum[i]);
    }
  }
  channels z;
#pragma unroll
  for (int i = 0; i < WIDE; i++) sum[i] = activate(ACT, p.t.act_alpha, p.t.act_beta, sum[i]);
  from_floats(sum, z);
  ELEMENT *to = static_cast<ELEMENT *>(p.t.out) + image * p.t.out_image + y * p.t.out_line + x * p.t.out_pixel + c;
  if (VECTOR) store(to, z);
  else
#pragma unroll
    for (int i = 0; i < WIDE; i++) to[i] = z[i];
}

KERNEL(depthwise_points, depthwise_points_params, THREADS, BLOCKS) { one_output<true>(p); }
/* Where WIDE elements can't be loaded and stored at once. */
KERNEL(depthwise_points_narrow, depthwise_points_params, THREADS, BLOCKS) { one_output<false>(p); }
