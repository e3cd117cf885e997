/* Rows of floats: as halves, and how large they are. For weights by the hundred megabytes; element by element is base/dtype.h's. */
#ifndef INGOT_BASE_FLOATS_H
#define INGOT_BASE_FLOATS_H
#include <stddef.h>
#include <stdint.h>

/* n floats to nearest, ties to even: what ingot__f32_to_f16 and ingot__f32_to_bf16 give of each. */
void ingot__floats_to_f16(uint16_t *to, const float *from, size_t n);
void ingot__floats_to_bf16(uint16_t *to, const float *from, size_t n);
/* The weights of one sum: to nearest, but for a few near the middle between two halves, which go to the other one, so that the errors add up to about
 * nothing. Errors that don't shift a sum whose terms are alike, as what comes out of an activation is: Nagel et al., "Data-Free Quantization through
 * Weight Equalization and Bias Correction", 2019, have the shift; here it is avoided, not measured and taken off. */
void ingot__floats_to_f16_sum(uint16_t *to, const float *from, size_t n);
void ingot__floats_to_bf16_sum(uint16_t *to, const float *from, size_t n);
/* Each to the nearest half, which stays a float. */
void ingot__floats_round_f16(float *x, size_t n);
/* The largest magnitude among those that are finite; 0 if there is none. */
float ingot__floats_largest(const float *x, size_t n);
#endif
