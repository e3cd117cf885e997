/* Timing kernels in place, within a budget, and the cache that remembers the times. */
#ifndef INGOT_TUNE_TUNE_H
#define INGOT_TUNE_TUNE_H
#include "engine/engine.h"

enum { INGOT__MOST_COPIES = 32 };
/* A node's weights as a kernel packs them, in a device's memory; in so many copies that a run in a row of them finds its own out of the cache. */
typedef struct ingot__packed_copies {
  const ingot__node *node;    /* NULL: none */
  const char *format;
  size_t size, n;
  void *memory[INGOT__MOST_COPIES];
} ingot__packed_copies;

typedef struct ingot__timing { uint64_t key; float seconds; } ingot__timing;
typedef struct ingot__tuner {
  ingot__heap *heap;
  ingot__arena arena;
  ingot__pool *pool;
  const ingot_engine *engine; /* its target, and device if it has one */
  double budget, deadline;    /* seconds for timing; the end of them, of ingot__now(): they begin with the first that is timed */
  bool cold;                  /* the network's weights don't fit in a device's cache: kernels are timed with weights that aren't there */
  ingot__timing *table;       /* open addressing by key; key 0: empty */
  size_t count, capacity;     /* capacity is a power of two */
  bool changed;
  ingot__packed_copies packed; /* of what was timed last: a node's kernels follow each other, and most take the same form */
  size_t timed, remembered;   /* for the report */
} ingot__tuner;

ingot_status ingot__tuner_init(ingot__tuner *tuner, ingot__heap *heap, ingot__pool *pool, const ingot_engine *engine, double budget,
                               ingot__diag *diag);
void ingot__tuner_free(ingot__tuner *tuner);
/* Seconds of a run of the kernel on random data, the least of several; from the cache if it is there; < 0 when the budget is spent or the
 * call can't be made. Signature of ingot__time_fn. */
bool ingot__tuner_put(ingot__tuner *tuner, uint64_t key, float seconds); /* false: no memory */
bool ingot__tuner_knows(const ingot__tuner *tuner, uint64_t key);
/* A key for what is known of a whole network, as it was given but for the dims that a profile fixes, and of `more`: the same on all devices. */
uint64_t ingot__tuner_network_key(const ingot__network *network, const void *more, size_t bytes);
double ingot__tuner_time(void *tuner, const ingot__kernel *kernel, const ingot__call *call, double estimated);

/* The same on the engine's device: device.c. < 0: the call can't be made. */
double ingot__tuner_device_run(ingot__tuner *tuner, const ingot__kernel *kernel, const ingot__call *call);
void ingot__tuner_device_free(ingot__tuner *tuner);

/* The cache file: text, one line a time, headed by format, version and device; lines for other devices are kept. A damaged or missing file
 * is an empty cache (with a word to the log). Saved through a temporary file and rename. */
ingot_status ingot__tuner_load(ingot__tuner *tuner, const char *path, const ingot__log *log, ingot__diag *diag);
ingot_status ingot__tuner_save(const ingot__tuner *tuner, const char *path, ingot__diag *diag);
#endif
