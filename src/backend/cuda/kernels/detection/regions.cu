/* RoiAlign (means or maxima of interpolated samples) and MaxRoiPool (maxima over whole pixels): a thread a bin of a channel. Coordinates are
 * in double: which samples lie in the image, and which pixels in a bin, mustn't depend on rounding. Defined before: TYPE; LAST, channels lie
 * side by side; MAX, of RoiAlign. */
#include "ingot.cuh"
#include "detection/regions.h"

struct region_place { int64_t region, channel, py, px; };
DEVICE bool place_of(const regions_params &p, region_place *at) {
  int64_t i = (int64_t)blockIdx.x * 256 + threadIdx.x;
  if (i >= p.count * p.channels * p.bins_y * p.bins_x) return false;
  if (LAST) at->channel = i % p.channels, i /= p.channels;
  at->px = i % p.bins_x, i /= p.bins_x, at->py = i % p.bins_y, i /= p.bins_y;
  if (!LAST) at->channel = i % p.channels, i /= p.channels;
  at->region = i;
  return true;
}
DEVICE void put(const regions_params &p, const region_place &at, float v) {
  static_cast<TYPE *>(p.y)[at.region * p.y_region + at.channel * p.y_channel + at.py * p.y_axis[0] + at.px * p.y_axis[1]] = from_float<TYPE>(v);
}

struct roi_axis {
  double start, bin, step;
  int64_t samples, length;
};
DEVICE roi_axis axis_of(const regions_params &p, int64_t region, int i) { /* i 0: vertical */
  const TYPE *roi = static_cast<const TYPE *>(p.rois) + 4 * region;
  double low = (double)to_float(roi[1 - i]) * p.scale - (p.half_pixel ? 0.5 : 0),
      high = (double)to_float(roi[3 - i]) * p.scale - (p.half_pixel ? 0.5 : 0);
  double size = high - low;
  if (!p.half_pixel && !(size >= 1)) size = 1;
  double bin = size / (double)(i ? p.bins_x : p.bins_y), samples = p.samples > 0 ? (double)p.samples : ceil(bin);
  if (!(fabs(low) < 1e9) || !(fabs(size) < 1e9)) low = -1e9, bin = 1, samples = 1; /* not in any image */
  if (samples < 0) samples = 0;
  return roi_axis{low, bin, samples > 0 ? bin / samples : 0, (int64_t)samples, p.length[i]};
}
DEVICE bool inside(const roi_axis &x, double base, int64_t i) {
  const double at = base + ((double)i + 0.5) * x.step;
  return at >= -1 && at <= (double)x.length;
}
/* The samples [*from, *to) of bin q that lie in the image (no further than a pixel outside). */
DEVICE void bin_of(const roi_axis &x, int64_t q, int64_t *from, int64_t *to) {
  const double base = x.start + (double)q * x.bin, length = (double)x.length;
  *from = 0, *to = x.length ? x.samples : 0;
  if (x.step > 0) { /* skip those that are far out */
    const double low = floor((-1 - base) / x.step) - 2, high = ceil((length - base) / x.step) + 2;
    if (low > 0) *from = low > (double)*to ? *to : (int64_t)low;
    if (high < (double)*to) *to = high < 0 ? 0 : (int64_t)high;
  }
  while (*from < *to && !inside(x, base, *from)) ++*from;
  while (*from < *to && !inside(x, base, *to - 1)) --*to;
  if (*from > *to) *from = *to;
}
/* Sample i of bin q: the elements low and high and the weight of the latter. */
DEVICE void sample_of(const roi_axis &x, int64_t q, int64_t i, int64_t *low, int64_t *high, float *part) {
  double at = x.start + (double)q * x.bin + ((double)i + 0.5) * x.step;
  if (at < 0) at = 0;
  *low = (int64_t)at, *part = (float)(at - (double)*low), *high = *low + 1;
  if (*low >= x.length - 1) *low = *high = x.length - 1, *part = 0;
}

KERNEL(roi_align, regions_params, 256, 1) {
  grid_wait();
  grid_launch();
  region_place at;
  if (!place_of(p, &at)) return;
  const int64_t image = p.wide ? static_cast<const int64_t *>(p.images)[at.region] : static_cast<const int32_t *>(p.images)[at.region];
  if (image < 0 || image >= p.batches) return put(p, at, 0); /* an error that nobody can be told here */
  const TYPE *x = static_cast<const TYPE *>(p.x) + image * p.x_batch + at.channel * p.x_channel;
  const roi_axis vertical = axis_of(p, at.region, 0), horizontal = axis_of(p, at.region, 1);
  int64_t y0, y1, x0, x1;
  bin_of(vertical, at.py, &y0, &y1);
  bin_of(horizontal, at.px, &x0, &x1);
  float sum = 0;
  bool any = MAX && (double)vertical.samples * (double)horizontal.samples > (double)(y1 - y0) * (double)(x1 - x0); /* those outside are zeros */
  for (int64_t iy = y0; iy < y1; iy++) {
    int64_t row[2], column[2];
    float down, across;
    sample_of(vertical, at.py, iy, &row[0], &row[1], &down);
    for (int64_t ix = x0; ix < x1; ix++) {
      sample_of(horizontal, at.px, ix, &column[0], &column[1], &across);
#pragma unroll
      for (int k = 0; k < 4; k++) {
        const float weight = (k >> 1 ? down : 1 - down) * (k & 1 ? across : 1 - across);
        const float corner = weight * to_float(x[row[k >> 1] * p.x_axis[0] + column[k & 1] * p.x_axis[1]]);
        if (!MAX) sum += corner;
        else if (!any || corner > sum) sum = corner, any = true; /* of the weighted corners, as ONNX has it */
      }
    }
  }
  const double count = (double)vertical.samples * (double)horizontal.samples;
  put(p, at, MAX ? sum : sum / (float)(count > 1 ? count : 1));
}

/* The pixels [*from, *to) of bin q. */
DEVICE void whole_bin(double low, double high, int64_t bins, int64_t q, int64_t length, int64_t *from, int64_t *to) {
  const double size = high - low + 1 < 1 ? 1 : high - low + 1, bin = size / (double)bins, n = (double)length;
  const double a = low + floor((double)q * bin), b = low + ceil((double)(q + 1) * bin);
  *from = (int64_t)(a < 0 ? 0 : a > n ? n : a), *to = (int64_t)(b < 0 ? 0 : b > n ? n : b);
}
KERNEL(max_roi_pool, regions_params, 256, 1) { /* regions (image, x1, y1, x2, y2), both ends within */
  grid_wait();
  grid_launch();
  region_place at;
  if (!place_of(p, &at)) return;
  const TYPE *roi = static_cast<const TYPE *>(p.rois) + 5 * at.region;
  const float which = to_float(roi[0]);
  if (!(which >= 0 && which < (float)p.batches)) return put(p, at, 0);
  double edge[4];
#pragma unroll
  for (int k = 0; k < 4; k++) {
    edge[k] = round((double)to_float(roi[1 + k]) * p.scale);
    edge[k] = edge[k] > 1e9 ? 1e9 : edge[k] >= -1e9 ? edge[k] : -1e9;
  }
  const TYPE *x = static_cast<const TYPE *>(p.x) + (int64_t)which * p.x_batch + at.channel * p.x_channel;
  int64_t y0, y1, x0, x1;
  whole_bin(edge[1], edge[3], p.bins_y, at.py, p.length[0], &y0, &y1);
  whole_bin(edge[0], edge[2], p.bins_x, at.px, p.length[1], &x0, &x1);
  float best = 0; /* of an empty bin */
  bool any = false;
  for (int64_t i = y0; i < y1; i++)
    for (int64_t j = x0; j < x1; j++) {
      const float v = to_float(x[i * p.x_axis[0] + j * p.x_axis[1]]);
      if (!any || v > best) best = v, any = true;
    }
  put(p, at, best);
}
