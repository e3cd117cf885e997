/* ingot bench: speed and memory. Measuring is here; layers.c sums up the profile, and results go out as text or JSON. */
#include "commands.h"
#include "file.h"
#include "inputs.h"
#include "layers.h"
#include "progress.h"
#include "stats.h"
#include "table.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct options {
  cli__input_settings inputs;
  cli__build_settings settings;
  const char *shapes, *export_profile, *export_times;
  double warm_up, duration;
  int64_t iterations;
  bool dump_profile, json;
  cli__common_settings common;
} options;

typedef struct measured {
  size_t count, capacity;
  double *start, *latency;          /* milliseconds; start counts from the first run. Owned */
  double wall;                      /* milliseconds from the first start to the last end */
  cli__stats stats;
  ingot_memory_info memory;
  size_t rss, batch;                /* most bytes the process had in memory; the first input's first dim, 1 if there is none */
  char shapes[2048];
} measured;

static const char description[] =
  "Runs a network again and again and reports throughput, latency (least, most, mean, median, 90, 95 and 99 percent) and memory. Inputs are random "
  "numbers unless --inputs or --input give them. A run is from inputs in memory to outputs in memory.\n\n"
  "--dumpProfile runs it some more with the profiler and prints a table by layer: the layers' times, the gaps between them, and the total, which "
  "is the "
  "sum.";

static const char examples[] =
  "  ingot bench resnet50.ingot --threads 2\n"
  "  ingot bench unet.onnx --shapes input:4x1x512x512 --budget 10 --dumpProfile\n"
  "  ingot bench net.ingot --iterations 100 --duration 0 --json > result.json\n";

static ingot_status record(measured *m, double start, double latency) {
  if (m->count == m->capacity) {
    size_t capacity = m->capacity ? 2 * m->capacity : 1024;
    double *starts = realloc(m->start, capacity * sizeof *starts);
    if (starts) m->start = starts;
    double *latencies = realloc(m->latency, capacity * sizeof *latencies);
    if (latencies) m->latency = latencies;
    if (!starts || !latencies) return cli__no_memory();
    m->capacity = capacity;
  }
  m->start[m->count] = start, m->latency[m->count] = latency;
  m->count++;
  return INGOT_OK;
}

static ingot_status measure(const options *o, ingot_context *context, measured *m) {
  CLI_TRY(cli__context_run(context)); /* plans the shapes */
  for (double began = cli__now(); (cli__now() - began) * 1e3 < o->warm_up;) CLI_TRY(cli__context_run(context));
  double began = cli__now();
  while ((int64_t)m->count < o->iterations || cli__now() - began < o->duration) {
    double start = cli__now();
    CLI_TRY(cli__context_run(context));
    double end = cli__now();
    CLI_TRY(record(m, (start - began) * 1e3, (end - start) * 1e3));
    m->wall = (end - began) * 1e3;
  }
  if (m->count == 0) return cli__fail(INGOT_E_ARGUMENT, "nothing to measure: --duration and --iterations are both 0");
  CLI_TRY(cli__library(ingot_context_memory(context, &m->memory)));
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  m->rss = (size_t)usage.ru_maxrss * 1024;
  return INGOT_OK;
}

static void describe_inputs(const cli__arrays *inputs, measured *m) {
  size_t n = 0;
  m->batch = inputs->count && inputs->items[0].rank ? (size_t)inputs->items[0].dims[0] : 1;
  for (size_t i = 0; i < inputs->count && n + 500 < sizeof m->shapes; i++) {
    char dims[192];
    n += (size_t)snprintf(m->shapes + n, sizeof m->shapes - n, "%s%.250s:%s", i ? "," : "", inputs->items[i].name,
                          cli__dims_text(inputs->items[i].rank, inputs->items[i].dims, dims));
  }
}

/* ---- Results ---- */

static json_t *to_json(const options *o, const cli__model *model, const measured *m, const cli__layers *layers) {
  const cli__stats *s = &m->stats;
  double runs_per_second = 1e3 * (double)m->count / m->wall;
  json_t *memory = json_pack("{s:I, s:I, s:I, s:I}", "weights", (json_int_t)m->memory.weights, "activations", (json_int_t)m->memory.activations,
                             "workspace", (json_int_t)m->memory.workspace, "process", (json_int_t)m->rss);
  json_t *latency = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "min", s->min, "max", s->max, "mean", s->mean, "median", s->median,
                              "p90", s->p90, "p95", s->p95, "p99", s->p99);
  json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:o, s:o}", "version", ingot_version(), "model", model->path,
                           "shapes", m->shapes, "threads", (json_int_t)o->settings.threads, "iterations", (json_int_t)m->count,
                           "wall_ms", m->wall, "throughput_qps", runs_per_second, "items_per_second", runs_per_second * (double)m->batch,
                           "latency_ms", latency, "memory_bytes", memory);
  if (root && layers->runs && json_object_set_new(root, "profile", cli__layers_json(layers)) != 0) {
    json_decref(root);
    return NULL;
  }
  return root;
}

static ingot_status write_json(const char *path, json_t *root) { /* takes over `root`, which may be NULL: no memory */
  char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
  json_decref(root);
  if (!text) return cli__no_memory();
  size_t length = strlen(text);
  text[length] = '\n'; /* in place of the end; the length is what counts */
  ingot_status status = cli__write_file(path, text, length + 1);
  free(text);
  return status;
}

static json_t *times_json(const measured *m) {
  json_t *list = json_array();
  for (size_t i = 0; i < m->count && list; i++)
    if (json_array_append_new(list, json_pack("{s:f, s:f}", "startMs", m->start[i], "latencyMs", m->latency[i])) != 0) {
      json_decref(list);
      return NULL;
    }
  return list;
}

static void print_text(const cli__model *model, const measured *m) {
  const cli__stats *s = &m->stats;
  double qps = 1e3 * (double)m->count / m->wall;
  printf("%s  %s\n", model->path, m->shapes);
  printf("  runs         %zu in %.2f s\n", m->count, m->wall / 1e3);
  if (m->batch > 1) printf("  throughput   %.2f runs/s, %.2f items/s\n", qps, qps * (double)m->batch);
  else printf("  throughput   %.2f runs/s\n", qps);
  printf("  latency ms   min %.3f  max %.3f  mean %.3f  median %.3f  90%% %.3f  95%% %.3f  99%% %.3f\n", s->min, s->max, s->mean, s->median, s->p90,
         s->p95, s->p99);
  printf("  memory MB    weights %.1f  activations %.1f  workspace %.1f  process at most %.1f\n", (double)m->memory.weights / 1e6,
         (double)m->memory.activations / 1e6, (double)m->memory.workspace / 1e6, (double)m->rss / 1e6);
}

static ingot_status finish(const options *o, const cli__model *model, measured *m, const cli__layers *layers) {
  if (o->export_times) CLI_TRY(write_json(o->export_times, times_json(m)));
  m->stats = cli__stats_of(m->latency, m->count); /* sorts: after the times were written */
  if (o->export_profile) CLI_TRY(write_json(o->export_profile, cli__layers_json(layers)));
  if (o->json) return write_json("-", to_json(o, model, m, layers));
  print_text(model, m);
  return o->dump_profile ? cli__layers_print(layers, stdout) : INGOT_OK;
}

static ingot_status bench(const options *o, cli__model *model, cli__arrays *inputs, ingot_context **context) {
  static cli__shapes shapes;
  if (o->shapes && cli__inputs_given(&o->inputs)) return cli__fail(INGOT_E_ARGUMENT, "--shapes is for random inputs; the given ones have theirs");
  CLI_TRY(cli__shapes_read("--shapes", o->shapes, &shapes));
  CLI_TRY(cli__inputs_given(&o->inputs) ? cli__inputs_load(&o->inputs, model, inputs) : cli__inputs_random(model, &shapes, inputs));
  CLI_TRY(cli__model_build(model, &o->settings, inputs, NULL));
  CLI_TRY(cli__context_create(model->engine, o->settings.threads, inputs, context));
  measured m = {0};
  cli__layers layers = {0};
  describe_inputs(inputs, &m);
  ingot_status status = measure(o, *context, &m);
  if (status == INGOT_OK && (o->dump_profile || o->export_profile)) {
    size_t runs = m.count < 20 ? m.count : 20;
    status = cli__layers_measure(*context, runs, &layers);
  }
  if (status == INGOT_OK) status = finish(o, model, &m, &layers);
  cli__layers_free(&layers);
  free(m.start);
  free(m.latency);
  return status;
}

ingot_status cli__bench(int argc, char **argv, int *exit_status) {
  (void)exit_status;
  options o = {.warm_up = 200, .duration = 3, .iterations = 10};
  const cli__option list[] = {
    {CLI__HEADING, NULL, 0, NULL, NULL, "Measuring"},
    {CLI__TEXT, "shapes", 0, "SHAPES", &o.shapes, "Shapes of the random inputs: x:1x3x224x224,y:1x8 (the engine's opt shapes; free first dims 1)."},
    {CLI__COUNT, "threads", 0, "N", &o.settings.threads, "Threads (as built; or all)."},
    {CLI__REAL, "warmUp", 0, "MS", &o.warm_up, "Run so many milliseconds before measuring (200)."},
    {CLI__REAL, "duration", 0, "S", &o.duration, "Measure for so many seconds at least (3)."},
    {CLI__COUNT, "iterations", 0, "N", &o.iterations, "And for so many runs at least (10)."},
    {CLI__HEADING, NULL, 0, NULL, NULL, "Results"},
    {CLI__FLAG, "dumpProfile", 0, NULL, &o.dump_profile, "Print the time of each layer."},
    {CLI__TEXT, "exportProfile", 0, "FILE", &o.export_profile, "Write the time of each layer as JSON."},
    {CLI__TEXT, "exportTimes", 0, "FILE", &o.export_times, "Write every run's start and latency as JSON."},
    {CLI__FLAG, "json", 0, NULL, &o.json, "Print the results as JSON; times in milliseconds, memory in bytes."},
    {CLI__HEADING, NULL, 0, NULL, NULL, "Inputs, instead of random ones"},
    CLI__INPUT_OPTIONS(o.inputs),
    {CLI__HEADING, NULL, 0, NULL, NULL, "Building an ONNX file"},
    CLI__BUILD_OPTIONS(o.settings),
    {CLI__HEADING, NULL, 0, NULL, NULL, "Other"},
    CLI__COMMON_OPTIONS(o.common),
  };
  const cli__usage usage = {"bench", "M [options]", description, examples, list, sizeof list / sizeof *list};
  const char *path;
  bool done;
  CLI_TRY(cli__command(&usage, argc, argv, &path, &done));
  if (done) return INGOT_OK;
  CLI_TRY(cli__common(&o.common));
  cli__model model;
  cli__arrays inputs = {0};
  ingot_context *context = NULL;
  ingot_status status = cli__model_open(&model, path);
  if (status == INGOT_OK) status = bench(&o, &model, &inputs, &context);
  ingot_context_destroy(context);
  cli__arrays_free(&inputs);
  cli__model_free(&model);
  return status;
}
