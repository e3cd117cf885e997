/* Between measure.c, ranges.c and rounding.c: the network on the host. */
#ifndef INGOT_COMPILE_MEASURE_H
#define INGOT_COMPILE_MEASURE_H
#include "compile/compile.h"
#include "runtime/state.h"

typedef struct ingot__probe {
  ingot__build *build;
  ingot_engine *engine;          /* the host's */
  ingot_context *context;        /* with random inputs, planned */
  ingot__arena arena;            /* the inputs */
  double operations;             /* of a run */
  ingot__diag diag;              /* of what isn't the build's error */
} ingot__probe;

/* A run with `watch` called before and after each step; INGOT_E_LIMIT where it takes long. How long it is expected to take. */
ingot_status ingot__probe_run(ingot__probe *probe, ingot__trace_fn watch, void *user);
double ingot__probe_seconds(const ingot__probe *probe);
/* A float32 tensor's view as dense PLAIN elements: itself, or a copy in `copy`, which is the caller's to give back to the context's heap. */
ingot_status ingot__probe_plain(ingot__probe *probe, const ingot__view *view, ingot__view *plain, ingot__buffer *copy);

ingot_status ingot__measure_ranges(ingot__probe *probe);   /* fills the build's `wide` */
ingot_status ingot__measure_rounding(ingot__probe *probe); /* fills the build's `exact` */
#endif
