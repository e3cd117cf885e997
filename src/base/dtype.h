/* Data types: sizes, names and conversions of the narrow floats. Scalars in memory are little-endian. */
#ifndef INGOT_BASE_DTYPE_H
#define INGOT_BASE_DTYPE_H
#include "ingot/ingot.h"
#include <string.h>

/* Bytes of n elements (4-bit types two to a byte, rounded up); false on overflow or for types without a size. */
bool ingot__dtype_bytes(ingot_dtype dtype, size_t n, size_t *bytes);
/* Bytes of one element; 0 for 4-bit types, strings and undefined. */
static inline size_t ingot__dtype_size(ingot_dtype dtype) { return ingot_dtype_bits(dtype) / 8; }
ingot_dtype ingot__dtype_parse(const char *name); /* INGOT_UNDEFINED when it is none */
bool ingot__dtype_is_float(ingot_dtype dtype);    /* any real floating type */
bool ingot__dtype_is_int(ingot_dtype dtype);      /* signed or unsigned, not bool */

static inline float ingot__bf16_to_f32(uint16_t h) {
  uint32_t u = (uint32_t)h << 16;
  float f;
  memcpy(&f, &u, 4);
  return f;
}
uint16_t ingot__f32_to_bf16(float f); /* to nearest, ties to even */
float ingot__f16_to_f32(uint16_t h);
uint16_t ingot__f32_to_f16(float f);
float ingot__f8_to_f32(ingot_dtype dtype, uint8_t v);                 /* the four 8-bit formats */
uint8_t ingot__f32_to_f8(ingot_dtype dtype, float f, bool saturate);

/* One element as a double or an int64 and back, for code that is not in a hurry. `i` counts elements. Stores saturate integers and
 * round floats to nearest even where narrowing. Not for strings and complex. */
double ingot__get_double(ingot_dtype dtype, const void *data, size_t i);
int64_t ingot__get_int(ingot_dtype dtype, const void *data, size_t i);
void ingot__set_double(ingot_dtype dtype, void *data, size_t i, double v);
void ingot__set_int(ingot_dtype dtype, void *data, size_t i, int64_t v);
#endif
