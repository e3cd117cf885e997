/* What a launch of a product is told: out (M x N) = act(alpha A (M x K) B (K x N) + bias + residual), for each of up to two batch dims.
 * Convolutions are such products: M counts the pixels of the outputs, N the output channels, K the channels under each tap of the window. */
#ifndef INGOT_CUDA_WGMMA_PRODUCT_H
#define INGOT_CUDA_WGMMA_PRODUCT_H
typedef struct ingot__product {
  ingot__cuda_map a, b, out, residual;
  const void *a_data, *b_data, *residual_data; /* for the plain way and for stores that the copy engine can't make */
  void *out_data;
  const void *bias;                 /* N of them, or NULL; float, or as B */
  int64_t out_row, residual_row;    /* strides in elements */
  int64_t line_out;                 /* where rows of out come in lines: from a line to the next */
  int32_t line;                     /* ... rows of a line; 0: they go on evenly */
  int64_t out_batch[2], residual_batch[2], a_batch[2], b_batch[2];
  int64_t m;
  int32_t n;
  int32_t batch[2];                 /* innermost first */
  int32_t a_moves[2], b_moves[2];   /* 1; 0: the operand is the same for all of that batch dim */
  int32_t bias_float, has_residual;
  int32_t b_constant;               /* B and the bias were there before this run */
  int32_t direct;                   /* out or the residual isn't aligned to 16 bytes: elements are moved one by one */
  float alpha, act_alpha, act_beta;
  /* Tiles and K, in slices of 128 bytes. */
  int32_t slices, m_units, n_units; /* units: tiles, or pairs of them */
  int32_t pair;                     /* 2: blocks work in pairs, and load half of what both need for both */
  int32_t pair_n;                   /* 2: ... on tiles that are neighbours along N and share A; 1: along M, and share B */
  int32_t band;                     /* units of M that are gone through for one of N, before the next */
  int32_t tiles;                    /* in all; of pairs */
  int32_t splits;                   /* blocks that share K */
  /* Convolutions whose A is gathered by windows. */
  int32_t windows;
  int32_t channels;                 /* of A, a multiple of 8 */
  int32_t taps_x, taps_y;
  int32_t step_x, step_y, grow_x, grow_y, pad_x, pad_y; /* stride, dilation, pads in front */
  int32_t out_x, out_y;             /* pixels of an image of outputs */
  /* The plain way: all of A's and B's strides; out's by image, line, pixel where the pixels of all images don't follow each other evenly. */
  int32_t in_x, in_y, tap_k;        /* tap_k: K's elements for a tap, in B */
  int64_t a_image, a_y, a_x, a_k, b_n, b_k;
  int64_t out_image, out_line, out_pixel, residual_image, residual_line, residual_pixel;
} ingot__product;
#endif
