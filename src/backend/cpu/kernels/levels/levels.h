/* Convolutions of 8-bit levels: uint8 maps, int8 weights, int32 sums, one factor for each output channel, uint8 out (ops.def, Conv). What
 * their kernels share.
 *
 * Sums are kept in quads: four bytes of the input times four of the weights, which is one instruction where the CPU has VNNI; elsewhere two
 * products of 16-bit pairs. (The older byte product, of pairs with a 16-bit sum, saturates and would be wrong.)
 *
 * The zero point of the input is in the bias: sum((x - z) w) + b = sum(x w) + (b - z sum(w)), with z itself in the padding. */
#ifndef INGOT_KERNELS_LEVELS_LEVELS_H
#define INGOT_KERNELS_LEVELS_LEVELS_H
#include "backend/cpu/kernels/conv/geometry.h"

enum { INGOT__QUAD = 4, INGOT__LEVELS_PANEL = 16, INGOT__LEVELS_MAX_ROWS = 14, INGOT__LEVELS_MAX_PANELS = 2 };

/* How sums become levels. */
typedef struct ingot__levels_finish {
  float low, high;            /* y_low - y_zero, y_high - y_zero */
  int32_t zero;               /* y_zero */
} ingot__levels_finish;
ingot__levels_finish ingot__levels_finish_get(const ingot__call *call);
/* Channel m's bias less the input's zero point times its weights' sum, and its factor. `summands`: weights of a channel. */
int32_t ingot__levels_bias(const ingot__call *call, size_t m, size_t summands);
float ingot__levels_scale(const ingot__call *call, size_t m);

/* A tile of pixels times one or two panels of 16 output channels. A panel is [quads][16][4] bytes; quads in the order of the runs. */
typedef struct ingot__levels_tile {
  const uint8_t *const *a;    /* by run: pixel 0's first byte */
  size_t runs, quads;         /* runs of `quads` quads each */
  size_t a_stride;            /* bytes from a pixel to the next */
  const int8_t *b;            /* the first panel */
  size_t b_stride;            /* bytes from a panel to the next */
  const int32_t *bias;        /* 16 a panel */
  const float *scale;         /* 16 a panel */
  uint8_t *c;                 /* pixel 0's first output */
  size_t c_stride;
  size_t channels;            /* outputs that exist: nothing is written past them */
  ingot__levels_finish finish;
} ingot__levels_tile;
typedef void (*ingot__levels_fn)(const ingot__levels_tile *tile);
typedef struct ingot__levels_tiles {
  ingot__isa isa;
  int rows[INGOT__LEVELS_MAX_PANELS + 1];    /* most pixels of a tile of so many panels; 0: no such tile */
  ingot__levels_fn fn[2][INGOT__LEVELS_MAX_PANELS + 1][INGOT__LEVELS_MAX_ROWS + 1]; /* [with VNNI][panels][pixels] */
} ingot__levels_tiles;
extern const ingot__levels_tiles ingot__levels_tiles_avx512, ingot__levels_tiles_avx2, ingot__levels_tiles_portable;
/* Whether the code compiled for `isa` may use VNNI's instructions here. */
bool ingot__levels_vnni(ingot__isa isa);
#endif
