/* Progress, messages, Ctrl-C. */
#include "progress.h"
#include "memory.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;
static struct { bool started, terminal, shown, stoppable; double began, drawn; char phase[64]; } state;

static void interrupt(int signal_number) {
  interrupted = 1;
  signal(signal_number, SIG_DFL);
}

double cli__now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void draw(const char *phase, size_t done, size_t total) {
  enum { WIDTH = 30 };
  char bar[WIDTH + 1];
  size_t full = total ? done * WIDTH / total : 0;
  memset(bar, '.', WIDTH);
  memset(bar, '#', full < WIDTH ? full : WIDTH);
  bar[WIDTH] = 0;
  fprintf(stderr, "\r\033[K[%s] %3zu%% %.40s %zu/%zu", bar, total ? done * 100 / total : 0, phase, done, total);
  fflush(stderr);
  state.shown = true;
}

bool cli__progress(void *user, const char *phase, size_t done, size_t total) {
  (void)user;
  double now = cli__now();
  if (!state.started) {
    state.started = true;
    state.terminal = isatty(STDERR_FILENO);
    state.began = state.drawn = now;
    signal(SIGINT, interrupt);
  }
  bool new_phase = strncmp(state.phase, phase, sizeof state.phase - 1) != 0;
  /* A bar ten times a second after the first half second; lines every ten seconds or at a new phase after the first three. */
  bool due = state.terminal ? now - state.began > 0.5 && (now - state.drawn > 0.1 || new_phase)
                            : now - state.began > 3 && (now - state.drawn > 10 || new_phase);
  if (due) {
    snprintf(state.phase, sizeof state.phase, "%s", phase);
    state.drawn = now;
    if (state.terminal) draw(phase, done, total);
    else cli__note("%s, %zu of %zu, after %.0f s", phase, done, total, now - state.began);
  }
  return !interrupted;
}

/* ---- Runs */

static ingot_context *_Atomic running;

static void interrupt_run(int signal_number) {
  interrupt(signal_number);
  ingot_context_cancel(running); /* it may be NULL between runs: the next one doesn't begin */
}

static ingot_status run(ingot_context *context, bool wait) {
  if (!state.stoppable) signal(SIGINT, interrupt_run);
  state.stoppable = true;
  if (interrupted) return cli__fail(INGOT_E_CANCELLED, "stopped");
  running = context;
  ingot_status status = wait ? ingot_context_run(context) : ingot_context_enqueue_stream(context, ingot_context_stream(context));
  running = NULL;
  return cli__library(status);
}

ingot_status cli__context_run(ingot_context *context) { return run(context, true); }
ingot_status cli__context_enqueue(ingot_context *context) { return run(context, false); }

void cli__progress_end(void) {
  if (state.shown) fputs("\r\033[K", stderr);
  if (state.started) signal(SIGINT, SIG_DFL);
  memset(&state, 0, sizeof state);
}

static void say(void *user, ingot_severity severity, const char *text) {
  (void)user;
  if (severity == INGOT_LOG_ERROR) return; /* main() prints the text of the status that comes back */
  if (state.shown) fputs("\r\033[K", stderr);
  cli__note("%s%s", severity == INGOT_LOG_WARNING ? "warning: " : "", text);
}

static ingot_env env = {.log = say, .log_level = INGOT_LOG_WARNING};
const ingot_env *cli__env(void) {
  env.allocator = cli__allocator();
  return &env;
}
void cli__log_level(ingot_severity level) { env.log_level = level; }
