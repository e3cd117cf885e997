/* Contexts: shapes, addresses, runs, profiles. */
#include "api/api.h"
#include "runtime/inspect.h"
#include <stdio.h>
#include <string.h>

ingot_status ingot_context_create(ingot_engine *engine, const ingot_context_options *options, ingot_context **context) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(engine && context, "an argument is NULL");
  INGOT_REQUIRE(!options || (options->threads >= 0 && options->threads <= 256), "threads is not 0 to 256");
  return ingot__end(&diag, ingot__context_new(engine, options, &diag, context));
}

static ingot_status find(ingot_context *context, const char *name, ingot__diag *diag, ingot__io **io) {
  *io = ingot__context_find(context, name);
  if (*io) return INGOT_OK;
  char list[512] = "";
  size_t n = 0;
  for (size_t i = 0; i < context->n_io && n < sizeof list - 64; i++)
    n += (size_t)snprintf(list + n, sizeof list - n, "%s%.48s", i ? ", " : "", context->io[i].value->name);
  return ingot__fail(diag, INGOT_E_ARGUMENT, NULL, "there is no input or output '%s'; there are: %s", name, list);
}

ingot_status ingot_context_set_profile(ingot_context *context, int profile) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context && profile >= -1 && (profile < 0 || (size_t)profile < context->engine->n_profile),
                "context is NULL, or there is no such profile");
  context->profile = profile;
  context->current = NULL; /* the shapes are checked again */
  return INGOT_OK;
}

ingot_status ingot_context_set_input_shape(ingot_context *context, const char *name, int rank, const int64_t *dims) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context && name && rank >= 0 && rank <= INGOT_MAX_RANK && (dims || !rank), "an argument is NULL or the rank is not 0 to 8");
  ingot__io *io;
  ingot_status status = find(context, name, &diag, &io);
  if (status == INGOT_OK && !io->is_input) status = ingot__fail(&diag, INGOT_E_ARGUMENT, name, "is an output: its shape follows from the inputs'");
  if (status == INGOT_OK) status = ingot__context_set_shape(context, io, rank, dims, &diag);
  return ingot__end(&diag, status);
}

ingot_status ingot_context_set_address(ingot_context *context, const char *name, void *data) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context && name, "an argument is NULL");
  ingot__io *io;
  ingot_status status = find(context, name, &diag, &io);
  if (status == INGOT_OK && io->value->type.kind != INGOT__TENSOR)
    status = ingot__fail(&diag, INGOT_E_ARGUMENT, name, "is no tensor; use ingot_context_%s", io->is_input ? "set_value" : "value");
  if (status == INGOT_OK) io->address = data;
  return ingot__end(&diag, status);
}

ingot_status ingot_context_set_output_allocator(ingot_context *context, const char *name, const ingot_output_allocator *allocator) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context && name && (!allocator || allocator->reallocate), "an argument is NULL");
  ingot__io *io;
  ingot_status status = find(context, name, &diag, &io);
  if (status == INGOT_OK && io->is_input) status = ingot__fail(&diag, INGOT_E_ARGUMENT, name, "is an input: its memory is where its address is set");
  if (status == INGOT_OK && io->value->type.kind != INGOT__TENSOR)
    status = ingot__fail(&diag, INGOT_E_ARGUMENT, name, "is no tensor; use ingot_context_value");
  if (status != INGOT_OK) return ingot__end(&diag, status);
  if (allocator) io->allocator = *allocator;
  else io->allocator = (ingot_output_allocator){0};
  io->allocated = NULL;
  context->ran = false;
  return INGOT_OK;
}

ingot_status ingot_context_set_value(ingot_context *context, const char *name, ingot_value *value) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context && name, "an argument is NULL");
  ingot__io *io;
  ingot_status status = find(context, name, &diag, &io);
  if (status == INGOT_OK && !io->is_input) status = ingot__fail(&diag, INGOT_E_ARGUMENT, name, "is an output");
  if (status == INGOT_OK) status = ingot__context_set_value(context, io, value, &diag);
  return ingot__end(&diag, status);
}

ingot_status ingot_context_shape(ingot_context *context, const char *name, int *rank, int64_t dims[INGOT_MAX_RANK]) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context && name && rank && dims, "an argument is NULL");
  ingot__io *io;
  ingot_status status = find(context, name, &diag, &io);
  if (status == INGOT_OK && io->value->type.kind != INGOT__TENSOR) status = ingot__fail(&diag, INGOT_E_ARGUMENT, name, "is no tensor");
  if (status == INGOT_OK) status = ingot__context_plan(context, &diag);
  if (status != INGOT_OK) return ingot__end(&diag, status);
  const ingot__type *type = &context->current->type[io->value->id];
  bool known = type->rank >= 0;
  for (int d = 0; d < type->rank; d++) known = known && ingot__dim_is_number(type->dim[d]);
  if (!known) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_STATE, name, "this output's shape depends on data: it is known after a run"));
  *rank = type->rank;
  for (int d = 0; d < type->rank; d++) dims[d] = type->dim[d];
  return INGOT_OK;
}

/* ---- Running */

static void profile(ingot_context *context) {
  ingot__instance *inst = context->current;
  for (size_t f = 0; f < inst->n_frame; f++)
    for (size_t r = 0; r < inst->frame[f]->n_region; r++) {
      const ingot__region *region = inst->frame[f]->region[r];
      for (size_t i = 0; f == 0 && i < region->n_step; i++) { /* the time of a subgraph is in the node that runs it */
        const ingot__run_step *s = &region->step[i];
        ingot_layer_profile p = {.name = s->node->name, .type = ingot__op_get(s->node->op)->name, .kernel = s->step->kernel->name,
                                 .microseconds = s->seconds * 1e6, .flops = ingot__op_flops(&s->call),
                                 .bytes = ingot__call_bytes(&s->call, s->step->packed_size),
                                 .precision = ingot__step_precision(s->node, s->step->kernel)};
        const ingot__device_functions *device = s->step->kernel->on_device ? context->engine->backend->device : NULL;
        if (device) p.least_microseconds = device->least(context->engine->opened, p.precision, (double)p.flops, (double)p.bytes) * 1e6;
        context->profiler(context->profiler_user, &p);
      }
    }
}

static ingot_status run(ingot_context *context) {
  INGOT_CALL(NULL);
  ingot_status status = ingot__context_execute(context, &diag);
  if (status == INGOT_OK && context->profiler) profile(context);
  return ingot__end(&diag, status);
}

ingot_status ingot_context_run(ingot_context *context) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context, "context is NULL");
  context->cancelled = false;
  return run(context);
}

void ingot_context_cancel(ingot_context *context) {
  if (context) context->cancelled = true;
}

const void *ingot_context_output(const ingot_context *context, const char *name) {
  if (!context || !name || !context->ran) return NULL;
  const ingot__io *io = ingot__context_find((ingot_context *)context, name);
  return io && !io->is_input && io->value->type.kind == INGOT__TENSOR ? io->data : NULL;
}

ingot_value *ingot_context_value(const ingot_context *context, const char *name) {
  if (!context || !name || !context->ran) return NULL;
  const ingot__io *io = ingot__context_find((ingot_context *)context, name);
  return io && !io->is_input && io->value->type.kind != INGOT__TENSOR ? io->object : NULL;
}

/* The context's thread: waits for work, runs it, says so. */
static void *work(void *user) {
  ingot_context *c = user;
  pthread_mutex_lock(&c->mutex);
  while (!c->stop) {
    if (!c->pending) {
      pthread_cond_wait(&c->wake, &c->mutex);
      continue;
    }
    ingot_done_fn done = c->done;
    void *done_user = c->done_user;
    pthread_mutex_unlock(&c->mutex);
    ingot_status status = run(c);
    if (status != INGOT_OK) snprintf(c->error, sizeof c->error, "%s", ingot_last_error());
    if (done) done(done_user, status);
    pthread_mutex_lock(&c->mutex);
    c->pending = false;
    c->finished = true;
    c->result = status;
    pthread_cond_broadcast(&c->wake);
  }
  pthread_mutex_unlock(&c->mutex);
  return NULL;
}

ingot_status ingot_context_enqueue(ingot_context *context, ingot_done_fn done, void *user) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context, "context is NULL");
  ingot_status status = INGOT_OK;
  pthread_mutex_lock(&context->mutex);
  if (context->pending) status = ingot__fail(&diag, INGOT_E_STATE, NULL, "a run is in progress in this context; wait for it, or use another context");
  if (status == INGOT_OK && !context->worker_started) {
    if (pthread_create(&context->worker, NULL, work, context)) status = ingot__fail(&diag, INGOT_E_DEVICE, NULL, "a thread can't be started");
    else context->worker_started = true;
  }
  if (status == INGOT_OK) {
    context->done = done;
    context->done_user = user;
    context->pending = true;
    context->finished = false;
    context->cancelled = false; /* here, so that a cancel before the thread has begun isn't lost */
    pthread_cond_broadcast(&context->wake);
  }
  pthread_mutex_unlock(&context->mutex);
  return ingot__end(&diag, status);
}

ingot_status ingot_context_enqueue_stream(ingot_context *context, void *stream) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context, "context is NULL");
  if (!context->queue) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_STATE, NULL, "the engine runs on the CPU: it has no streams"));
  if (context->pending) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_STATE, NULL, "a run is in progress in this context"));
  context->cancelled = false;
  return ingot__end(&diag, ingot__context_enqueue(context, stream, &diag));
}

void *ingot_context_stream(const ingot_context *context) { return context ? context->home : NULL; }

ingot_status ingot_context_wait(ingot_context *context) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context, "context is NULL");
  pthread_mutex_lock(&context->mutex);
  bool any = context->pending || context->finished;
  if (!any && context->queue && (context->busy || context->ran)) { /* in a stream */
    pthread_mutex_unlock(&context->mutex);
    return ingot__end(&diag, ingot__device_settle(context, &diag));
  }
  while (context->pending) pthread_cond_wait(&context->wake, &context->mutex);
  ingot_status status = any ? context->result : ingot__fail(&diag, INGOT_E_STATE, NULL, "no run was enqueued");
  if (any && status != INGOT_OK) ingot__fail(&diag, status, NULL, "%s", context->error);
  context->finished = false;
  pthread_mutex_unlock(&context->mutex);
  return ingot__end(&diag, status);
}

void ingot_context_destroy(ingot_context *context) {
  if (!context) return;
  if (context->worker_started) {
    pthread_mutex_lock(&context->mutex);
    while (context->pending) pthread_cond_wait(&context->wake, &context->mutex);
    context->stop = true;
    pthread_cond_broadcast(&context->wake);
    pthread_mutex_unlock(&context->mutex);
    pthread_join(context->worker, NULL);
  }
  ingot__context_free(context);
}

/* ---- Looking in */

ingot_status ingot_context_set_profiler(ingot_context *context, ingot_profiler_fn profiler, void *user) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context, "context is NULL");
  context->profiler = profiler;
  context->profiler_user = user;
  return INGOT_OK;
}

ingot_status ingot_context_set_observer(ingot_context *context, ingot_observer_fn observer, void *user) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context, "context is NULL");
  context->observer = observer;
  context->observer_user = user;
  return INGOT_OK;
}

ingot_status ingot_context_set_timing(ingot_context *context, bool timing) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context, "context is NULL");
  if (!context->queue) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_STATE, NULL, "the engine runs on the CPU: nothing is copied"));
  context->timing = timing;
  return INGOT_OK;
}

ingot_status ingot_context_times(ingot_context *context, ingot_run_times *times) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context && times, "an argument is NULL");
  if (!context->timed) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_STATE, NULL, "no run was timed: ingot_context_set_timing"));
  const ingot__device_functions *d = context->engine->backend->device;
  ingot_status status = d->reached(context->engine->opened, context->mark[INGOT__END], &diag);
  if (status != INGOT_OK) return ingot__end(&diag, status);
  double seconds[INGOT__END];
  for (int i = 0; i < INGOT__END; i++) {
    seconds[i] = d->seconds(context->mark[i], context->mark[i + 1]);
    if (seconds[i] < 0) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_DEVICE, NULL, "the GPU has no times of the run"));
  }
  *times = (ingot_run_times){seconds[0] * 1e6, seconds[1] * 1e6, seconds[2] * 1e6};
  return INGOT_OK;
}

ingot_status ingot_context_memory(const ingot_context *context, ingot_memory_info *info) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(context && info, "an argument is NULL");
  *info = (ingot_memory_info){0};
  const ingot_engine *e = context->engine;
  for (size_t i = 0; i < e->network->n_value; i++)
    if (e->network->value[i] && !e->network->value[i]->producer) info->weights += e->network->value[i]->data ? e->network->value[i]->bytes : 0;
  for (size_t i = 0; i < e->network->n_node; i++) {
    const ingot__step *step = &e->step[i];
    info->weights += step->packed_size;
    for (uint8_t k = 0; k < step->n_other; k++) {
      bool shared = step->other[k].packed == step->packed;
      for (uint8_t j = 0; j < k; j++) shared = shared || step->other[j].packed == step->other[k].packed;
      info->weights += shared ? 0 : step->other[k].packed_size;
    }
  }
  const ingot__instance *inst = context->current;
  for (size_t f = 0; inst && f < inst->n_frame; f++)
    for (size_t r = 0; r < inst->frame[f]->n_region; r++) {
      const ingot__region *region = inst->frame[f]->region[r];
      for (int space = 0; space < INGOT__SPACES; space++) info->activations += region->slab_size[space];
      if (region->workspace_size > info->workspace) info->workspace = region->workspace_size;
    }
  return INGOT_OK;
}
