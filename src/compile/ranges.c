/* What leaves float16's range, by measuring: before a network is made narrow for a device, it runs once on the host in float32, on random inputs, and
 * values that come near the range's end are remembered by name. Layers that read or make them stay in float32 (passes/narrow_floats.c).
 *
 * The host's engine goes through the passes that the device's goes through up to narrow_floats, so that values have the names they have there; those
 * after it, which hide values inside others, are left out. What the measuring can't do (a network that fails on random inputs or would take long)
 * is no error: nothing is known to leave the range then. */
#include "compile/compile.h"
#include "base/floats.h"
#include "runtime/state.h"
#include <stdlib.h>
#include <string.h>

#define LARGEST (65504.0f / 4)   /* magnitude that is taken for too large: other inputs may give four times of it */
#define RATE 20e9                /* operations a second that one of the host's threads does, to expect */
enum { MOST_SECONDS = 1 /* that the run may be expected to take */, LIMIT = 5 /* after which it is given up */ };
#define MOST_WEIGHTS ((size_t)2 << 30) /* bytes: compiling for the host copies and packs them */

typedef struct meter {
  ingot__build *build;
  ingot_engine *engine;          /* the host's */
  ingot_context *context;
  ingot__arena arena;            /* inputs, and plain copies of tensors */
  float *largest;                /* by value id: the finite magnitude; -1: not met */
  ingot__diag diag;              /* of what isn't the build's error */
} meter;

static ingot_status measure(meter *m, const ingot__value *v, const ingot__view *view, ingot__diag *diag) {
  if (!v || !v->producer || !ingot__is_tensor(view) || view->dtype != INGOT_FLOAT32 || !view->data) return INGOT_OK;
  ingot__heap *heap = &m->context->heap;
  ingot__view plain = *view;
  ingot__buffer copy = {0};
  size_t count = (size_t)ingot__view_count(view);
  if (!view->dense || view->layout != INGOT__PLAIN) {
    if (!ingot__view_set(&plain, view->dtype, view->rank, view->dim, INGOT__PLAIN)) return INGOT_E_LIMIT;
    if (!ingot__buffer_reserve(heap, &copy, count * sizeof(float))) return ingot__no_memory(diag);
    plain.data = copy.data;
    ingot__view_copy(&plain, view);
  }
  float largest = ingot__floats_largest(plain.data, count);
  if (largest > m->largest[v->id]) m->largest[v->id] = largest;
  ingot__free(heap, copy.data, copy.size);
  return INGOT_OK;
}

/* Outputs after a step; before it, inputs that no step has made: parts and other shapes of what did, and what was put together in place. */
static ingot_status watch(void *user, ingot__run_step *run, bool after, ingot__diag *diag) {
  meter *m = user;
  const ingot__node *n = run->node;
  if (!ingot__progressed(&m->build->config->progress, "measuring ranges", n->id, m->engine->network->n_node + 1))
    return ingot__fail(diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  if (n->graph->outer) return INGOT_OK; /* never narrow */
  for (size_t i = 0; after && i < run->call.n_out; i++) INGOT_TRY(measure(m, n->out[i], &run->call.out[i], diag));
  for (size_t i = 0; !after && i < run->call.n_in; i++)
    if (n->in[i] && m->largest[n->in[i]->id] < 0) INGOT_TRY(measure(m, n->in[i], &run->call.in[i], diag));
  return INGOT_OK;
}

static bool is_batch(const ingot__network *net, ingot__dim dim) {
  for (size_t i = 0; i < net->main->n_input; i++)
    if (net->main->input[i]->type.rank > 0 && net->main->input[i]->type.dim[0] == dim) return true;
  return false;
}

/* The optimum's shapes, but with the least of the profile for leading dims that vary, wherever they stand: more of a batch shows little more. */
static ingot__profile *shapes(const ingot__build *b, ingot__arena *arena) {
  const ingot__network *net = b->engine->network;
  ingot__profile *made = INGOT_NEW_ARRAY(arena, net->main->n_input + 1, ingot__profile);
  for (size_t i = 0; made && i < net->main->n_input; i++) {
    const ingot__type *type = &net->main->input[i]->type;
    const ingot__profile *given = &b->engine->profile[i];
    for (int d = 0; type->kind == INGOT__TENSOR && d < type->rank; d++) {
      bool least = !ingot__dim_is_number(type->dim[d]) && (d == 0 || (type->dim[d] != INGOT__DIM_UNKNOWN && is_batch(net, type->dim[d])));
      made[i].opt[d] = !least ? given->opt[d] : given->min[d] > 0 || given->opt[d] == 0 ? given->min[d] : 1;
    }
  }
  return made;
}

static size_t weights(const ingot__network *net) {
  size_t bytes = 0;
  for (size_t i = 0; i < net->n_value; i++) bytes += net->value[i] && net->value[i]->data ? net->value[i]->bytes : 0;
  return bytes;
}

/* As far as it is planned before it runs: the rest is up to the limit. */
static double operations(const ingot_context *context) {
  const ingot__frame *frame = context->current->frame[0];
  double total = 0;
  for (size_t r = 0; r < frame->n_region; r++)
    for (size_t i = 0; i < frame->region[r]->n_step; i++) total += (double)ingot__op_flops(&frame->region[r]->step[i].call);
  return total;
}

static void silent(void *user, ingot_severity severity, const char *text) { (void)user, (void)severity, (void)text; }

static ingot_status compile_for_host(meter *m, const ingot__network *network) {
  static const char *const hiding[] = {"unfold_patches", "narrow_floats", "nest_concats", "fuse_elementwise"};
  enum { HIDING = sizeof hiding / sizeof hiding[0] };
  ingot_config config = *m->build->config;
  config.env.log = silent;
  config.backend = NULL;
  config.device_index = 0;
  config.precision = 0;
  config.budget = 0;
  config.timing_cache = config.dump_folder = NULL;
  config.workspace = 0;
  config.verify = false;
  config.progress = (ingot__progress){0};
  if (config.n_skip > INGOT__MOST_SKIPS - HIDING) config.n_skip = INGOT__MOST_SKIPS - HIDING;
  for (size_t i = 0; i < HIDING; i++) config.skip[config.n_skip++] = hiding[i];
  return ingot__compile(network, &config, false, &m->diag, &m->engine);
}

static ingot_status run(meter *m, const ingot__network *network, const ingot__profile *profile, bool *left_out) {
  uint64_t random = 42;
  ingot_context_options options = {.threads = m->build->engine->threads};
  *left_out = weights(m->build->engine->network) > MOST_WEIGHTS;
  if (*left_out) return INGOT_OK;
  INGOT_TRY(compile_for_host(m, network));
  size_t n = m->engine->network->n_value;
  if (!(m->largest = INGOT_NEW_ARRAY(&m->build->arena, n + 1, float))) return ingot__no_memory(&m->diag);
  for (size_t i = 0; i < n; i++) m->largest[i] = -1;
  INGOT_TRY(ingot__context_new(m->engine, &options, &m->diag, &m->context));
  INGOT_TRY(ingot__random_inputs(m->context, profile, INGOT__AT_OPT, &random, &m->arena, &m->diag));
  INGOT_TRY(ingot__context_plan(m->context, &m->diag));
  *left_out = operations(m->context) > MOST_SECONDS * RATE * m->engine->threads;
  if (*left_out) return INGOT_OK;
  m->context->trace = watch;
  m->context->trace_user = m;
  return ingot__run_guarded(m->context, LIMIT, &m->diag);
}

/* Views that no step reads, such as outputs of the network in another layout. */
static void views_too(meter *m) {
  const ingot_engine *e = m->engine;
  for (size_t i = 0; i < e->network->n_value; i++) {
    size_t of = i;
    while (e->place[of].home == INGOT__HOME_VIEW) of = e->place[of].of;
    if (m->largest[i] < 0) m->largest[i] = m->largest[of];
  }
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static ingot_status keep_names(meter *m) {
  ingot__build *b = m->build;
  const ingot__network *net = m->engine->network;
  const ingot__value *most = NULL;
  size_t count = 0;
  views_too(m);
  for (size_t i = 0; i < net->n_value; i++) count += net->value[i] && m->largest[i] > LARGEST;
  if (!count) return INGOT_OK;
  const char **names = INGOT_NEW_ARRAY(&b->arena, count, const char *);
  if (!names) return ingot__no_memory(b->diag);
  for (size_t i = 0; i < net->n_value; i++) {
    const ingot__value *v = net->value[i];
    if (!v || !(m->largest[i] > LARGEST)) continue;
    if (!(names[b->n_wide++] = ingot__arena_string(&b->arena, v->name))) return ingot__no_memory(b->diag);
    if (!most || m->largest[i] > m->largest[most->id]) most = v;
  }
  qsort(names, count, sizeof *names, by_name);
  b->wide = names;
  ingot__logf(&b->engine->log, INGOT_LOG_WARNING,
              "%zu values leave float16's range, or come near its end (up to %.3g in '%s'): their layers stay in float32", count,
              (double)m->largest[most->id], most->name);
  return INGOT_OK;
}

static ingot_status finish(meter *m, ingot_status status, bool left_out, uint64_t key) {
  ingot__build *b = m->build;
  if (status == INGOT_E_MEMORY) return ingot__no_memory(b->diag);
  if (status == INGOT_E_CANCELLED) return ingot__fail(b->diag, status, NULL, "the build was cancelled");
  if (status != INGOT_OK || left_out) {
    ingot__logf(&b->engine->log, INGOT_LOG_INFO, "float16's range isn't looked after: %s",
                left_out ? "the network is too large to be run on the host" : m->diag.text);
    return INGOT_OK;
  }
  INGOT_TRY(keep_names(m));
  if (b->n_wide || !b->config->timing_cache) return INGOT_OK;
  b->tuner.changed = true;
  return ingot__tuner_put(&b->tuner, key, LIMIT) ? INGOT_OK : ingot__no_memory(b->diag);
}

ingot_status ingot__build_ranges(ingot__build *b, const ingot__network *network) {
  meter m = {.build = b};
  bool left_out = false;
  ingot__diag_init(&m.diag, b->diag->file);
  ingot__arena_init(&m.arena, &b->heap);
  ingot__profile *profile = shapes(b, &b->arena);
  if (!profile) return ingot__no_memory(b->diag);
  const ingot__network *net = b->engine->network;
  uint64_t key = b->config->timing_cache ? ingot__tuner_network_key(net, profile, net->main->n_input * sizeof *profile) : 0;
  if (key && ingot__tuner_knows(&b->tuner, key)) return INGOT_OK;
  ingot_status status = run(&m, network, profile, &left_out);
  status = finish(&m, status, left_out, key);
  ingot__context_free(m.context);
  ingot__engine_release(m.engine);
  ingot__arena_free(&m.arena);
  return status;
}
