/* The importer's entry points: from a file or bytes to a sorted network with inferred types. */
#include "import/onnx/onnx.h"
#include "import/onnx/convert.h"
#include "ops/ops.h"

#define WORK ((size_t)128 << 20) /* that an import may spend, besides a multiple of the file's size */

static ingot_status check_versions(ingot__onnx *o, const ingot__pb_model *m) {
  if (m->ir_version < 0) return ingot__fail(o->diag, INGOT_E_FORMAT, NULL, "IR version %lld", (long long)m->ir_version);
  if (m->ir_version == 0) return ingot__fail(o->diag, INGOT_E_FORMAT, NULL, "not an ONNX file: it has no IR version");
  if (!m->has_graph) return ingot__fail(o->diag, INGOT_E_FORMAT, NULL, "not an ONNX model, or a truncated one: it has no graph");
  if (m->ir_version > INGOT__ONNX_IR) {
    ingot__logf(&o->network->log, INGOT_LOG_WARNING, "IR version %lld is newer than the newest known, %d: going on", (long long)m->ir_version,
                INGOT__ONNX_IR);
  }
  for (size_t i = 0; i < m->opset.n; i++) {
    const ingot__pb_opset *s = &m->opset.v[i];
    if (!ingot__onnx_is_default(s->domain)) continue;
    if (s->version < 1) return ingot__fail(o->diag, INGOT_E_FORMAT, NULL, "opset %lld", (long long)s->version);
    if (s->version > INGOT__ONNX_NEWEST) {
      ingot__logf(&o->network->log, INGOT_LOG_WARNING, "opset %lld is newer than the newest known: taken for %d", (long long)s->version,
                  INGOT__ONNX_NEWEST);
    }
  }
  if (m->ir_version >= 3 && m->opset.n == 0) return ingot__fail(o->diag, INGOT_E_FORMAT, NULL, "the model doesn't say which opset it is of");
  return INGOT_OK;
}

static ingot_status import_model(ingot__onnx *o, ingot__text bytes) {
  ingot__pb_model model;
  INGOT_TRY(ingot__pb_read_model(&o->pb, bytes, &model));
  INGOT_TRY(check_versions(o, &model));
  INGOT_TRY(ingot__onnx_read_functions(o, &model));
  INGOT_TRY(ingot__onnx_main_graph(o, &model));
  INGOT_TRY(ingot__onnx_report_unknown(o));
  if (o->status != INGOT_OK) return o->status;
  if (o->network->dims.failed) return ingot__no_memory(o->diag);
  INGOT_TRY(ingot__network_sort(o->network, o->diag));
  return ingot__infer_network(o->network, o->diag);
}

static ingot_status import_bytes(ingot__network *network, ingot__text bytes, const char *folder, bool copy, ingot__diag *diag) {
  ingot__arena scratch;
  ingot__arena_init(&scratch, &network->heap);
  ingot__onnx o = {.network = network, .arena = &network->arena, .scratch = &scratch, .pb = {&scratch, diag, bytes.p}, .diag = diag,
                   .folder = folder, .copy = copy, .work_limit = WORK};
  if (bytes.n < (SIZE_MAX - WORK) / 64) o.work_limit += bytes.n * 64;
  ingot__name_map_init(&o.function, &scratch);
  ingot__name_map_init(&o.copied, &scratch);
  ingot_status status = import_model(&o, bytes);
  ingot__arena_free(&scratch);
  return status != INGOT_OK && diag && diag->status != INGOT_OK ? diag->status : status; /* of several problems, the first's */
}

/* "model.onnx" of "a/b/model.onnx". */
static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static ingot_status load_file(ingot__network *network, const char *path, ingot__diag *diag) {
  const void *data;
  size_t size;
  INGOT_TRY(ingot__network_map_file(network, path, diag, &data, &size));
  if (size == 0) return ingot__fail(diag, INGOT_E_FORMAT, NULL, "the file is empty");
  if (!(network->source = ingot__arena_string(&network->arena, path))) return ingot__no_memory(diag);
  size_t n = (size_t)(base_name(path) - path);
  const char *folder = n ? ingot__arena_stringn(&network->arena, path, n) : ".";
  if (!folder) return ingot__no_memory(diag);
  return import_bytes(network, (ingot__text){data, size}, folder, false, diag);
}

ingot_status ingot__onnx_load(const ingot_env *env, const char *path, ingot__diag *diag, ingot__network **out) {
  const char *file = diag ? diag->file : NULL;
  if (diag && !file) diag->file = base_name(path);
  ingot__network *network = ingot__network_new(env);
  ingot_status status = network ? load_file(network, path, diag) : ingot__no_memory(diag);
  if (diag) diag->file = file;
  if (status != INGOT_OK) {
    ingot__network_free(network);
    return status;
  }
  *out = network;
  return INGOT_OK;
}

ingot_status ingot__onnx_load_memory(const ingot_env *env, const void *data, size_t size, const char *folder, ingot__diag *diag,
                                     ingot__network **out) {
  ingot__network *network = ingot__network_new(env);
  if (!network) return ingot__no_memory(diag);
  ingot_status status = size ? import_bytes(network, (ingot__text){data, size}, folder, true, diag)
                             : ingot__fail(diag, INGOT_E_FORMAT, NULL, "no bytes were given");
  if (status != INGOT_OK) {
    ingot__network_free(network);
    return status;
  }
  *out = network;
  return INGOT_OK;
}

ingot_status ingot__onnx_load_tensor(ingot__heap *heap, ingot__arena *arena, const void *data, size_t size, ingot__diag *diag,
                                     ingot__literal *out, const char **name) {
  ingot__arena scratch;
  ingot__arena_init(&scratch, heap);
  ingot__onnx o = {.arena = arena, .scratch = &scratch, .pb = {&scratch, diag, data}, .diag = diag, .copy = true};
  ingot__name_map_init(&o.copied, &scratch);
  ingot__text tensor_name = {0};
  ingot__literal literal;
  ingot_status status = size ? ingot__onnx_read_tensor(&o, (ingot__text){data, size}, &literal, &tensor_name)
                             : ingot__fail(diag, INGOT_E_FORMAT, NULL, "no bytes were given");
  const char *copy = NULL;
  if (status == INGOT_OK && !(copy = ingot__arena_stringn(arena, tensor_name.p, tensor_name.n))) status = ingot__no_memory(diag);
  ingot__arena_free(&scratch);
  if (status != INGOT_OK) return status;
  *out = literal;
  if (name) *name = copy;
  return INGOT_OK;
}
