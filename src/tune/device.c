/* Timing a kernel on a device: its code compiled, its tensors in the device's memory, runs in a row between two marks.
 *
 * What the layer before wrote is in the device's cache when a layer runs, and so are its weights where the network's fit there. Where they don't,
 * each run in the row has a copy of the weights of its own, so many that none is in the cache when its turn comes again. */
#include "tune/tune.h"
#include "base/floats.h"
#include <string.h>

enum { REPEATS = 8, LEAST_ROUNDS = 2, MOST_ROUNDS = 8, MOST_BUFFERS = 64, CACHE = 100 << 20 /* bytes that no cache holds */ };
#define LONGEST 0.01 /* seconds of timed runs for one candidate */
/* Kernels of ours begin before the one in front has ended; vendors' don't, nor does what comes behind them: in a row with others they cost one such
 * boundary more than in a row of their own, 0.3 us in recordings on an H200. */
#define LIBRARY_BOUNDARY 0.3e-6

typedef struct trial {
  ingot__tuner *tuner;
  const ingot__device_functions *device;
  ingot__call call;
  ingot__view *views;
  void *buffer[MOST_BUFFERS];
  size_t n_buffer;
  const void *packed[INGOT__MOST_COPIES]; /* the run's weights, by its number in the row */
  int repeats;
  void *queue, *mark[2], *code;
} trial;

static void *room(trial *t, size_t size) {
  void *memory = NULL;
  if (t->n_buffer == MOST_BUFFERS || t->device->allocate(t->tuner->engine->opened, size, NULL, &memory) != INGOT_OK) return NULL;
  return t->buffer[t->n_buffer++] = memory;
}

/* Random numbers between -1 and 1 in floating types, since zeros run faster than data do. Some come from here, and the device copies them on. */
static void random_numbers(ingot_dtype dtype, void *to, float *scratch, size_t n) {
  uint32_t x = 12345;
  float *floats = dtype == INGOT_FLOAT32 ? to : scratch;
  for (size_t i = 0; i < n; i++) {
    x = x * 1664525u + 1013904223u;
    floats[i] = (float)(int32_t)x * 0x1p-31f;
  }
  if (dtype == INGOT_FLOAT16) ingot__floats_to_f16(to, floats, n);
  else if (dtype == INGOT_BFLOAT16) ingot__floats_to_bf16(to, floats, n);
  else if (dtype != INGOT_FLOAT32)
    for (size_t i = 0; i < n; i++) ingot__set_double(dtype, to, i, (double)floats[i]);
}

static bool fill(trial *t, const ingot__view *view, size_t bytes) {
  enum { PIECE = 1 << 16 };
  size_t n = bytes < PIECE ? bytes : PIECE, size = ingot__dtype_size(view->dtype), count = size ? n / size : 0;
  char *values = ingot__arena_alloc(&t->tuner->arena, n + 16), *to = view->data;
  float *scratch = ingot__arena_raw(&t->tuner->arena, (count + 1) * sizeof *scratch);
  if (!values || !scratch) return false;
  if (ingot__dtype_is_float(view->dtype) && size >= 2) random_numbers(view->dtype, values, scratch, count);
  if (t->device->write(t->tuner->engine->opened, to, values, n, NULL) != INGOT_OK) return false;
  for (size_t at = n; at < bytes; at *= 2)
    if (t->device->copy(t->queue, to + at, to, bytes - at < at ? bytes - at : at, NULL) != INGOT_OK) return false;
  return true;
}

static bool upload(trial *t, ingot__view *view, const void *data, size_t bytes) {
  view->data = room(t, bytes);
  return view->data && t->device->write(t->tuner->engine->opened, view->data, data, bytes, NULL) == INGOT_OK;
}

static bool prepare_views(trial *t, const ingot__kernel_functions *f) {
  for (size_t i = 0; i < t->call.n_in + t->call.n_out; i++) {
    ingot__view *v = &t->views[i];
    size_t bytes;
    if (v->dtype == INGOT_UNDEFINED) continue;
    bool input = i < t->call.n_in, host = input && i < 32 && (f->host_inputs >> i & 1), packed = input && i < 32 && (f->packs_inputs >> i & 1);
    if (host || (packed && t->call.packed)) {
      if (host && !v->data) return false; /* what isn't known can't be made up */
      continue;
    }
    if (!ingot__dtype_bytes(v->dtype, (size_t)ingot__view_count(v), &bytes)) return false;
    if (v->data) {
      if (!upload(t, v, v->data, bytes)) return false;
    } else if (!(v->data = room(t, bytes)) || (input && !fill(t, v, bytes))) {
      return false;
    }
  }
  return true;
}

/* The weights, in the tuner's keeping. */
static bool pack(trial *t, const ingot__kernel_functions *f, const ingot__call *call, size_t size) {
  ingot__tuner *tuner = t->tuner;
  ingot__packed_copies *p = &tuner->packed;
  if (p->node == call->node && p->size == size && f->pack_format && p->format && !strcmp(p->format, f->pack_format)) return true;
  ingot__tuner_device_free(tuner);
  char *packed = ingot__arena_alloc(&tuner->arena, size + 64);
  if (!packed) return false;
  packed = (char *)ingot__align((size_t)packed, 64);
  f->pack(call, packed);
  size_t copies = tuner->cold ? CACHE / size + 1 : 1;
  if (copies > INGOT__MOST_COPIES) copies = INGOT__MOST_COPIES;
  for (; p->n < copies; p->n++) {
    void *memory = NULL;
    if (t->device->allocate(tuner->engine->opened, size, NULL, &memory) != INGOT_OK) return false;
    p->memory[p->n] = memory;
    const ingot_status status = p->n ? t->device->copy(t->queue, memory, p->memory[0], size, NULL)
                                     : t->device->write(tuner->engine->opened, memory, packed, size, NULL);
    if (status != INGOT_OK) return p->n++, false;
  }
  p->node = call->node, p->size = size, p->format = f->pack_format;
  return true;
}

void ingot__tuner_device_free(ingot__tuner *tuner) {
  ingot__packed_copies *p = &tuner->packed;
  while (p->n) tuner->engine->backend->device->release(tuner->engine->opened, p->memory[--p->n]);
  p->node = NULL;
}

static bool prepare(trial *t, const ingot__kernel *kernel, const ingot__call *asked) {
  const ingot__kernel_functions *f = kernel->functions;
  ingot__tuner *tuner = t->tuner;
  ingot__device *opened = tuner->engine->opened;
  ingot__diag diag; /* what can't be timed isn't an error: others can */
  const void *code;
  size_t size;
  ingot__diag_init(&diag, NULL);
  t->call = *asked;
  t->views = INGOT_NEW_ARRAY(&tuner->arena, asked->n_in + asked->n_out + 1, ingot__view);
  if (!t->views) return false;
  memcpy(t->views, asked->in, asked->n_in * sizeof *t->views);
  memcpy(t->views + asked->n_in, asked->out, asked->n_out * sizeof *t->views);
  if (t->device->compile(opened, kernel, asked, &diag, &code, &size) != INGOT_OK || (size && t->device->load(opened, code, size, &diag, &t->code))) {
    ingot__logf(&tuner->engine->log, INGOT_LOG_WARNING, "kernel %s is left out: %s", kernel->name, diag.text);
    return false;
  }
  if (t->device->queue_new(opened, NULL, NULL, &t->queue) != INGOT_OK) return false;
  size = f->pack_size ? f->pack_size(asked) : 0;
  if (size) {
    if (!pack(t, f, asked, size)) return false;
    const ingot__packed_copies *copies = &tuner->packed;
    t->call.packed = copies->memory[0];
    if ((int)copies->n > t->repeats) t->repeats = (int)copies->n;
    for (size_t i = 0; i < INGOT__MOST_COPIES; i++) t->packed[i] = copies->memory[i % copies->n];
  }
  if (!prepare_views(t, f)) return false;
  t->call.in = t->views;
  t->call.out = t->views + asked->n_in;
  ingot__call question = *asked; /* of this device */
  question.queue = t->queue;
  t->call.workspace_size = f->workspace ? f->workspace(&question) : 0;
  if (t->call.workspace_size == SIZE_MAX || (t->call.workspace_size && !(t->call.workspace = room(t, t->call.workspace_size)))) return false;
  t->call.code = t->code;
  t->call.queue = t->queue;
  return t->device->mark_new(opened, NULL, &t->mark[0]) == INGOT_OK && t->device->mark_new(opened, NULL, &t->mark[1]) == INGOT_OK;
}

/* Runs in a row, as a recording where that can be: what they take is then the device's time, not the host's. */
static double measure(trial *t, const ingot__kernel *kernel) {
  const ingot__device_functions *d = t->device;
  void *recording = NULL;
  double best = -1, spent = 0;
  if (kernel->functions->run(&t->call) != INGOT_OK || d->wait(t->queue, NULL) != INGOT_OK) return -1;
  if (d->record(t->queue, NULL) != INGOT_OK) return -1;
  ingot_status status = INGOT_OK;
  for (int i = 0; i < t->repeats && status == INGOT_OK; i++) {
    t->call.packed = t->packed[i];
    status = kernel->functions->run(&t->call);
  }
  ingot_status ended = d->record_end(t->queue, NULL, &recording);
  if (status == INGOT_OK) status = ended;
  for (int round = 0; round < MOST_ROUNDS && status == INGOT_OK && (round < LEAST_ROUNDS || spent < LONGEST); round++) {
    status = d->mark(t->queue, t->mark[0], NULL);
    if (status == INGOT_OK) status = d->play(t->queue, recording, NULL);
    if (status == INGOT_OK) status = d->mark(t->queue, t->mark[1], NULL);
    double seconds = status == INGOT_OK ? d->seconds(t->mark[0], t->mark[1]) / t->repeats : -1;
    if (seconds < 0) break;
    spent += seconds * t->repeats;
    if (round && (best < 0 || seconds < best)) best = seconds; /* the first round warms up */
  }
  if (recording) d->recording_free(t->tuner->engine->opened, recording);
  if (status != INGOT_OK || best < 0) return -1;
  return best + (kernel->functions->library ? LIBRARY_BOUNDARY : 0);
}

double ingot__tuner_device_run(ingot__tuner *tuner, const ingot__kernel *kernel, const ingot__call *call) {
  trial t = {.tuner = tuner, .device = tuner->engine->backend->device, .repeats = REPEATS};
  ingot__device *opened = tuner->engine->opened;
  double seconds = prepare(&t, kernel, call) ? measure(&t, kernel) : -1;
  for (int i = 0; i < 2; i++)
    if (t.mark[i]) t.device->mark_free(opened, t.mark[i]);
  if (t.queue) t.device->queue_free(t.queue);
  if (t.code) t.device->unload(opened, t.code);
  while (t.n_buffer) t.device->release(opened, t.buffer[--t.n_buffer]);
  return seconds;
}
