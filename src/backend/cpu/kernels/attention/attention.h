/* What attention needs of an instruction set beyond the register tiles. */
#ifndef INGOT_KERNELS_ATTENTION_H
#define INGOT_KERNELS_ATTENTION_H
#include "backend/cpu/kernels/gemm/tile.h"

/* What comes between a query's scores and its weights. */
typedef struct ingot__weighing {
  float cap;                  /* not 0: cap * tanh(score / cap) */
  const float *mask;          /* added; or NULL */
  const uint8_t *keep;        /* scores where it is 0 are out; or NULL */
  size_t step;                /* elements of mask or keep from a key to the next */
} ingot__weighing;

typedef struct ingot__attention {
  const ingot__tiles *tiles;
  /* A query's n scores to weights that add up to 1, or to zeros where each of them is out. */
  void (*weigh)(float *x, size_t n, const ingot__weighing *how);
  /* The scores of one query with n keys, `row` floats apart; times scale. */
  void (*score)(const float *query, const float *keys, size_t row, size_t width, size_t n, float scale, float *scores);
  /* The sum of n values, `row` floats apart, by their weights. */
  void (*blend)(const float *weights, const float *values, size_t row, size_t n, size_t width, float *out);
} ingot__attention;
extern const ingot__attention ingot__attention_avx512, ingot__attention_avx2, ingot__attention_portable;
#endif
