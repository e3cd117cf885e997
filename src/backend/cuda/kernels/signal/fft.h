/* Parameters of DFT and STFT: many transforms of one length. Transform t reads from x + t / per * in_outer + t % per * in_inner, and so for y. */
#ifndef INGOT_CUDA_FFT_H
#define INGOT_CUDA_FFT_H
typedef struct fft_params {
  const void *x, *window;    /* window: n factors, or NULL */
  void *y;
  int64_t per, in_outer, in_inner, out_outer, out_inner, in_step, out_step;
  int32_t n, steps;          /* steps: log2 n where it is a power of two; -1: it isn't */
  int32_t in_len, out_len;   /* samples that are read (zeros follow), and written */
  int32_t in_parts;          /* 1: real samples; 2: complex ones */
  int32_t inverse, to_real;  /* to_real: of the first half of a spectrum whose other half mirrors it */
} fft_params;
#endif
