/* Errors: a diag collects the problems of one public call; the first one's status is the call's. It holds its text in place, so that
 * running out of memory can be reported too. */
#ifndef INGOT_BASE_STATUS_H
#define INGOT_BASE_STATUS_H
#include "ingot/ingot.h"
#include <stdarg.h>

#define INGOT__DIAG_TEXT 8192
typedef struct ingot__diag {
  ingot_status status;   /* of the first problem */
  unsigned count;        /* problems so far, also those that no longer fit the text */
  size_t length;
  const char *file;      /* named at the head of each message; may be NULL */
  char text[INGOT__DIAG_TEXT];
} ingot__diag;

void ingot__diag_init(ingot__diag *diag, const char *file);
/* Adds a problem and returns `status`. `where` names the node ("conv_7 (Conv)") and may be NULL. diag may be NULL. */
ingot_status ingot__fail(ingot__diag *diag, ingot_status status, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
ingot_status ingot__vfail(ingot__diag *diag, ingot_status status, const char *where, const char *format, va_list args);
ingot_status ingot__no_memory(ingot__diag *diag); /* INGOT_E_MEMORY, with its text */
/* Makes the diag's text the calling thread's last error and returns its status (INGOT_OK, and nothing, when it has no problem). */
ingot_status ingot__report(const ingot__diag *diag);
int ingot__exit_status(ingot_status status); /* the CLI's */

#define INGOT_TRY(call) do { ingot_status status_ = (call); if (status_ != INGOT_OK) return status_; } while (0)
#endif
