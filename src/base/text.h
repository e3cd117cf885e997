/* A growing text, and JSON written into it. Errors stick: after one, calls do nothing and ingot__text_finish fails. */
#ifndef INGOT_BASE_TEXT_H
#define INGOT_BASE_TEXT_H
#include "base/mem.h"

typedef struct ingot__text {
  ingot__heap *heap;
  char *data;              /* NUL-terminated */
  size_t length, capacity;
  bool failed;
  bool comma;              /* the next JSON value in this container needs a comma before it */
} ingot__text;

void ingot__text_init(ingot__text *text, ingot__heap *heap);
void ingot__text_free(ingot__text *text);
void ingot__text_add(ingot__text *text, const char *s, size_t n);
void ingot__text_printf(ingot__text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Hands over the text (freed with ingot__free(heap, data, length + 1)); INGOT_E_MEMORY if anything failed. */
ingot_status ingot__text_finish(ingot__text *text, ingot__diag *diag, char **data, size_t *length);

/* JSON. `key` is NULL inside arrays. Strings are escaped; bytes that aren't UTF-8 become U+FFFD. Numbers that JSON lacks become null. */
void ingot__json_open(ingot__text *text, const char *key, char bracket); /* '{' or '[' */
void ingot__json_close(ingot__text *text, char bracket);                 /* '}' or ']' */
void ingot__json_string(ingot__text *text, const char *key, const char *value); /* NULL: null */
void ingot__json_int(ingot__text *text, const char *key, int64_t value);
void ingot__json_double(ingot__text *text, const char *key, double value, int digits);
void ingot__json_bool(ingot__text *text, const char *key, bool value);
#endif
