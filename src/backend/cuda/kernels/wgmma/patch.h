/* What a launch of wgmma/patch.cu is told. Images lie below one another in lines of `pitch` pixels, with the padding between them once; a tile is 256
 * of those places, so some of its results are of padding and left out. In strips each 8 columns are such a pile of their own. */
#ifndef INGOT_CUDA_WGMMA_PATCH_H
#define INGOT_CUDA_WGMMA_PATCH_H
typedef struct ingot__patch {
  ingot__cuda_map x, x_line, w;     /* 64 channels of `lines` lines of `pitch` pixels; of one; 64 elements of K of weights (a pair: of half) */
  void *out;
  const void *residual, *bias;      /* bias: float, n of them, or NULL */
  int64_t out_image, out_line, out_pixel, residual_image, residual_line, residual_pixel; /* strides in elements */
  float act_alpha, act_beta;
  int32_t images, out_x, out_y, n;  /* n: output channels */
  int32_t has_residual, direct;     /* direct: out or the residual isn't aligned to 16 bytes */
  int32_t taps_x, taps_y, grow_x, grow_y, pad_x, pad_y, tap_k; /* tap_k: K's elements for a tap in the weights */
  int32_t slices;                   /* of 64 input channels */
  int32_t pitch, height;            /* lines of an image, with the padding below it */
  int32_t group;                    /* places from 8 pixels to the next 8: 8, in strips pitch */
  int32_t lines;                    /* that a tile needs */
  int32_t strips, tiles_m, tiles_n, tiles; /* strips: 0: lines are whole */
  int32_t pair;                     /* 2: blocks work in pairs on neighbouring tiles, and tiles counts pairs of them */
  int32_t resident;                 /* all weights stay in shared memory */
} ingot__patch;
#endif
