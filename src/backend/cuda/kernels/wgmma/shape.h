/* A convolution or matrix product as numbers: what the kernels of this family read from a call before they choose tiles. */
#ifndef INGOT_BACKEND_CUDA_WGMMA_SHAPE_H
#define INGOT_BACKEND_CUDA_WGMMA_SHAPE_H
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/wgmma/product.h"

typedef struct ingot__product_shape {
  ingot__product p;          /* all of it but maps, tiles and what depends on them */
  ingot_dtype dtype;         /* of A, B, out and the residual */
  bool conv;
  bool a_mn, b_mn;           /* transposed in memory: B only when it isn't packed */
  bool b_packed, bias_packed;
  int slice;                 /* channels of a tap that are loaded together: 8 to 64 */
  int act;                   /* CLIP for none and ReLU */
  int64_t k;                 /* elements of K, those that slices pad included */
  int64_t a_row, b_row;      /* strides in elements: of M (transposed: K) in A, of N (K) in B */
  int64_t b_copies;          /* packed: matrices, for the batch dims of a constant B */
  bool rows_even;            /* pixels of all images, or rows, follow each other at one stride in out and the residual; of A too without windows */
  int64_t a_width, a_height, a_images, a_line, a_image; /* windows: dims of A, strides of lines and images */
  int upper_x, upper_y;      /* windows: the far corner of their positions */
} ingot__product_shape;

/* False where the kernels don't take the call, whatever the dims that may vary. */
bool ingot__product_read(const ingot__call *call, ingot__product_shape *shape);
bool ingot__product_read_transposed(const ingot__call *call, ingot__product_shape *shape); /* transposed.c */
void ingot__product_read_act(ingot__product_shape *shape, int64_t act, float alpha, float beta);
/* Constants as the kernels have them: the bias in float, a multiple of 256 bytes; then B, N rows of K for each matrix. */
size_t ingot__product_pack_size(const ingot__call *call);
void ingot__product_pack(const ingot__call *call, void *packed);
/* Any product, by plain.cuh, which each source of the family includes. */
ingot_status ingot__product_run_plain(const ingot__call *call, const ingot__product *p);
#endif
