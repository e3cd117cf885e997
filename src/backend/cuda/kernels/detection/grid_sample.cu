/* GridSample: a thread has one position of the output and CHANNELS channels; it finds the position's taps once for each. Positions are computed
 * in float, as frameworks do. Defined before: TYPE of x and y, GRID of the positions; AXES 1 to 3; TAPS 1 nearest, 2 linear, 4 cubic; PADDING
 * 0 zeros, 1 border, 2 reflection; CORNERS; LAST: channels lie side by side; CHANNELS. */
#include "ingot.cuh"
#include "detection/grid_sample.h"

/* x mirrored at low and high until it lies between them. */
DEVICE float reflected(float x, float low, float high) {
  const float span = high - low;
  if (!(span > 0)) return low;
  const float d = fmodf(fabsf(x - low), 2 * span);
  return low + (d > span ? 2 * span - d : d);
}
DEVICE float between(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
DEVICE float cubic(float d) { /* Keys' kernel with a = -3/4 */
  const float a = -0.75f;
  d = fabsf(d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* The elements of an axis that the normalised position g falls on; outside: -1, and the weight 0. */
DEVICE void taps_of(float g, int64_t length, int64_t *at, float *weight) {
  const float n = (float)length, low = CORNERS ? 0 : -0.5f, high = CORNERS ? n - 1 : n - 0.5f;
  float x = CORNERS ? (g + 1) / 2 * (float)(length - 1) : ((g + 1) * n - 1) / 2;
  for (int k = 0; k < TAPS; k++) at[k] = -1, weight[k] = 0;
  if (length < 1) return;
  if (!(fabsf(x) < 1e15f)) x = PADDING == 0 || x != x ? -8 : x < 0 ? -1e15f : 1e15f; /* far out, and NaN */
  if (TAPS == 1) x = rintf(x);
  if (x < low || x > high) {
    if (PADDING == 1) x = TAPS == 4 ? between(x, -8, n + 8) : between(x, 0, n - 1);
    if (PADDING == 2) x = reflected(x, low, high);
  }
  float first = floorf(x);
  const float part = TAPS == 1 ? 0 : x - first;
  if (TAPS == 4) first -= 1;
#pragma unroll
  for (int k = 0; k < TAPS; k++) {
    float i = first + (float)k;
    if (PADDING == 0 && !(i >= 0 && i < n)) continue;
    if (PADDING == 2 && (i < 0 || i > n - 1)) i = reflected(i, low, high);
    at[k] = (int64_t)between(i, 0, n - 1);
    weight[k] = TAPS == 1 ? 1 : TAPS == 2 ? (k ? part : 1 - part) : cubic(part + 1 - (float)k);
  }
}

KERNEL(grid_sample, grid_sample_params, 256, 1) {
  grid_wait();
  grid_launch();
  int64_t index = (int64_t)blockIdx.x * 256 + threadIdx.x, group, position;
  if (index >= p.batches * p.positions * p.groups) return;
  if (LAST) group = index % p.groups, index /= p.groups, position = index % p.positions, index /= p.positions;
  else position = index % p.positions, index /= p.positions, group = index % p.groups, index /= p.groups;
  const TYPE *x = static_cast<const TYPE *>(p.x) + index * p.x_batch;
  TYPE *y = static_cast<TYPE *>(p.y) + index * p.y_batch;
  const GRID *grid = static_cast<const GRID *>(p.grid) + index * p.grid_batch;
#pragma unroll
  for (int i = AXES - 1; i >= 0; i--) {
    const int64_t k = position % p.out_dim[i];
    position /= p.out_dim[i];
    y += k * p.y_axis[i], grid += k * p.grid_axis[i];
  }
  int64_t at[AXES][TAPS];
  float weight[AXES][TAPS];
#pragma unroll
  for (int i = 0; i < AXES; i++) {
    taps_of(to_float(grid[(AXES - 1 - i) * p.grid_number]), p.in_dim[i], at[i], weight[i]);
#pragma unroll
    for (int k = 0; k < TAPS; k++) at[i][k] = at[i][k] < 0 ? -1 : at[i][k] * p.x_axis[i];
  }
  const int64_t first = group * CHANNELS;
#pragma unroll 1
  for (int64_t c = first; c < first + CHANNELS && c < p.channels; c++) {
    const TYPE *from = x + c * p.x_channel;
#if TAPS == 1
    int64_t offset = 0;
    bool there = true;
#pragma unroll
    for (int i = 0; i < AXES; i++) there = there && at[i][0] >= 0, offset += at[i][0];
    y[c * p.y_channel] = there ? from[offset] : from_float<TYPE>(0);
#else
    float sum = 0;
#pragma unroll
    for (int t = 0; t < (AXES == 1 ? TAPS : AXES == 2 ? TAPS * TAPS : TAPS * TAPS * TAPS); t++) {
      const int k[3] = {t % TAPS, t / TAPS % TAPS, t / TAPS / TAPS}; /* of the last axis first */
      int64_t offset = 0;
      float w = 1;
      bool there = true;
#pragma unroll
      for (int i = 0; i < AXES; i++) {
        const int tap = k[AXES - 1 - i];
        there = there && at[i][tap] >= 0, offset += at[i][tap], w *= weight[i][tap];
      }
      if (there) sum += w * to_float(from[offset]);
    }
    y[c * p.y_channel] = from_float<TYPE>(sum);
#endif
  }
}
