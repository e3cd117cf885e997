/* Running: regions one after the other, each a loop over its steps. */
#include "runtime/state.h"
#include <stdatomic.h>
#include <string.h>

/* ---- What reference kernels may ask for while they run. */

/* The main graph's output that a node may write its result into, whatever its size: the caller gets it without a copy. Those of Loop and its
 * kin aren't, for what they hold must stay when they grow. */
static ingot__io *direct_output(ingot_context *context, const ingot__node *node, const ingot__value *v) {
  if (!v->is_output || v->graph->outer) return NULL;
  const ingot__op_info *info = ingot__op_get(node->op);
  for (size_t i = 0; i < info->n_attr; i++)
    if (info->attr[i].type == INGOT__ATTR_GRAPH && node->op != INGOT__OP_If) return NULL;
  for (size_t i = context->n_in; i < context->n_io; i++)
    if (context->io[i].value == v) return &context->io[i];
  return NULL;
}

static ingot_status resize_output(void *user, ingot__call *call, size_t i, int rank, const int64_t *dim) {
  ingot__instance *inst = user;
  const ingot__value *v = call->node->out[i];
  if (!v) return INGOT_OK;
  ingot__view *view = &inst->view[v->id];
  if (inst->source[v->id] != INGOT__SOURCE_DYNAMIC) { /* those who read it were planned with the shape that inference told */
    bool same = view->rank == rank;
    for (int d = 0; same && d < rank; d++) same = view->dim[d] == dim[d];
    if (same) return INGOT_OK;
    return INGOT__FAIL_NODE(call->diag, INGOT_E_SHAPE, call->node, "output '%s' has another shape than was told before the run", v->name);
  }
  ingot_dtype dtype = call->out[i].dtype;
  size_t bytes;
  if (rank > INGOT_MAX_RANK || !ingot__view_set(view, dtype, rank, dim, INGOT__PLAIN) ||
      !ingot__dtype_bytes(dtype, (size_t)ingot__view_count(view), &bytes))
    return INGOT__FAIL_NODE(call->diag, INGOT_E_LIMIT, call->node, "output '%s' is too large", v->name);
  ingot__io *io = direct_output(inst->context, call->node, v);
  ingot__buffer *buffer = &inst->buffer[v->id], grown = {0};
  if (io) {
    INGOT_TRY(ingot__output_reserve(inst->context, io, bytes, call->diag));
    view->data = io->data;
  } else {
    if (buffer->data && buffer->size < bytes) { /* what it holds stays: Loop's scan outputs grow */
      if (!ingot__buffer_reserve(&inst->context->heap, &grown, bytes)) return ingot__no_memory(call->diag);
      memcpy(grown.data, buffer->data, buffer->size);
      ingot__free(&inst->context->heap, buffer->data, buffer->size);
      *buffer = grown;
    }
    if (!ingot__buffer_reserve(&inst->context->heap, buffer, bytes)) return ingot__no_memory(call->diag);
    view->data = inst->buffer[v->id].data;
  }
  call->out[i] = *view;
  ingot__type *type = &inst->type[v->id];
  type->dtype = dtype;
  type->rank = (int8_t)rank;
  for (int d = 0; d < rank; d++) type->dim[d] = dim[d];
  return INGOT_OK;
}

static ingot_status run_subgraph(void *user, ingot__call *call, const ingot__graph *graph, const ingot__view *in, size_t n_in, ingot__view *out,
                                 size_t n_out) {
  ingot__instance *inst = user;
  ingot__frame *frame;
  (void)call;
  INGOT_TRY(ingot__instance_frame(inst, graph, &frame));
  INGOT_TRY(ingot__frame_run(frame, in, n_in));
  if (inst->context->busy) INGOT_TRY(ingot__device_wait(inst->context, inst->diag)); /* the operator reads the outputs at once */
  for (size_t i = 0; i < n_out && i < graph->n_output; i++) out[i] = inst->view[graph->output[i]->id];
  return INGOT_OK;
}

/* ---- Frames */

/* Grows with room to spare, for what grows once often grows again. */
static bool grow(ingot__heap *heap, ingot__buffer *buffer, size_t size) {
  if (buffer->data && buffer->size < size && ingot__buffer_reserve(heap, buffer, size + size / 2)) return true;
  return ingot__buffer_reserve(heap, buffer, size);
}

static ingot_status get_slab(ingot__frame *frame, size_t index) {
  ingot__region *region = frame->region[index];
  ingot_context *context = frame->instance->context;
  bool main = !frame->graph->outer && index == 0;
  ingot__buffer *buffer = main ? context->slab : frame->slot[index]->slab;
  if (!(main ? ingot__buffer_reserve : grow)(&context->heap, &buffer[INGOT__HOST], region->slab_size[INGOT__HOST]))
    return ingot__no_memory(frame->instance->diag);
  region->slab[INGOT__HOST] = buffer[INGOT__HOST].data;
  if (!context->queue || !region->slab_size[INGOT__DEVICE]) return INGOT_OK;
  INGOT_TRY(ingot__device_reserve(context, &buffer[INGOT__DEVICE], region->slab_size[INGOT__DEVICE], frame->instance->diag));
  region->slab[INGOT__DEVICE] = buffer[INGOT__DEVICE].data;
  return INGOT_OK;
}

static ingot_status observe_call(ingot__instance *inst, const ingot__node *node, const ingot__call *call) {
  ingot_context *context = inst->context;
  for (size_t i = 0; i < node->n_out; i++) {
    const ingot__value *v = node->out[i];
    if (!v || !ingot__is_tensor(&call->out[i])) continue;
    ingot__view view = call->out[i], plain = view;
    const void *data = view.data;
    ingot__buffer copy = {0};
    if (!view.dense || view.layout != INGOT__PLAIN) {
      size_t bytes;
      if (!ingot__view_set(&plain, view.dtype, view.rank, view.dim, INGOT__PLAIN) ||
          !ingot__dtype_bytes(view.dtype, (size_t)ingot__view_count(&view), &bytes))
        return INGOT_E_LIMIT;
      if (!ingot__buffer_reserve(&context->heap, &copy, bytes)) return ingot__no_memory(inst->diag);
      plain.data = copy.data;
      ingot__view_copy(&plain, &view);
      data = copy.data;
    }
    context->observer(context->observer_user, v->name, view.dtype, view.rank, view.dim, data);
    ingot__free(&context->heap, copy.data, copy.size);
  }
  return INGOT_OK;
}

static ingot_status observe(ingot__instance *inst, const ingot__run_step *run) {
  if (!run->step->kernel->on_device) return observe_call(inst, run->node, &run->call);
  ingot__arena arena;
  ingot__call mirror;
  ingot__arena_init(&arena, &inst->context->heap);
  ingot_status status = ingot__device_mirror(inst->context, &run->call, &arena, inst->diag, &mirror);
  if (status == INGOT_OK) status = observe_call(inst, run->node, &mirror);
  ingot__arena_free(&arena);
  return status;
}

/* Another thread may have asked to stop. */
static inline ingot_status go_on(const ingot__instance *inst) {
  if (!atomic_load_explicit(&inst->context->cancelled, memory_order_relaxed)) return INGOT_OK;
  return ingot__fail(inst->diag, INGOT_E_CANCELLED, NULL, "the run was cancelled");
}

/* Puts addresses where they belong. Recordings of device work have them inside: one that doesn't hold any more is made anew. */
static void put_addresses(ingot_context *context, ingot__region *region) {
  bool moved = false;
  for (size_t i = 0; i < region->n_patch; i++) {
    const ingot__patch *p = &region->patch[i];
    void *address = *p->base ? (char *)*p->base + p->offset : NULL;
    moved |= p->recorded && *p->slot != address;
    *p->slot = address;
  }
  if (!moved) {
    region->moved = 0;
    return;
  }
  region->moved++;
  ingot__segments_forget(context, region);
}

/* One step, in the queue or here and now. */
static inline ingot_status run_step(ingot_context *context, ingot__run_step *run, ingot__diag *diag) {
  if (context->busy && !run->step->kernel->on_device) INGOT_TRY(ingot__device_wait(context, diag));
  context->busy |= run->step->kernel->on_device;
  return run->step->kernel->functions->run(&run->call);
}

static ingot_status timed_step(ingot_context *context, ingot__run_step *run, ingot__diag *diag) {
  if (run->step->kernel->on_device) return ingot__device_timed(context, run, diag);
  if (context->busy) INGOT_TRY(ingot__device_wait(context, diag));
  double start = ingot__now();
  INGOT_TRY(run_step(context, run, diag));
  run->seconds = ingot__now() - start;
  return INGOT_OK;
}

static bool transfers(const ingot__run_step *run) { return run->node->op == INGOT__OP_Transfer; }

/* For times: after how many steps the inputs have been copied and, at the end, the outputs begin to be. */
static void phases(const ingot__frame *frame, const ingot__region *region, size_t *copied_in, size_t *computed) {
  *copied_in = *computed = SIZE_MAX;
  if (frame->graph->outer) return;
  if (region == frame->region[0])
    for (*copied_in = 0; *copied_in < region->n_step && transfers(&region->step[*copied_in]);) ++*copied_in;
  if (!region->after)
    for (*computed = region->n_step; *computed > 0 && *computed != *copied_in && transfers(&region->step[*computed - 1]);) --*computed;
}

static ingot_status run_region(ingot__frame *frame, ingot__region *region) {
  ingot__instance *inst = frame->instance;
  ingot_context *context = inst->context;
  const bool watched = context->observer || context->trace, timed = context->profiler && !frame->graph->outer; /* a subgraph's is its node's */
  size_t segment = 0, copied_in = SIZE_MAX, computed = SIZE_MAX;
  put_addresses(context, region);
  if (context->timing) phases(frame, region, &copied_in, &computed);
  if (region->dynamic_end) { /* it sets the sizes of its outputs anew */
    const ingot__run_step *run = &region->step[region->n_step - 1];
    for (size_t i = 0; i < run->call.n_out; i++)
      if (ingot__is_tensor(&run->call.out[i])) run->call.out[i] = (ingot__view){.dtype = run->call.out[i].dtype, .rank = 1};
  }
  for (size_t i = 0;; i++) {
    if (i == copied_in) INGOT_TRY(ingot__device_mark(context, INGOT__COPIED_IN, inst->diag));
    if (i == computed) INGOT_TRY(ingot__device_mark(context, INGOT__COMPUTED, inst->diag));
    if (i >= region->n_step) return INGOT_OK;
    ingot__run_step *run = &region->step[i];
    if (segment < region->n_segment && region->segment[segment].first == i && !watched) {
      INGOT_TRY(go_on(inst));
      INGOT_TRY((timed ? ingot__segment_profile : ingot__segment_run)(context, region, &region->segment[segment], inst->diag));
      i += region->segment[segment++].n - 1;
      continue;
    }
    run->call.diag = inst->diag;
    run->call.store = context->store;
    run->call.strings = (ingot__arena *)&context->strings;
    run->call.resize = resize_output;
    run->call.subgraph = run_subgraph;
    run->call.user = inst;
    INGOT_TRY(go_on(inst));
    if (!watched && !timed) {
      INGOT_TRY(run_step(context, run, inst->diag));
      continue;
    }
    if (context->trace) INGOT_TRY(context->trace(context->trace_user, run, false, inst->diag));
    INGOT_TRY(timed_step(context, run, inst->diag));
    if (context->observer) INGOT_TRY(observe(inst, run));
    if (context->trace) INGOT_TRY(context->trace(context->trace_user, run, true, inst->diag));
  }
}

ingot_status ingot__output_reserve(ingot_context *context, ingot__io *io, size_t bytes, ingot__diag *diag) {
  if (io->allocator.reallocate) {
    if (io->data && io->asked >= bytes) return INGOT_OK; /* in this run already */
    io->data = io->allocated = io->allocator.reallocate(io->allocator.user, io->value->name, io->allocated, bytes ? bytes : 1, 64);
    io->asked = bytes;
    if (!io->data) return ingot__fail(diag, INGOT_E_MEMORY, io->value->name, "the caller's allocator has no %zu bytes for this output", bytes);
    return INGOT_OK;
  }
  io->data = io->address;
  if (io->address) return INGOT_OK;
  if (context->queue && !io->host_user && ingot__device_by_way(context, io, bytes)) {
    io->data = io->pinned.data;
    return INGOT_OK;
  }
  if (!ingot__buffer_reserve(&context->heap, &io->own, bytes)) return ingot__no_memory(diag);
  io->data = io->own.data;
  return INGOT_OK;
}

/* The caller's pages, which the driver would copy by way of memory of its own while the run waits: by way of ours, and the run goes on. Only
 * where the run is over before the caller goes on. */
static void go_by_way(ingot_context *context, ingot__io *io, size_t bytes) {
  const ingot__device_functions *d = context->engine->backend->device;
  if (io->data == io->pinned.data || d->pinned(context->engine->opened, io->data) || !ingot__device_by_way(context, io, bytes)) return;
  if (io->is_input) ingot__device_host_copy(context, io->pinned.data, io->data, bytes);
  else io->target = io->data;
  io->data = io->pinned.data;
}

enum { COPIED_MOST = 4 << 20 /* bytes that are copied within the device for the sake of recorded work */, MOVE = 4, OFTEN = 3 * MOVE, MOST = 60 };

/* Whether the caller's memory on the device is another nearly every run, as new tensors are: recorded work, which has the address inside, would be
 * made anew each time. It ends when the address has stayed for a while. */
static bool restless(ingot__io *io, size_t bytes) {
  if (io->last != io->data) io->moves = io->moves < MOST ? io->moves + MOVE : MOST;
  else if (io->moves) io->moves--;
  io->last = io->data;
  if (io->moves >= OFTEN) io->restless = true;
  else if (!io->moves) io->restless = false;
  return io->restless && bytes <= COPIED_MOST;
}

/* Where an input or output of `bytes` is on the device, and where the host reads or writes it if the caller's memory is there. */
static ingot_status twin_memory(ingot_context *context, ingot__io *io, size_t bytes, ingot__diag *diag) {
  if (!context->queue) return INGOT_OK;
  bool there;
  INGOT_TRY(ingot__device_owns(context, io->data, diag, &there));
  if (there && io->host_user) {
    if (!ingot__buffer_reserve(&context->heap, &io->own, bytes)) return ingot__no_memory(diag);
    if (io->is_input) { /* what makes it may be in the caller's queue */
      INGOT_TRY(ingot__device_wait(context, diag));
      INGOT_TRY(context->engine->backend->device->read(context->engine->opened, io->own.data, io->data, bytes, diag));
    }
    io->data = io->own.data;
    there = false;
  }
  io->twin = io->data;
  if (there && !restless(io, bytes)) return INGOT_OK;
  if (!there && context->waits && io->data && !io->host_user) go_by_way(context, io, bytes);
  INGOT_TRY(ingot__device_reserve(context, &io->staging, bytes, diag));
  io->twin = io->staging.data;
  return INGOT_OK;
}

static ingot_status output_memory(ingot_context *context, ingot__io *io, ingot__diag *diag) {
  const ingot__type *type = &context->current->type[io->value->id];
  size_t bytes;
  if (type->rank < 0 || !ingot__type_bytes(type, &bytes)) return INGOT_OK; /* known later */
  INGOT_TRY(ingot__output_reserve(context, io, bytes, diag));
  return twin_memory(context, io, bytes, diag);
}

/* Outputs of a region that was planned during the run have their sizes only now, and others than the last time. */
static ingot_status region_outputs(ingot__frame *frame) {
  ingot_context *context = frame->instance->context;
  for (size_t i = context->n_in; !frame->graph->outer && i < context->n_io; i++)
    INGOT_TRY(output_memory(context, &context->io[i], frame->instance->diag));
  return INGOT_OK;
}

/* An operator that can't size its outputs has left them alone. */
static ingot_status sized_outputs(ingot__frame *frame, const ingot__region *region) {
  const ingot__node *n = region->dynamic_end && region->n_step ? region->step[region->n_step - 1].node : NULL;
  for (size_t i = 0; n && i < n->n_out; i++) {
    const ingot__type *type = n->out[i] ? &frame->instance->type[n->out[i]->id] : NULL;
    bool told = !type || type->rank >= 0;
    for (int d = 0; type && d < type->rank; d++) told = told && type->dim[d] >= 0;
    if (!told) return INGOT__FAIL_NODE(frame->instance->diag, INGOT_E_SHAPE, n, "the shape of its output can't be told from its inputs");
  }
  return INGOT_OK;
}

ingot_status ingot__frame_run(ingot__frame *frame, const ingot__view *in, size_t n_in) {
  INGOT_TRY(go_on(frame->instance));
  if (frame->graph->outer) INGOT_TRY(ingot__slot_first(frame, in, n_in));
  for (size_t i = 0;; i++) {
    INGOT_TRY(get_slab(frame, i));
    INGOT_TRY(run_region(frame, frame->region[i]));
    INGOT_TRY(sized_outputs(frame, frame->region[i]));
    const ingot__node *after = frame->region[i]->after;
    if (!after) return INGOT_OK;
    INGOT_TRY(ingot__slot_next(frame, i + 1, after));
    INGOT_TRY(region_outputs(frame));
  }
}

/* ---- The whole */

/* Strings of an input become the context's, so that outputs which hand them on don't depend on the caller's memory. */
static ingot_status input_strings(ingot_context *context, ingot__io *io, size_t n, ingot__diag *diag) {
  const ingot_string *from = io->address;
  for (size_t i = 0; i < n; i++)
    if (from[i].size && !from[i].data) return ingot__fail(diag, INGOT_E_ARGUMENT, io->value->name, "string %zu has a size but no data", i);
  io->data = ingot__strings_copy(&context->strings, from, n);
  return io->data ? INGOT_OK : ingot__no_memory(diag);
}

static ingot_status input_object(ingot__io *io, ingot__diag *diag) {
  io->data = &io->object;
  if (io->object || io->value->type.kind != INGOT__SEQUENCE) return INGOT_OK; /* an optional may hold nothing */
  return ingot__fail(diag, INGOT_E_STATE, io->value->name, "this input has no value; set one before running");
}

static ingot_status input_memory(ingot_context *context, ingot__io *io, ingot__diag *diag) {
  const ingot__type *type = &context->current->type[io->value->id];
  if (type->kind != INGOT__TENSOR) return input_object(io, diag);
  size_t bytes = 0, unit = ingot__dtype_size(type->dtype);
  ingot__type_bytes(type, &bytes);
  if (!io->address && bytes) return ingot__fail(diag, INGOT_E_STATE, io->value->name, "this input has no data; set its address before running");
  if (type->dtype == INGOT_STRING) return input_strings(context, io, bytes / unit, diag);
  io->data = io->address;
  INGOT_TRY(twin_memory(context, io, bytes, diag));
  if (!unit || (uintptr_t)io->data % unit == 0) return INGOT_OK;
  if (!ingot__buffer_reserve(&context->heap, &io->own, bytes)) return ingot__no_memory(diag);
  memcpy(io->own.data, io->address, bytes);
  io->data = io->own.data;
  return INGOT_OK;
}

/* An output that lies where the run put it, not where the caller wants it: what the host has computed on the device, or the other way round. */
static ingot_status deliver(ingot_context *context, ingot__io *io, size_t bytes, ingot__diag *diag) {
  void *wanted = io->allocator.reallocate ? io->allocated : io->address;
  if (io->target) {
    if (io->data != io->target) ingot__device_host_copy(context, io->target, io->data, bytes);
    io->data = io->target;
    return INGOT_OK;
  }
  bool there;
  if (!context->queue || !io->host_user || !wanted || wanted == io->data) return INGOT_OK;
  INGOT_TRY(ingot__device_owns(context, wanted, diag, &there));
  if (!there) return INGOT_OK;
  INGOT_TRY(context->engine->backend->device->copy(context->queue, wanted, io->data, bytes, diag));
  context->busy = true;
  io->data = wanted;
  return INGOT_OK;
}

/* Outputs that weren't computed where the caller wants them. */
static ingot_status copy_output(ingot_context *context, ingot__io *io, ingot__diag *diag) {
  const ingot__view *view = &context->current->view[io->value->id];
  if (!ingot__is_tensor(view)) {
    ingot__object_put(&io->object, ingot__object_retain(*(ingot__object **)view->data));
    return INGOT_OK;
  }
  size_t bytes; /* its own buffer's, or another value's that it is a view of */
  if (!ingot__dtype_bytes(view->dtype, (size_t)ingot__view_count(view), &bytes)) return INGOT_E_LIMIT;
  if (io->data && view->data == io->data && !io->host_user && !io->target) return INGOT_OK; /* it may still be under way */
  if (context->busy) INGOT_TRY(ingot__device_wait(context, diag));
  if (io->data && view->data == io->data) return deliver(context, io, bytes, diag);
  INGOT_TRY(ingot__output_reserve(context, io, bytes, diag));
  if (!bytes) return INGOT_OK;
  ingot__view to;
  ingot__view_set(&to, view->dtype, view->rank, view->dim, INGOT__PLAIN);
  to.data = io->data;
  ingot__view_copy(&to, view);
  return deliver(context, io, bytes, diag);
}

static ingot_status outputs(ingot_context *context, ingot__diag *diag) {
  for (size_t i = context->n_in; i < context->n_io; i++) {
    ingot__io *io = &context->io[i];
    INGOT_TRY(copy_output(context, io, diag));
    const ingot__type *type = &context->current->type[io->value->id];
    if (io->allocator.notify_shape) io->allocator.notify_shape(io->allocator.user, io->value->name, type->rank, type->dim);
  }
  return INGOT_OK;
}

static ingot_status put_into_queue(ingot_context *context, ingot__diag *diag) {
  if (context->timing) INGOT_TRY(ingot__device_mark(context, INGOT__BEGIN, diag));
  INGOT_TRY(ingot__frame_run(context->current->frame[0], NULL, 0));
  if (context->timing) INGOT_TRY(ingot__device_mark(context, INGOT__END, diag));
  return INGOT_OK;
}

static ingot_status execute(ingot_context *context, bool wait, ingot__diag *diag) {
  context->ran = context->timed = false;
  context->waits = wait;
  if (context->strings.blocks) ingot__arena_reset(&context->strings);
  INGOT_TRY(ingot__context_plan(context, diag));
  ingot__instance *inst = context->current;
  inst->diag = diag;
  for (size_t i = context->n_in; i < context->n_io; i++) {
    context->io[i].data = context->io[i].target = NULL;
    if (!inst->early[i]) inst->type[context->io[i].value->id].rank = -1; /* what it was in the last run */
  }
  for (size_t i = 0; i < context->n_io; i++)
    INGOT_TRY(context->io[i].is_input ? input_memory(context, &context->io[i], diag) : output_memory(context, &context->io[i], diag));
  for (size_t i = 0; i < context->n_in; i++) inst->view[context->io[i].value->id].data = context->io[i].data;
  ingot_status status = context->queue ? put_into_queue(context, diag) : ingot__frame_run(inst->frame[0], NULL, 0);
  if (context->busy && wait && status == INGOT_OK) status = ingot__device_wait(context, diag);
  if (status == INGOT_OK) status = outputs(context, diag);
  if (context->busy && (wait || status != INGOT_OK)) { /* also before the caller hears of an error: work in the queue uses the caller's memory */
    ingot_status waited = ingot__device_wait(context, status == INGOT_OK ? diag : NULL);
    if (status == INGOT_OK) status = waited;
  }
  INGOT_TRY(status);
  context->ran = true;
  context->timed = context->timing;
  return INGOT_OK;
}

ingot_status ingot__context_execute(ingot_context *context, ingot__diag *diag) {
  if (context->queue) INGOT_TRY(ingot__device_go(context, context->home, diag));
  return execute(context, true, diag);
}

ingot_status ingot__context_enqueue(ingot_context *context, void *stream, ingot__diag *diag) {
  INGOT_TRY(ingot__device_go(context, stream, diag));
  INGOT_TRY(execute(context, false, diag));
  context->busy = true; /* marked in any case: the queue is the caller's, who may take it away before the next run */
  return ingot__device_mark(context, INGOT__END, diag);
}
