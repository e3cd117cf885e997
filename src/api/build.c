/* Building engines. */
#include "api/api.h"
#include "compile/compile.h"
#include <string.h>

#define DEFAULT_BUDGET 10

ingot_status ingot_config_create(const ingot_env *env, ingot_config **config) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config, "config is NULL");
  ingot__heap heap;
  ingot__heap_init(&heap, env);
  ingot_config *c = ingot__calloc(&heap, 1, sizeof *c);
  if (!c) return ingot__end(&diag, ingot__no_memory(&diag));
  ingot__heap_init(&c->heap, env);
  c->heap.used = sizeof *c;
  ingot__arena_init(&c->arena, &c->heap);
  ingot__log_init(&c->log, env);
  if (env) c->env = *env;
  c->budget = DEFAULT_BUDGET;
  c->precision = INGOT_PRECISION_TF32;
  c->tactics = INGOT_TACTIC_CUBLAS_LT | INGOT_TACTIC_CUDNN;
  c->fp16_error = INGOT__FP16_ERROR_AUTO;
  c->verify = true;
  c->n_profile = 1;
  *config = c;
  return INGOT_OK;
}

void ingot_config_destroy(ingot_config *config) {
  if (!config) return;
  ingot__arena_free(&config->arena);
  ingot__heap heap = config->heap;
  ingot__free(&heap, config, sizeof *config);
}

ingot_status ingot_config_set_profile(ingot_config *config, const char *input, int rank, const int64_t *min, const int64_t *opt, const int64_t *max) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config && input && (opt || !rank), "an argument is NULL");
  INGOT_REQUIRE(rank >= 0 && rank <= INGOT_MAX_RANK, "rank must be 0 to 8");
  ingot__shape_range range = {.input = ingot__arena_string(&config->arena, input), .profile = config->n_profile - 1, .rank = rank};
  if (!range.input) return ingot__end(&diag, ingot__no_memory(&diag));
  for (int i = 0; i < rank; i++) {
    range.opt[i] = opt[i];
    range.min[i] = min ? min[i] : opt[i];
    range.max[i] = max ? max[i] : opt[i];
  }
  for (size_t i = 0; i < config->n_range; i++)
    if (config->range[i].profile == range.profile && !strcmp(config->range[i].input, input)) {
      config->range[i] = range;
      return INGOT_OK;
    }
  if (!ingot__arena_grow(&config->arena, (void **)&config->range, &config->range_capacity, config->n_range + 1, sizeof range))
    return ingot__end(&diag, ingot__no_memory(&diag));
  config->range[config->n_range++] = range;
  return INGOT_OK;
}

ingot_status ingot_config_add_profile(ingot_config *config) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config, "config is NULL");
  if (config->n_profile == INGOT__MAX_PROFILES)
    return ingot__end(&diag, ingot__fail(&diag, INGOT_E_LIMIT, NULL, "an engine has at most %d profiles", INGOT__MAX_PROFILES));
  config->n_profile++;
  return INGOT_OK;
}

ingot_status ingot_config_set_threads(ingot_config *config, int threads) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config && threads >= 0 && threads <= 256, "config is NULL, or threads is not 0 to 256");
  config->threads = threads;
  return INGOT_OK;
}

ingot_status ingot_config_set_budget(ingot_config *config, double seconds) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config && seconds >= 0, "config is NULL, or the budget is negative");
  config->budget = seconds;
  return INGOT_OK;
}

ingot_status ingot_config_set_device(ingot_config *config, const char *device) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config && device, "an argument is NULL");
  INGOT_REQUIRE(ingot__device_name(device, &config->backend, &config->device_index), "the device must be cpu, cuda or cuda:N");
  return INGOT_OK;
}

ingot_status ingot_config_set_precision(ingot_config *config, unsigned flags) {
  INGOT_CALL(NULL);
  const unsigned known = INGOT_PRECISION_TF32 | INGOT_PRECISION_FP16 | INGOT_PRECISION_BF16;
  INGOT_REQUIRE(config && !(flags & ~known), "config is NULL, or an unknown precision");
  config->precision = flags;
  return INGOT_OK;
}

ingot_status ingot_config_set_fp16_error(ingot_config *config, double most) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config && most >= 0, "config is NULL, or the error is negative or not a number");
  config->fp16_error = most;
  return INGOT_OK;
}

ingot_status ingot_config_set_tactic_sources(ingot_config *config, unsigned flags) {
  INGOT_CALL(NULL);
  const unsigned known = INGOT_TACTIC_CUBLAS_LT | INGOT_TACTIC_CUDNN;
  INGOT_REQUIRE(config && !(flags & ~known), "config is NULL, or an unknown source of tactics");
  config->tactics = flags;
  return INGOT_OK;
}

ingot_status ingot_config_set_workspace(ingot_config *config, size_t bytes) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config, "config is NULL");
  config->workspace = bytes;
  return INGOT_OK;
}

/* Copies a text (or NULL) into the config. */
static ingot_status set_text(ingot_config *config, const char **field, const char *text) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config, "config is NULL");
  *field = ingot__arena_string(&config->arena, text);
  return text && !*field ? ingot__end(&diag, ingot__no_memory(&diag)) : INGOT_OK;
}

ingot_status ingot_config_set_timing_cache(ingot_config *config, const char *path) {
  return set_text(config, config ? &config->timing_cache : NULL, path);
}
ingot_status ingot_config_set_dump(ingot_config *config, const char *folder) {
  return set_text(config, config ? &config->dump_folder : NULL, folder);
}

ingot_status ingot_config_set_verify(ingot_config *config, bool verify) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config, "config is NULL");
  config->verify = verify;
  return INGOT_OK;
}

ingot_status ingot_config_set_progress(ingot_config *config, ingot_progress_fn progress, void *user) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config, "config is NULL");
  config->progress = (ingot__progress){progress, user};
  return INGOT_OK;
}

ingot_status ingot_config_skip_pass(ingot_config *config, const char *pass) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config && pass && ingot__pass_find(pass), "config is NULL, or there is no pass of that name");
  INGOT_REQUIRE(config->n_skip < INGOT__MOST_SKIPS, "too many passes skipped");
  config->skip[config->n_skip++] = ingot__pass_find(pass)->name;
  return INGOT_OK;
}

ingot_status ingot_config_stop_after(ingot_config *config, const char *pass) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(config && pass && ingot__pass_find(pass), "config is NULL, or there is no pass of that name");
  config->stop_after = ingot__pass_find(pass)->name;
  return INGOT_OK;
}

static ingot_status build(const ingot_network *network, const ingot_config *config, bool reference, ingot_engine **engine) {
  INGOT_CALL(network ? network->source : NULL);
  INGOT_REQUIRE(network && engine, "network or engine is NULL");
  if (network->main->n_output == 0) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_NETWORK, NULL, "the network has no outputs"));
  ingot_config *own = NULL;
  if (!config) {
    ingot_env env = {.allocator = network->heap.allocator, .memory_limit = network->heap.limit, .log = network->log.fn,
                     .log_user = network->log.user, .log_level = network->log.level};
    ingot_status status = ingot_config_create(&env, &own);
    if (status != INGOT_OK) return status;
  }
  ingot_status status = ingot__compile(network, config ? config : own, reference, &diag, engine);
  ingot_config_destroy(own);
  return ingot__end(&diag, status);
}

ingot_status ingot_build(const ingot_network *network, const ingot_config *config, ingot_engine **engine) {
  return build(network, config, false, engine);
}
ingot_status ingot_build_reference(const ingot_network *network, const ingot_config *config, ingot_engine **engine) {
  return build(network, config, true, engine);
}
