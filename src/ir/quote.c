/* Quoting of names and strings. */
#include "ir/quote.h"

bool ingot__is_plain_name(const char *name, bool slashes) {
  if (!ingot__is_name_start(*name) && !(slashes && *name == '/')) return false;
  if (*name == '_' && !name[1]) return false; /* _ alone is an absent input */
  while (ingot__is_name_char(*name) || (slashes && *name == '/')) name++;
  return !*name;
}

size_t ingot__quote_char(char c, char out[4]) {
  out[0] = '\\';
  switch (c) {
    case '"': out[1] = '"'; return 2;
    case '\\': out[1] = '\\'; return 2;
    case '\n': out[1] = 'n'; return 2;
    case '\t': out[1] = 't'; return 2;
    default: break;
  }
  if ((unsigned char)c < 32 || c == 127) {
    out[1] = 'x';
    out[2] = "0123456789abcdef"[(unsigned char)c >> 4];
    out[3] = "0123456789abcdef"[c & 15];
    return 4;
  }
  out[0] = c;
  return 1;
}

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

bool ingot__unquote(const char **cursor, const char *end, char *out, size_t size, size_t *length) {
  const char *p = *cursor;
  size_t n = 0;
  for (p++; p < end && *p != '"'; p++) {
    char c = *p;
    if (c == '\n' || c == 0) return false;
    if (c == '\\') {
      if (++p == end) return false;
      c = *p;
      if (c == 'n') c = '\n';
      else if (c == 't') c = '\t';
      else if (c == 'x') {
        if (end - p < 3 || digit(p[1]) < 0 || digit(p[2]) < 0) return false;
        c = (char)(digit(p[1]) << 4 | digit(p[2]));
        p += 2;
        if (!c && !length) return false;
      } else if (c != '"' && c != '\\') return false;
    }
    if (n + 1 >= size) return false;
    out[n++] = c;
  }
  if (p == end || n >= size) return false;
  out[n] = 0;
  if (length) *length = n;
  *cursor = p + 1;
  return true;
}
