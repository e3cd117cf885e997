/* Texts that grow, and JSON. */
#include "base/text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void ingot__text_init(ingot__text *t, ingot__heap *heap) { *t = (ingot__text){.heap = heap}; }

void ingot__text_free(ingot__text *t) {
  ingot__free(t->heap, t->data, t->capacity);
  ingot__text_init(t, t->heap);
}

static bool reserve(ingot__text *t, size_t n) {
  if (t->failed) return false;
  size_t need;
  if (!ingot__add(t->length, n, &need) || need > SIZE_MAX / 4) return !(t->failed = true);
  if (need + 1 <= t->capacity) return true;
  size_t capacity = t->capacity ? t->capacity * 2 : 1024;
  if (capacity < need + 1) capacity = need + 1;
  char *data = ingot__alloc(t->heap, capacity);
  if (!data) return !(t->failed = true);
  if (t->length) memcpy(data, t->data, t->length);
  ingot__free(t->heap, t->data, t->capacity);
  t->data = data;
  t->capacity = capacity;
  return true;
}

void ingot__text_add(ingot__text *t, const char *s, size_t n) {
  if (!reserve(t, n)) return;
  if (n) memcpy(t->data + t->length, s, n);
  t->length += n;
  t->data[t->length] = 0;
}

void ingot__text_printf(ingot__text *t, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (n >= 0 && reserve(t, (size_t)n)) {
    vsnprintf(t->data + t->length, (size_t)n + 1, format, again);
    t->length += (size_t)n;
  }
  va_end(again);
}

ingot_status ingot__text_finish(ingot__text *t, ingot__diag *diag, char **data, size_t *length) {
  ingot__text_add(t, "", 0);
  char *fit = t->failed ? NULL : ingot__alloc(t->heap, t->length + 1); /* so that its size is length + 1 */
  if (!fit) {
    ingot__text_free(t);
    return ingot__no_memory(diag);
  }
  memcpy(fit, t->data, t->length + 1);
  *data = fit;
  *length = t->length;
  ingot__text_free(t);
  return INGOT_OK;
}

/* Length of the valid UTF-8 sequence at s, 0 if there is none. */
static size_t utf8(const unsigned char *s) {
  size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0))) return 0;
  if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))) return 0;
  return n;
}

static void quoted(ingot__text *t, const char *value) {
  ingot__text_add(t, "\"", 1);
  for (const unsigned char *s = (const unsigned char *)value; *s;) {
    size_t n = utf8(s);
    if (n == 0) ingot__text_add(t, "\xef\xbf\xbd", 3), n = 1;
    else if (*s == '"' || *s == '\\') ingot__text_printf(t, "\\%c", *s);
    else if (*s < 0x20) ingot__text_printf(t, "\\u%04x", *s);
    else ingot__text_add(t, (const char *)s, n);
    s += n;
  }
  ingot__text_add(t, "\"", 1);
}

static void begin(ingot__text *t, const char *key) {
  if (t->comma) ingot__text_add(t, ", ", 2);
  if (key) {
    quoted(t, key);
    ingot__text_add(t, ": ", 2);
  }
  t->comma = true;
}

void ingot__json_open(ingot__text *t, const char *key, char bracket) {
  begin(t, key);
  ingot__text_add(t, &bracket, 1);
  t->comma = false;
}

void ingot__json_close(ingot__text *t, char bracket) {
  ingot__text_add(t, &bracket, 1);
  t->comma = true;
}

void ingot__json_string(ingot__text *t, const char *key, const char *value) {
  begin(t, key);
  if (value) quoted(t, value);
  else ingot__text_add(t, "null", 4);
}

void ingot__json_int(ingot__text *t, const char *key, int64_t value) {
  begin(t, key);
  ingot__text_printf(t, "%lld", (long long)value);
}

void ingot__json_double(ingot__text *t, const char *key, double value, int digits) {
  begin(t, key);
  if (isfinite(value)) ingot__text_printf(t, "%.*g", digits, value);
  else ingot__text_add(t, "null", 4);
}

void ingot__json_bool(ingot__text *t, const char *key, bool value) {
  begin(t, key);
  ingot__text_printf(t, "%s", value ? "true" : "false");
}
