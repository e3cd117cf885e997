/* A hash table of keys; FNV-1a (Fowler, Noll, Vo) over their bytes, mixed at the end. */
#include "ops/lookup.h"

ingot__key ingot__key_of(ingot_dtype dtype, const void *data, size_t i) {
  ingot__key k = {0};
  if (dtype == INGOT_STRING) {
    k.is_string = true;
    k.string = ((const ingot_string *)data)[i];
  } else if (ingot__dtype_is_float(dtype)) {
    double v = ingot__get_double(dtype, data, i);
    if (v != v) k.bits = UINT64_C(0x7ff8) << 48;
    else if (v != 0) memcpy(&k.bits, &v, sizeof v);
  } else {
    k.bits = (uint64_t)ingot__get_int(dtype, data, i);
  }
  return k;
}

ingot__key ingot__key_of_text(const char *text) { return (ingot__key){.is_string = true, .string = {text, strlen(text)}}; }

static uint64_t hash(uint64_t h, const ingot__key *k) {
  const uint8_t *p = k->is_string ? (const uint8_t *)k->string.data : (const uint8_t *)&k->bits;
  for (size_t i = 0, n = k->is_string ? k->string.size : sizeof k->bits; i < n; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
  return (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9); /* so that lists of parts differ by where they are cut */
}

static bool same(const ingot__key *a, const ingot__key *b) {
  if (a->is_string != b->is_string) return false;
  return a->is_string ? ingot__string_same(a->string, b->string) : a->bits == b->bits;
}

bool ingot__lookup_init(ingot__lookup *l, ingot__arena *arena, size_t n, size_t length) {
  size_t size = 8;
  if (n > UINT32_MAX / 4) return false;
  while (size < 2 * n) size *= 2;
  *l = (ingot__lookup){.length = length, .mask = size - 1, .slot = INGOT_NEW_ARRAY(arena, size, uint32_t)};
  return l->slot != NULL;
}

/* The slot where the key is, or the free one where it would go. */
static size_t place(const ingot__lookup *l, const ingot__key *part, size_t stride) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < l->length; i++) h = hash(h, &part[i * stride]);
  for (size_t at = (h ^ h >> 32) & l->mask;; at = (at + 1) & l->mask) {
    if (!l->slot[at]) return at;
    const ingot__key *k = l->key + (size_t)(l->slot[at] - 1) * l->length;
    bool equal = true;
    for (size_t i = 0; i < l->length && equal; i++) equal = same(&k[i], &part[i * stride]);
    if (equal) return at;
  }
}

void ingot__lookup_add(ingot__lookup *l, const ingot__key *keys, size_t i) {
  l->key = keys;
  size_t at = place(l, keys + i * l->length, 1);
  if (!l->slot[at]) l->slot[at] = (uint32_t)i + 1;
}

int64_t ingot__lookup_find(const ingot__lookup *l, const ingot__key *part, size_t stride) { return (int64_t)l->slot[place(l, part, stride)] - 1; }
