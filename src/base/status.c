/* The error map and the texts of failed calls. */
#include "base/status.h"
#include <stdio.h>
#include <string.h>

#define INGOT_STATUS(name, number, text, exit_status) _Static_assert(INGOT_##name == (number), "status.def and ingot.h differ: " #name);
#include "status.def"
#undef INGOT_STATUS

const char *ingot_status_text(ingot_status status) {
  switch (status) { /* no default: the compiler warns when the enum has a status that the table lacks */
#define INGOT_STATUS(name, number, text, exit_status) case INGOT_##name: return text;
#include "status.def"
#undef INGOT_STATUS
  }
  return "unknown status";
}

int ingot__exit_status(ingot_status status) {
  switch (status) {
#define INGOT_STATUS(name, number, text, exit_status) case INGOT_##name: return exit_status;
#include "status.def"
#undef INGOT_STATUS
  }
  return 70;
}

void ingot__diag_init(ingot__diag *diag, const char *file) {
  diag->status = INGOT_OK;
  diag->count = 0;
  diag->length = 0;
  diag->file = file;
  diag->text[0] = 0;
}

static void append(ingot__diag *d, const char *format, va_list args) {
  size_t left = sizeof d->text - d->length;
  int n = vsnprintf(d->text + d->length, left, format, args);
  if (n > 0) d->length += (size_t)n < left ? (size_t)n : left - 1;
}

static void appendf(ingot__diag *d, const char *format, ...) {
  va_list args;
  va_start(args, format);
  append(d, format, args);
  va_end(args);
}

ingot_status ingot__vfail(ingot__diag *d, ingot_status status, const char *where, const char *format, va_list args) {
  if (!d) return status;
  if (d->count++ == 0) d->status = status;
  if (sizeof d->text - d->length < 256) { /* keep room to say that there is more */
    if (sizeof d->text - d->length > 32 && !strstr(d->text, "\n... and more")) appendf(d, "\n... and more");
    return status;
  }
  if (d->length) appendf(d, "\n");
  size_t start = d->length;
  if (d->file) appendf(d, "%s: ", d->file);
  if (where) appendf(d, "%s: ", where);
  append(d, format, args);
  for (size_t i = start; i < d->length; i++) { /* names out of files must not move a terminal's cursor */
    if ((unsigned char)d->text[i] < 0x20 || d->text[i] == 0x7f) d->text[i] = '?';
  }
  return status;
}

ingot_status ingot__fail(ingot__diag *diag, ingot_status status, const char *where, const char *format, ...) {
  va_list args;
  va_start(args, format);
  ingot__vfail(diag, status, where, format, args);
  va_end(args);
  return status;
}

ingot_status ingot__no_memory(ingot__diag *diag) { return ingot__fail(diag, INGOT_E_MEMORY, NULL, "out of memory"); }

static _Thread_local char last_error[INGOT__DIAG_TEXT];

ingot_status ingot__report(const ingot__diag *diag) {
  if (diag->status == INGOT_OK) return INGOT_OK;
  memcpy(last_error, diag->text, diag->length + 1);
  return diag->status;
}

const char *ingot_last_error(void) { return last_error; }

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
const char *ingot_version(void) { return TEXT(INGOT_VERSION_MAJOR) "." TEXT(INGOT_VERSION_MINOR) "." TEXT(INGOT_VERSION_PATCH); }
