/* The register tile that every float32 product is made of: some pixels (rows of A) times one or more panels of 16 output channels
 * (columns of B), with bias, residual and activation applied on the way out. Convolutions, matrix products and Winograd's 36 products
 * differ only in where a tile's pixels lie.
 *
 * panel16, the format of packed weights, the same for every instruction set: [group][ceil(N/16)][K][16] floats, channels past N zero.
 * A tile's K is cut into runs: stretches of `length` floats that are contiguous in each pixel and in the panel, such as the input channels
 * of one tap of a convolution. Pixels lie at a constant distance. */
#ifndef INGOT_KERNELS_GEMM_TILE_H
#define INGOT_KERNELS_GEMM_TILE_H
#include "backend/cpu/kernel.h"

enum { INGOT__PANEL = 16, INGOT__TILE_MAX_ROWS = 14, INGOT__TILE_MAX_PANELS = 4 };

typedef struct ingot__tile {
  const float *const *a;      /* by run: pixel 0's first float */
  const size_t *b_row;        /* by run: the K row of the panels where it begins */
  size_t runs, length;        /* runs of `length` floats each; runs may be 0 */
  size_t a_stride;            /* floats from a pixel to the next */
  const float *b;             /* the first panel */
  size_t b_stride;            /* floats from a panel to the next */
  const float *bias;          /* 16 * panels floats, or NULL */
  float *c;                   /* pixel 0's first output */
  size_t c_stride;            /* floats from a pixel to the next */
  const float *residual;      /* added to the product; laid out like c; or NULL */
  size_t residual_stride;
  size_t channels;            /* outputs that exist, in (16 * (panels - 1), 16 * panels]: nothing is written past them */
  float low, high;            /* the result is clamped; -inf and inf: not */
  float scale;                /* not 0: multiplied before clamping, rounded after (INGOT__ACT_QUANTIZE) */
} ingot__tile;
typedef void (*ingot__tile_fn)(const ingot__tile *tile);

/* What an instruction set offers. */
typedef struct ingot__tiles {
  ingot__isa isa;
  int rows[INGOT__TILE_MAX_PANELS + 1];                                                /* most pixels a tile of so many panels; 0: no such tile */
  ingot__tile_fn fn[INGOT__TILE_MAX_PANELS + 1][INGOT__TILE_MAX_ROWS + 1];              /* by panels (1, 2, 4) and pixels */
  /* For convolutions of many groups of 4 ([0]) or 8 ([1]) channels, as many in as out: one panel, by pixels. Each run is one tap: 16 input
   * channels (or `channels`, if those are fewer) and 4 or 8 K rows of the panel, the i-th to multiply each lane's group's i-th channel. */
  ingot__tile_fn grouped[2][INGOT__TILE_MAX_ROWS + 1];
  /* Applies an activation in place to `rows` rows of n floats. */
  void (*activate)(ingot__act act, float alpha, float beta, float *c, size_t stride, size_t rows, size_t n);
} ingot__tiles;
extern const ingot__tiles ingot__tiles_avx512, ingot__tiles_avx2, ingot__tiles_portable;

/* How a product's result is finished; filled by ingot__finish_set. */
typedef struct ingot__finish {
  ingot__act act;             /* what is left for `activate`: NONE when the clamp does it */
  float alpha, beta, low, high;
} ingot__finish;
void ingot__finish_set(ingot__finish *finish, int64_t act, float alpha, float beta);

/* Computes `pixels` (1 to ingot__tile_rows) pixels of the tile's `a` for panels [begin, end) out of a matrix with n channels. tile->b is
 * panel `begin`; bias, c and residual are panel 0's; channels, low and high are set here. */
void ingot__tile_panels(const ingot__tiles *tiles, ingot__tile *tile, const ingot__finish *finish, size_t pixels, size_t n, size_t begin,
                        size_t end);

/* The same for a tile of groups of `width` channels, of `channels` channels. */
void ingot__tile_grouped(const ingot__tiles *tiles, ingot__tile *tile, const ingot__finish *finish, size_t pixels, size_t width,
                         size_t channels);
/* The most pixels of a tile where there are `panels` panels to go over and pixels lie `stride` floats apart (0: any). */
size_t ingot__tile_rows(const ingot__tiles *tiles, size_t panels, size_t stride);
static inline size_t ingot__panels(size_t n) { return (n + INGOT__PANEL - 1) / INGOT__PANEL; }
/* How many panels of K rows a thread goes over before moving on to the next pixels, so that they stay in L2. */
size_t ingot__panel_block(size_t k, size_t panels);
/* Floats of a packed matrix: panels and, behind them, the bias padded to whole panels; SIZE_MAX / 4 or more: too large. */
size_t ingot__panel_floats(size_t groups, size_t k, size_t n);
/* Writes the panels [begin, end) of the k x n matrix whose element (i, j) is b[i * b_k + j * b_n], times alpha. */
void ingot__pack_panels(const float *b, size_t b_k, size_t b_n, size_t k, size_t n, float alpha, size_t begin, size_t end, float *to);
/* How unevenly `units` of work fall on n threads: 1 is even, 2 is twice as long. */
static inline double ingot__imbalance(size_t units, size_t n) {
  return units ? (double)((units + n - 1) / n * n) / (double)units : 1e9;
}
/* Seconds that one thread takes for `pixels` pixels in rows of `width` times a K x n matrix, all groups. */
double ingot__product_seconds(const ingot__tiles *tiles, double pixels, size_t width, size_t k, size_t n, size_t groups);
#endif
