/* The cursor over protobuf's wire format. */
#include "import/onnx/wire.h"
#include <string.h>

bool ingot__text_is(ingot__text text, const char *literal) {
  size_t n = strlen(literal);
  return text.n == n && (n == 0 || memcmp(text.p, literal, n) == 0);
}

bool ingot__text_same(ingot__text a, ingot__text b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }

static bool damage(ingot__wire *wire) {
  wire->damaged = true;
  return false;
}

bool ingot__wire_varint(ingot__wire *w, uint64_t *value) {
  uint64_t v = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (w->p == w->end) return damage(w);
    uint8_t byte = *w->p++;
    if (shift == 63 && byte > 1) return damage(w); /* more than 64 bits */
    v |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = v;
      return true;
    }
  }
  return damage(w);
}

bool ingot__wire_fixed(ingot__wire *w, size_t size, uint64_t *value) {
  if ((size_t)(w->end - w->p) < size) return damage(w);
  uint64_t v = 0;
  for (size_t i = 0; i < size; i++) v |= (uint64_t)w->p[i] << (8 * i);
  w->p += size;
  *value = v;
  return true;
}

bool ingot__wire_next(ingot__wire *w, ingot__wire_field *f) {
  if (w->damaged || w->p == w->end) return false;
  uint64_t tag, n;
  if (!ingot__wire_varint(w, &tag)) return false;
  if (tag > UINT32_MAX || tag >> 3 == 0) return damage(w);
  *f = (ingot__wire_field){.number = (uint32_t)(tag >> 3), .type = tag & 7};
  switch (f->type) {
  case INGOT__WIRE_VARINT: return ingot__wire_varint(w, &f->value);
  case INGOT__WIRE_FIXED64: return ingot__wire_fixed(w, 8, &f->value);
  case INGOT__WIRE_FIXED32: return ingot__wire_fixed(w, 4, &f->value);
  case INGOT__WIRE_BYTES:
    if (!ingot__wire_varint(w, &n)) return false;
    if (n > (size_t)(w->end - w->p)) return damage(w);
    f->bytes = (ingot__text){(const char *)w->p, (size_t)n};
    w->p += n;
    return true;
  default: return damage(w); /* groups, which ONNX never had, and numbers that protobuf doesn't use */
  }
}
