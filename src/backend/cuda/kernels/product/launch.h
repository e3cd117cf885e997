/* The host's side of product/mma.cu: tiles, how a product is cut into blocks, what it takes. */
#ifndef INGOT_BACKEND_CUDA_PRODUCT_LAUNCH_H
#define INGOT_BACKEND_CUDA_PRODUCT_LAUNCH_H
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/product/mma.h"

typedef enum ingot__product_math { INGOT__FMA = 0, INGOT__MMA = 1 } ingot__product_math; /* MMA of float32: rounded to tf32 */
typedef struct ingot__product_tile {
  ingot__product_math math;
  int bm, bn, warps_m, warps_n, stages, blocks; /* blocks: of one multiprocessor, at least */
} ingot__product_tile;

/* A product of any number of rows, before it is cut up. */
typedef struct ingot__product {
  product_params p;            /* operands, outputs, batches, window; n and k */
  int64_t m;                   /* rows */
  int64_t unit;                /* rows come in whole units (pixels of an image): where they may be cut */
  int64_t a_unit, out_unit, add_unit[2]; /* from one unit to the next */
  int64_t batches;
  size_t size;                 /* of an element */
} ingot__product;

/* Bytes, at most 16, that an address and strides (in elements) are multiples of: 16, 4, or the element's size if less. */
int ingot__product_align(const void *data, size_t size, const int64_t *stride, int n);
void ingot__product_define(const ingot__call *call, ingot__text *text, const ingot__product_tile *tile, int act);
size_t ingot__product_workspace(const ingot__product_tile *tile, const ingot__product *product);
double ingot__product_cost(const ingot__call *call, const ingot__product_tile *tile, const ingot__product *product);
/* Of a vendor's library, of which nobody but it knows: a little more than ours of the same product, so that without timing ours, which need no
 * library, are taken. tensor_cores: of float32, rounded to tf32. */
double ingot__product_library_cost(const ingot__call *call, int64_t m, int64_t n, int64_t k, int64_t batches, bool tensor_cores);
ingot_status ingot__product_launch(const ingot__call *call, const ingot__product_tile *tile, ingot__product *product);

/* Sets what find_place() in place.cuh needs; rows and columns are p's. */
void ingot__product_number(product_params *p, int64_t bm, int64_t bn, int64_t batches, int64_t splits);

static inline int64_t ingot__product_chunk(size_t size) { return 16 / (int64_t)size; }
/* A float rounded to tf32, as the device does it. */
static inline float ingot__tf32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if ((bits & 0x7fffffffu) <= 0x7f800000u) bits = (bits + 0x1000u) & ~0x1fffu;
  memcpy(&x, &bits, 4);
  return x;
}

/* The tiles, for rows of tables: X(bm, bn, warps_m, warps_n, stages, blocks). */
#define INGOT__PRODUCT_TILES(X) \
  X(128, 128, 2, 4, 3, 2) X(128, 64, 2, 2, 4, 2) X(64, 64, 2, 2, 4, 3) X(128, 32, 4, 1, 4, 2) X(64, 32, 2, 2, 4, 4) X(32, 64, 2, 2, 4, 4)
#endif
