/* The emulated CUDA driver's own names, shared by its files; the numbers are of CUDA's public binary interface. */
#ifndef EMULATED_DRIVER_H
#define EMULATED_DRIVER_H
#include "emulated_machine.h"
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API __attribute__((visibility("default")))
enum {
  CUDA_OK = 0, CUDA_INVALID_VALUE = 1, CUDA_OUT_OF_MEMORY = 2, CUDA_NOT_INITIALIZED = 3, CUDA_INVALID_DEVICE = 101, CUDA_INVALID_IMAGE = 200,
  CUDA_INVALID_CONTEXT = 201, CUDA_NO_BINARY = 209, CUDA_INVALID_HANDLE = 400, CUDA_NOT_FOUND = 500, CUDA_NOT_READY = 600,
  CUDA_OUT_OF_RESOURCES = 701, CUDA_NOT_SUPPORTED = 801, CUDA_CAPTURE_UNSUPPORTED = 900, CUDA_CAPTURE_UNMATCHED = 903,
  CUDA_CAPTURE_UNJOINED = 904, CUDA_CAPTURE_IMPLICIT = 906, CUDA_INVALID_CLUSTER = 912, CUDA_UNKNOWN = 999
};
enum { SHARED_DEFAULT = 48 << 10, SHARED_MOST = 227 << 10, MULTIPROCESSORS = 4, PARAMETERS_MOST = 4096 };

typedef struct function {
  struct module *module;
  char name[128];
  void (*kernel)(const void *);
  const unsigned *launch;    /* the most threads; bytes of parameters */
  int shared_most;
  bool large_clusters;
  struct function *next;
} function;
typedef struct module {
  void *library;
  emulated_thread **self;
  function *functions;
} module;

/* Every call begins with this: it takes the driver's lock. Without CONTEXT the thread needs no context; a RELEASE can't be made to fail by
 * INGOT_EMULATED_FAIL. An error: the lock isn't taken. */
enum { PLAIN = 0, CONTEXT = 1, RELEASE = 2, BEFORE_INIT = 4 };
int emulated_enter(int how);
int emulated_leave(int error); /* gives the lock back and returns the error */
#define ENTER(how) do { int error_ = emulated_enter(how); if (error_) return error_; } while (0)

int emulated_arch(void);     /* 90 */
/* While kernels run, their faults are told in words; old: what took the signals before. */
enum { CAUGHT = 3 };
void emulated_catch_faults(struct sigaction old[CAUGHT]);
void emulated_leave_faults(const struct sigaction old[CAUGHT]);
bool emulated_is_pinned(const void *memory, size_t size);
/* Runs what waits in all streams (of those that the default stream waits for, when `blocking` is set). */
void emulated_run_streams(bool blocking);
/* Of emulated_queue.c: puts a launch into a stream, with a copy of its parameters. */
int emulated_put_launch(void *stream, const emulated_launch *launch, const char *name, const void *params, size_t size);
extern int emulated_live_streams, emulated_live_events, emulated_live_graphs, emulated_live_modules; /* for the report of leaks */
extern int emulated_capturing; /* streams that capture */
#endif
