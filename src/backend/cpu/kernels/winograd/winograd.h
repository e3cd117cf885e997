/* Winograd's F(4x4, 3x3): 4x4 outputs of a 3x3 convolution from a 6x6 patch with 36 multiplications instead of 144 (Lavin and Gray, Fast
 * Algorithms for Convolutional Neural Networks, 2015): Y = A^T ((G g G^T) * (B^T d B)) A, with the points 0, 1, -1, 2, -2 and infinity.
 * The products over the channels are 36 matrix products. F(2x2, 5x5), with the same points and so the same B, needs 36 instead of 100. */
#ifndef INGOT_KERNELS_WINOGRAD_H
#define INGOT_KERNELS_WINOGRAD_H
#include "backend/cpu/kernels/gemm/tile.h"

enum { INGOT__WINOGRAD_IN = 6, INGOT__WINOGRAD_POINTS = 36 };

typedef struct ingot__winograd_output {
  const float *m;              /* 36 products of a tile, `point` floats apart */
  size_t point;
  const float *bias;           /* 16 floats a panel, or NULL */
  float *y;                    /* the tile's first output pixel */
  size_t y_row, y_pixel;       /* strides in floats */
  const float *residual;       /* or NULL */
  size_t residual_row, residual_pixel;
  size_t rows, columns;        /* outputs that exist: 1 to 4, or 2 */
  size_t channels;
  float low, high;             /* the result is clamped */
} ingot__winograd_output;

/* The transforms, for one instruction set. */
typedef struct ingot__winograd {
  const ingot__tiles *tiles;
  /* V = B^T d B of a 6x6 patch of `channels` channels; point i of V goes to v + i * point. */
  void (*input)(const float *d, size_t row, size_t pixel, size_t channels, float *v, size_t point);
  void (*output4)(const ingot__winograd_output *o); /* Y = A^T m A: 4x4 outputs */
  void (*output2)(const ingot__winograd_output *o); /* 2x2 outputs */
} ingot__winograd;
extern const ingot__winograd ingot__winograd_avx512, ingot__winograd_avx2, ingot__winograd_portable;
#endif
