/* What DFT and STFT are made of: many transforms of one length, whose elements lie at regular places. fft.inc computes them. */
#ifndef INGOT_OPS_FFT_H
#define INGOT_OPS_FFT_H
#include "ops/ops.h"

enum { INGOT__FFT_FACTORS = 64, INGOT__FFT_LARGEST = 23 }; /* lengths with a larger prime factor go by Bluestein's way */

typedef struct ingot__fft {
  size_t n;                  /* length of each transform */
  size_t count, per;         /* transforms; transform t reads from in + t / per * in_outer + t % per * in_inner, and so for out */
  size_t in_outer, in_inner, out_outer, out_inner;
  size_t in_step, out_step;  /* elements between a signal's samples; a sample's imaginary part follows its real one */
  size_t in_len, out_len;    /* samples that are read (zeros follow) and written */
  int in_parts;              /* 1: real samples; 2: complex ones */
  bool inverse;
  bool to_real;              /* in: the first half of a spectrum whose other half mirrors it; out: real samples */
  const ingot__view *window; /* n factors of the samples; NULL: none */
} ingot__fft;

/* The transforms of a DFT or STFT node that runs. */
ingot_status ingot__fft_describe(const ingot__call *call, ingot__fft *f);
/* The most that its n, count and number of real values can be, before there is data; false when that isn't known. */
bool ingot__fft_bounds(const ingot__call *call, size_t *n, size_t *count);

/* n as a product of 4s, 2, 3, 5 and other primes; returns the largest. */
static inline size_t ingot__fft_factors(size_t n, size_t factor[INGOT__FFT_FACTORS], int *count) {
  size_t largest = 1;
  *count = 0;
  for (size_t p = 4; n > 1; p = p == 4 ? 2 : p == 2 ? 3 : p + 2) {
    if (p > 4 && p * p > n) p = n;
    for (; n % p == 0; n /= p) {
      factor[(*count)++] = p;
      if (p > largest && p != 4) largest = p;
    }
  }
  return largest;
}
/* The length that is computed: n, or the power of two of Bluestein's convolution. 0: too large. */
static inline size_t ingot__fft_size(size_t n) {
  size_t factor[INGOT__FFT_FACTORS], size = 1;
  int count;
  if (n > SIZE_MAX / 4096) return 0;
  if (ingot__fft_factors(n, factor, &count) <= INGOT__FFT_LARGEST) return n;
  while (size < 2 * n - 1) size *= 2;
  return size;
}
#endif
