/* Depthwise convolutions of wider windows, CHANNELS_LAST: a thread has WIDE channels of STRIP outputs side by side and takes the window's lines one
 * after the other: the line's pixels, each loaded and converted once for all outputs, and its weights, both asked for a line ahead.
 * Defined before: ELEMENT, KH, KW, STRIDE_Y, STRIDE_X, DILATION_Y, DILATION_X, ACT, WIDE, STRIP, BLOCKS (on a multiprocessor). */
#include "ingot.cuh"
enum { THREADS = 128, SPAN = (STRIP - 1) * STRIDE_X + (KW - 1) * DILATION_X + 1, LINES_UNROLLED = KH <= 3 ? KH : 1 };
#include "depthwise/strips.cuh"

typedef vec<float, WIDE> weights_of_tap;

DEVICE void load_weights(const depthwise_strips_params &p, int ky, int c, weights_of_tap w[KW]) {
#pragma unroll
  for (int kx = 0; kx < KW; kx++) w[kx] = load<WIDE>(p.t.weights + (int64_t)(ky * KW + kx) * p.t.padded + c);
}

template <bool VECTOR> DEVICE void take_lines(const depthwise_strips_params &p) {
  grid_launch();
  uint32_t rest = blockIdx.x * THREADS + threadIdx.x;
  if (rest >= p.threads) rest = p.threads - 1; /* the last thread's work again: the same results */
  const int c = (int)divide_rest(rest, p.vectors) * WIDE, x = (int)divide_rest(rest, p.strips) * STRIP, y = (int)divide_rest(rest, p.chunks);
  const uint32_t image = rest, channel = (uint32_t)c * sizeof(ELEMENT);
  float bias[WIDE], sums[STRIP][WIDE];
  weights_of_tap weights[KW], next_weights[KW];
  load_weights(p, 0, c, next_weights);
  load_bias(p, c, bias);
#pragma unroll
  for (int k = 0; k < STRIP * WIDE; k++) sums[k / WIDE][k % WIDE] = bias[k % WIDE];
  place at;
  find_place(p, image, x * STRIDE_X - p.t.pad_x, channel, at);
  const int y0 = y * STRIDE_Y - p.t.pad_y;
  row now, next;
  grid_wait();
  load_row<VECTOR>(p, at, y0, next);
#pragma unroll LINES_UNROLLED
  for (int ky = 0; ky < KH; ky++) {
    const int after = ky + 1 < KH ? ky + 1 : ky; /* the last once more, for nobody */
    now = next;
#pragma unroll
    for (int kx = 0; kx < KW; kx++) weights[kx] = next_weights[kx];
    load_row<VECTOR>(p, at, y0 + after * DILATION_Y, next);
    load_weights(p, after, c, next_weights);
#pragma unroll
    for (int s = 0; s < SPAN; s++) {
      float a[WIDE];
      to_floats(wanted(now.x[s], at.mask[s], now.mask), a);
#pragma unroll
      for (int o = 0; o < STRIP; o++) {
        const int from = s - o * STRIDE_X, kx = from / DILATION_X;
        if (from < 0 || from % DILATION_X || kx >= KW) continue;
#pragma unroll
        for (int i = 0; i < WIDE; i++) sums[o][i] = fmaf(a[i], weights[kx][i], sums[o][i]);
      }
    }
  }
  put_outputs<VECTOR>(p, sums, p.t.out_width - x, image * p.out_image + (uint32_t)y * p.out_line + (uint32_t)x * p.out_pixel + channel,
                      image * p.residual_image + (uint32_t)y * p.residual_line + (uint32_t)x * p.residual_pixel + channel);
}

KERNEL(depthwise_lines, depthwise_strips_params, THREADS, BLOCKS) { take_lines<true>(p); }
/* Where WIDE elements can't be loaded and stored at once. */
KERNEL(depthwise_lines_narrow, depthwise_strips_params, THREADS, BLOCKS) { take_lines<false>(p); }
