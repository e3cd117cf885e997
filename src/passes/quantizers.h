/* What the passes on QuantizeLinear and DequantizeLinear ask of them. */
#ifndef INGOT_PASSES_QUANTIZERS_H
#define INGOT_PASSES_QUANTIZERS_H
#include "passes/rewrite.h"

/* Constant float32 values, at least one; the i-th of n, one value standing for all. */
bool ingot__floats_of(const ingot__value *v, size_t *n);
static inline float ingot__float_at(const ingot__value *v, size_t i, size_t n) { return ((const float *)v->data)[n == 1 ? 0 : i]; }

/* The DequantizeLinear that made v, with a positive scale for the whole tensor (or, for weights, for each of `channels`), or NULL. */
ingot__node *ingot__dequantized(const ingot__value *v, size_t channels, size_t *n_scale);
/* A convolution's or product's bias as a constant, its i-th value: the model's own float32 values, one a channel, or dequantised ones. */
bool ingot__bias_at(const ingot__value *b, size_t channels, size_t i, double *value);
/* That value in units of the product's: whole, where a quantiser made it whole and it only came through float32. */
double ingot__bias_units(double value, double unit);
/* The zero point that all channels share; 0 where there is none. For 8-bit types. */
bool ingot__zero_of(const ingot__node *quantizer, int64_t *zero);
/* The only reader of a value that nothing else needs, or NULL. */
static inline ingot__node *ingot__follower(const ingot__value *v) { return v->is_output ? NULL : ingot__value_only_user(v); }
#endif
