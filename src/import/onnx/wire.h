/* Protobuf's wire format: a cursor over the fields of one message. It copies nothing and never leaves its bytes.
 * https://protobuf.dev/programming-guides/encoding/ */
#ifndef INGOT_IMPORT_ONNX_WIRE_H
#define INGOT_IMPORT_ONNX_WIRE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes in the file: a string (not terminated), a message or packed numbers. p may be NULL when n is 0. */
typedef struct ingot__text { const char *p; size_t n; } ingot__text;
#define INGOT__TEXT(t) (int)((t).n < 200 ? (t).n : 200), ((t).p ? (t).p : "") /* for "%.*s" */

bool ingot__text_is(ingot__text text, const char *literal);
bool ingot__text_same(ingot__text a, ingot__text b);

enum { INGOT__WIRE_VARINT = 0, INGOT__WIRE_FIXED64 = 1, INGOT__WIRE_BYTES = 2, INGOT__WIRE_FIXED32 = 5 };

typedef struct ingot__wire {
  const uint8_t *p, *end;
  bool damaged; /* set when the bytes stop making sense; p is near */
} ingot__wire;

typedef struct ingot__wire_field {
  uint32_t number;
  uint8_t type;     /* INGOT__WIRE_... */
  uint64_t value;   /* VARINT, FIXED32, FIXED64 */
  ingot__text bytes; /* BYTES */
} ingot__wire_field;

static inline ingot__wire ingot__wire_open(ingot__text message) {
  const uint8_t *p = (const uint8_t *)message.p;
  return (ingot__wire){p, message.n ? p + message.n : p, false};
}
/* The next field; false at the end and on damage. */
bool ingot__wire_next(ingot__wire *wire, ingot__wire_field *field);
/* One varint of at most 64 bits; false at the end and on damage. */
bool ingot__wire_varint(ingot__wire *wire, uint64_t *value);
/* `size` (4 or 8) bytes, little-endian; false, and damage, when they aren't there. */
bool ingot__wire_fixed(ingot__wire *wire, size_t size, uint64_t *value);
#endif
