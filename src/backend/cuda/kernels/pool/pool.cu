/* MaxPool, AveragePool and LpPool over one to three spatial dims. define() says TYPE, KIND (0 max, 1 average, 2 powers), LAST (channels are
 * innermost: items are vectors of them), VECTOR, the window's KERNEL_0.., STRIDE_0.., DILATION_0.., WITH_PAD (padding counts), POWER. */
#include "space.cuh"
#include "pool/pool.h"
#include "pool/extreme.cuh"

typedef TYPE T;

#ifdef WIDE
typedef double sum_type;
DEVICE double widened(double x) { return x; }
template <typename U> DEVICE U narrowed(double x) { return x; }
#else
typedef float sum_type;
template <typename U> DEVICE float widened(U x) { return to_float(x); }
template <typename U> DEVICE U narrowed(float x) { return from_float<U>(x); }
#endif

template <int N> struct sums {
  typedef vec<T, N> item;
  sum_type a[N];
  static __device__ __forceinline__ item fetch(const T *from) { return load<N>(from); }
  static __device__ __forceinline__ item nothing() {
    item x;
#pragma unroll
    for (int i = 0; i < N; i++) x[i] = narrowed<T>(0);
    return x;
  }
  __device__ __forceinline__ void begin() {
#pragma unroll
    for (int i = 0; i < N; i++) a[i] = 0;
  }
  __device__ __forceinline__ void add(const item &x) {
#pragma unroll
    for (int i = 0; i < N; i++) {
      sum_type v = widened(x[i]);
#if KIND == 2
      v = v < 0 ? -v : v;
      a[i] += POWER == 1 ? v : POWER == 2 ? v * v : pow(v, (sum_type)POWER);
#else
      a[i] += v;
#endif
    }
  }
  __device__ __forceinline__ void put(T *to, sum_type factor) const {
    vec<T, N> y;
#pragma unroll
    for (int i = 0; i < N; i++) {
#if KIND == 2
      y[i] = narrowed<T>(POWER == 1 ? a[i] : POWER == 2 ? sqrt(a[i]) : pow(a[i], 1 / (sum_type)POWER));
#else
      y[i] = narrowed<T>(a[i] * factor);
#endif
    }
    store(to, y);
  }
};

template <int N> struct largest {
  typedef typename extreme<T, N>::item item;
  extreme<T, N> a;
  static __device__ __forceinline__ item fetch(const T *from) { return extreme<T, N>::fetch(from); }
  static __device__ __forceinline__ item nothing() { return extreme<T, N>::nothing(); }
  __device__ __forceinline__ void begin() { a.a = nothing(); }
  __device__ __forceinline__ void add(const item &x) { a.add(x); }
  __device__ __forceinline__ void put(T *to, float) const { a.put(to); }
};

/* Taps of a window that count along one axis. */
template <int K, int DILATION> DEVICE int covered(int at, int low, int high) {
  int n = 0;
#pragma unroll
  for (int k = 0; k < K; k++) n += at + k * DILATION >= low && at + k * DILATION < high;
  return n;
}

enum { TAPS = KERNEL_0 * KERNEL_1 * KERNEL_2, CHUNK = TAPS <= 9 ? TAPS : TAPS % 7 == 0 ? 7 : 8 };

template <typename A, int N> DEVICE void pool(const pool_params &p) {
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  if (index < p.items) {
    uint32_t at[4];
#pragma unroll
    for (int d = 0; d < 4; d++) {
      uint32_t rest = divide(index, p.inner[d]);
      at[d] = index - rest * p.inner[d].dim;
      index = rest;
    }
    uint32_t n = index, c = at[LAST ? 0 : 3], w = at[LAST ? 1 : 0], h = at[LAST ? 2 : 1], d = at[LAST ? 3 : 2];
    int d0 = (int)d * STRIDE_0 - p.begin[0], h0 = (int)h * STRIDE_1 - p.begin[1], w0 = (int)w * STRIDE_2 - p.begin[2];
    const T *in = static_cast<const T *>(p.in) + n * p.in_stride[0] + c * p.in_stride[1];
    T *out = static_cast<T *>(p.out) + n * p.out_stride[0] + c * p.out_stride[1] + d * p.out_stride[2] + h * p.out_stride[3] + w * p.out_stride[4];
    A acc;
    acc.begin();
    grid_wait();
#pragma unroll 1
    for (int first = 0; first < TAPS; first += CHUNK) { /* several in flight */
      typename A::item x[CHUNK];
#pragma unroll
      for (int k = 0; k < CHUNK; k++) {
        int tap = first + k, kd = tap / (KERNEL_1 * KERNEL_2), kh = tap / KERNEL_2 % KERNEL_1, kw = tap % KERNEL_2;
        int id = d0 + kd * DILATION_0, ih = h0 + kh * DILATION_1, iw = w0 + kw * DILATION_2;
        bool inside = (TAPS % CHUNK == 0 || tap < TAPS) && id >= 0 && id < p.size[0] && ih >= 0 && ih < p.size[1] && iw >= 0 && iw < p.size[2];
        const T *from = in + (id * p.in_step[0] + ih * p.in_step[1] + iw * p.in_step[2]);
        if (inside) x[k] = A::fetch(from);
        else x[k] = A::nothing();
      }
#pragma unroll
      for (int k = 0; k < CHUNK; k++) acc.add(x[k]);
    }
    sum_type factor = 1;
#if KIND == 1
    int count = covered<KERNEL_0, DILATION_0>(d0, WITH_PAD ? -p.begin[0] : 0, p.size[0] + (WITH_PAD ? p.end[0] : 0)) *
                covered<KERNEL_1, DILATION_1>(h0, WITH_PAD ? -p.begin[1] : 0, p.size[1] + (WITH_PAD ? p.end[1] : 0)) *
                covered<KERNEL_2, DILATION_2>(w0, WITH_PAD ? -p.begin[2] : 0, p.size[2] + (WITH_PAD ? p.end[2] : 0));
    factor = count ? 1 / (sum_type)count : (sum_type)0;
#endif
    acc.put(out, factor);
  }
}

#if KIND == 0
#define POOL largest
#else
#define POOL sums
#endif
#if VECTOR > 1
KERNEL(vectors, pool_params, 256, 2) { pool<POOL<VECTOR>, VECTOR>(p); }
#endif
KERNEL(elements, pool_params, 256, 2) { pool<POOL<1>, 1>(p); }
