/* What a network's values are like, by running it a few times on the host in float32, on random inputs, before it is made narrow for a device:
 * which leave float16's range (ranges.c), and how far float16's rounding would move the outputs (rounding.c). Layers named there stay in float32.
 *
 * The host's engine goes through the passes that the device's goes through up to narrow_floats, so that values have the names they have there;
 * those after it, which hide values inside others, are left out. What can't be measured (a network that fails on random inputs or would take
 * long) is no error: nothing is known against float16 then. */
#include "compile/measure.h"
#include <string.h>

#define RATE 20e9                /* operations a second that one of the host's threads does, to expect */
enum { MOST_SECONDS = 1 /* that a run may be expected to take */, LIMIT = 5 /* after which it is given up */ };
#define MOST_WEIGHTS ((size_t)2 << 30) /* bytes: compiling for the host copies and packs them */

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

/* Where a build fixes a batch that the network leaves free: the build's ranges with one of it instead, and `profile` so, or false. What the network
 * says of its values by number, such as a Reshape's, may not bear that: the run fails then, and is made again with the whole batch. */
static bool leave_one_of_batch(const ingot__build *b, const ingot__network *network, ingot__arena *arena, ingot_config *config,
                               ingot__profile *profile) {
  const size_t n = network->main->n_input;
  bool found = false;
  if (b->config->n_profile > 1) return false;
  config->range = INGOT_NEW_ARRAY(arena, n + 1, ingot__shape_range);
  config->n_range = 0;
  for (size_t i = 0; config->range && i < n; i++) {
    const ingot__value *input = network->main->input[i];
    const ingot__profile *given = &b->engine->profile[i];
    if (input->type.kind != INGOT__TENSOR || input->type.rank < 0) continue;
    ingot__shape_range *r = &config->range[config->n_range++];
    *r = (ingot__shape_range){.input = input->name, .rank = input->type.rank};
    for (int d = 0; d < r->rank; d++) {
      const ingot__dim dim = input->type.dim[d];
      const bool batch = !ingot__dim_is_number(dim) && (d == 0 || is_batch(network, dim)) && given->min[d] == given->max[d] && given->max[d] > 1;
      r->min[d] = batch ? 1 : given->min[d], r->opt[d] = batch ? 1 : given->opt[d], r->max[d] = batch ? 1 : given->max[d];
      if (batch) profile[i].opt[d] = 1;
      found |= batch;
    }
  }
  return found && config->range;
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

static ingot_status compile_for_host(ingot__probe *p, const ingot__network *network, const ingot_config *asked) {
  static const char *const hiding[] = {"unfold_patches", "narrow_floats", "nest_concats", "fuse_elementwise"};
  enum { HIDING = sizeof hiding / sizeof hiding[0] };
  ingot_config config = *asked;
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
  return ingot__compile(network, &config, false, &p->diag, &p->engine);
}

ingot_status ingot__probe_plain(ingot__probe *p, const ingot__view *view, ingot__view *plain, ingot__buffer *copy) {
  *plain = *view;
  if (view->dense && view->layout == INGOT__PLAIN) return INGOT_OK;
  if (!ingot__view_set(plain, view->dtype, view->rank, view->dim, INGOT__PLAIN)) return INGOT_E_LIMIT;
  if (!ingot__buffer_reserve(&p->context->heap, copy, (size_t)ingot__view_count(view) * sizeof(float))) return ingot__no_memory(&p->diag);
  plain->data = copy->data;
  ingot__view_copy(plain, view);
  return INGOT_OK;
}

ingot_status ingot__probe_run(ingot__probe *p, ingot__trace_fn watch, void *user) {
  p->context->trace = watch;
  p->context->trace_user = user;
  return ingot__run_guarded(p->context, LIMIT, &p->diag);
}

double ingot__probe_seconds(const ingot__probe *p) { return p->operations / (RATE * p->engine->threads); }

static ingot_status look(ingot__probe *p, const ingot__network *network, const ingot_config *config, const ingot__profile *profile, bool *left_out) {
  uint64_t random = 42;
  ingot_context_options options = {.threads = p->build->engine->threads};
  *left_out = weights(p->build->engine->network) > MOST_WEIGHTS;
  if (*left_out) return INGOT_OK;
  INGOT_TRY(compile_for_host(p, network, config));
  INGOT_TRY(ingot__context_new(p->engine, &options, &p->diag, &p->context));
  INGOT_TRY(ingot__random_inputs(p->context, profile, INGOT__AT_OPT, &random, &p->arena, &p->diag));
  INGOT_TRY(ingot__context_plan(p->context, &p->diag));
  p->operations = operations(p->context);
  *left_out = ingot__probe_seconds(p) > MOST_SECONDS;
  if (*left_out) return INGOT_OK;
  INGOT_TRY(ingot__measure_ranges(p));
  ingot_status status = ingot__measure_rounding(p);
  if (status == INGOT_OK || status == INGOT_E_MEMORY || status == INGOT_E_CANCELLED) return status;
  ingot__logf(&p->build->engine->log, INGOT_LOG_INFO, "float16's rounding isn't looked after: %s", p->diag.text);
  return INGOT_OK;
}

static ingot_status finish(ingot__probe *p, ingot_status status, bool left_out, uint64_t key) {
  ingot__build *b = p->build;
  if (status == INGOT_E_MEMORY) return ingot__no_memory(b->diag);
  if (status == INGOT_E_CANCELLED) return ingot__fail(b->diag, status, NULL, "the build was cancelled");
  if (status != INGOT_OK || left_out) {
    ingot__logf(&b->engine->log, INGOT_LOG_INFO, "float16's range isn't looked after: %s",
                left_out ? "the network is too large to be run on the host" : p->diag.text);
    return INGOT_OK;
  }
  if (b->wide.n || b->exact.n || !b->config->timing_cache) return INGOT_OK;
  b->tuner.changed = true;
  return ingot__tuner_put(&b->tuner, key, LIMIT) ? INGOT_OK : ingot__no_memory(b->diag);
}

/* Networks that were found to bear float16 are known by what decides that: themselves, their shapes, and what error is allowed. */
static ingot_status key_of(ingot__build *b, const ingot__profile *profile, uint64_t *key) {
  const size_t bytes = b->engine->network->main->n_input * sizeof *profile;
  char *more = ingot__arena_alloc(&b->arena, sizeof(double) + bytes);
  if (!more) return ingot__no_memory(b->diag);
  memcpy(more, &b->config->fp16_error, sizeof(double));
  if (bytes) memcpy(more + sizeof(double), profile, bytes);
  *key = ingot__tuner_network_key(b->engine->network, more, sizeof(double) + bytes);
  return INGOT_OK;
}

static void forget(ingot__probe *p) {
  ingot__context_free(p->context);
  ingot__engine_release(p->engine);
  p->context = NULL, p->engine = NULL;
  ingot__arena_reset(&p->arena);
  ingot__diag_init(&p->diag, p->build->diag->file);
}

ingot_status ingot__build_measure(ingot__build *b, const ingot__network *network) {
  ingot__probe p = {.build = b};
  bool left_out = false;
  uint64_t key = 0;
  ingot_config config = *b->config;
  ingot__profile *whole = shapes(b, &b->arena), *one = shapes(b, &b->arena);
  if (!whole || !one) return ingot__no_memory(b->diag);
  if (b->config->timing_cache) INGOT_TRY(key_of(b, whole, &key));
  if (key && ingot__tuner_knows(&b->tuner, key)) return INGOT_OK;
  ingot__diag_init(&p.diag, b->diag->file);
  ingot__arena_init(&p.arena, &b->heap);
  const bool smaller = leave_one_of_batch(b, network, &b->arena, &config, one);
  ingot_status status = look(&p, network, smaller ? &config : b->config, smaller ? one : whole, &left_out);
  if (smaller && status != INGOT_OK && status != INGOT_E_MEMORY && status != INGOT_E_CANCELLED) {
    forget(&p);
    status = look(&p, network, b->config, whole, &left_out);
  }
  status = finish(&p, status, left_out, key);
  forget(&p);
  ingot__arena_free(&p.arena);
  return status;
}
