/* Depthwise convolutions of up to 3x3, CHANNELS_LAST: a thread has WIDE channels of STRIP outputs side by side and goes down a column of them. A
 * row of the input is loaded and converted once and added to all outputs that it reaches, which are in registers, as are the weights; at stride
 * 1 the row of the next step is under way meanwhile.
 *
 * Output j of the column wants rows S j .. S j + KH - 1 of it (S: the stride). Step j takes the S rows that are new to it, of which row number
 * KH - S + t is also number KH - S + t - S d of output j + d.
 * Defined before: ELEMENT, KH, KW, STRIDE_Y, STRIDE_X, ACT, WIDE, BLOCKS (on a multiprocessor); KH >= STRIDE_Y. */
#include "ingot.cuh"
#include "divide.cuh"
#include "depthwise/tensors.h"
#include "depthwise/columns.h"
#include "depthwise/channels.cuh"
#include "act.cuh"

enum {
  THREADS = 128, STRIP = 4, SPAN = (STRIP - 1) * STRIDE_X + KW, BEFORE = KH - STRIDE_Y, AHEAD = (KH - 1) / STRIDE_Y + 1,
  EARLY = STRIDE_Y == 1 /* there are registers for the next step's rows */
};

/* Where a column's pixels lie, and which of them are in the image. */
struct place {
  const ELEMENT *in;
  int offset[SPAN];
  uint32_t inside;
};
struct row {
  channels x[SPAN];
  uint32_t inside; /* the others count as zeros */
};

/* Loads from the nearest place in the image: what isn't wanted is taken out when it is used. A branch here would wait for the load. */
template <bool VECTOR> DEVICE void load_row(const depthwise_columns_params &p, const place &at, int y, row &r) {
  r.inside = (uint32_t)y < (uint32_t)p.t.height ? at.inside : 0;
  const ELEMENT *line = at.in + (int64_t)(y < 0 ? 0 : y < p.t.height ? y : p.t.height - 1) * p.t.in_line;
#pragma unroll
  for (int s = 0; s < SPAN; s++) r.x[s] = load_channels<VECTOR>(line + at.offset[s]);
}

/* Adds a row to the outputs `sums` with the weights of kernel row ky. */
DEVICE void add_row(const float x[SPAN][WIDE], const float weights[KH][KW][WIDE], int ky, float sums[STRIP][WIDE]) {
#pragma unroll
  for (int s = 0; s < SPAN; s++) {
    const float *a = x[s];
#pragma unroll
    for (int o = 0; o < STRIP; o++) {
      const int kx = s - o * STRIDE_X;
      if (kx < 0 || kx >= KW) continue;
#pragma unroll
      for (int i = 0; i < WIDE; i++) sums[o][i] = fmaf(a[i], weights[ky][kx][i], sums[o][i]);
    }
  }
}

/* A row as numbers. */
DEVICE void convert_row(const row &r, float x[SPAN][WIDE]) {
#pragma unroll
  for (int s = 0; s < SPAN; s++) {
    to_floats(r.x[s], x[s]);
#pragma unroll
    for (int i = 0; i < WIDE; i++) x[s][i] = r.inside >> s & 1 ? x[s][i] : 0;
  }
}

template <bool VECTOR> DEVICE void go_down(const depthwise_columns_params &p) {
  grid_launch();
  uint32_t rest = blockIdx.x * THREADS + threadIdx.x;
  if (rest >= p.threads) rest = p.threads - 1; /* the last thread's work again: the same results */
  const int c = (int)divide_rest(rest, p.vectors) * WIDE, x = (int)divide_rest(rest, p.strips) * STRIP;
  const int y = (int)divide_rest(rest, p.chunks) * p.rows;
  const int64_t image = rest;
  float weights[KH][KW][WIDE], bias[WIDE], sums[AHEAD][STRIP][WIDE];
#pragma unroll
  for (int k = 0; k < KH * KW; k++) {
    const vec<float, WIDE> w = load<WIDE>(p.t.weights + (int64_t)k * p.t.padded + c);
#pragma unroll
    for (int i = 0; i < WIDE; i++) weights[k / KW][k % KW][i] = w[i];
  }
#pragma unroll
  for (int i = 0; i < WIDE; i++) bias[i] = p.t.bias ? to_float(((const ELEMENT *)p.t.bias)[c + i]) : 0;
#pragma unroll
  for (int k = 0; k < AHEAD * STRIP * WIDE; k++) sums[k / (STRIP * WIDE)][k / WIDE % STRIP][k % WIDE] = bias[k % WIDE];
  grid_wait();
  const int x0 = x * STRIDE_X - p.t.pad_x;
  int iy = y * STRIDE_Y - p.t.pad_y;
  place at = {(const ELEMENT *)p.t.in + image * p.t.in_image + c, {}, 0};
#pragma unroll
  for (int s = 0; s < SPAN; s++) {
    const int column = x0 + s;
    at.offset[s] = (column < 0 ? 0 : column < p.t.width ? column : p.t.width - 1) * (int)p.t.in_pixel;
    at.inside |= (uint32_t)((uint32_t)column < (uint32_t)p.t.width) << s;
  }
#pragma unroll
  for (int r = 0; r < BEFORE; r++) {
    row first;
    float x[SPAN][WIDE];
    load_row<VECTOR>(p, at, iy + r, first);
    convert_row(first, x);
#pragma unroll
    for (int d = 0; d * STRIDE_Y <= r; d++) add_row(x, weights, r - d * STRIDE_Y, sums[d]);
  }
  iy += BEFORE;
  const int n = y + p.rows < p.t.out_height ? p.rows : p.t.out_height - y;
  row next[STRIDE_Y];
#pragma unroll
  for (int t = 0; EARLY && t < STRIDE_Y; t++) load_row<VECTOR>(p, at, iy + t, next[t]);
  ELEMENT *out = (ELEMENT *)p.t.out + image * p.t.out_image + y * p.t.out_line + x * p.t.out_pixel + c;
  const ELEMENT *residual = (const ELEMENT *)p.t.residual + image * p.t.residual_image + y * p.t.residual_line + x * p.t.residual_pixel + c;
#pragma unroll AHEAD /* sums move up by one each step: unrolled, they stay where they are */
  for (int j = 0; j < n; j++) {
    row now[STRIDE_Y];
#pragma unroll
    for (int t = 0; t < STRIDE_Y; t++) {
      if (EARLY) {
        now[t] = next[t];
        load_row<VECTOR>(p, at, iy + STRIDE_Y + t, next[t]); /* once too often: it is a place in the image */
      } else {
        load_row<VECTOR>(p, at, iy + t, now[t]);
      }
    }
    iy += STRIDE_Y;
#pragma unroll
    for (int t = 0; t < STRIDE_Y; t++) {
      float x[SPAN][WIDE];
      convert_row(now[t], x);
#pragma unroll
      for (int d = 0; d * STRIDE_Y <= BEFORE + t; d++) add_row(x, weights, BEFORE + t - d * STRIDE_Y, sums[d]);
    }
#pragma unroll
    for (int o = 0; o < STRIP; o++) {
      if (x + o >= p.t.out_width) break;
      if (p.t.residual) {
        float r[WIDE];
        to_floats(load_channels<VECTOR>(residual + o * p.t.residual_pixel), r);
#pragma unroll
        for (int i = 0; i < WIDE; i++) sums[0][o][i] += r[i];
      }
      channels z;
#pragma unroll
      for (int i = 0; i < WIDE; i++) z[i] = from_float<ELEMENT>(activate(ACT, p.t.act_alpha, p.t.act_beta, sums[0][o][i]));
      ELEMENT *to = out + o * p.t.out_pixel;
      if (VECTOR) store(to, z);
      else
#pragma unroll
        for (int i = 0; i < WIDE; i++) to[i] = z[i];
    }
    out += p.t.out_line;
    residual += p.t.residual_line;
#pragma unroll
    for (int d = 0; d < AHEAD; d++)
#pragma unroll
      for (int o = 0; o < STRIP; o++)
#pragma unroll
        for (int i = 0; i < WIDE; i++) sums[d][o][i] = d + 1 < AHEAD ? sums[d + 1 < AHEAD ? d + 1 : 0][o][i] : bias[i];
  }
}

KERNEL(depthwise_columns, depthwise_columns_params, THREADS, BLOCKS) { go_down<true>(p); }
/* Where WIDE elements can't be loaded and stored at once. */
KERNEL(depthwise_columns_narrow, depthwise_columns_params, THREADS, BLOCKS) { go_down<false>(p); }
