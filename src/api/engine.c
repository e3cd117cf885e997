/* Engines: files, inputs and outputs, descriptions. */
#include "api/api.h"
#include "runtime/inspect.h"
#include "runtime/load.h"

const char *ingot_engine_report(const ingot_engine *engine) { return engine ? engine->report : NULL; }

ingot_status ingot_engine_save(const ingot_engine *engine, const char *path) {
  INGOT_CALL(path);
  INGOT_REQUIRE(engine && path, "an argument is NULL");
  return ingot__end(&diag, ingot__engine_write(engine, path, &diag));
}

ingot_status ingot_engine_load(const ingot_env *env, const char *path, ingot_engine **engine) {
  INGOT_CALL(path);
  INGOT_REQUIRE(path && engine, "an argument is NULL");
  return ingot__end(&diag, ingot__load_file(env, path, NULL, &diag, engine));
}

ingot_status ingot_engine_load_memory(const ingot_env *env, const void *data, size_t size, ingot_engine **engine) {
  INGOT_CALL("engine in memory");
  INGOT_REQUIRE((data || !size) && engine, "an argument is NULL");
  return ingot__end(&diag, ingot__load_memory(env, data, size, NULL, &diag, engine));
}

ingot_status ingot_engine_load_on(const ingot_env *env, const char *path, const char *device, ingot_engine **engine) {
  INGOT_CALL(path);
  ingot__target target;
  INGOT_REQUIRE(path && device && engine, "an argument is NULL");
  INGOT_REQUIRE(ingot__device_name(device, &target.backend, &target.index), "the device must be cpu, cuda or cuda:N");
  return ingot__end(&diag, ingot__load_file(env, path, &target, &diag, engine));
}

ingot_status ingot_engine_load_memory_on(const ingot_env *env, const void *data, size_t size, const char *device, ingot_engine **engine) {
  INGOT_CALL("engine in memory");
  ingot__target target;
  INGOT_REQUIRE((data || !size) && device && engine, "an argument is NULL");
  INGOT_REQUIRE(ingot__device_name(device, &target.backend, &target.index), "the device must be cpu, cuda or cuda:N");
  return ingot__end(&diag, ingot__load_memory(env, data, size, &target, &diag, engine));
}

const char *ingot_engine_device(const ingot_engine *engine, int *index) {
  if (!engine) return NULL;
  if (index) *index = engine->backend->device ? engine->device_index : 0;
  return engine->backend->name;
}

ingot_status ingot_engine_serialize(const ingot_engine *engine, void **data, size_t *size) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(engine && data && size, "an argument is NULL");
  return ingot__end(&diag, ingot__engine_bytes(engine, &diag, data, size));
}

void ingot_blob_free(const ingot_engine *engine, void *data, size_t size) {
  if (engine) ingot__free(&((ingot_engine *)engine)->heap, data, size);
}

void ingot_engine_destroy(ingot_engine *engine) { ingot__engine_release(engine); }

size_t ingot_engine_num_profiles(const ingot_engine *engine) { return engine ? engine->n_profile : 0; }

ingot_status ingot_engine_profile(const ingot_engine *engine, size_t profile, size_t i, int64_t min[INGOT_MAX_RANK], int64_t opt[INGOT_MAX_RANK],
                                  int64_t max[INGOT_MAX_RANK]) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(engine && min && opt && max, "an argument is NULL");
  const ingot__graph *g = engine->network->main;
  INGOT_REQUIRE(profile < engine->n_profile && i < g->n_input, "there is no such profile or input");
  const ingot__profile *p = &engine->profile[profile * g->n_input + i];
  for (int d = 0; d < g->input[i]->type.rank; d++) min[d] = p->min[d], opt[d] = p->opt[d], max[d] = p->max[d];
  return INGOT_OK;
}

size_t ingot_engine_num_io(const ingot_engine *engine) {
  return engine ? engine->network->main->n_input + engine->network->main->n_output : 0;
}

ingot_status ingot_engine_io(const ingot_engine *engine, size_t i, ingot_io_info *info) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(engine && info && i < ingot_engine_num_io(engine), "an argument is NULL, or i is past the end");
  const ingot__graph *g = engine->network->main;
  const ingot__value *v = i < g->n_input ? g->input[i] : g->output[i - g->n_input];
  *info = (ingot_io_info){.name = v->name, .is_input = i < g->n_input, .dtype = v->type.dtype, .rank = v->type.rank,
                          .kind = (ingot_kind)v->type.kind};
  if (v->type.kind != INGOT__TENSOR) info->rank = -1;
  for (int d = 0; d < info->rank; d++) {
    info->dims[d] = ingot__dim_is_number(v->type.dim[d]) ? v->type.dim[d] : -1;
    if (!info->is_input) continue;
    info->min[d] = engine->profile[i].min[d];
    info->opt[d] = engine->profile[i].opt[d];
    info->max[d] = engine->profile[i].max[d];
  }
  return INGOT_OK;
}

ingot_status ingot_engine_inspect(const ingot_engine *engine, char **json, size_t *size) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(engine && json && size, "an argument is NULL");
  ingot_context_options options = {.threads = 1};
  ingot_context *context = NULL; /* for the shapes at the optimum; without it only FLOPs and bytes are missing */
  ingot_status status = ingot__context_new((ingot_engine *)engine, &options, &diag, &context);
  if (status == INGOT_OK) {
    for (size_t i = 0; i < context->n_in; i++) context->io[i].shape_set = true;
    status = ingot__context_plan(context, &diag);
  }
  if (status == INGOT_E_MEMORY) {
    ingot__context_free(context);
    return ingot__end(&diag, status);
  }
  ingot__diag_init(&diag, NULL);
  status = ingot__inspect(engine, context, &((ingot_engine *)engine)->heap, &diag, json, size);
  ingot__context_free(context);
  return ingot__end(&diag, status);
}
