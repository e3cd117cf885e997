/* Data types: sizes, names and conversions of the narrow floats. Scalars in memory are little-endian. */
#ifndef INGOT_BASE_DTYPE_H
#define INGOT_BASE_DTYPE_H
#include "ingot/ingot.h"
#include <string.h>

enum { INGOT__DTYPE_COUNT = INGOT_FLOAT6E3M2 + 1 };
/* Bytes of n elements (4-bit types two to a byte, 2-bit types four, rounded up); false on overflow or for types without a size. */
bool ingot__dtype_bytes(ingot_dtype dtype, size_t n, size_t *bytes);
/* Bytes of one element; 0 for types of less than a byte and undefined. A string is an ingot_string, whose characters lie elsewhere. */
static inline size_t ingot__dtype_size(ingot_dtype dtype) { return dtype == INGOT_STRING ? sizeof(ingot_string) : ingot_dtype_bits(dtype) / 8; }
ingot_dtype ingot__dtype_parse(const char *name); /* INGOT_UNDEFINED when it is none */
bool ingot__dtype_is_float(ingot_dtype dtype);    /* any real floating type */
bool ingot__dtype_is_int(ingot_dtype dtype);      /* signed or unsigned, not bool */
bool ingot__dtype_is_unsigned(ingot_dtype dtype); /* an unsigned integer */
bool ingot__dtype_is_complex(ingot_dtype dtype);
static inline bool ingot__dtype_is_half(ingot_dtype dtype) { return dtype == INGOT_FLOAT16 || dtype == INGOT_BFLOAT16; }
static inline bool ingot__dtype_is_real(ingot_dtype dtype) { /* that most operators compute in */
  return dtype == INGOT_FLOAT32 || dtype == INGOT_FLOAT64 || ingot__dtype_is_half(dtype);
}
/* Of less than a byte: several elements share one. */
static inline bool ingot__dtype_is_packed(ingot_dtype dtype) { unsigned bits = ingot_dtype_bits(dtype); return bits > 0 && bits < 8; }
/* The smallest and largest element of an integer type of up to 32 bits; false for others. */
bool ingot__dtype_range(ingot_dtype dtype, int64_t *low, int64_t *high);

static inline float ingot__bf16_to_f32(uint16_t h) {
  uint32_t u = (uint32_t)h << 16;
  float f;
  memcpy(&f, &u, 4);
  return f;
}
uint16_t ingot__f32_to_bf16(float f); /* to nearest, ties to even */
float ingot__f16_to_f32(uint16_t h);
uint16_t ingot__f32_to_f16(float f);
/* The floats of 8 bits with a sign, of 6 and of 4 bits, in the low bits. `saturate` matters for those of 8 bits. */
bool ingot__dtype_is_narrow(ingot_dtype dtype);
float ingot__narrow_to_f32(ingot_dtype dtype, uint8_t v);
uint8_t ingot__f32_to_narrow(ingot_dtype dtype, float f, bool saturate);
/* float8e8m0: powers of two from 2^-127 to 2^127 and NaN. What lies between two rounds to the larger, the smaller, or the nearer one of them
 * (by their values; from the middle up). Out of the range, too small or infinite: the end when saturating, else NaN; below zero NaN. */
typedef enum ingot__e8m0_round { INGOT__E8M0_UP, INGOT__E8M0_DOWN, INGOT__E8M0_NEAREST } ingot__e8m0_round;
float ingot__e8m0_to_f32(uint8_t v);
uint8_t ingot__f32_to_e8m0(float f, bool saturate, ingot__e8m0_round round);

/* One element as a double or an int64 and back, for code that is not in a hurry. `i` counts elements. Stores saturate integers and
 * round floats to nearest even where narrowing (float8e8m0: up). Not for strings; of complex numbers the real part. */
double ingot__get_double(ingot_dtype dtype, const void *data, size_t i);
int64_t ingot__get_int(ingot_dtype dtype, const void *data, size_t i);
void ingot__set_double(ingot_dtype dtype, void *data, size_t i, double v);
void ingot__set_int(ingot_dtype dtype, void *data, size_t i, int64_t v);
/* The bits of element i of a packed type, and setting them. */
unsigned ingot__get_bits(ingot_dtype dtype, const void *data, size_t i);
void ingot__set_bits(ingot_dtype dtype, void *data, size_t i, unsigned v);
#endif
