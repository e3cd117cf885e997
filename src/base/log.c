/* Messages to the caller's callback, or to stderr, and the clock. */
#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static void to_stderr(void *user, ingot_severity severity, const char *text) {
  (void)user;
  fprintf(stderr, "ingot: %s%s\n", severity == INGOT_LOG_ERROR ? "error: " : severity == INGOT_LOG_WARNING ? "warning: " : "", text);
}

void ingot__log_init(ingot__log *log, const ingot_env *env) {
  if (env && env->log) *log = (ingot__log){env->log, env->log_user, env->log_level};
  else *log = (ingot__log){to_stderr, NULL, INGOT_LOG_WARNING};
}

void ingot__logf(const ingot__log *log, ingot_severity severity, const char *format, ...) {
  if (!log || !log->fn || severity > log->level) return;
  char text[2048]; /* on the stack: running out of memory must be reportable */
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n < 0) return;
  if ((size_t)n >= sizeof text) snprintf(text + sizeof text - 4, 4, "...");
  log->fn(log->user, severity, text);
}

double ingot__now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
