/* Depthwise convolutions of up to 3x3, CHANNELS_LAST: a thread has WIDE channels of STRIP outputs side by side and goes down a column of them. A
 * row of the input is loaded and converted once and added to all outputs that it reaches, which are in registers, as are the weights; the rows of the
 * next step are under way meanwhile.
 *
 * What binds is neither memory nor the multiplications but everything else: comparisons, choices and additions of whole numbers go half as fast as
 * multiplications. So places are 32-bit offsets in bytes from the tensors' starts, added to them by the loads themselves.
 *
 * Output j of the column wants rows S j .. S j + KH - 1 of it (S: the stride). Step j takes the S rows that are new to it, of which row number
 * KH - S + t is also number KH - S + t - S d of output j + d.
 * Defined before: ELEMENT, KH, KW, STRIDE_Y, STRIDE_X (DILATION_Y and DILATION_X are 1), ACT, WIDE, BLOCKS (on a multiprocessor); KH >= STRIDE_Y. */
#include "ingot.cuh"
enum {
  THREADS = 128, STRIP = 4, SPAN = (STRIP - 1) * STRIDE_X + KW, BEFORE = KH - STRIDE_Y, AHEAD = (KH - 1) / STRIDE_Y + 1
};

#include "depthwise/strips.cuh"
#if !defined INGOT_EMULATED && __CUDA_ARCH__ < 900
enum { FRUGAL = 0 }; /* the compiler takes a few registers more there */
#else
enum { FRUGAL = 1 };
#endif

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
DEVICE void convert_row(const place &at, const row &r, float x[SPAN][WIDE]) {
#pragma unroll
  for (int s = 0; s < SPAN; s++) to_floats(wanted(r.x[s], at.mask[s], r.mask), x[s]);
}

template <bool VECTOR> DEVICE void go_down(const depthwise_strips_params &p) {
  grid_launch();
  uint32_t rest = blockIdx.x * THREADS + threadIdx.x;
  if (rest >= p.threads) rest = p.threads - 1; /* the last thread's work again: the same results */
  const int c = (int)divide_rest(rest, p.vectors) * WIDE, x = (int)divide_rest(rest, p.strips) * STRIP;
  const int y = (int)divide_rest(rest, p.chunks) * p.rows;
  const uint32_t image = rest, channel = (uint32_t)c * sizeof(ELEMENT);
  float weights[KH][KW][WIDE], bias[WIDE], sums[AHEAD][STRIP][WIDE];
#pragma unroll
  for (int k = 0; k < KH * KW; k++) {
    const vec<float, WIDE> w = load<WIDE>(p.t.weights + (int64_t)k * p.t.padded + c);
#pragma unroll
    for (int i = 0; i < WIDE; i++) weights[k / KW][k % KW][i] = w[i];
  }
  load_bias(p, c, bias);
#pragma unroll
  for (int k = 0; k < AHEAD * STRIP * WIDE; k++) sums[k / (STRIP * WIDE)][k / WIDE % STRIP][k % WIDE] = bias[k % WIDE];
  int iy = y * STRIDE_Y - p.t.pad_y;
  place at;
  find_place(p, image, x * STRIDE_X - p.t.pad_x, channel, at);
  uint32_t to = image * p.out_image + (uint32_t)y * p.out_line + (uint32_t)x * p.out_pixel + channel;
  uint32_t from = image * p.residual_image + (uint32_t)y * p.residual_line + (uint32_t)x * p.residual_pixel + channel;
  const int n = y + p.rows < p.t.out_height ? p.rows : p.t.out_height - y, count = p.t.out_width - x;
  constexpr bool EARLY = (VECTOR && sizeof(ELEMENT) == 2 && FRUGAL) || STRIDE_Y == 1; /* whether there are registers for the next step's rows */
  grid_wait();
  row first[BEFORE ? BEFORE : 1], next[STRIDE_Y]; /* all asked for before the first is used */
#pragma unroll
  for (int r = 0; r < BEFORE; r++) load_row<VECTOR>(p, at, iy + r, first[r]);
  iy += BEFORE;
#pragma unroll
  for (int t = 0; EARLY && t < STRIDE_Y; t++) load_row<VECTOR>(p, at, iy + t, next[t]);
#pragma unroll
  for (int r = 0; r < BEFORE; r++) {
    float x[SPAN][WIDE];
    convert_row(at, first[r], x);
#pragma unroll
    for (int d = 0; d * STRIDE_Y <= r; d++) add_row(x, weights, r - d * STRIDE_Y, sums[d]);
  }
#pragma unroll AHEAD /* sums move up by one each step: unrolled, they stay where they are */
  for (const int end = iy + n * STRIDE_Y; iy < end; iy += STRIDE_Y) {
#pragma unroll
    for (int t = 0; t < STRIDE_Y; t++) {
      float x[SPAN][WIDE];
      if (!EARLY) load_row<VECTOR>(p, at, iy + t, next[t]);
      convert_row(at, next[t], x);
      if (EARLY) load_row<VECTOR>(p, at, iy + STRIDE_Y + t, next[t]); /* once too often: it is a place in the image */
#pragma unroll
      for (int d = 0; d * STRIDE_Y <= BEFORE + t; d++) add_row(x, weights, BEFORE + t - d * STRIDE_Y, sums[d]);
    }
    put_outputs<VECTOR>(p, sums[0], count, to, from);
    to += p.out_line;
    from += p.residual_line;
#pragma unroll
    for (int d = 0; d < AHEAD; d++)
#pragma unroll
      for (int o = 0; o < STRIP; o++)
#pragma unroll
        for (int i = 0; i < WIDE; i++) sums[d][o][i] = d + 1 < AHEAD ? sums[d + 1 < AHEAD ? d + 1 : 0][o][i] : bias[i];
  }
}

KERNEL(depthwise_columns, depthwise_strips_params, THREADS, BLOCKS) { go_down<true>(p); }
/* Where WIDE elements can't be loaded and stored at once. */
KERNEL(depthwise_columns_narrow, depthwise_strips_params, THREADS, BLOCKS) { go_down<false>(p); }
