/* Queues (CUDA streams), launches, recordings (CUDA graphs), marks (events). */
#include "backend/cuda/device.h"
#include <string.h>

static ingot_status make_own(ingot__cuda_queue *q, ingot__diag *diag) {
  INGOT_TRY(ingot__cuda_enter(q->device, diag));
  return ingot__cuda_check(q->device->driver->cuStreamCreate(&q->own, CU_STREAM_NON_BLOCKING), diag, "making a stream");
}

ingot_status ingot__cuda_queue_new(ingot__device *device, void *native, ingot__diag *diag, void **queue) {
  ingot__cuda_queue *q = ingot__calloc(&device->heap, 1, sizeof *q);
  if (!q) return ingot__no_memory(diag);
  *q = (ingot__cuda_queue){.device = device, .stream = native};
  ingot_status status = native ? INGOT_OK : make_own(q, diag);
  if (!native) q->stream = q->own;
  if (status != INGOT_OK) {
    ingot__free(&device->heap, q, sizeof *q);
    return status;
  }
  *queue = q;
  return INGOT_OK;
}

void ingot__cuda_queue_free(void *queue) {
  ingot__cuda_queue *q = queue;
  if (!q) return;
  ingot__device *device = q->device;
  if (q->own && ingot__cuda_enter(device, NULL) == INGOT_OK) device->driver->cuStreamDestroy_v2(q->own);
  ingot__free(&device->heap, q, sizeof *q);
}

void *ingot__cuda_queue_native(void *queue) { return ((ingot__cuda_queue *)queue)->stream; }

void ingot__cuda_queue_use(void *queue, void *native) { ((ingot__cuda_queue *)queue)->stream = native; }

ingot_status ingot__cuda_copy(void *queue, void *to, const void *from, size_t size, ingot__diag *diag) {
  ingot__cuda_queue *q = queue;
  if (!size) return INGOT_OK;
  INGOT_TRY(ingot__cuda_enter(q->device, diag));
  return ingot__cuda_check(q->device->driver->cuMemcpyAsync((uintptr_t)to, (uintptr_t)from, size, q->stream), diag, "copying");
}

ingot_status ingot__cuda_wait(void *queue, ingot__diag *diag) {
  ingot__cuda_queue *q = queue;
  INGOT_TRY(ingot__cuda_enter(q->device, diag));
  return ingot__cuda_check(q->device->driver->cuStreamSynchronize(q->stream), diag, "running on the GPU");
}

ingot_status ingot__cuda_launch(const ingot__call *call, const char *entry, const ingot__cuda_grid *grid, const void *params, size_t size) {
  ingot__cuda_queue *q = call->queue;
  cu_function function;
  cu_attribute attribute[2] = {0};
  (void)size;
  INGOT_TRY(ingot__cuda_enter(q->device, call->diag));
  INGOT_TRY(ingot__cuda_entry(q->device, call->code, entry, grid->shared, call->diag, &function));
  cu_launch launch = {.grid = {grid->x ? grid->x : 1, grid->y ? grid->y : 1, grid->z ? grid->z : 1}, .block = {grid->threads, 1, 1},
                      .shared = grid->shared, .stream = q->stream, .attribute = attribute};
  if (grid->cluster > 1) {
    cu_attribute *a = &attribute[launch.n_attribute++];
    a->id = CU_LAUNCH_CLUSTER;
    a->value.cluster.x = grid->cluster;
    a->value.cluster.y = a->value.cluster.z = 1;
  }
  if (grid->early && q->device->info.arch >= 90) {
    cu_attribute *a = &attribute[launch.n_attribute++];
    a->id = CU_LAUNCH_EARLY;
    a->value.flag = 1;
  }
  void *list[] = {(void *)params};
  ingot__cuda_range_begin(call->node ? call->node->name : entry);
  int error = q->device->driver->cuLaunchKernelEx(&launch, function, list, NULL);
  ingot__cuda_range_end();
  if (!error) return INGOT_OK;
  ingot__cuda_check(error, call->diag, "launching a kernel");
  return INGOT__FAIL_NODE(call->diag, INGOT_E_DEVICE, call->node, "%s was refused with %u x %u x %u blocks of %u threads, %u bytes", entry,
                          launch.grid[0], launch.grid[1], launch.grid[2], grid->threads, grid->shared);
}

ingot_status ingot__cuda_clear(const ingot__call *call, void *memory, size_t size) {
  ingot__cuda_queue *q = call->queue;
  if (!size) return INGOT_OK;
  INGOT_TRY(ingot__cuda_enter(q->device, call->diag));
  return ingot__cuda_check(q->device->driver->cuMemsetD8Async((uintptr_t)memory, 0, size, q->stream), call->diag, "clearing");
}

/* ---- Recordings: made in the queue's own stream, for the default one can't be recorded from; played in any. */

ingot_status ingot__cuda_record(void *queue, ingot__diag *diag) {
  ingot__cuda_queue *q = queue;
  if (!q->own) INGOT_TRY(make_own(q, diag));
  INGOT_TRY(ingot__cuda_enter(q->device, diag));
  INGOT_CUDA_TRY(q->device->driver->cuStreamBeginCapture_v2(q->own, CU_CAPTURE_RELAXED), diag, "recording a graph");
  q->resumed = q->stream;
  q->stream = q->own;
  return INGOT_OK;
}

ingot_status ingot__cuda_record_end(void *queue, ingot__diag *diag, void **recording) {
  ingot__cuda_queue *q = queue;
  const ingot__cuda_driver *d = q->device->driver;
  cu_graph graph = NULL;
  cu_graph_exec exec = NULL;
  *recording = NULL;
  q->stream = q->resumed;
  INGOT_TRY(ingot__cuda_enter(q->device, diag));
  INGOT_CUDA_TRY(d->cuStreamEndCapture(q->own, &graph), diag, "recording a graph");
  ingot_status status = ingot__cuda_check(d->cuGraphInstantiateWithFlags(&exec, graph, 0), diag, "making a graph");
  d->cuGraphDestroy(graph);
  *recording = exec;
  return status;
}

ingot_status ingot__cuda_play(void *queue, void *recording, ingot__diag *diag) {
  ingot__cuda_queue *q = queue;
  INGOT_TRY(ingot__cuda_enter(q->device, diag));
  return ingot__cuda_check(q->device->driver->cuGraphLaunch(recording, q->stream), diag, "running a graph");
}

void ingot__cuda_recording_free(ingot__device *device, void *recording) {
  if (recording && ingot__cuda_enter(device, NULL) == INGOT_OK) device->driver->cuGraphExecDestroy(recording);
}

/* ---- Marks */

ingot_status ingot__cuda_mark_new(ingot__device *device, ingot__diag *diag, void **mark) {
  cu_event event = NULL;
  INGOT_TRY(ingot__cuda_enter(device, diag));
  INGOT_CUDA_TRY(device->driver->cuEventCreate(&event, 0), diag, "making an event");
  *mark = event;
  return INGOT_OK;
}

void ingot__cuda_mark_free(ingot__device *device, void *mark) {
  if (mark && ingot__cuda_enter(device, NULL) == INGOT_OK) device->driver->cuEventDestroy_v2(mark);
}

ingot_status ingot__cuda_mark(void *queue, void *mark, ingot__diag *diag) {
  ingot__cuda_queue *q = queue;
  INGOT_TRY(ingot__cuda_enter(q->device, diag));
  return ingot__cuda_check(q->device->driver->cuEventRecord(mark, q->stream), diag, "recording an event");
}

ingot_status ingot__cuda_reached(ingot__device *device, void *mark, ingot__diag *diag) {
  INGOT_TRY(ingot__cuda_enter(device, diag));
  return ingot__cuda_check(device->driver->cuEventSynchronize(mark), diag, "running on the GPU");
}

ingot_status ingot__cuda_follow(void *queue, void *mark, ingot__diag *diag) {
  ingot__cuda_queue *q = queue;
  INGOT_TRY(ingot__cuda_enter(q->device, diag));
  return ingot__cuda_check(q->device->driver->cuStreamWaitEvent(q->stream, mark, 0), diag, "waiting for an event");
}

double ingot__cuda_seconds(void *from, void *to) {
  const ingot__cuda_driver *d = ingot__cuda_driver_get(NULL);
  float milliseconds = 0;
  if (!d || d->cuEventSynchronize(to) || d->cuEventElapsedTime(&milliseconds, from, to)) return -1;
  return milliseconds * 1e-3;
}
