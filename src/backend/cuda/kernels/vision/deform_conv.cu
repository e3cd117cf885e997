/* DeformConv: a product of the weights with what the taps read, 64 output channels by 64 positions a block, in float. The elements under the
 * taps are interpolated straight into shared memory, 16 (tap, channel) pairs at a time; a thread has 4 x 4 of the results. Defined before:
 * TYPE; LAST, channels lie side by side. */
#include "ingot.cuh"
#include "vision/deform_conv.h"

enum { SIDE = 64, DEPTH = 16, LINE = SIDE + 4 };

/* The element that tap t of a position reads in a channel. */
DEVICE float under_tap(const deform_conv_params &p, int64_t position, int tap, int channel) {
  const int64_t image = position / p.plane;
  const int at = (int)(position % p.plane), oy = at / p.out[1], ox = at % p.out[1], group = channel / p.co;
  const TYPE *offset = static_cast<const TYPE *>(p.offset) + image * p.offset_batch + oy * p.offset_axis[0] + ox * p.offset_axis[1];
  const int64_t first = ((int64_t)group * p.taps + tap) * 2;
  const float y = (float)(oy * p.stride[0] - p.begin[0] + tap / p.kernel[1] * p.dilation[0]) + to_float(offset[first * p.offset_channel]);
  const float x = (float)(ox * p.stride[1] - p.begin[1] + tap % p.kernel[1] * p.dilation[1]) + to_float(offset[(first + 1) * p.offset_channel]);
  if (!(y > -1 && y < (float)p.in[0] && x > -1 && x < (float)p.in[1])) return 0;
  const float fy = floorf(y), fx = floorf(x), down = y - fy, across = x - fx;
  const int y0 = (int)fy, x0 = (int)fx;
  const TYPE *from = static_cast<const TYPE *>(p.x) + image * p.x_batch + channel * p.x_channel;
  float sum = 0;
#pragma unroll
  for (int k = 0; k < 4; k++) {
    const int yy = y0 + k / 2, xx = x0 + k % 2;
    if (yy < 0 || yy >= p.in[0] || xx < 0 || xx >= p.in[1]) continue;
    sum += (k / 2 ? down : 1 - down) * (k % 2 ? across : 1 - across) * to_float(from[yy * p.x_axis[0] + xx * p.x_axis[1]]);
  }
  if (p.mask) {
    sum *= to_float(static_cast<const TYPE *>(p.mask)[image * p.mask_batch + (first / 2) * p.mask_channel + oy * p.mask_axis[0] +
        ox * p.mask_axis[1]]);
  }
  return sum;
}

KERNEL(deform_conv, deform_conv_params, 256, 2) {
  SHARED(float, a); /* [DEPTH][LINE] of the weights, then of the columns */
  float *b = a + DEPTH * LINE;
  grid_wait();
  grid_launch();
  const int group = blockIdx.y / p.tiles, m0 = blockIdx.y % p.tiles * SIDE, depth = p.cg * p.taps, y = threadIdx.x / 16 * 4, z = threadIdx.x % 16 * 4;
  const int64_t position0 = (int64_t)blockIdx.x * SIDE;
  const TYPE *w = static_cast<const TYPE *>(p.w) + (int64_t)group * p.mg * depth;
  float sum[4][4] = {};
  for (int k0 = 0; k0 < depth; k0 += DEPTH) {
    __syncthreads();
    for (int i = threadIdx.x; i < SIDE * DEPTH; i += 256) {
      const int m = i / DEPTH, k = k0 + i % DEPTH, tap = k / p.cg, c = k % p.cg;
      a[i % DEPTH * LINE + m] = m0 + m < p.mg && k < depth ? to_float(w[((int64_t)(m0 + m) * p.cg + c) * p.taps + tap]) : 0;
    }
    for (int i = threadIdx.x; i < SIDE * DEPTH; i += 256) { /* neighbours in memory by neighbouring threads */
      const int row = LAST ? i % DEPTH : i / SIDE, column = LAST ? i / DEPTH : i % SIDE, k = k0 + row;
      const bool there = k < depth && position0 + column < p.positions;
      b[row * LINE + column] = there ? under_tap(p, position0 + column, k / p.cg, group * p.cg + k % p.cg) : 0;
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
      const vec<float, 4> u = load<4>(a + k * LINE + y), v = load<4>(b + k * LINE + z);
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) sum[i][j] += u[i] * v[j];
    }
  }
#pragma unroll
  for (int j = 0; j < 4; j++) {
    const int64_t position = position0 + z + j;
    if (position >= p.positions) continue;
    const int at = (int)(position % p.plane);
    TYPE *to = static_cast<TYPE *>(p.y) + position / p.plane * p.y_batch + at / p.out[1] * p.y_axis[0] + at % p.out[1] * p.y_axis[1];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int m = m0 + y + i, channel = group * p.mg + m;
      if (m >= p.mg) continue;
      to[channel * p.y_channel] = from_float<TYPE>(sum[i][j] + (p.bias ? to_float(static_cast<const TYPE *>(p.bias)[channel]) : 0));
    }
  }
}
