/* Resize. table: for each output position along an axis the input elements it is made of and their weights, as ops/resize_table.c has them,
 * in double. resize: each output element, or vector of them along a dim that stays, from its taps. define() says MODE (0 nearest, 1 linear,
 * 2 cubic), TYPE (nearest: unsigned integers of the size) and VECTOR. */
#include "space.cuh"
#include "resize/resize.h"
typedef TYPE T;
enum { HALF_PIXEL, HALF_PIXEL_SYMMETRIC, PYTORCH_HALF_PIXEL, ALIGN_CORNERS, ASYMMETRIC, TF_CROP };
enum { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL };

DEVICE double coordinate(const resize_table &p, const resize_axis &a, int i, bool *outside) {
  double y = i, in = a.in, width = a.scale * in, x;
  *outside = false;
  switch (p.coordinates) {
  case ALIGN_CORNERS: return width == 1 || a.out == 1 ? 0 : y * (in - 1) / (width - 1);
  case ASYMMETRIC: return y / a.scale;
  case PYTORCH_HALF_PIXEL: return a.out == 1 ? 0 : (y + 0.5) / a.scale - 0.5;
  case HALF_PIXEL_SYMMETRIC: return in / 2 * (1 - (double)a.out / width) + (y + 0.5) / a.scale - 0.5;
  case TF_CROP:
    x = width == 1 || a.out == 1 ? (a.end - a.start) * (in - 1) / 2 : y * (a.end - a.start) * (in - 1) / (width - 1);
    x = (double)(float)(x + a.start * (in - 1));
    *outside = !(x >= 0 && x <= in - 1);
    return x;
  default: return (y + 0.5) / a.scale - 0.5;
  }
}

DEVICE double cubic(double a, double x) {
  x = fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

DEVICE double weight_of(const resize_table &p, double d) { return MODE == 2 ? cubic(p.cubic_a, d) : fabs(d) < 1 ? 1 - fabs(d) : 0; }

DEVICE void taps_of(const resize_table &p, const resize_axis &a, int i) {
  bool outside;
  double x = coordinate(p, a, i, &outside), low = floor(x);
#if MODE == 0
  double ratio = x - low, at = low;
  if (p.nearest == PREFER_FLOOR ? ratio > 0.5 : p.nearest == PREFER_CEIL ? ratio >= 0.5 : p.nearest == CEIL && ratio > 0) at = low + 1;
  a.first[i] = outside ? -1 : at < 0 ? 0 : at > (double)(a.in - 1) ? a.in - 1 : (int)at;
#else
  double scale = p.antialias && a.scale < 1 ? a.scale : 1, ratio = x == low ? 1 : x - low, limit = (double)a.in + (double)a.reach, sum = 0;
  float *weight = a.weight + (int64_t)i * a.taps;
  for (int k = 0; k < a.taps; k++) weight[k] = 0;
  if (outside) {
    a.first[i] = -1;
    return;
  }
  if (x == low) low -= 1;
  low = low < -limit ? -limit : low > limit ? limit : low;
  int64_t start = (int64_t)low - a.reach + 1, at = start < 0 ? 0 : start > a.in - a.taps ? a.in - a.taps : start;
  a.first[i] = (int)at;
  for (int pass = 0; pass < 2; pass++)
    for (int k = 0; k < 2 * a.reach; k++) {
      double w = weight_of(p, ((double)(k - a.reach + 1) - ratio) * scale);
      int64_t j = start + k;
      if (p.exclude_outside && (j < 0 || j >= a.in)) w = 0;
      if (pass == 0) {
        sum += w;
        continue;
      }
      j = j < 0 ? 0 : j >= a.in ? a.in - 1 : j;
      weight[j - at] += (float)((p.antialias || p.exclude_outside) && sum != 0 ? w / sum : w);
    }
#endif
}

KERNEL(table, resize_table, 64, 1) {
  grid_launch();
  grid_wait(); /* kernels before may still use the workspace */
  const resize_axis &a = p.axis[blockIdx.y];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < a.out) taps_of(p, a, i);
}

#if MODE == 0
template <int N> DEVICE void resize(const resize_params &p, int64_t to, int64_t from, const int64_t *position) {
  bool outside = false;
#pragma unroll
  for (int k = 0; k < RESIZE_AXES; k++)
    if (k < p.axes) {
      int first = p.axis[k].first[position[k]];
      outside = outside || first < 0;
      from += first * p.axis[k].in_stride;
    }
  vec<T, N> x;
#pragma unroll
  for (int i = 0; i < N; i++) x[i] = (T)p.outside;
  if (!outside) x = load<N>(static_cast<const T *>(p.in) + from);
  store(static_cast<T *>(p.out) + to, x);
}
#else
template <typename U> struct stored { static __device__ __forceinline__ U from(float x) { return from_float<U>(x); } };
template <> struct stored<uint8_t> {
  static __device__ __forceinline__ uint8_t from(float x) { x = rintf(x); return x > 0 ? x < 255 ? (uint8_t)x : 255 : 0; }
};
template <> struct stored<int8_t> {
  static __device__ __forceinline__ int8_t from(float x) { x = rintf(x); return x != x ? 0 : x > -128 ? x < 127 ? (int8_t)x : 127 : -128; }
};
DEVICE float widened(uint8_t x) { return x; }
DEVICE float widened(int8_t x) { return x; }
template <typename U> DEVICE float widened(U x) { return to_float(x); }

template <int N> DEVICE void resize(const resize_params &p, int64_t to, int64_t from, const int64_t *position) {
  bool outside = false;
  const float *weight[RESIZE_AXES];
  int taps[RESIZE_AXES];
#pragma unroll
  for (int k = 0; k < RESIZE_AXES; k++) {
    taps[k] = 1;
    weight[k] = nullptr;
    if (k < p.axes) {
      int first = p.axis[k].first[position[k]];
      outside = outside || first < 0;
      from += first * p.axis[k].in_stride;
      taps[k] = p.axis[k].taps;
      weight[k] = p.axis[k].weight + position[k] * taps[k];
    }
  }
  float sum[N];
#pragma unroll
  for (int i = 0; i < N; i++) sum[i] = outside ? p.outside_value : 0;
  const T *in = static_cast<const T *>(p.in) + from;
  if (!outside)
    for (int a = 0; a < taps[0]; a++)
      for (int b = 0; b < taps[1]; b++) {
        float w = (p.axes > 0 ? weight[0][a] : 1) * (p.axes > 1 ? weight[1][b] : 1);
        const T *line = in + a * p.axis[0].in_stride + b * p.axis[1].in_stride;
#pragma unroll 2
        for (int c = 0; c < taps[2]; c++) {
          float v = p.axes > 2 ? w * weight[2][c] : w;
          vec<T, N> x = load<N>(line + c * p.axis[2].in_stride);
#pragma unroll
          for (int i = 0; i < N; i++) sum[i] += v * widened(x[i]);
        }
      }
  vec<T, N> y;
#pragma unroll
  for (int i = 0; i < N; i++) y[i] = stored<T>::from(sum[i]);
  store(static_cast<T *>(p.out) + to, y);
}
#endif

template <int N> DEVICE void walk(const resize_params &p) {
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  if (index >= p.dims.items) return;
  int64_t at[RESIZE_TENSORS];
  space_offsets<RESIZE_TENSORS>(p.dims, p.stride, index, at);
#pragma unroll
  for (int k = 0; k < RESIZE_AXES; k++) at[2 + k] += p.base[k];
  grid_wait();
  resize<N>(p, at[0], at[1], at + 2);
}
#if VECTOR > 1
KERNEL(vectors, resize_params, 256, 2) { walk<VECTOR>(p); }
#endif
KERNEL(elements, resize_params, 256, 2) { walk<1>(p); }
