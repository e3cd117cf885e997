/* Runs on random inputs, which verification and measuring for float16 need: numbers of variance 1, as normalised pictures have it, for inputs of
 * floats, zeros for others, and a limit to how long a run may take. */
#include "compile/compile.h"
#include "runtime/state.h"
#include <errno.h>
#include <string.h>
#include <time.h>

uint64_t ingot__random(uint64_t *state) { /* splitmix64 (Steele, Lea, Flood 2014) */
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static void random_floats(ingot_dtype type, void *data, size_t count, uint64_t *random) {
  if (!ingot__dtype_is_float(type) || ingot__dtype_size(type) < 2) return;
  const double most = 1.7320508075688772; /* sqrt(3): uniform within it */
  for (size_t k = 0; k < count; k++) ingot__set_double(type, data, k, ((double)(ingot__random(random) >> 11) * 0x1p-52 - 1) * most);
}

/* A sequence, or what an optional holds: tensors of three random numbers. Operators that want other shapes end the run, which is no fault. */
static ingot_status random_object(ingot_context *context, ingot__io *io, uint64_t *random, ingot__diag *diag) {
  const ingot__type *type = &io->value->type;
  static const int64_t dim[1] = {3};
  static const ingot_string words[3];
  bool sequence = type->kind != INGOT__OPTIONAL;
  ingot__object *list = ingot__object_list(context->store, sequence ? INGOT__SEQUENCE : INGOT__OPTIONAL, type->dtype, sequence ? 3 : 1);
  if (!list) return ingot__no_memory(diag);
  io->object = list;
  for (size_t i = 0; i < list->n; i++) {
    ingot__object *o = type->dtype == INGOT_STRING ? ingot__object_strings(context->store, 1, dim, words)
                                                   : ingot__object_tensor(context->store, type->dtype, 1, dim);
    if (!(list->item[i] = o)) return ingot__no_memory(diag);
    if (type->dtype == INGOT_STRING) continue;
    memset(o->data, 0, o->bytes);
    random_floats(type->dtype, o->data, 3, random);
  }
  return INGOT_OK;
}

const int64_t *ingot__dims_at(const ingot__profile *profile, int which) {
  return which == INGOT__AT_OPT ? profile->opt : which == INGOT__AT_MIN ? profile->min : profile->max;
}

ingot_status ingot__random_inputs(ingot_context *context, const ingot__profile *profile, int which, uint64_t *random, ingot__arena *arena,
                                  ingot__diag *diag) {
  ingot__arena_reset(arena);
  context->current = NULL;
  for (size_t i = 0; i < context->n_in; i++) {
    ingot__io *io = &context->io[i];
    size_t count = 1, bytes;
    if (io->value->type.kind != INGOT__TENSOR) {
      INGOT_TRY(random_object(context, io, random, diag));
      continue;
    }
    for (int d = 0; d < io->value->type.rank; d++) {
      io->dim[d] = ingot__dims_at(&profile[i], which)[d];
      if (!ingot__mul(count, (size_t)io->dim[d], &count)) return INGOT_E_LIMIT;
    }
    io->shape_set = true;
    if (!ingot__dtype_bytes(io->value->type.dtype, count, &bytes) || !(io->address = ingot__arena_alloc(arena, bytes)))
      return ingot__no_memory(diag);
    random_floats(io->value->type.dtype, io->address, count, random);
  }
  return INGOT_OK;
}

/* A Loop may go on for as long as its model says: a thread that waits cancels the run when it has taken too long. */
typedef struct guard {
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  ingot_context *context;
  int most;
  bool over, fired;
} guard;

static void *watch(void *user) {
  guard *g = user;
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += g->most;
  pthread_mutex_lock(&g->mutex);
  int result = 0;
  while (!g->over && result != ETIMEDOUT) result = pthread_cond_timedwait(&g->wake, &g->mutex, &until);
  g->fired = !g->over;
  if (g->fired) g->context->cancelled = true;
  pthread_mutex_unlock(&g->mutex);
  return NULL;
}

ingot_status ingot__run_guarded(ingot_context *context, int most, ingot__diag *diag) {
  guard g = {.context = context, .most = most};
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&g.mutex, NULL);
  pthread_cond_init(&g.wake, &attributes);
  pthread_condattr_destroy(&attributes);
  ingot_status status = INGOT_OK;
  if (pthread_create(&g.thread, NULL, watch, &g)) {
    status = ingot__fail(diag, INGOT_E_DEVICE, NULL, "a thread can't be started");
  } else {
    status = ingot__context_execute(context, diag);
    pthread_mutex_lock(&g.mutex);
    g.over = true;
    pthread_cond_signal(&g.wake);
    pthread_mutex_unlock(&g.mutex);
    pthread_join(g.thread, NULL);
    if (g.fired && status == INGOT_E_CANCELLED) {
      ingot__diag_init(diag, diag->file);
      status = ingot__fail(diag, INGOT_E_LIMIT, NULL, "the run takes longer than %d s", most);
    }
  }
  pthread_mutex_destroy(&g.mutex);
  pthread_cond_destroy(&g.wake);
  return status;
}
