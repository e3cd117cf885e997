/* What the emulated driver writes into the 128 opaque bytes of a tensor map, and the emulated tensor copy engine reads. */
#ifndef EMULATED_MAP_H
#define EMULATED_MAP_H
#include <stdint.h>
enum { EMULATED_MAP_TILED = 0x54e5, EMULATED_MAP_WINDOWS = 0x314d };

/* Dims and strides are innermost first: for windows C, W, H, N. */
typedef struct emulated_map {
  uint16_t kind;
  uint8_t rank, size;        /* size: of an element, in bytes */
  uint8_t swizzle;           /* 0, 32, 64, 128 */
  uint8_t step[5];           /* from one element that is taken to the next */
  uint16_t box[5];           /* elements, as taken: box / step, rounded up. Windows: [0] channels, [1] pixels */
  int16_t lower[3], upper[3]; /* corners of the windows' positions: W, H */
  uint64_t base;
  uint32_t last[5];          /* dim - 1 */
  uint64_t stride[4];        /* bytes; of dims 1.. */
} emulated_map;
#endif
