/* Finding keys: numbers, strings, or short lists of either, among many, for LabelEncoder and TfIdfVectorizer. */
#ifndef INGOT_OPS_LOOKUP_H
#define INGOT_OPS_LOOKUP_H
#include "ops/ops.h"

/* A key's part: an int64, the bits of a double (all NaNs and both zeros alike), or a string. */
typedef struct ingot__key { bool is_string; uint64_t bits; ingot_string string; } ingot__key;
ingot__key ingot__key_of(ingot_dtype dtype, const void *data, size_t i); /* strings: ingot_string */
ingot__key ingot__key_of_text(const char *text);

/* Open addressing; keys are lists of `length` parts each, kept by the caller. */
typedef struct ingot__lookup { const ingot__key *key; size_t length, mask; uint32_t *slot; } ingot__lookup;
bool ingot__lookup_init(ingot__lookup *lookup, ingot__arena *arena, size_t n, size_t length); /* false: no memory, or too many */
/* Makes key[i * length ..] findable as i; what is equal to an earlier one stays hidden. */
void ingot__lookup_add(ingot__lookup *lookup, const ingot__key *keys, size_t i);
/* Which key it is; -1: none. Parts are `stride` apart. */
int64_t ingot__lookup_find(const ingot__lookup *lookup, const ingot__key *part, size_t stride);
#endif
