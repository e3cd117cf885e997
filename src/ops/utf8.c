/* UTF-8. */
#define _GNU_SOURCE
#include "ops/utf8.h"
#include <locale.h>
#include <pthread.h>
#include <wctype.h>

enum { ODD = 0x110000 };

uint32_t ingot__utf8_get(const char *text, size_t size, size_t *length) {
  const uint8_t *p = (const uint8_t *)text;
  uint32_t c = p[0];
  size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
  *length = 1;
  if (n == 1) return c;
  if (n == 0 || n > size) return ODD + c;
  c &= 0x7fu >> n;
  for (size_t i = 1; i < n; i++) {
    if ((p[i] & 0xc0) != 0x80) return ODD + p[0];
    c = c << 6 | (p[i] & 0x3f);
  }
  /* Longer than need be, surrogates, past the last one. */
  if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) || (c >= 0xd800 && c < 0xe000)) return ODD + p[0];
  *length = n;
  return c;
}

size_t ingot__utf8_put(uint32_t c, char out[4]) {
  if (c < 0x80 || c >= ODD) {
    out[0] = (char)(c < 0x80 ? c : c - ODD);
    return 1;
  }
  size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
  out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
  return n;
}

static locale_t characters;
static void make_locale(void) { characters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); }
static bool has_locale(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_locale);
  return characters != (locale_t)0;
}

uint32_t ingot__utf8_lower(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return c < ODD && has_locale() ? (uint32_t)towlower_l((wint_t)c, characters) : c;
}

uint32_t ingot__utf8_upper(uint32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  return c < ODD && has_locale() ? (uint32_t)towupper_l((wint_t)c, characters) : c;
}

bool ingot__utf8_blank(uint32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}
