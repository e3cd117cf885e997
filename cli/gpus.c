/* Runs on GPUs. */
#include "gpus.h"
#include "progress.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ingot_status cli__gpus_count(const cli__gpu_settings *settings, size_t *count) {
  int n = settings->all ? ingot_device_count("cuda") : 1;
  if (n < 1) return cli__fail(INGOT_E_DEVICE, "there is no GPU here, or no driver");
  *count = (size_t)n;
  return INGOT_OK;
}

ingot_status cli__gpus_part(const cli__model *model, const cli__arrays *inputs, size_t n, size_t i, cli__array *part) {
  bool any = n == 1;
  for (size_t k = 0; k < inputs->count; k++) {
    part[k] = inputs->items[k];
    if (n == 1 || !part[k].rank || model->inputs[k].rank < 1 || model->inputs[k].dims[0] >= 0) continue;
    if (part[k].dims[0] % (int64_t)n || part[k].bytes % n)
      return cli__fail(INGOT_E_ARGUMENT, "input '%s': %lld of the batch can't be shared out evenly among %zu GPUs", part[k].name,
                       (long long)part[k].dims[0], n);
    part[k].dims[0] /= (int64_t)n;
    part[k].count /= n;
    part[k].bytes /= n;
    part[k].data = (char *)part[k].data + i * part[k].bytes;
    any = true;
  }
  return any ? INGOT_OK : cli__fail(INGOT_E_ARGUMENT, "the network's batch is fixed: it can't be shared out among %zu GPUs", n);
}

/* ---- Opening ---- */

static ingot_status load_elsewhere(const cli__model *model, cli__gpu *gpu, const char *name) {
  void *data;
  size_t size;
  CLI_TRY(cli__library(ingot_engine_serialize(model->engine, &data, &size)));
  ingot_status status = cli__library(ingot_engine_load_memory_on(cli__env(), data, size, name, &gpu->engine));
  ingot_blob_free(model->engine, data, size);
  gpu->own_engine = status == INGOT_OK;
  return status;
}

/* Memory for the inputs, with their data in it: all lanes read the same. */
static ingot_status put_inputs(const cli__gpus *gpus, cli__gpu *gpu) {
  for (size_t k = 0; k < gpus->num_inputs; k++) {
    const cli__array *a = &gpu->inputs[k];
    CLI_TRY(cli__library((gpus->stay ? ingot_device_alloc : ingot_device_alloc_host)(gpu->device, a->bytes, &gpu->memory[k])));
    CLI_TRY(cli__library(ingot_device_copy(gpu->device, gpu->memory[k], a->data, a->bytes)));
  }
  return INGOT_OK;
}

static ingot_status open_gpu(cli__gpus *gpus, const cli__model *model, const cli__arrays *inputs, int index, size_t i) {
  cli__gpu *gpu = &gpus->gpus[i];
  char name[32];
  int built_on;
  ingot_engine_device(model->engine, &built_on);
  snprintf(name, sizeof name, "cuda:%d", index);
  gpu->inputs = calloc(inputs->count + 1, sizeof *gpu->inputs);
  gpu->memory = calloc(inputs->count + 1, sizeof *gpu->memory);
  if (!gpu->inputs || !gpu->memory) return cli__no_memory();
  CLI_TRY(cli__library(ingot_device_create(cli__env(), name, &gpu->device)));
  CLI_TRY(cli__gpus_part(model, inputs, gpus->count, i, gpu->inputs));
  gpu->engine = model->engine;
  if (index != built_on) CLI_TRY(load_elsewhere(model, gpu, name));
  return put_inputs(gpus, gpu);
}

/* An output's memory in the GPU, where its shape is known before the run. */
static ingot_status put_output(cli__gpu *gpu, ingot_context *context, const cli__port *port, void **memory) {
  int rank;
  int64_t dims[INGOT_MAX_RANK];
  size_t count, bytes;
  ingot_status status = ingot_context_shape(context, port->name, &rank, dims);
  if (status == INGOT_E_STATE || port->dtype == INGOT_STRING) return INGOT_OK;
  CLI_TRY(cli__library(status));
  if (!cli__array_size(port->dtype, rank, dims, &count, &bytes)) return cli__fail(INGOT_E_LIMIT, "output '%s' is too large", port->name);
  CLI_TRY(cli__library(ingot_device_alloc(gpu->device, bytes, memory)));
  return cli__library(ingot_context_set_address(context, port->name, *memory));
}

static ingot_status open_lane(cli__gpus *gpus, const cli__model *model, const cli__gpu_settings *settings, cli__lane *lane) {
  lane->context = calloc(gpus->count, sizeof *lane->context);
  lane->outputs = calloc(gpus->count * gpus->num_outputs + 1, sizeof *lane->outputs);
  if (!lane->context || !lane->outputs) return cli__no_memory();
  for (size_t i = 0; i < gpus->count; i++) {
    cli__gpu *gpu = &gpus->gpus[i];
    cli__arrays part = {gpus->num_inputs, gpu->inputs};
    CLI_TRY(cli__context_create(gpu->engine, settings->threads, &part, &lane->context[i]));
    for (size_t k = 0; k < gpus->num_inputs; k++)
      CLI_TRY(cli__library(ingot_context_set_address(lane->context[i], gpu->inputs[k].name, gpu->memory[k])));
    for (size_t k = 0; k < gpus->num_outputs && gpus->stay; k++)
      CLI_TRY(put_output(gpu, lane->context[i], &model->outputs[k], &lane->outputs[i * gpus->num_outputs + k]));
    CLI_TRY(cli__library(ingot_context_set_timing(lane->context[i], true)));
  }
  return INGOT_OK;
}

ingot_status cli__gpus_open(cli__gpus *gpus, const cli__model *model, const cli__gpu_settings *settings, const cli__arrays *inputs) {
  int index;
  *gpus = (cli__gpus){.streams = settings->streams > 0 ? (size_t)settings->streams : 1, .stay = settings->stay};
  CLI_TRY(cli__gpus_count(settings, &gpus->count));
  if (gpus->streams > 64) return cli__fail(INGOT_E_ARGUMENT, "--streams %zu: at most 64", gpus->streams);
  gpus->gpus = calloc(gpus->count, sizeof *gpus->gpus);
  gpus->lanes = calloc(gpus->streams, sizeof *gpus->lanes);
  if (!gpus->gpus || !gpus->lanes) return cli__no_memory();
  gpus->num_inputs = inputs->count;
  gpus->num_outputs = model->num_outputs;
  ingot_engine_device(model->engine, &index);
  for (size_t i = 0; i < gpus->count; i++) CLI_TRY(open_gpu(gpus, model, inputs, settings->all ? (int)i : index, i));
  for (size_t i = 0; i < gpus->streams; i++) CLI_TRY(open_lane(gpus, model, settings, &gpus->lanes[i]));
  return INGOT_OK;
}

void cli__gpus_close(cli__gpus *gpus) {
  for (size_t l = 0; gpus->lanes && l < gpus->streams; l++) {
    cli__lane *lane = &gpus->lanes[l];
    for (size_t i = 0; lane->context && i < gpus->count; i++) ingot_context_destroy(lane->context[i]); /* waits for its runs */
    for (size_t i = 0; lane->outputs && i < gpus->count * gpus->num_outputs; i++)
      ingot_device_free(gpus->gpus[i / gpus->num_outputs].device, lane->outputs[i]);
    free(lane->context);
    free(lane->outputs);
  }
  for (size_t i = 0; gpus->gpus && i < gpus->count; i++) {
    cli__gpu *gpu = &gpus->gpus[i];
    for (size_t k = 0; gpu->memory && k < gpus->num_inputs; k++)
      (gpus->stay ? ingot_device_free : ingot_device_free_host)(gpu->device, gpu->memory[k]);
    if (gpu->own_engine) ingot_engine_destroy(gpu->engine);
    ingot_device_destroy(gpu->device);
    free(gpu->inputs);
    free(gpu->memory);
  }
  free(gpus->gpus);
  free(gpus->lanes);
  *gpus = (cli__gpus){0};
}

/* ---- Running ---- */

ingot_status cli__gpus_start(cli__gpus *gpus, size_t index) {
  cli__lane *lane = &gpus->lanes[index];
  lane->start = cli__now();
  lane->busy = true;
  for (size_t i = 0; i < gpus->count; i++) CLI_TRY(cli__context_enqueue(lane->context[i]));
  lane->enqueued = cli__now();
  return INGOT_OK;
}

static void largest(double *most, double value) { *most = value > *most ? value : *most; }

ingot_status cli__gpus_finish(cli__gpus *gpus, size_t index, cli__run_times *times) {
  cli__lane *lane = &gpus->lanes[index];
  ingot_run_times t;
  *times = (cli__run_times){0};
  for (size_t i = 0; i < gpus->count; i++) CLI_TRY(cli__library(ingot_context_wait(lane->context[i])));
  times->latency = (cli__now() - lane->start) * 1e3;
  times->enqueue = (lane->enqueued - lane->start) * 1e3;
  for (size_t i = 0; i < gpus->count; i++) {
    CLI_TRY(cli__library(ingot_context_times(lane->context[i], &t)));
    largest(&times->to_device, t.to_device / 1e3);
    largest(&times->compute, t.compute / 1e3);
    largest(&times->from_device, t.from_device / 1e3);
  }
  lane->busy = false;
  return INGOT_OK;
}
