/* Names and strings in texts: plain identifiers as they are, others in double quotes with \" \\ \n \t and \xHH. */
#ifndef INGOT_IR_QUOTE_H
#define INGOT_IR_QUOTE_H
#include <stdbool.h>
#include <stddef.h>

/* A letter, _ or a byte of UTF-8 past ASCII, then also digits, dots. */
static inline bool ingot__is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80); }
static inline bool ingot__is_name_char(char c) { return ingot__is_name_start(c) || (c >= '0' && c <= '9') || c == '.'; }
bool ingot__is_plain_name(const char *name, bool slashes); /* slashes: / counts as a letter (names of values and nodes) */
/* One character between quotes: writes at most 4 and returns how many. */
size_t ingot__quote_char(char c, char out[4]);
/* Reads a quoted string at *cursor (a '"') and moves past it. Writes its bytes and a 0 to `out`, of `size`, and how many to *length; false
 * when it is malformed, too long, or, with length NULL, has a \x00. A size of end - *cursor is always enough. */
bool ingot__unquote(const char **cursor, const char *end, char *out, size_t size, size_t *length);
#endif
