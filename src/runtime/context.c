/* Contexts: inputs and outputs, the instances for the shapes met so far, threads. */
#include "runtime/state.h"
#include "base/cpu.h"
#include <string.h>

bool ingot__buffer_reserve(ingot__heap *heap, ingot__buffer *buffer, size_t size) {
  if (buffer->data && buffer->size >= size) return true;
  ingot__free(heap, buffer->data, buffer->size);
  buffer->data = ingot__alloc(heap, size);
  buffer->size = buffer->data ? (size ? size : 1) : 0;
  return buffer->data != NULL;
}

/* Whether the host touches an input or output itself; otherwise only Transfers to and from the device do. */
static bool host_user(const ingot_engine *engine, const ingot__io *io) {
  if (!engine->backend->device || io->value->type.kind != INGOT__TENSOR) return true;
  if (!io->is_input) return !io->value->producer || io->value->producer->op != INGOT__OP_Transfer;
  for (size_t u = 0; u < io->value->n_user; u++)
    if (io->value->user[u]->op != INGOT__OP_Transfer || io->value->user[u]->graph != io->value->graph) return true;
  return io->value->is_output;
}

ingot_status ingot__context_new(ingot_engine *engine, const ingot_context_options *options, ingot__diag *diag, ingot_context **out) {
  ingot_env env = {.allocator = engine->heap.allocator, .memory_limit = engine->heap.limit};
  ingot__heap heap;
  ingot__heap_init(&heap, &env);
  ingot_context *context = ingot__calloc(&heap, 1, sizeof *context);
  if (!context) return ingot__no_memory(diag);
  ingot__heap_init(&context->heap, &env);
  context->heap.used = sizeof *context;
  context->engine = engine;
  context->profile = -1;
  engine->references++;
  pthread_mutex_init(&context->mutex, NULL);
  pthread_cond_init(&context->wake, NULL);
  const ingot__graph *g = engine->network->main;
  context->n_in = g->n_input;
  context->n_io = g->n_input + g->n_output;
  ingot_status status = INGOT_OK;
  ingot__arena_init(&context->strings, &context->heap);
  context->store = ingot__store_new(&env);
  context->io = ingot__calloc(&context->heap, context->n_io, sizeof *context->io);
  if (!context->io || !context->store) status = ingot__no_memory(diag);
  for (size_t i = 0; status == INGOT_OK && i < context->n_io; i++) {
    ingot__io *io = &context->io[i];
    io->is_input = i < context->n_in;
    io->value = io->is_input ? g->input[i] : g->output[i - context->n_in];
    io->host_user = host_user(engine, io);
    if (!io->is_input) continue;
    io->shape_set = true;
    if (io->value->type.kind != INGOT__TENSOR) continue;
    for (int d = 0; d < io->value->type.rank; d++) {
      for (size_t p = 0; p < engine->n_profile; p++) {
        const ingot__profile *profile = &engine->profile[p * g->n_input + i];
        if (profile->min[d] != profile->max[d] || profile->min[d] != engine->profile[i].min[d]) io->shape_set = false;
      }
      io->dim[d] = engine->profile[i].opt[d];
    }
  }
  int threads = options ? options->threads : 0;
  int cores = ingot__cpu_info()->cores;
  if (threads <= 0) threads = engine->threads < cores ? engine->threads : cores;
  context->threads = threads > 256 ? 256 : threads;
  if (status == INGOT_OK) status = ingot__device_start(context, options ? options->queue : NULL, diag);
  if (status == INGOT_OK) status = ingot__pool_create(&context->heap, context->threads, diag, &context->pool);
  if (status != INGOT_OK) {
    ingot__context_free(context);
    return status;
  }
  *out = context;
  return INGOT_OK;
}

void ingot__context_free(ingot_context *context) {
  if (!context) return;
  ingot_engine *engine = context->engine;
  if (context->queue) ingot__device_settle(context, NULL);
  for (size_t i = 0; i < context->n_instance; i++) ingot__instance_free(context->instance[i]);
  ingot__pool_destroy(context->pool);
  ingot__free(&context->heap, context->slab[INGOT__HOST].data, context->slab[INGOT__HOST].size);
  ingot__device_free(context, &context->slab[INGOT__DEVICE]);
  for (size_t i = 0; context->io && i < context->n_io; i++) {
    ingot__object_release(context->io[i].object);
    ingot__free(&context->heap, context->io[i].own.data, context->io[i].own.size);
    ingot__device_free(context, &context->io[i].staging);
    if (context->io[i].pinned.data) engine->backend->device->unpin(engine->opened, context->io[i].pinned.data);
  }
  ingot__device_stop(context);
  ingot__store_release(context->store);
  ingot__arena_free(&context->strings);
  ingot__free(&context->heap, context->io, context->n_io * sizeof *context->io);
  pthread_mutex_destroy(&context->mutex);
  pthread_cond_destroy(&context->wake);
  ingot__heap heap = context->heap;
  ingot__free(&heap, context, sizeof *context);
  ingot__engine_release(engine);
}

ingot__io *ingot__context_find(ingot_context *context, const char *name) {
  for (size_t i = 0; i < context->n_io; i++)
    if (!strcmp(context->io[i].value->name, name)) return &context->io[i];
  return NULL;
}

static const ingot__profile *profile_of(const ingot_context *context, size_t profile, size_t input) {
  return &context->engine->profile[profile * context->n_in + input];
}

static bool allowed(const ingot_context *context, size_t profile) { return context->profile < 0 || (size_t)context->profile == profile; }

static bool within(const ingot__profile *profile, int rank, const int64_t *dims) {
  for (int d = 0; d < rank; d++)
    if (dims[d] < profile->min[d] || dims[d] > profile->max[d]) return false;
  return true;
}

/* Whether a profile has these dims for the input. */
static bool in_profiles(const ingot_context *context, size_t input, const int64_t *dims) {
  for (size_t p = 0; p < context->engine->n_profile; p++)
    if (allowed(context, p) && within(profile_of(context, p, input), context->io[input].value->type.rank, dims)) return true;
  return false;
}

/* Whether one profile has the present dims of all inputs. */
static bool one_profile(const ingot_context *context) {
  for (size_t p = 0; p < context->engine->n_profile; p++) {
    bool all = allowed(context, p);
    for (size_t i = 0; all && i < context->n_in; i++)
      all = within(profile_of(context, p, i), context->io[i].value->type.rank, context->io[i].dim);
    if (all) return true;
  }
  return false;
}

ingot_status ingot__context_set_shape(ingot_context *context, ingot__io *io, int rank, const int64_t *dims, ingot__diag *diag) {
  const char *name = io->value->name;
  if (io->value->type.kind != INGOT__TENSOR) return ingot__fail(diag, INGOT_E_ARGUMENT, name, "is no tensor and has no shape; set its value");
  if (rank != io->value->type.rank)
    return ingot__fail(diag, INGOT_E_SHAPE, name, "this input has %d dims, %d were given", io->value->type.rank, rank);
  if (!in_profiles(context, (size_t)(io - context->io), dims)) {
    const ingot__profile *profile = profile_of(context, context->profile < 0 ? 0 : (size_t)context->profile, (size_t)(io - context->io));
    for (int i = 0; i < rank; i++)
      if (dims[i] < profile->min[i] || dims[i] > profile->max[i])
        return ingot__fail(diag, INGOT_E_SHAPE, name, "dim %d is %lld, but the engine was built for %lld to %lld%s", i, (long long)dims[i],
                           (long long)profile->min[i], (long long)profile->max[i],
                           context->engine->n_profile > 1 && context->profile < 0 ? ", and its other profiles don't have it either" : "");
  }
  if (!io->shape_set || memcmp(io->dim, dims, (size_t)rank * sizeof *dims)) context->current = NULL;
  if (rank) memcpy(io->dim, dims, (size_t)rank * sizeof *dims);
  io->shape_set = true;
  return INGOT_OK;
}

static const char *const kinds[] = {"a tensor", "a sequence", "an optional tensor", "an optional sequence"};

ingot_status ingot__context_set_value(ingot_context *context, ingot__io *io, ingot__object *value, ingot__diag *diag) {
  const ingot__type *type = &io->value->type;
  const ingot__object *content = value;
  bool optional = type->kind == INGOT__OPTIONAL || type->kind == INGOT__OPTIONAL_SEQUENCE;
  if (optional && value && value->kind == INGOT__OPTIONAL) content = value->n ? value->item[0] : NULL;
  ingot__kind wanted = type->kind == INGOT__TENSOR || type->kind == INGOT__OPTIONAL ? INGOT__TENSOR : INGOT__SEQUENCE;
  if (!content && !optional) return ingot__fail(diag, INGOT_E_ARGUMENT, io->value->name, "is %s and needs a value", kinds[type->kind]);
  if (content && content->kind != wanted)
    return ingot__fail(diag, INGOT_E_TYPE, io->value->name, "is %s, the value given is %s", kinds[type->kind], kinds[content->kind]);
  if (content && content->dtype != type->dtype && content->dtype != INGOT_UNDEFINED)
    return ingot__fail(diag, INGOT_E_TYPE, io->value->name, "has elements of %s, the value given of %s", ingot_dtype_name(type->dtype),
                       ingot_dtype_name(content->dtype));
  if (type->kind == INGOT__TENSOR) {
    INGOT_TRY(ingot__context_set_shape(context, io, content->rank, content->dim, diag));
    io->address = content->data;
  }
  if (optional && value && value->kind != INGOT__OPTIONAL) { /* given as it is */
    ingot__object *holder = ingot__object_list(context->store, INGOT__OPTIONAL, value->dtype, 1);
    if (!holder) return ingot__no_memory(diag);
    holder->item[0] = ingot__object_retain(value);
    ingot__object_put(&io->object, holder);
    return INGOT_OK;
  }
  ingot__object_put(&io->object, ingot__object_retain(value));
  return INGOT_OK;
}

static bool same_shapes(const ingot_context *context, const ingot__instance *inst) {
  for (size_t i = 0; i < context->n_in; i++) {
    if (context->io[i].value->type.kind != INGOT__TENSOR) continue;
    size_t bytes = (size_t)context->io[i].value->type.rank * sizeof(int64_t);
    if (memcmp(inst->input_dims + i * INGOT_MAX_RANK, context->io[i].dim, bytes)) return false;
  }
  return true;
}

/* Of the instances the one not used for longest. */
static void drop_oldest(ingot_context *context) {
  size_t at = 0;
  for (size_t i = 1; i < context->n_instance; i++)
    if (context->instance[i]->used < context->instance[at]->used) at = i;
  context->instance_bytes -= context->instance[at]->bytes;
  ingot__instance_free(context->instance[at]);
  context->instance[at] = context->instance[--context->n_instance];
}

ingot_status ingot__context_plan(ingot_context *context, ingot__diag *diag) {
  if (context->current) return INGOT_OK;
  for (size_t i = 0; i < context->n_in; i++)
    if (!context->io[i].shape_set)
      ingot__fail(diag, INGOT_E_STATE, context->io[i].value->name, "this input's dims are not fixed; set its shape before running");
  if (diag->status != INGOT_OK) return diag->status;
  if ((context->engine->n_profile > 1 || context->profile >= 0) && !one_profile(context))
    return ingot__fail(diag, INGOT_E_SHAPE, NULL, "the inputs' shapes are each in a profile of the engine, but not all in the same");
  for (size_t i = 0; i < context->n_instance; i++)
    if (same_shapes(context, context->instance[i])) {
      context->current = context->instance[i];
      context->current->used = ++context->clock;
      return INGOT_OK;
    }
  ingot__instance *inst;
  size_t before = context->heap.used;
  INGOT_TRY(ingot__instance_new(context, diag, &inst));
  inst->diag = diag;
  for (size_t i = 0; i < context->n_in; i++) {
    const ingot__io *io = &context->io[i];
    ingot__value *v = io->value;
    memcpy(inst->input_dims + i * INGOT_MAX_RANK, io->dim, sizeof io->dim);
    inst->type[v->id] = v->type;
    inst->source[v->id] = (int)i;
    if (v->type.kind != INGOT__TENSOR) {
      inst->type[v->id].rank = -1;
      ingot__view_object(&inst->view[v->id], &v->type, &context->io[i].object);
      continue;
    }
    for (int d = 0; d < v->type.rank; d++) inst->type[v->id].dim[d] = io->dim[d];
    ingot__view_set(&inst->view[v->id], v->type.dtype, v->type.rank, io->dim, INGOT__PLAIN);
  }
  ingot__frame *frame;
  ingot_status status = ingot__instance_frame(inst, context->engine->network->main, &frame);
  if (status == INGOT_OK) status = ingot__slot_first(frame, NULL, 0);
  for (size_t i = context->n_in; status == INGOT_OK && i < context->n_io; i++) {
    size_t bytes;
    const ingot__type *type = &inst->type[context->io[i].value->id];
    inst->early[i] = type->rank >= 0 && ingot__type_bytes(type, &bytes);
  }
  if (status != INGOT_OK) {
    ingot__instance_free(inst);
    return status;
  }
  inst->bytes = context->heap.used > before ? context->heap.used - before : 0;
  context->instance_bytes += inst->bytes;
  while (context->n_instance == INGOT__MAX_INSTANCES ||
         (context->n_instance >= INGOT__FEW_INSTANCES && context->instance_bytes > INGOT__INSTANCE_BYTES))
    drop_oldest(context);
  context->instance[context->n_instance++] = inst;
  context->current = inst;
  inst->used = ++context->clock;
  return INGOT_OK;
}
