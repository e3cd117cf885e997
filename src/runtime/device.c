/* Runs on a device: its queue and memory, places in the queue, work recorded and played again, times, and copies for those who look at values on
 * the host. */
#include "runtime/state.h"
#include <string.h>

static const ingot__device_functions *device_of(const ingot_context *context) { return context->engine->backend->device; }

ingot_status ingot__device_start(ingot_context *context, void *native_queue, ingot__diag *diag) {
  if (!device_of(context)) return INGOT_OK;
  INGOT_TRY(device_of(context)->queue_new(context->engine->opened, native_queue, diag, &context->queue));
  context->home = device_of(context)->queue_native(context->queue);
  return INGOT_OK;
}

void ingot__device_stop(ingot_context *context) {
  for (int i = 0; i < INGOT__MARKS; i++) {
    if (context->mark[i]) device_of(context)->mark_free(context->engine->opened, context->mark[i]);
    context->mark[i] = NULL;
  }
  if (context->queue) device_of(context)->queue_free(context->queue);
  context->queue = NULL;
}

ingot_status ingot__device_wait(ingot_context *context, ingot__diag *diag) {
  context->busy = false;
  return device_of(context)->wait(context->queue, diag);
}

ingot_status ingot__device_settle(ingot_context *context, ingot__diag *diag) {
  if (!context->busy) return INGOT_OK;
  context->busy = false; /* by the mark, for the caller's queue may be gone by now */
  if (context->mark[INGOT__END]) return device_of(context)->reached(context->engine->opened, context->mark[INGOT__END], diag);
  return device_of(context)->wait(context->queue, diag);
}

ingot_status ingot__device_go(ingot_context *context, void *native_queue, ingot__diag *diag) {
  const ingot__device_functions *d = device_of(context);
  if (d->queue_native(context->queue) == native_queue) return INGOT_OK;
  d->queue_use(context->queue, native_queue);
  return context->busy && context->mark[INGOT__END] ? d->follow(context->queue, context->mark[INGOT__END], diag) : INGOT_OK;
}

ingot_status ingot__device_mark(ingot_context *context, int which, ingot__diag *diag) {
  const ingot__device_functions *d = device_of(context);
  if (!context->mark[which]) INGOT_TRY(d->mark_new(context->engine->opened, diag, &context->mark[which]));
  return d->mark(context->queue, context->mark[which], diag);
}

void ingot__device_free(ingot_context *context, ingot__buffer *buffer) {
  if (buffer->data) device_of(context)->release(context->engine->opened, buffer->data);
  *buffer = (ingot__buffer){NULL, 0};
}

ingot_status ingot__device_reserve(ingot_context *context, ingot__buffer *buffer, size_t size, ingot__diag *diag) {
  if (buffer->data && buffer->size >= size) return INGOT_OK;
  if (context->busy) INGOT_TRY(ingot__device_wait(context, diag));
  ingot__device_free(context, buffer);
  INGOT_TRY(device_of(context)->allocate(context->engine->opened, size, diag, &buffer->data));
  buffer->size = size ? size : 1;
  return INGOT_OK;
}

ingot_status ingot__device_owns(const ingot_context *context, const void *memory, ingot__diag *diag, bool *there) {
  *there = false;
  return context->queue ? device_of(context)->owns(context->engine->opened, memory, diag, there) : INGOT_OK;
}

/* ---- Copies by way of memory that the device reaches */

enum { PINNED_MOST = 64 << 20, SHARED_COPY = 256 << 10 }; /* bytes: more is left to the driver; more is copied by all threads */

bool ingot__device_by_way(ingot_context *context, ingot__io *io, size_t bytes) {
  const ingot__device_functions *d = device_of(context);
  if (!bytes || bytes > PINNED_MOST) return false;
  if (io->pinned.size >= bytes) return true;
  if (context->busy && ingot__device_wait(context, NULL) != INGOT_OK) return false;
  d->unpin(context->engine->opened, io->pinned.data);
  io->pinned = (ingot__buffer){.data = d->pin(context->engine->opened, bytes)};
  io->pinned.size = io->pinned.data ? bytes : 0;
  return io->pinned.data != NULL;
}

typedef struct host_copy { char *to; const char *from; size_t bytes; } host_copy;
static void copy_share(void *arg, int i, int n) {
  const host_copy *c = arg;
  size_t share = ingot__align(c->bytes / (size_t)n + 1, 64), at = share * (size_t)i;
  if (at < c->bytes) memcpy(c->to + at, c->from + at, c->bytes - at < share ? c->bytes - at : share);
}

void ingot__device_host_copy(ingot_context *context, void *to, const void *from, size_t bytes) {
  host_copy c = {to, from, bytes};
  if (bytes < SHARED_COPY || context->threads == 1) copy_share(&c, 0, 1);
  else ingot__pool_run(context->pool, copy_share, &c);
}

/* ---- Recorded work */

enum { LEAST = 2, RESTLESS = 3 /* runs in a row with other addresses, after which recording isn't worth while */ };

/* What the host reads when a step is put into the queue is recorded with it: it must be the same in every run of the region. Of the first region of
 * all, that is what inference knows, for it has seen nothing but shapes; of others constants alone, since theirs serve more than one content. */
static bool recordable(const ingot__instance *inst, const ingot__run_step *run, bool by_shapes) {
  const ingot__kernel *k = run->step->kernel;
  if (!k->on_device || k->op == INGOT__OP_Transfer) return false;
  for (size_t i = 0; i < run->node->n_in && i < 32; i++) {
    const ingot__value *v = k->functions->host_inputs >> i & 1 ? run->node->in[i] : NULL;
    if (v && (v->producer || v->is_input) && !(by_shapes && inst->known[v->id])) return false;
  }
  return true;
}

ingot_status ingot__segments_find(const ingot__instance *inst, ingot__region *region, bool by_shapes, ingot__diag *diag) {
  region->segment = INGOT_NEW_ARRAY(&region->arena, region->n_step / LEAST + 1, ingot__segment);
  if (!region->segment) return ingot__no_memory(diag);
  region->n_segment = 0;
  for (size_t i = 0; i < region->n_step;) {
    size_t n = 0;
    while (i + n < region->n_step && recordable(inst, &region->step[i + n], by_shapes)) n++;
    bool warms = false;
    for (size_t k = 0; k < n; k++) warms = warms || region->step[i + k].step->kernel->functions->library;
    if (n >= LEAST) region->segment[region->n_segment++] = (ingot__segment){.first = i, .n = n, .warms = warms};
    i += n ? n : 1;
  }
  return INGOT_OK;
}

void ingot__segments_forget(ingot_context *context, ingot__region *region) {
  for (size_t i = 0; i < region->n_segment; i++) {
    if (region->segment[i].recording) device_of(context)->recording_free(context->engine->opened, region->segment[i].recording);
    region->segment[i].recording = NULL;
  }
}

ingot_status ingot__segment_put(ingot__region *region, size_t first, size_t n, ingot__diag *diag) {
  for (size_t i = first; i < first + n; i++) {
    ingot__run_step *run = &region->step[i];
    run->call.diag = diag;
    INGOT_TRY(run->step->kernel->functions->run(&run->call));
  }
  return INGOT_OK;
}

ingot_status ingot__segment_record(ingot_context *context, ingot__region *region, size_t first, size_t n, ingot__diag *diag, void **recording) {
  const ingot__device_functions *d = device_of(context);
  *recording = NULL;
  INGOT_TRY(d->record(context->queue, diag));
  ingot_status status = ingot__segment_put(region, first, n, diag);
  ingot_status ended = d->record_end(context->queue, status == INGOT_OK ? diag : NULL, recording);
  if (status == INGOT_OK) status = ended;
  if (status == INGOT_OK) return INGOT_OK;
  if (*recording) d->recording_free(context->engine->opened, *recording);
  *recording = NULL;
  return status;
}

ingot_status ingot__segment_run(ingot_context *context, ingot__region *region, ingot__segment *segment, ingot__diag *diag) {
  const ingot__device_functions *d = device_of(context);
  context->busy = true;
  const bool warms = segment->warms;
  segment->warms = false;
  if (!segment->recording && (warms || region->moved >= RESTLESS)) return ingot__segment_put(region, segment->first, segment->n, diag);
  if (!segment->recording) INGOT_TRY(ingot__segment_record(context, region, segment->first, segment->n, diag, &segment->recording));
  return d->play(context->queue, segment->recording, diag);
}

/* ---- Looking */

ingot_status ingot__device_timed(ingot_context *context, ingot__run_step *run, ingot__diag *diag) {
  const ingot__device_functions *d = device_of(context);
  void *mark[2] = {NULL, NULL};
  ingot_status status = d->mark_new(context->engine->opened, diag, &mark[0]);
  if (status == INGOT_OK) status = d->mark_new(context->engine->opened, diag, &mark[1]);
  if (status == INGOT_OK) status = d->mark(context->queue, mark[0], diag);
  if (status == INGOT_OK) status = run->step->kernel->functions->run(&run->call);
  if (status == INGOT_OK) status = d->mark(context->queue, mark[1], diag);
  if (status == INGOT_OK) status = ingot__device_wait(context, diag);
  if (status == INGOT_OK) run->seconds = d->seconds(mark[0], mark[1]);
  for (int i = 0; i < 2; i++)
    if (mark[i]) d->mark_free(context->engine->opened, mark[i]);
  return status;
}

static ingot_status mirror_view(ingot_context *context, ingot__view *view, ingot__arena *arena, ingot__diag *diag) {
  size_t span = 1, bytes;
  bool there;
  if (view->dtype == INGOT_UNDEFINED || !ingot__is_tensor(view) || !view->data) return INGOT_OK;
  INGOT_TRY(ingot__device_owns(context, view->data, diag, &there));
  if (!there) return INGOT_OK;
  for (int d = 0; d < view->rank; d++) {
    if (!view->dim[d]) span = 0;
    if (span) span += (size_t)((view->dim[d] - 1) * view->stride[d]);
  }
  if (!ingot__dtype_bytes(view->dtype, span, &bytes)) return INGOT_E_LIMIT;
  void *copy = ingot__arena_alloc(arena, bytes + 64);
  if (!copy) return ingot__no_memory(diag);
  copy = (void *)ingot__align((size_t)copy, 64);
  INGOT_TRY(device_of(context)->read(context->engine->opened, copy, view->data, bytes, diag));
  view->data = copy;
  return INGOT_OK;
}

ingot_status ingot__device_mirror(ingot_context *context, const ingot__call *call, ingot__arena *arena, ingot__diag *diag, ingot__call *mirror) {
  ingot__view *views = INGOT_NEW_ARRAY(arena, call->n_in + call->n_out + 1, ingot__view);
  if (!views) return ingot__no_memory(diag);
  if (context->busy) INGOT_TRY(ingot__device_wait(context, diag));
  memcpy(views, call->in, call->n_in * sizeof *views);
  memcpy(views + call->n_in, call->out, call->n_out * sizeof *views);
  *mirror = *call;
  mirror->in = views;
  mirror->out = views + call->n_in;
  mirror->queue = mirror->code = NULL;
  mirror->packed = NULL;
  for (size_t i = 0; i < call->n_in + call->n_out; i++) INGOT_TRY(mirror_view(context, &views[i], arena, diag));
  return INGOT_OK;
}
