/* Elements of constants as text, and random ones from a seed. */
#ifndef INGOT_IR_ELEMENTS_H
#define INGOT_IR_ELEMENTS_H
#include "base/dtype.h"

enum { INGOT__ELEMENT_TEXT = 48, INGOT__MAX_SEED = 0xfffff };

/* Writes element i, exactly. Not for strings and complex numbers. */
void ingot__element_text(ingot_dtype dtype, const void *data, size_t i, char text[INGOT__ELEMENT_TEXT]);
/* Reads a number ("-1", "0.5", "1e-9", "inf", "nan", "true") into element i; false when it isn't one or doesn't fit. */
bool ingot__element_parse(ingot_dtype dtype, void *data, size_t i, const char *text);
/* A float in the C locale's spelling: 9 or 17 digits. */
void ingot__double_text(double v, int digits, char text[INGOT__ELEMENT_TEXT]);
bool ingot__double_parse(const char *text, double *v);

/* Element i of the tensor that `seed` (up to INGOT__MAX_SEED) stands for, written as data's element `at`: floats in [-1, 1), signed
 * integers in -8..7, unsigned ones in 0..15, 2-bit ones
 * and float4e2m1 of any bits, float8e8m0 in 2^-7..2^8. The first elements hold the seed, so that it can be found again. */
void ingot__random_element(ingot_dtype dtype, void *data, size_t at, size_t i, uint32_t seed);
/* Whether n elements are such, and of which seed; n must be at least 20. */
bool ingot__random_seed(ingot_dtype dtype, const void *data, size_t n, uint32_t *seed);
#endif
