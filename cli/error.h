/* The command line's errors: one text, set where the problem is found, printed once by main(), with the exit status of status.def. */
#ifndef INGOT_CLI_ERROR_H
#define INGOT_CLI_ERROR_H
#include "ingot/ingot.h"

enum { CLI__DIFFERENT = 1 }; /* exit status of `compare` when outputs differ; every other non-zero one stands in status.def */

/* Sets the text and returns `status`. */
ingot_status cli__fail(ingot_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes over the library's text for a failed call and returns `status`; INGOT_OK passes through. */
ingot_status cli__library(ingot_status status);
ingot_status cli__no_memory(void);
const char *cli__error(void);
int cli__exit_status(ingot_status status);

/* A remark on stderr, "ingot: ...", that isn't an error; silent after cli__quiet(true). */
void cli__note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli__quiet(bool quiet);

#define CLI_TRY(call) do { ingot_status status_ = (call); if (status_ != INGOT_OK) return status_; } while (0)
#endif
