/* Streams, events and graphs of the emulated driver. What is put into a stream is kept and run, in order, when somebody waits for it (or
 * at once with INGOT_EMULATED_EAGER=1), so that whoever doesn't wait reads what was there before. While a stream captures, what is put into
 * it becomes part of a graph instead. */
#include "emulated_driver.h"
#include "emulated_memory.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct work {
  enum { LAUNCH, COPY, SET, RECORD, WAIT, CALL } kind;
  struct work *next;
  emulated_launch launch;    /* its params: copied, behind this struct */
  bool early;
  char name[128];            /* the kernel's: its module may be gone by then */
  void *to;
  const void *from;
  void *staged;              /* the source's bytes when it was put in, or NULL */
  size_t size;
  int value;                 /* to set */
  struct event *event;
  unsigned number;           /* which of the event's records */
  void (*function)(void *);
} work;
typedef struct graph { work *first, **last; struct stream *origin; int streams; } graph;
typedef struct stream {
  unsigned flags;
  work *first, **last;
  graph *capture;            /* NULL: it doesn't capture */
  int mode;
  struct stream *next;
} stream;
typedef struct event {
  unsigned asked, done;      /* records put into streams; run */
  stream *stream;            /* of the last */
  graph *capture;            /* recorded while capturing */
  double time;
} event;

int emulated_live_streams, emulated_live_events, emulated_live_graphs, emulated_capturing;
static stream *streams, legacy = {.last = &legacy.first};

static stream *known(void *handle) { /* NULL: there is no such stream */
  if (!handle || handle == (void *)1) return &legacy;
  for (stream *s = streams; s; s = s->next)
    if (s == handle) return s;
  return NULL;
}

/* ---- Running. */
static void run_event(event *e, unsigned number);
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static void run_work(work *w) {
  switch (w->kind) {
  case LAUNCH:
    w->launch.params = (const char *)w + (sizeof *w + 63) / 64 * 64;
    emulated_run(&w->launch);
    break;
  case COPY: memmove(w->to, w->staged ? w->staged : w->from, w->size); break;
  case SET: memset(w->to, w->value, w->size); break;
  case RECORD:
    w->event->time = now();
    w->event->done = w->number;
    break;
  case WAIT: run_event(w->event, w->number); break;
  case CALL: break;
  }
}
static void free_work(work *w) {
  free(w->staged);
  free(w);
}
/* Runs the stream, until the event's record when there is one. Faults are told on a stack of their own: the thread's may be used up. */
static void run(stream *s, const event *until, unsigned number) {
  if (!s->first) return;
  static char stack[64 << 10];
  stack_t own = {.ss_sp = stack, .ss_size = sizeof stack}, old;
  struct sigaction handlers[CAUGHT];
  sigaltstack(&own, &old);
  emulated_catch_faults(handlers); /* whoever took the signal since (test frameworks do) gets it back */
  emulated_memory_open(s->first->kind == LAUNCH ? s->first->name : "a copy");
  while (s->first && !(until && until->done == number)) {
    work *w = s->first;
    s->first = w->next;
    if (!s->first) s->last = &s->first;
    if (w->kind == CALL) emulated_memory_close(), w->function(w->to), emulated_memory_open("a host function");
    else run_work(w);
    free_work(w);
  }
  emulated_memory_close();
  emulated_leave_faults(handlers);
  sigaltstack(&old, NULL);
}
static void run_event(event *e, unsigned number) {
  if (e->stream && (int)(number - e->done) > 0) run(e->stream, e, number);
}
void emulated_run_streams(bool blocking) {
  run(&legacy, NULL, 0);
  for (stream *s = streams; s; s = s->next)
    if (!blocking || !(s->flags & 1)) run(s, NULL, 0);
}

/* ---- Putting work in. */
static bool eager(void) {
  const char *text = getenv("INGOT_EMULATED_EAGER");
  return text && *text == '1';
}
static work *new_work(int kind, size_t params) {
  size_t size = (sizeof(work) + 63) / 64 * 64 + (params + 63) / 64 * 64;
  work *w = aligned_alloc(64, size);
  if (w) memset(w, 0, size), w->kind = kind;
  return w;
}
static work *copy_of(const work *w, size_t params) {
  work *c = new_work(w->kind, params);
  if (!c) return NULL;
  memcpy(c, w, sizeof *c);
  memcpy((char *)c + (sizeof *c + 63) / 64 * 64, (const char *)w + (sizeof *w + 63) / 64 * 64, params);
  c->next = NULL;
  return c;
}
static int put(stream *s, work *w) {
  if (!w) return CUDA_OUT_OF_MEMORY;
  if (s->capture) {
    *s->capture->last = w;
    s->capture->last = &w->next;
    return CUDA_OK;
  }
  /* What the default stream and the blocking ones get waits for all that was put into each other before. */
  if (s == &legacy) emulated_run_streams(true);
  else if (!(s->flags & 1)) run(&legacy, NULL, 0);
  *s->last = w;
  s->last = &w->next;
  if (eager()) run(s, NULL, 0);
  return CUDA_OK;
}

int emulated_put_launch(void *handle, const emulated_launch *launch, const char *name, const void *params, size_t size) {
  stream *s = known(handle);
  if (!s) return CUDA_INVALID_HANDLE;
  work *w = new_work(LAUNCH, size);
  if (!w) return CUDA_OUT_OF_MEMORY;
  w->launch = *launch;
  w->size = size;
  snprintf(w->name, sizeof w->name, "%s", name);
  w->launch.name = w->name;
  memcpy((char *)w + (sizeof *w + 63) / 64 * 64, params, size);
  return put(s, w);
}

/* Whether a copy may touch the bytes: device memory whole within an allocation, or the host's. */
static bool good(const void *p, size_t size) { return emulated_memory_holds(p, size) != 0; }
static bool on_device(const void *p) { return emulated_memory_holds(p, 1) >= 0; }

API int cuMemcpyAsync(uint64_t to_, uint64_t from_, size_t size, void *handle) {
  void *to = (void *)(uintptr_t)to_;
  const void *from = (const void *)(uintptr_t)from_;
  ENTER(CONTEXT);
  stream *s = known(handle);
  if (!s) return emulated_leave(CUDA_INVALID_HANDLE);
  if (!size) return emulated_leave(CUDA_OK);
  if (!to || !from || !good(to, size) || !good(from, size)) return emulated_leave(CUDA_INVALID_VALUE);
  bool from_pages = !on_device(from) && !emulated_is_pinned(from, size), to_pages = !on_device(to) && !emulated_is_pinned(to, size);
  work *w = new_work(COPY, 0);
  if (!w) return emulated_leave(CUDA_OUT_OF_MEMORY);
  w->to = to, w->from = from, w->size = size;
  if (from_pages && !s->capture) { /* memory that the device can't read is read now, and such memory is written before the call ends */
    w->staged = malloc(size);
    if (!w->staged) {
      free_work(w);
      return emulated_leave(CUDA_OUT_OF_MEMORY);
    }
    memcpy(w->staged, from, size);
  }
  int error = put(s, w);
  if (to_pages && !s->capture) run(s, NULL, 0);
  return emulated_leave(error);
}
static int copy_now(void *to, const void *from, size_t size) {
  ENTER(CONTEXT);
  if (legacy.capture || emulated_capturing) return emulated_leave(CUDA_CAPTURE_IMPLICIT);
  if (!size) return emulated_leave(CUDA_OK);
  if (!to || !from || !good(to, size) || !good(from, size)) return emulated_leave(CUDA_INVALID_VALUE);
  emulated_run_streams(true);
  emulated_memory_open("a copy");
  memmove(to, from, size);
  emulated_memory_close();
  return emulated_leave(CUDA_OK);
}
API int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t size) {
  if (size && !on_device((void *)(uintptr_t)to)) return CUDA_INVALID_VALUE;
  return copy_now((void *)(uintptr_t)to, from, size);
}
API int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t size) {
  if (size && !on_device((void *)(uintptr_t)from)) return CUDA_INVALID_VALUE;
  return copy_now(to, (const void *)(uintptr_t)from, size);
}
API int cuMemsetD8Async(uint64_t to_, unsigned char value, size_t size, void *handle) {
  void *to = (void *)(uintptr_t)to_;
  ENTER(CONTEXT);
  stream *s = known(handle);
  if (!s) return emulated_leave(CUDA_INVALID_HANDLE);
  if (!size) return emulated_leave(CUDA_OK);
  if (emulated_memory_holds(to, size) != 1) return emulated_leave(CUDA_INVALID_VALUE);
  work *w = new_work(SET, 0);
  if (w) w->to = to, w->value = value, w->size = size;
  return emulated_leave(put(s, w));
}
API int cuLaunchHostFunc(void *handle, void (*function)(void *), void *user) {
  ENTER(CONTEXT);
  stream *s = known(handle);
  if (!s) return emulated_leave(CUDA_INVALID_HANDLE);
  work *w = new_work(CALL, 0);
  if (w) w->function = function, w->to = user;
  return emulated_leave(put(s, w));
}

/* ---- Streams. */
API int cuStreamCreate(void **handle, unsigned flags) {
  ENTER(CONTEXT);
  stream *s = flags > 1 ? NULL : calloc(1, sizeof *s);
  if (!s) return emulated_leave(CUDA_INVALID_VALUE);
  *s = (stream){.flags = flags, .next = streams};
  s->last = &s->first;
  streams = s;
  emulated_live_streams++;
  *handle = s;
  return emulated_leave(CUDA_OK);
}
static void free_graph(graph *g) {
  for (work *w = g->first, *next; w; w = next) next = w->next, free_work(w);
  free(g);
  emulated_live_graphs--;
}
static void end_capture(graph *g) {
  for (stream *s = streams; s; s = s->next)
    if (s->capture == g) s->capture = NULL;
  if (g->origin->mode != 2) emulated_capturing--;
}
API int cuStreamDestroy_v2(void *handle) {
  ENTER(CONTEXT | RELEASE);
  stream *s = known(handle);
  if (!s || s == &legacy) return emulated_leave(CUDA_INVALID_HANDLE);
  if (s->capture && s->capture->origin == s) {
    graph *g = s->capture;
    end_capture(g);
    free_graph(g);
  }
  run(s, NULL, 0);
  for (stream **at = &streams; *at; at = &(*at)->next) {
    if (*at != s) continue;
    *at = s->next;
    break;
  }
  free(s); /* events keep the address, but nothing of theirs is left to run in it */
  emulated_live_streams--;
  return emulated_leave(CUDA_OK);
}
API int cuStreamSynchronize(void *handle) {
  ENTER(CONTEXT);
  stream *s = known(handle);
  if (!s) return emulated_leave(CUDA_INVALID_HANDLE);
  if (s->capture) return emulated_leave(CUDA_CAPTURE_UNSUPPORTED);
  if (s == &legacy) emulated_run_streams(true);
  run(s, NULL, 0);
  return emulated_leave(CUDA_OK);
}
API int cuCtxSynchronize(void) {
  ENTER(CONTEXT);
  emulated_run_streams(false);
  return emulated_leave(CUDA_OK);
}
API int cuStreamWaitEvent(void *handle, void *handle_of_event, unsigned flags) {
  event *e = handle_of_event;
  ENTER(CONTEXT);
  stream *s = known(handle);
  if (!s || !e) return emulated_leave(CUDA_INVALID_HANDLE);
  (void)flags;
  if (e->capture) { /* the stream joins the capture: what is put in stays in the order in which it was */
    if (s->capture && s->capture != e->capture) return emulated_leave(CUDA_CAPTURE_UNSUPPORTED);
    if (!s->capture) s->capture = e->capture, e->capture->streams++;
    return emulated_leave(CUDA_OK);
  }
  if (s->capture) return emulated_leave(CUDA_CAPTURE_UNSUPPORTED);
  work *w = new_work(WAIT, 0);
  if (w) w->event = e, w->number = e->asked;
  return emulated_leave(put(s, w));
}

/* ---- Events. An event is alive for as long as work names it: destroying one runs that work first. */
API int cuEventCreate(void **handle, unsigned flags) {
  ENTER(CONTEXT);
  (void)flags;
  event *e = calloc(1, sizeof *e);
  if (e) emulated_live_events++;
  *handle = e;
  return emulated_leave(e ? CUDA_OK : CUDA_OUT_OF_MEMORY);
}
API int cuEventDestroy_v2(void *handle) {
  ENTER(CONTEXT | RELEASE);
  emulated_run_streams(false);
  free(handle);
  emulated_live_events--;
  return emulated_leave(CUDA_OK);
}
API int cuEventRecord(void *handle, void *handle_of_stream) {
  event *e = handle;
  ENTER(CONTEXT);
  stream *s = known(handle_of_stream);
  if (!s || !e) return emulated_leave(CUDA_INVALID_HANDLE);
  e->capture = s->capture;
  if (s->capture) return emulated_leave(CUDA_OK); /* it only ties streams together */
  work *w = new_work(RECORD, 0);
  if (!w) return emulated_leave(CUDA_OUT_OF_MEMORY);
  if (e->stream && e->stream != s) run_event(e, e->asked);
  w->event = e, w->number = ++e->asked;
  e->stream = s;
  return emulated_leave(put(s, w));
}
API int cuEventSynchronize(void *handle) {
  event *e = handle;
  ENTER(CONTEXT);
  if (!e) return emulated_leave(CUDA_INVALID_HANDLE);
  if (e->capture) return emulated_leave(CUDA_CAPTURE_UNSUPPORTED);
  run_event(e, e->asked);
  return emulated_leave(CUDA_OK);
}
API int cuEventQuery(void *handle) { /* not ready the first time that it is asked */
  event *e = handle;
  ENTER(CONTEXT | RELEASE);
  if (!e) return emulated_leave(CUDA_INVALID_HANDLE);
  bool ready = e->done == e->asked;
  run_event(e, e->asked);
  return emulated_leave(ready ? CUDA_OK : CUDA_NOT_READY);
}
API int cuEventElapsedTime(float *milliseconds, void *from_, void *to_) {
  const event *from = from_, *to = to_;
  ENTER(CONTEXT);
  if (!from || !to || !from->asked || !to->asked) return emulated_leave(CUDA_INVALID_HANDLE);
  if (from->done != from->asked || to->done != to->asked) return emulated_leave(CUDA_NOT_READY);
  *milliseconds = (float)((to->time - from->time) * 1e3);
  return emulated_leave(CUDA_OK);
}

/* ---- Graphs. */
API int cuStreamBeginCapture_v2(void *handle, int mode) {
  ENTER(CONTEXT);
  stream *s = known(handle);
  if (!s) return emulated_leave(CUDA_INVALID_HANDLE);
  if (s == &legacy || s->capture) return emulated_leave(CUDA_CAPTURE_UNSUPPORTED);
  graph *g = calloc(1, sizeof *g);
  if (!g) return emulated_leave(CUDA_OUT_OF_MEMORY);
  g->last = &g->first;
  g->origin = s;
  g->streams = 1;
  s->capture = g, s->mode = mode;
  if (mode != 2) emulated_capturing++; /* relaxed: all calls are allowed meanwhile */
  emulated_live_graphs++;
  return emulated_leave(CUDA_OK);
}
API int cuStreamEndCapture(void *handle, void **result) {
  *result = NULL;
  ENTER(CONTEXT | RELEASE);
  stream *s = known(handle);
  if (!s) return emulated_leave(CUDA_INVALID_HANDLE);
  if (!s->capture || s->capture->origin != s) return emulated_leave(CUDA_CAPTURE_UNMATCHED);
  graph *g = s->capture;
  end_capture(g);
  *result = g;
  return emulated_leave(CUDA_OK);
}
API int cuStreamIsCapturing(void *handle, int *status) {
  ENTER(CONTEXT);
  stream *s = known(handle);
  if (!s) return emulated_leave(CUDA_INVALID_HANDLE);
  *status = s->capture != NULL;
  return emulated_leave(CUDA_OK);
}
/* Puts copies of a graph's work at the end of the list. */
static int append(const graph *g, work ***last) {
  for (const work *w = g->first; w; w = w->next) {
    work *c = copy_of(w, w->kind == LAUNCH ? w->size : 0);
    if (!c) return CUDA_OUT_OF_MEMORY;
    c->launch.name = c->name;
    **last = c;
    *last = &c->next;
  }
  return CUDA_OK;
}
API int cuGraphInstantiateWithFlags(void **result, void *handle, unsigned long long flags) {
  ENTER(CONTEXT);
  const graph *g = handle;
  (void)flags;
  graph *exec = g ? calloc(1, sizeof *exec) : NULL;
  if (!exec) return emulated_leave(CUDA_INVALID_VALUE);
  exec->last = &exec->first;
  emulated_live_graphs++;
  int error = append(g, &exec->last);
  if (error) free_graph(exec);
  else *result = exec;
  return emulated_leave(error);
}
API int cuGraphLaunch(void *handle, void *handle_of_stream) {
  ENTER(CONTEXT);
  const graph *g = handle;
  stream *s = known(handle_of_stream);
  if (!s || !g) return emulated_leave(CUDA_INVALID_HANDLE);
  if (s->capture) return emulated_leave(CUDA_CAPTURE_UNSUPPORTED);
  if (s == &legacy) emulated_run_streams(true);
  int error = append(g, &s->last);
  if (eager()) run(s, NULL, 0);
  return emulated_leave(error);
}
API int cuGraphDestroy(void *handle) {
  ENTER(CONTEXT | RELEASE);
  if (handle) free_graph(handle);
  return emulated_leave(handle ? CUDA_OK : CUDA_INVALID_VALUE);
}
API int cuGraphExecDestroy(void *handle) {
  ENTER(CONTEXT | RELEASE);
  if (handle) free_graph(handle);
  return emulated_leave(handle ? CUDA_OK : CUDA_INVALID_VALUE);
}
