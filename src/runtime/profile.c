/* Times by layer of work that a device plays as one. Marks between the layers would keep each from starting before the one in front has ended, and
 * add their own time to microseconds; so a layer's time is what it adds to a run: the segment is recorded up to each of its layers in turn and
 * played, between marks, and a layer has the difference. The times of all add up to the whole segment's. (CUPTI would tell the kernels' own
 * times, which overlap, and is another library to find; times stamped by the kernels would cost them registers.)
 *
 * Layers write over what others before them made. Where a segment reads such memory its content is put back before each play; not without need, for
 * the copy leaves the cache full of what is still to be written, and large networks were 7% slower behind it. */
#include "runtime/state.h"
#include <stdlib.h>

enum { PLAYS = 7 };

typedef struct trial {
  ingot_context *context;
  ingot__region *region;
  const ingot__device_functions *device;
  void *memory, *saved; /* the region's, and what it held before; NULL: nothing that is read */
  size_t size;
  void *mark[2];
} trial;

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Whether a step before the segment has left something in the region's memory. */
static bool begins_with_values(const trial *t, const ingot__segment *segment) {
  for (size_t i = 0; i < segment->first; i++) {
    const ingot__call *call = &t->region->step[i].call;
    for (size_t k = 0; k < call->n_out; k++) {
      const char *data = call->out[k].data, *memory = t->memory;
      if (ingot__has_out(call, k) && data >= memory && data < memory + t->size) return true;
    }
  }
  return false;
}

static ingot_status put_back(const trial *t, ingot__diag *diag) {
  return t->saved ? t->device->copy(t->context->queue, t->memory, t->saved, t->size, diag) : INGOT_OK;
}

/* The median of some plays, behind one that brings what is needed into the cache. */
static ingot_status play(const trial *t, void *recording, double *seconds, ingot__diag *diag) {
  double found[PLAYS];
  if (!t->saved) INGOT_TRY(t->device->play(t->context->queue, recording, diag));
  for (int i = 0; i < PLAYS; i++) {
    INGOT_TRY(put_back(t, diag));
    INGOT_TRY(t->device->mark(t->context->queue, t->mark[0], diag));
    INGOT_TRY(t->device->play(t->context->queue, recording, diag));
    INGOT_TRY(t->device->mark(t->context->queue, t->mark[1], diag));
    INGOT_TRY(ingot__device_wait(t->context, diag));
    found[i] = t->device->seconds(t->mark[0], t->mark[1]);
  }
  qsort(found, PLAYS, sizeof found[0], by_size);
  *seconds = found[PLAYS / 2];
  return INGOT_OK;
}

/* Seconds from the segment's begin to the end of each of its steps. */
static ingot_status measure(const trial *t, const ingot__segment *segment, ingot__diag *diag) {
  ingot__run_step *step = &t->region->step[segment->first];
  for (size_t n = 1; n <= segment->n; n++) {
    void *recording = NULL;
    INGOT_TRY(ingot__segment_record(t->context, t->region, segment->first, n, diag, &recording));
    ingot_status status = play(t, recording, &step[n - 1].seconds, diag);
    t->device->recording_free(t->context->engine->opened, recording);
    INGOT_TRY(status);
  }
  /* What lies between two of them is one's own: later ends aren't earlier, whatever the clock says, and none is after the last. */
  double before = 0, whole = step[segment->n - 1].seconds;
  for (size_t i = 0; i < segment->n; i++) {
    const double until = step[i].seconds < before ? before : step[i].seconds > whole ? whole : step[i].seconds;
    step[i].seconds = until - before;
    before = until;
  }
  return INGOT_OK;
}

static ingot_status prepare(trial *t, const ingot__segment *segment, ingot__diag *diag) {
  for (int i = 0; i < 2; i++) INGOT_TRY(t->device->mark_new(t->context->engine->opened, diag, &t->mark[i]));
  if (begins_with_values(t, segment)) {
    INGOT_TRY(t->device->allocate(t->context->engine->opened, t->size, diag, &t->saved));
    INGOT_TRY(t->device->copy(t->context->queue, t->saved, t->memory, t->size, diag));
  }
  t->context->busy = true;
  return segment->warms ? ingot__segment_put(t->region, segment->first, segment->n, diag) : INGOT_OK; /* a library loads code of its own now */
}

ingot_status ingot__segment_profile(ingot_context *context, ingot__region *region, ingot__segment *segment, ingot__diag *diag) {
  trial t = {.context = context, .region = region, .device = context->engine->backend->device, .memory = region->slab[INGOT__DEVICE],
             .size = region->slab_size[INGOT__DEVICE]};
  ingot_status status = prepare(&t, segment, diag);
  if (status == INGOT_OK) status = measure(&t, segment, diag);
  if (status == INGOT_OK) status = put_back(&t, diag);
  if (status == INGOT_OK) status = ingot__segment_run(context, region, segment, diag);
  if (context->busy) { /* nothing of this may be under way when it goes */
    ingot_status waited = ingot__device_wait(context, status == INGOT_OK ? diag : NULL);
    if (status == INGOT_OK) status = waited;
  }
  if (t.saved) t.device->release(context->engine->opened, t.saved);
  for (int i = 0; i < 2; i++)
    if (t.mark[i]) t.device->mark_free(context->engine->opened, t.mark[i]);
  return status;
}
