/* What the library says while it works: progress, messages, and stopping it with Ctrl-C. All of it goes to stderr. */
#ifndef INGOT_CLI_PROGRESS_H
#define INGOT_CLI_PROGRESS_H
#include "error.h"

/* For ingot_config_set_progress, `user` NULL: a bar where stderr is a terminal; elsewhere, when it takes long, a line a phase. False after
 * Ctrl-C, which cancels the build; a second Ctrl-C ends the process. */
bool cli__progress(void *user, const char *phase, size_t done, size_t total);
/* Takes the bar away. Call when the work is over, whether it failed or not. */
void cli__progress_end(void);
/* ingot_context_run, which Ctrl-C stops; a second Ctrl-C ends the process. */
ingot_status cli__context_run(ingot_context *context);
/* ingot_context_enqueue_stream in the context's own stream; after Ctrl-C nothing more is put in. */
ingot_status cli__context_enqueue(ingot_context *context);
/* The environment for every handle: messages up to `level` go to stderr. Errors don't: they come back as a status with a text. */
const ingot_env *cli__env(void);
void cli__log_level(ingot_severity level); /* before the first handle is made */
/* Seconds of a clock that only goes forward. */
double cli__now(void);
#endif
