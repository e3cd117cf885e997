/* Messages and progress to the caller's callbacks. */
#ifndef INGOT_BASE_LOG_H
#define INGOT_BASE_LOG_H
#include "ingot/ingot.h"

typedef struct ingot__log { ingot_log_fn fn; void *user; ingot_severity level; } ingot__log;
void ingot__log_init(ingot__log *log, const ingot_env *env); /* default: warnings and errors to stderr */
void ingot__logf(const ingot__log *log, ingot_severity severity, const char *format, ...) __attribute__((format(printf, 3, 4)));

typedef struct ingot__progress { ingot_progress_fn fn; void *user; } ingot__progress;
/* False when the caller wants to stop. progress may be NULL. */
static inline bool ingot__progressed(const ingot__progress *progress, const char *phase, size_t done, size_t total) {
  return !progress || !progress->fn || progress->fn(progress->user, phase, done, total);
}
double ingot__now(void); /* seconds of a monotonic clock */
#endif
