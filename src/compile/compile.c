/* The compiler: import has been done; passes → plan (layouts, kernels, tuning, memory homes) → verify → report. */
#include "compile/compile.h"
#include "base/cpu.h"
#include <string.h>

/* A network whose weights are halves is meant to be computed in halves: passes see it in float32, and narrow it again. */
static ingot_dtype weights_type(const ingot__network *network) {
  for (size_t i = 0; i < network->n_value; i++) {
    const ingot__value *v = network->value[i];
    if (v && v->data && v->type.rank > 1 && ingot__dtype_is_half(v->type.dtype)) return v->type.dtype;
  }
  return INGOT_UNDEFINED;
}

/* What float32 may become; UNDEFINED: nothing. The CPU's kernels compute in float32. */
static ingot_dtype narrow_type(const ingot__build *b) {
  unsigned asked = b->config->precision & (INGOT_PRECISION_FP16 | INGOT_PRECISION_BF16);
  if (asked && !b->engine->backend->device)
    ingot__logf(&b->engine->log, INGOT_LOG_WARNING, "this target computes in float32: the precisions that were allowed aren't used");
  if (!b->engine->backend->device) return INGOT_UNDEFINED;
  ingot_dtype own = asked ? INGOT_UNDEFINED : weights_type(b->engine->network);
  if (own != INGOT_UNDEFINED) return own;
  return asked & INGOT_PRECISION_FP16 ? INGOT_FLOAT16 : asked & INGOT_PRECISION_BF16 ? INGOT_BFLOAT16 : INGOT_UNDEFINED;
}

static ingot_status run_passes(ingot__build *b) {
  double start = ingot__now();
  b->passes = INGOT_NEW_ARRAY(&b->arena, ingot__pass_count, ingot__pass_record);
  if (!b->passes) return ingot__no_memory(b->diag);
  ingot__pass_context context = {.diag = b->diag, .log = &b->engine->log, .float_only = true, .device = b->engine->backend->device != NULL,
                                .narrow = b->narrow, .wide = &b->wide, .exact = &b->exact, .pool = b->pool};
  ingot__pass_options options = {.dump_folder = b->config->dump_folder, .stop_after = b->config->stop_after, .skip = b->config->skip,
                                 .n_skip = b->config->n_skip};
  INGOT_TRY(ingot__passes_run(b->engine->network, &context, &options, b->passes, &b->n_passes));
  b->seconds_passes = ingot__now() - start;
  return INGOT_OK;
}

/* More weights than a large GPU's second-level cache holds. */
static bool weights_are_cold(const ingot__network *network) {
  enum { LARGEST_CACHE = 60 << 20 };
  size_t bytes = 0;
  for (size_t i = 0; i < network->n_value; i++) bytes += network->value[i] && network->value[i]->data ? network->value[i]->bytes : 0;
  return bytes > LARGEST_CACHE;
}

static ingot_status make_plan(ingot__build *b) {
  double start = ingot__now();
  b->tuner.cold = weights_are_cold(b->engine->network);
  b->planner = (ingot__planner){.engine = b->engine, .arena = &b->arena, .diag = b->diag, .progress = &b->config->progress, .pool = b->pool,
                                .tf32 = b->config->precision & INGOT_PRECISION_TF32, .exact = &b->exact, .tactics = b->config->tactics,
                                .workspace = b->config->workspace};
  if (b->config->budget > 0 || b->config->timing_cache) {
    b->planner.time = ingot__tuner_time;
    b->planner.time_user = &b->tuner;
  }
  INGOT_TRY(ingot__plan(&b->planner));
  b->seconds_plan = ingot__now() - start;
  return INGOT_OK;
}

/* Every node by its reference, every value a buffer of its own: the network as it was given. */
static ingot_status plan_reference(ingot__build *b) {
  ingot_engine *e = b->engine;
  e->place = INGOT_NEW_ARRAY(&e->arena, e->network->n_value + 1, ingot__place);
  e->step = INGOT_NEW_ARRAY(&e->arena, e->network->n_node + 1, ingot__step);
  if (!e->place || !e->step) return ingot__no_memory(b->diag);
  for (size_t i = 0; i < e->network->n_node; i++) e->step[i].kernel = e->backend->find("reference");
  return INGOT_OK;
}

static ingot_status start_build(ingot__build *b, const ingot__network *network, bool reference) {
  const ingot_config *config = b->config;
  if (!(b->engine = ingot__engine_new(&config->env))) return ingot__no_memory(b->diag);
  ingot_engine *e = b->engine;
  e->backend = ingot__backend_find(reference ? NULL : config->backend); /* references are the host's */
  e->device_index = config->device_index;
  if (e->backend->device) INGOT_TRY(e->backend->device->open(e->device_index, b->diag, &e->opened));
  int cores = ingot__cpu_info()->cores;
  e->threads = config->threads > 0 ? config->threads : cores;
  e->device = ingot__arena_string(&e->arena, e->opened ? e->backend->device->describe(e->opened) : e->backend->describe());
  if (!e->device || !(e->network = ingot__network_clone(network, &config->env))) return ingot__no_memory(b->diag);
  INGOT_TRY(ingot__pool_create(&b->heap, e->threads, b->diag, &b->pool));
  INGOT_TRY(ingot__tuner_init(&b->tuner, &b->heap, b->pool, e, config->budget, b->diag));
  if (config->timing_cache) INGOT_TRY(ingot__tuner_load(&b->tuner, config->timing_cache, &e->log, b->diag));
  return ingot__build_profile(b);
}

/* The engine outlives the network whose constants it shares so far: it copies what it needs and forgets what is packed. */
static ingot_status own_constants(ingot__build *b) {
  ingot_engine *e = b->engine;
  for (size_t i = 0; i < e->network->n_value; i++) {
    ingot__value *v = e->network->value[i];
    if (!v || !v->data) continue;
    if (ingot__engine_packed_away(e, v)) {
      v->data = NULL;
      v->bytes = 0;
    } else if (v->type.dtype == INGOT_STRING) {
      v->data = ingot__strings_copy(&e->arena, v->data, v->bytes / sizeof(ingot_string));
      if (!v->data) return ingot__no_memory(b->diag);
    } else {
      char *copy = ingot__arena_raw(&e->arena, v->bytes + 64);
      if (!copy) return ingot__no_memory(b->diag);
      copy = (char *)ingot__align((size_t)copy, 64);
      memcpy(copy, v->data, v->bytes);
      v->data = copy;
    }
  }
  return INGOT_OK;
}

static ingot_status build(ingot__build *b, const ingot__network *network, bool reference) {
  INGOT_TRY(start_build(b, network, reference));
  if (reference) {
    INGOT_TRY(plan_reference(b));
    return own_constants(b);
  }
  ingot__build_open_libraries(b);
  b->narrow = narrow_type(b);
  const double start = ingot__now();
  if (b->narrow == INGOT_FLOAT16) INGOT_TRY(ingot__build_measure(b, network));
  b->seconds_measure = ingot__now() - start;
  INGOT_TRY(run_passes(b));
  INGOT_TRY(make_plan(b));
  if (b->config->timing_cache && b->tuner.changed) INGOT_TRY(ingot__tuner_save(&b->tuner, b->config->timing_cache, b->diag));
  INGOT_TRY(ingot__engine_make_resident(b->engine, b->diag));
  if (b->config->verify) INGOT_TRY(ingot__build_verify(b));
  INGOT_TRY(own_constants(b));
  return ingot__build_report(b);
}

ingot_status ingot__compile(const ingot__network *network, const ingot_config *config, bool reference, ingot__diag *diag, ingot_engine **engine) {
  ingot__build b = {.config = config, .diag = diag, .start = ingot__now()};
  ingot__heap_init(&b.heap, &config->env);
  ingot__arena_init(&b.arena, &b.heap);
  ingot_status status = build(&b, network, reference);
  ingot__build_await_libraries(&b);
  if (b.tuner.table) ingot__tuner_free(&b.tuner);
  ingot__pool_destroy(b.pool);
  ingot__arena_free(&b.arena);
  if (status == INGOT_OK) *engine = b.engine;
  else ingot__engine_release(b.engine);
  return status;
}
