/* Characters of UTF-8 text, as far as string operators need them: decoding, case, blanks. */
#ifndef INGOT_OPS_UTF8_H
#define INGOT_OPS_UTF8_H
#include "ops/ops.h"
/* The character at text[0], of size > 0 bytes; *length: its bytes. A byte that begins none is a character of its own, 0x110000 + the byte, so that
 * damaged text is kept as it is. */
uint32_t ingot__utf8_get(const char *text, size_t size, size_t *length);
/* Writes a character (those of ingot__utf8_get) and returns its bytes, 1 to 4. */
size_t ingot__utf8_put(uint32_t c, char out[4]);
/* Unicode's simple mappings, one character for one, as the C library's locale C.UTF-8 has them; ASCII's where there is no such locale. */
uint32_t ingot__utf8_lower(uint32_t c);
uint32_t ingot__utf8_upper(uint32_t c);
bool ingot__utf8_blank(uint32_t c); /* Unicode's White_Space */
#endif
