/* DFT and STFT: a block a transform, in shared memory. Powers of two by halves (Stockham's order, which needs no reordering: each step reads one
 * buffer and writes the other); other lengths as they are defined, n multiply-adds a result, with a table of the n roots of one. Defined
 * before: TYPE. */
#include "ingot.cuh"
#include "signal/fft.h"

struct complex { float re, im; };
DEVICE complex root(int k, int n) { /* exp(-2 pi i k / n) */
  complex w;
  sincospif(-2 * (float)k / (float)n, &w.im, &w.re);
  return w;
}
DEVICE complex times(complex a, complex b) { return complex{a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }

/* Sample k of the transform; the inverse is the conjugate of the conjugate's transform. */
DEVICE complex sample(const fft_params &p, const TYPE *x, int k) {
  complex v = {0, 0};
  if (p.to_real) {
    const bool mirrored = k > p.n / 2;
    const int at = mirrored ? p.n - k : k;
    if (at >= p.in_len) return v;
    v.re = to_float(x[at * p.in_step]);
    if (p.in_parts == 2 && at && p.n - at != at) v.im = mirrored ? -to_float(x[at * p.in_step + 1]) : to_float(x[at * p.in_step + 1]);
  } else if (k < p.in_len) {
    v.re = to_float(x[k * p.in_step]);
    if (p.in_parts == 2) v.im = to_float(x[k * p.in_step + 1]);
  }
  if (p.window) {
    const float w = to_float(static_cast<const TYPE *>(p.window)[k]);
    v.re *= w, v.im *= w;
  }
  if (p.inverse) v.im = -v.im;
  return v;
}
DEVICE void put(const fft_params &p, TYPE *y, int k, complex v) {
  const float scale = p.inverse ? 1 / (float)p.n : 1;
  y[k * p.out_step] = from_float<TYPE>(v.re * scale);
  if (!p.to_real) y[k * p.out_step + 1] = from_float<TYPE>(p.inverse ? -v.im * scale : v.im * scale);
}

KERNEL(fft, fft_params, 256, 1) {
  SHARED(complex, a);
  complex *b = a + p.n;
  grid_wait();
  grid_launch();
  const int64_t t = blockIdx.x;
  const TYPE *x = static_cast<const TYPE *>(p.x) + t / p.per * p.in_outer + t % p.per * p.in_inner;
  TYPE *y = static_cast<TYPE *>(p.y) + t / p.per * p.out_outer + t % p.per * p.out_inner;
  for (int k = threadIdx.x; k < p.n; k += blockDim.x) a[k] = sample(p, x, k);
  if (p.steps < 0) {
    for (int k = threadIdx.x; k < p.n; k += blockDim.x) b[k] = root(k, p.n);
    __syncthreads();
    for (int k = threadIdx.x; k < p.out_len; k += blockDim.x) {
      complex sum = {0, 0};
      for (int i = 0, at = 0; i < p.n; i++) {
        const complex v = times(a[i], b[at]);
        sum.re += v.re, sum.im += v.im;
        at += k;
        if (at >= p.n) at -= p.n;
      }
      put(p, y, k, sum);
    }
    return;
  }
  /* After s steps the first index counts over 2^s results of each of the n / 2^s interleaved parts. */
  for (int s = 0; s < p.steps; s++) {
    __syncthreads();
    const int done = 1 << s, half = p.n / 2;
    for (int i = threadIdx.x; i < half; i += blockDim.x) {
      const int k = i % done, part = i / done; /* result k of parts `part` and `part + half / done` */
      const complex u = a[part * done + k], v = times(a[part * done + k + half], root(k, 2 * done));
      b[part * 2 * done + k] = complex{u.re + v.re, u.im + v.im};
      b[part * 2 * done + k + done] = complex{u.re - v.re, u.im - v.im};
    }
    complex *other = a;
    a = b, b = other;
  }
  __syncthreads();
  for (int k = threadIdx.x; k < p.out_len; k += blockDim.x) put(p, y, k, a[k]);
}
