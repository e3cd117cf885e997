/* ingot bench: speed and memory. Measuring is here; gpus.c runs on GPUs, layers.c sums up the profile, and results go out as text or JSON. */
#include "commands.h"
#include "file.h"
#include "gpus.h"
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
  cli__gpu_settings gpu;
  cli__common_settings common;
} options;

/* What is measured of each run, in milliseconds; START counts from the first run. The later ones are of GPUs. */
enum { START, LATENCY, ENQUEUE, TO_DEVICE, COMPUTE, FROM_DEVICE, COLUMNS };
static const struct { const char *label, *key, *time_key; } columns[COLUMNS] = {
  {NULL, NULL, "startMs"}, {"latency ms", "latency_ms", "latencyMs"}, {"enqueue ms", "enqueue_ms", "enqMs"},
  {"H2D ms", "h2d_ms", "h2dMs"}, {"compute ms", "compute_ms", "computeMs"}, {"D2H ms", "d2h_ms", "d2hMs"},
};

typedef struct measured {
  size_t count, capacity, columns;  /* columns: COLUMNS for GPUs, else up to LATENCY */
  double *column[COLUMNS];          /* owned */
  double wall;                      /* milliseconds from the first start to the last end */
  cli__stats stats[COLUMNS];
  size_t gpus, streams;             /* 0: it ran on the CPU */
  bool stay;
  ingot_memory_info memory;
  size_t rss, batch;                /* most bytes the process had in memory; the first input's first dim, 1 if there is none */
  char shapes[2048];
} measured;

static const char description[] =
  "Runs a network again and again and reports throughput, latency (least, most, mean, median, 90, 95 and 99 percent) and memory. Inputs are random "
  "numbers unless --inputs or --input give them. A run is from inputs in memory to outputs in memory.\n\n"
  "On a GPU it also says how long the copies to it (H2D), the computing, and the copies back (D2H) took, as the GPU measures them, and the call "
  "itself (enqueue). Inputs and outputs are in page-locked memory, or with --noDataTransfers in the GPU's. With --streams several runs are in "
  "flight, each in a stream of its own: copies go on while others compute, and a run's latency holds the wait for its turn. --device cuda:all "
  "runs on every GPU, each with its part of the batch.\n\n"
  "--dumpProfile runs it some more with the profiler and prints a table by layer: the layers' times, the gaps between them, and the total, which "
  "is the sum. On a GPU a layer's time is what it adds to a run: the recorded work up to it is played with it and without it; roofline is the least "
  "time that the GPU's arithmetic or memory allow, as a share of it (more than 100% where the cache had it).";

static const char examples[] =
  "  ingot bench resnet50.ingot --threads 2\n"
  "  ingot bench unet.onnx --shapes input:4x1x512x512 --budget 10 --dumpProfile\n"
  "  ingot bench net.ingot --iterations 100 --duration 0 --json > result.json\n"
  "  ingot bench resnet50.onnx --shapes x:8x3x224x224 --device cuda --fp16 --streams 4\n";

enum { PROFILES = 20, GPU_PROFILES = 3 }; /* runs with the profiler; on GPUs each plays every layer some times */

/* Milliseconds on the GPU of the run in the middle. */
static double median_on_gpu(const measured *m) {
  double *sums = malloc(m->count * sizeof *sums), median = 0;
  for (size_t i = 0; sums && i < m->count; i++) sums[i] = m->column[TO_DEVICE][i] + m->column[COMPUTE][i] + m->column[FROM_DEVICE][i];
  if (sums && m->count) median = cli__stats_of(sums, m->count).median;
  free(sums);
  return median;
}

static ingot_status record(measured *m, const double values[COLUMNS]) {
  if (m->count == m->capacity) {
    size_t capacity = m->capacity ? 2 * m->capacity : 1024;
    for (size_t c = 0; c < m->columns; c++) {
      double *column = realloc(m->column[c], capacity * sizeof *column);
      if (!column) return cli__no_memory();
      m->column[c] = column;
    }
    m->capacity = capacity;
  }
  for (size_t c = 0; c < m->columns; c++) m->column[c][m->count] = values[c];
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
    CLI_TRY(record(m, (double[COLUMNS]){(start - began) * 1e3, (end - start) * 1e3}));
    m->wall = (end - began) * 1e3;
  }
  return INGOT_OK;
}

/* The end of a lane's run, if it has one in flight. */
static ingot_status take_end(cli__gpus *gpus, size_t lane, double began, measured *m) {
  cli__run_times t;
  if (!gpus->lanes[lane].busy) return INGOT_OK;
  double start = (gpus->lanes[lane].start - began) * 1e3;
  CLI_TRY(cli__gpus_finish(gpus, lane, &t));
  m->wall = (cli__now() - began) * 1e3;
  return m->columns ? record(m, (double[COLUMNS]){start, t.latency, t.enqueue, t.to_device, t.compute, t.from_device}) : INGOT_OK;
}

/* Lanes take turns: before one runs again its last run must have ended. With one lane each run is waited for. */
static ingot_status go_round(cli__gpus *gpus, double seconds, int64_t runs, measured *m) {
  double began = cli__now();
  for (size_t i = 0; (int64_t)i < runs || cli__now() - began < seconds; i++) {
    CLI_TRY(take_end(gpus, i % gpus->streams, began, m));
    CLI_TRY(cli__gpus_start(gpus, i % gpus->streams));
    if (gpus->streams == 1) CLI_TRY(take_end(gpus, 0, began, m));
  }
  for (size_t i = 0; i < gpus->streams; i++) CLI_TRY(take_end(gpus, i, began, m));
  return INGOT_OK;
}

static ingot_status measure_gpus(const options *o, cli__gpus *gpus, measured *m) {
  measured warm_up = {0};
  m->gpus = gpus->count, m->streams = gpus->streams, m->stay = gpus->stay;
  CLI_TRY(go_round(gpus, o->warm_up / 1e3, 2 * (int64_t)gpus->streams, &warm_up)); /* plans the shapes, records the graphs */
  m->columns = COLUMNS;
  return go_round(gpus, o->duration, o->iterations, m);
}

static ingot_status take_memory(ingot_context *context, measured *m) {
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

static json_t *stats_json(const cli__stats *s) {
  return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "min", s->min, "max", s->max, "mean", s->mean, "median", s->median, "p90", s->p90,
                   "p95", s->p95, "p99", s->p99);
}

static bool add_gpus(json_t *root, const measured *m) {
  json_t *gpus = json_pack("{s:I, s:I, s:b}", "count", (json_int_t)m->gpus, "streams", (json_int_t)m->streams, "transfers", !m->stay);
  bool good = json_object_set_new(root, "gpus", gpus) == 0;
  for (size_t c = ENQUEUE; c < COLUMNS; c++) good = json_object_set_new(root, columns[c].key, stats_json(&m->stats[c])) == 0 && good;
  return good;
}

static json_t *to_json(const options *o, const cli__model *model, const measured *m, const cli__layers *layers) {
  double runs_per_second = 1e3 * (double)m->count / m->wall;
  json_t *memory = json_pack("{s:I, s:I, s:I, s:I}", "weights", (json_int_t)m->memory.weights, "activations", (json_int_t)m->memory.activations,
                             "workspace", (json_int_t)m->memory.workspace, "process", (json_int_t)m->rss);
  json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:o, s:o}", "version", ingot_version(), "model", model->path,
                           "shapes", m->shapes, "threads", (json_int_t)o->settings.threads, "iterations", (json_int_t)m->count,
                           "wall_ms", m->wall, "throughput_qps", runs_per_second, "items_per_second", runs_per_second * (double)m->batch,
                           "latency_ms", stats_json(&m->stats[LATENCY]), "memory_bytes", memory);
  bool good = root && (!m->gpus || add_gpus(root, m));
  if (good && layers->runs) good = json_object_set_new(root, "profile", cli__layers_json(layers)) == 0;
  if (good) return root;
  json_decref(root);
  return NULL;
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
  for (size_t i = 0; i < m->count && list; i++) {
    json_t *run = json_object();
    bool good = run;
    for (size_t c = 0; c < m->columns && good; c++) good = json_object_set_new(run, columns[c].time_key, json_real(m->column[c][i])) == 0;
    if (json_array_append_new(list, run) != 0 || !good) {
      json_decref(list);
      return NULL;
    }
  }
  return list;
}

static void print_text(const options *o, const cli__model *model, const measured *m) {
  double qps = 1e3 * (double)m->count / m->wall;
  printf("%s  %s\n", model->path, m->shapes);
  printf("  runs         %zu in %.2f s\n", m->count, m->wall / 1e3);
  if (m->batch > 1) printf("  throughput   %.2f runs/s, %.2f items/s\n", qps, qps * (double)m->batch);
  else printf("  throughput   %.2f runs/s\n", qps);
  for (size_t c = LATENCY; c < m->columns; c++) {
    const cli__stats *s = &m->stats[c];
    printf("  %-12s min %.3f  max %.3f  mean %.3f  median %.3f  90%% %.3f  95%% %.3f  99%% %.3f\n", columns[c].label, s->min, s->max, s->mean,
           s->median, s->p90, s->p95, s->p99);
  }
  if (m->gpus)
    printf("  GPUs         %zu, %zu run%s in flight%s\n", m->gpus, m->streams, m->streams == 1 ? "" : "s", m->stay ? ", no transfers" : "");
  printf("  memory MB    weights %.1f  activations %.1f  workspace %.1f  process at most %.1f\n", (double)m->memory.weights / 1e6,
         (double)m->memory.activations / 1e6, (double)m->memory.workspace / 1e6, (double)m->rss / 1e6);
  if (model->network && o->settings.budget <= 0 && !o->settings.timing_cache)
    printf("  kernels      by the cost model alone, for this file was compiled on the fly: --budget 10 times them\n");
}

static ingot_status finish(const options *o, const cli__model *model, measured *m, const cli__layers *layers) {
  if (o->export_times) CLI_TRY(write_json(o->export_times, times_json(m)));
  for (size_t c = LATENCY; c < m->columns; c++) m->stats[c] = cli__stats_of(m->column[c], m->count); /* sorts: after the times were written */
  if (o->export_profile) CLI_TRY(write_json(o->export_profile, cli__layers_json(layers)));
  if (o->json) return write_json("-", to_json(o, model, m, layers));
  print_text(o, model, m);
  return o->dump_profile ? cli__layers_print(layers, stdout) : INGOT_OK;
}

/* The model built for the CPU, or for the shapes of a GPU's part. */
static ingot_status build(options *o, cli__model *model, const cli__arrays *inputs) {
  size_t count;
  if (!o->gpu.all) return cli__model_build(model, &o->settings, inputs, NULL);
  CLI_TRY(cli__gpus_count(&o->gpu, &count));
  cli__arrays part = {inputs->count, calloc(inputs->count + 1, sizeof(cli__array))};
  if (!part.items) return cli__no_memory();
  ingot_status status = cli__gpus_part(model, inputs, count, 0, part.items);
  if (status == INGOT_OK) status = cli__model_build(model, &o->settings, &part, NULL);
  free(part.items);
  return status;
}

static ingot_status bench(options *o, cli__model *model, cli__arrays *inputs, cli__gpus *gpus, ingot_context **own) {
  static cli__shapes shapes;
  if (o->shapes && cli__inputs_given(&o->inputs)) return cli__fail(INGOT_E_ARGUMENT, "--shapes is for random inputs; the given ones have theirs");
  CLI_TRY(cli__shapes_read("--shapes", o->shapes, &shapes));
  CLI_TRY(cli__inputs_given(&o->inputs) ? cli__inputs_load(&o->inputs, model, inputs) : cli__inputs_random(model, &shapes, inputs));
  o->gpu.threads = o->settings.threads;
  o->gpu.all = o->settings.device && strcmp(o->settings.device, "cuda:all") == 0;
  if (o->gpu.all) o->settings.device = "cuda";
  CLI_TRY(build(o, model, inputs));
  bool on_gpu = strcmp(ingot_engine_device(model->engine, NULL), "cpu") != 0;
  if (!on_gpu && (o->gpu.all || o->gpu.stay || o->gpu.streams))
    return cli__fail(INGOT_E_ARGUMENT, "--streams, --noDataTransfers and cuda:all are for engines on a GPU");
  CLI_TRY(on_gpu ? cli__gpus_open(gpus, model, &o->gpu, inputs) : cli__context_create(model->engine, o->settings.threads, inputs, own));
  ingot_context *context = on_gpu ? gpus->lanes[0].context[0] : *own;
  measured m = {.columns = on_gpu ? COLUMNS : LATENCY + 1};
  cli__layers layers = {0};
  describe_inputs(inputs, &m);
  ingot_status status = on_gpu ? measure_gpus(o, gpus, &m) : measure(o, context, &m);
  if (status == INGOT_OK) status = take_memory(context, &m);
  if (status == INGOT_OK && (o->dump_profile || o->export_profile)) {
    const size_t most = on_gpu ? GPU_PROFILES : PROFILES;
    status = cli__layers_measure(context, m.count < most ? m.count : most, on_gpu ? median_on_gpu(&m) : 0, &layers);
  }
  if (status == INGOT_OK) status = finish(o, model, &m, &layers);
  cli__layers_free(&layers);
  for (size_t c = 0; c < COLUMNS; c++) free(m.column[c]);
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
    {CLI__HEADING, NULL, 0, NULL, NULL, "GPUs"},
    {CLI__COUNT, "streams", 0, "N", &o.gpu.streams, "Keep so many runs in flight, each in a stream of its own (1)."},
    {CLI__FLAG, "noDataTransfers", 0, NULL, &o.gpu.stay, "Keep inputs and outputs in the GPU's memory: nothing is copied."},
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
  cli__gpus gpus = {0};
  ingot_status status = cli__model_open(&model, path);
  if (status == INGOT_OK) status = bench(&o, &model, &inputs, &gpus, &context);
  cli__gpus_close(&gpus);
  ingot_context_destroy(context);
  cli__arrays_free(&inputs);
  cli__model_free(&model);
  return status;
}
