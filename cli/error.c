/* The one error text of a command, and the map from statuses to exit statuses. */
#include "error.h"
#include "memory.h"
#include <stdarg.h>
#include <stdio.h>

static char text[16384];
static bool is_quiet;

ingot_status cli__fail(ingot_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return status;
}

ingot_status cli__library(ingot_status status) {
  if (status == INGOT_OK) return status;
  const char *said = ingot_last_error();
  char more[256];
  return cli__fail(status, "%s%s", *said ? said : ingot_status_text(status),
                   status == INGOT_E_MEMORY ? cli__memory_refused(more, sizeof more) : "");
}

ingot_status cli__no_memory(void) { return cli__fail(INGOT_E_MEMORY, "out of memory"); }

const char *cli__error(void) { return text; }

int cli__exit_status(ingot_status status) {
  switch (status) {
#define INGOT_STATUS(name, number, words, exit_status) case INGOT_##name: return exit_status;
#include "status.def"
#undef INGOT_STATUS
  }
  return 70;
}

void cli__note(const char *format, ...) {
  if (is_quiet) return;
  va_list args;
  va_start(args, format);
  fputs("ingot: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
}

void cli__quiet(bool quiet) { is_quiet = quiet; }
