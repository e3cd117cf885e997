/* A model from the command line. */
#include "file.h"
#include "model.h"
#include "progress.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static ingot_status name_port(cli__port *port, const char *name) {
  port->name = strdup(name);
  return port->name ? INGOT_OK : cli__no_memory();
}

static ingot_status list_network(cli__model *model) {
  model->num_inputs = ingot_network_num_inputs(model->network);
  model->num_outputs = ingot_network_num_outputs(model->network);
  model->inputs = calloc(model->num_inputs + 1, sizeof *model->inputs);
  model->outputs = calloc(model->num_outputs + 1, sizeof *model->outputs);
  if (!model->inputs || !model->outputs) return cli__no_memory();
  for (size_t i = 0; i < model->num_inputs + model->num_outputs; i++) {
    bool in = i < model->num_inputs;
    const ingot_tensor *tensor = in ? ingot_network_input(model->network, i) : ingot_network_output(model->network, i - model->num_inputs);
    cli__port *port = in ? &model->inputs[i] : &model->outputs[i - model->num_inputs];
    CLI_TRY(name_port(port, ingot_tensor_name(tensor)));
    port->dtype = ingot_tensor_dtype(tensor);
    port->kind = ingot_tensor_kind(tensor);
    port->rank = ingot_tensor_rank(tensor);
    if (port->rank >= 0) ingot_tensor_dims(tensor, port->dims);
  }
  return INGOT_OK;
}

static ingot_status list_engine(cli__model *model) {
  size_t count = ingot_engine_num_io(model->engine);
  model->inputs = calloc(count + 1, sizeof *model->inputs);
  model->outputs = calloc(count + 1, sizeof *model->outputs);
  if (!model->inputs || !model->outputs) return cli__no_memory();
  for (size_t i = 0; i < count; i++) {
    ingot_io_info info;
    CLI_TRY(cli__library(ingot_engine_io(model->engine, i, &info)));
    cli__port *port = info.is_input ? &model->inputs[model->num_inputs++] : &model->outputs[model->num_outputs++];
    CLI_TRY(name_port(port, info.name));
    port->kind = info.kind;
    port->dtype = info.dtype, port->rank = info.rank, port->has_profile = info.is_input;
    port->one_profile = ingot_engine_num_profiles(model->engine) == 1;
    memcpy(port->dims, info.dims, sizeof info.dims);
    memcpy(port->min, info.min, sizeof info.min);
    memcpy(port->opt, info.opt, sizeof info.opt);
    memcpy(port->max, info.max, sizeof info.max);
  }
  return INGOT_OK;
}

ingot_status cli__model_open(cli__model *model, const char *path) {
  *model = (cli__model){.path = path};
  FILE *file;
  uint64_t size;
  char head[5] = "";
  CLI_TRY(cli__open_file(path, &file, &size));
  bool engine = fread(head, 1, sizeof head, file) == sizeof head && strncasecmp(head, "ingot", 5) == 0;
  fclose(file);
  if (engine) {
    CLI_TRY(cli__library(ingot_engine_load(cli__env(), path, &model->engine)));
    return list_engine(model);
  }
  CLI_TRY(cli__library(ingot_network_load(cli__env(), path, &model->network)));
  return list_network(model);
}

void cli__model_free(cli__model *model) {
  for (size_t i = 0; i < model->num_inputs; i++) free(model->inputs[i].name);
  for (size_t i = 0; i < model->num_outputs; i++) free(model->outputs[i].name);
  free(model->inputs);
  free(model->outputs);
  ingot_engine_destroy(model->engine);
  ingot_network_destroy(model->network);
  *model = (cli__model){0};
}

static const char *const kinds[] = {"tensor", "sequence", "optional", "optional sequence"};

ingot_status cli__model_numbers(const cli__model *model) {
  for (size_t i = 0; i < model->num_inputs + model->num_outputs; i++) {
    bool in = i < model->num_inputs;
    const cli__port *port = in ? &model->inputs[i] : &model->outputs[i - model->num_inputs];
    if (port->kind == INGOT_KIND_TENSOR && port->dtype != INGOT_STRING) continue;
    return cli__fail(INGOT_E_UNSUPPORTED, "%s '%s' holds a %s of %s: the command takes tensors of numbers; run it from C or Python",
                     in ? "input" : "output", port->name, kinds[port->kind], port->dtype == INGOT_STRING ? "strings" : ingot_dtype_name(port->dtype));
  }
  return INGOT_OK;
}

static ingot_status check_threads(int64_t threads) { /* ingot.h's limit; here so that it fits an int */
  return threads <= 256 ? INGOT_OK : cli__fail(INGOT_E_ARGUMENT, "--threads %lld: at most 256", (long long)threads);
}

/* trtexec's words: pools and their sizes in MiB, or with a unit. Ours is the workspace; there are no others. */
static ingot_status set_pools(const char *text, ingot_config *config) {
  static const struct { const char *name; double bytes; } units[] = {{"", 1 << 20}, {"B", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};
  char *end;
  const char *size = strncmp(text, "workspace:", 10) ? NULL : text + 10;
  double n = size ? strtod(size, &end) : -1;
  for (size_t i = 0; size && end != size && i < sizeof units / sizeof *units; i++)
    if (strcmp(end, units[i].name) == 0 && n > 0 && n * units[i].bytes >= 1 && n * units[i].bytes < 9e18)
      return cli__library(ingot_config_set_workspace(config, (size_t)(n * units[i].bytes)));
  return cli__fail(INGOT_E_ARGUMENT, "--memPoolSize wants workspace:N, N in MiB or with B, K, M or G; '%s' isn't that", text);
}

/* trtexec's words: what is taken out of the default, or put into it. */
static ingot_status set_tactics(const char *text, ingot_config *config) {
  static const struct { const char *name; unsigned flag; } sources[] = {{"CUBLAS_LT", INGOT_TACTIC_CUBLAS_LT}, {"CUDNN", INGOT_TACTIC_CUDNN}};
  unsigned flags = INGOT_TACTIC_CUBLAS_LT | INGOT_TACTIC_CUDNN;
  for (const char *at = text, *end; at; at = *end ? end + 1 : NULL) {
    end = at + strcspn(at, ",");
    const size_t length = (size_t)(end - at);
    unsigned flag = 0;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
      if (length == strlen(sources[i].name) + 1 && strncasecmp(at + 1, sources[i].name, length - 1) == 0) flag = sources[i].flag;
    if (!flag || (*at != '+' && *at != '-'))
      return cli__fail(INGOT_E_ARGUMENT, "--tacticSources wants -NAME or +NAME, and commas between them, of CUBLAS_LT and CUDNN; '%s' isn't that",
                       text);
    flags = *at == '+' ? flags | flag : flags & ~flag;
  }
  return cli__library(ingot_config_set_tactic_sources(config, flags));
}

static ingot_status set_fp16_error(const char *text, ingot_config *config) {
  char *end;
  const double most = strtod(text, &end);
  if (end == text || *end || !(most >= 0))
    return cli__fail(INGOT_E_ARGUMENT, "--fp16Error wants a number that isn't negative, such as 0.02; '%s' isn't that", text);
  return cli__library(ingot_config_set_fp16_error(config, most));
}

ingot_status cli__settings_apply(const cli__build_settings *settings, ingot_config **config) {
  *config = NULL;
  CLI_TRY(cli__library(ingot_config_create(cli__env(), config)));
  CLI_TRY(check_threads(settings->threads));
  CLI_TRY(cli__library(ingot_config_set_threads(*config, (int)settings->threads)));
  CLI_TRY(cli__library(ingot_config_set_budget(*config, settings->budget)));
  CLI_TRY(cli__library(ingot_config_set_verify(*config, !settings->no_verify)));
  CLI_TRY(cli__library(ingot_config_set_progress(*config, cli__progress, NULL)));
  if (settings->device && ingot_config_set_device(*config, settings->device) != INGOT_OK)
    return cli__fail(INGOT_E_ARGUMENT, "--device %s: it is cpu, cuda or cuda:N", settings->device);
  unsigned precision = (settings->no_tf32 ? 0 : INGOT_PRECISION_TF32) | (settings->fp16 || settings->best ? INGOT_PRECISION_FP16 : 0) |
                       (settings->bf16 || settings->best ? INGOT_PRECISION_BF16 : 0);
  CLI_TRY(cli__library(ingot_config_set_precision(*config, precision)));
  if (settings->fp16_error) CLI_TRY(set_fp16_error(settings->fp16_error, *config));
  if (settings->pools) CLI_TRY(set_pools(settings->pools, *config));
  if (settings->tactics) CLI_TRY(set_tactics(settings->tactics, *config));
  if (settings->timing_cache) CLI_TRY(cli__library(ingot_config_set_timing_cache(*config, settings->timing_cache)));
  if (settings->dump) CLI_TRY(cli__library(ingot_config_set_dump(*config, settings->dump)));
  for (size_t i = 0; i < settings->skip.count; i++)
    if (ingot_config_skip_pass(*config, settings->skip.items[i]) != INGOT_OK)
      return cli__fail(INGOT_E_ARGUMENT, "--skip %s: %s (a report names the passes)", settings->skip.items[i], ingot_last_error());
  if (settings->stop_after && ingot_config_stop_after(*config, settings->stop_after) != INGOT_OK)
    return cli__fail(INGOT_E_ARGUMENT, "--stop-after %s: %s (a report names the passes)", settings->stop_after, ingot_last_error());
  return INGOT_OK;
}

/* ONNX files may leave an output's type and shape open; the engine knows them. */
static ingot_status refresh_outputs(cli__model *model) {
  for (size_t i = 0; i < ingot_engine_num_io(model->engine); i++) {
    ingot_io_info info;
    CLI_TRY(cli__library(ingot_engine_io(model->engine, i, &info)));
    for (size_t k = 0; k < model->num_outputs && !info.is_input; k++) {
      cli__port *port = &model->outputs[k];
      if (strcmp(port->name, info.name) != 0) continue;
      port->dtype = info.dtype, port->rank = info.rank;
      memcpy(port->dims, info.dims, sizeof info.dims);
    }
  }
  return INGOT_OK;
}

static ingot_status build(cli__model *model, ingot_config *config, const cli__arrays *inputs, ingot_engine **reference) {
  for (size_t i = 0; i < inputs->count; i++) {
    const cli__array *a = &inputs->items[i];
    CLI_TRY(cli__library(ingot_config_set_profile(config, model->inputs[i].name, a->rank, NULL, a->dims, NULL)));
  }
  if (!model->engine) {
    CLI_TRY(cli__library(ingot_build(model->network, config, &model->engine)));
    CLI_TRY(refresh_outputs(model));
  }
  if (reference) CLI_TRY(cli__library(ingot_build_reference(model->network, config, reference)));
  return INGOT_OK;
}

ingot_status cli__model_build(cli__model *model, const cli__build_settings *settings, const cli__arrays *inputs, ingot_engine **reference) {
  if (reference) *reference = NULL;
  if (model->engine && !reference) return INGOT_OK;
  ingot_config *config = NULL;
  ingot_status status = cli__settings_apply(settings, &config);
  if (status == INGOT_OK) status = build(model, config, inputs, reference);
  cli__progress_end();
  ingot_config_destroy(config);
  return status;
}

/* ---- Names ---- */

const cli__port *cli__port_find(const cli__port *ports, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(ports[i].name, name) == 0) return &ports[i];
  return NULL;
}

const char *cli__ports_text(const cli__port *ports, size_t count, char *text, size_t size) {
  size_t n = 0;
  text[0] = 0;
  for (size_t i = 0; i < count; i++) {
    char dims[192] = "of any shape";
    if (ports[i].rank >= 0) cli__dims_text(ports[i].rank, ports[i].dims, dims);
    if (n + strlen(ports[i].name) + strlen(dims) + 32 > size) {
      snprintf(text + n, size - n, ", ...");
      break;
    }
    if (ports[i].kind == INGOT_KIND_TENSOR)
      n += (size_t)snprintf(text + n, size - n, "%s%s (%s %s)", i ? ", " : "", ports[i].name, ingot_dtype_name(ports[i].dtype), dims);
    else
      n += (size_t)snprintf(text + n, size - n, "%s%s (%s of %s)", i ? ", " : "", ports[i].name, kinds[ports[i].kind],
                            ingot_dtype_name(ports[i].dtype));
  }
  return text;
}

ingot_status cli__port_unknown(const char *where, const char *kind, const char *name, const cli__port *ports, size_t count) {
  char text[2048];
  const char *names[256], *near;
  size_t n = 0;
  while (n < count && n < 256) names[n] = ports[n].name, n++;
  near = cli__nearest(name, names, n);
  return cli__fail(INGOT_E_ARGUMENT, "%s: the network has no %s '%s'%s%s%s; its %ss: %s", where, kind, name, near ? "; did you mean '" : "",
                   near ? near : "", near ? "'?" : "", kind, cli__ports_text(ports, count, text, sizeof text));
}

/* ---- Contexts ---- */

ingot_status cli__context_create(ingot_engine *engine, int64_t threads, const cli__arrays *inputs, ingot_context **context) {
  *context = NULL;
  CLI_TRY(check_threads(threads));
  ingot_context_options options = {.threads = (int)threads};
  CLI_TRY(cli__library(ingot_context_create(engine, &options, context)));
  for (size_t i = 0; i < inputs->count; i++) {
    const cli__array *a = &inputs->items[i];
    CLI_TRY(cli__library(ingot_context_set_input_shape(*context, a->name, a->rank, a->dims)));
    CLI_TRY(cli__library(ingot_context_set_address(*context, a->name, a->data)));
  }
  return INGOT_OK;
}

ingot_status cli__context_outputs(const cli__model *model, ingot_context *context, cli__arrays *outputs) {
  *outputs = (cli__arrays){0};
  for (size_t i = 0; i < model->num_outputs; i++) {
    const cli__port *port = &model->outputs[i];
    int rank;
    int64_t dims[INGOT_MAX_RANK];
    CLI_TRY(cli__library(ingot_context_shape(context, port->name, &rank, dims)));
    cli__array array;
    CLI_TRY(cli__array_alloc(&array, port->name, port->dtype, rank, dims));
    const void *data = ingot_context_output(context, port->name);
    if (!data && array.bytes) {
      cli__array_free(&array);
      return cli__fail(INGOT_E_INTERNAL, "output '%s' has no data after the run", port->name);
    }
    if (array.bytes) memcpy(array.data, data, array.bytes);
    CLI_TRY(cli__arrays_add(outputs, &array));
  }
  return INGOT_OK;
}
