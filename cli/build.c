/* ingot build: an ONNX network into an engine file. */
#include "commands.h"
#include "file.h"
#include "inputs.h"
#include "progress.h"
#include <jansson.h>
#include <string.h>

typedef struct options {
  const char *output, *shapes, *report;
  cli__list profile, min, opt, max; /* one of each a profile */
  cli__build_settings settings;
  cli__common_settings common;
} options;

static const char description[] =
  "Compiles a network into an engine: simplifies and fuses it, chooses a kernel for each layer (by timing, within the budget), lays out memory, "
  "checks "
  "the result against the reference kernels, and writes one file. The file is written whole or not at all.\n\n"
  "Free dims of inputs (a batch size, an image size) need shapes, except a free first dim: without them the engine is tuned for 1 and takes larger "
  "ones. With --shapes the engine runs exactly these; with --minShapes, --optShapes and --maxShapes all between min and max, "
  "and it is tuned for opt, and for what lies around it where that is faster. The three again make another profile of the same engine.";

static const char examples[] =
  "  ingot build resnet50.onnx -o resnet50.ingot\n"
  "  ingot build unet.onnx -o unet.ingot --minShapes input:1x1x512x512 \\\n"
  "      --optShapes input:1x1x512x512 --maxShapes input:8x1x512x512\n"
  "  ingot build net.onnx -o net.ingot --budget 60 --timingCacheFile times.cache \\\n"
  "      --report report.json\n";

/* One input's profile out of the three sets: what isn't given is as its neighbour. */
static ingot_status set_profile(ingot_config *config, const cli__port *port, const cli__shape *min, const cli__shape *opt, const cli__shape *max) {
  if (!opt) opt = max ? max : min;
  if (!opt) return INGOT_OK;
  if (!min) min = opt;
  if (!max) max = opt;
  if (min->rank != opt->rank || max->rank != opt->rank)
    return cli__fail(INGOT_E_ARGUMENT, "input '%s': its min, opt and max shapes have %d, %d and %d dims", port->name, min->rank, opt->rank,
                     max->rank);
  for (int i = 0; i < opt->rank; i++)
    if (min->dims[i] > opt->dims[i] || opt->dims[i] > max->dims[i])
      return cli__fail(INGOT_E_ARGUMENT, "input '%s', dim %d: %lld, %lld, %lld aren't in order; min <= opt <= max is wanted", port->name, i,
                       (long long)min->dims[i], (long long)opt->dims[i], (long long)max->dims[i]);
  return cli__library(ingot_config_set_profile(config, port->name, opt->rank, min->dims, opt->dims, max->dims));
}

static const char *item(const cli__list *list, size_t i) { return i < list->count ? list->items[i] : NULL; }

/* How many profiles there are: the options given again and again must be given equally often, --profile with 0, 1, 2 .. before each set. */
static ingot_status count_profiles(const options *o, size_t *n) {
  const cli__list *const lists[] = {&o->profile, &o->min, &o->opt, &o->max};
  *n = 1;
  for (size_t i = 0; i < 4; i++) *n = lists[i]->count > *n ? lists[i]->count : *n;
  for (size_t i = 0; i < 4; i++)
    if (lists[i]->count && lists[i]->count != *n)
      return cli__fail(INGOT_E_ARGUMENT, "--profile, --minShapes, --optShapes and --maxShapes make a profile each time they are given: %zu of one, "
                       "%zu of another", lists[i]->count, *n);
  for (size_t i = 0; i < o->profile.count; i++) {
    int64_t number;
    if (!cli__read_int(o->profile.items[i], &number) || number != (int64_t)i)
      return cli__fail(INGOT_E_ARGUMENT, "--profile %s: profiles are numbered 0, 1, 2 .. in their order", o->profile.items[i]);
  }
  return INGOT_OK;
}

static ingot_status set_one(const options *o, const cli__model *model, ingot_config *config, size_t index) {
  static cli__shapes min, opt, max; /* 20 KB each */
  CLI_TRY(cli__shapes_read("--minShapes", item(&o->min, index), &min));
  CLI_TRY(cli__shapes_read(o->shapes ? "--shapes" : "--optShapes", o->shapes ? o->shapes : item(&o->opt, index), &opt));
  CLI_TRY(cli__shapes_read("--maxShapes", item(&o->max, index), &max));
  CLI_TRY(cli__shapes_check("--minShapes", &min, model));
  CLI_TRY(cli__shapes_check(o->shapes ? "--shapes" : "--optShapes", &opt, model));
  CLI_TRY(cli__shapes_check("--maxShapes", &max, model));
  bool only = model->num_inputs == 1;
  for (size_t i = 0; i < model->num_inputs; i++) {
    const cli__port *port = &model->inputs[i];
    CLI_TRY(set_profile(config, port, cli__shapes_find(&min, port->name, only), cli__shapes_find(&opt, port->name, only),
                        cli__shapes_find(&max, port->name, only)));
  }
  return INGOT_OK;
}

static ingot_status set_profiles(const options *o, const cli__model *model, ingot_config *config) {
  size_t n;
  if (o->shapes && (o->min.count || o->opt.count || o->max.count))
    return cli__fail(INGOT_E_ARGUMENT, "--shapes fixes the shapes; it doesn't go with --minShapes, --optShapes or --maxShapes");
  CLI_TRY(count_profiles(o, &n));
  for (size_t i = 0; i < n; i++) {
    if (i) CLI_TRY(cli__library(ingot_config_add_profile(config)));
    CLI_TRY(set_one(o, model, config, i));
  }
  return INGOT_OK;
}

static size_t count_layers(const ingot_engine *engine) {
  char *text;
  size_t size;
  if (ingot_engine_inspect(engine, &text, &size) != INGOT_OK) return 0;
  json_t *root = json_loadb(text, size, 0, NULL);
  ingot_blob_free(engine, text, size + 1);
  size_t layers = json_array_size(json_object_get(root, "layers"));
  json_decref(root);
  return layers;
}

static ingot_status print_summary(const cli__model *model, const char *path, double seconds) {
  FILE *file;
  uint64_t size;
  CLI_TRY(cli__open_file(path, &file, &size));
  fclose(file);
  char text[4096];
  printf("%s -> %s\n", model->path, path);
  printf("  layers   %zu, from %zu nodes\n", count_layers(model->engine), ingot_network_num_layers(model->network));
  printf("  inputs   %s\n", cli__ports_text(model->inputs, model->num_inputs, text, sizeof text));
  printf("  outputs  %s\n", cli__ports_text(model->outputs, model->num_outputs, text, sizeof text));
  printf("  file     %.1f MB\n", (double)size / 1e6);
  printf("  built in %.2f s\n", seconds);
  return INGOT_OK;
}

static ingot_status compile(const options *o, cli__model *model, ingot_config **config) {
  CLI_TRY(cli__settings_apply(&o->settings, config));
  CLI_TRY(set_profiles(o, model, *config));
  double began = cli__now();
  ingot_status status = cli__library(ingot_build(model->network, *config, &model->engine));
  cli__progress_end();
  if (status != INGOT_OK) return status;
  CLI_TRY(cli__library(ingot_engine_save(model->engine, o->output)));
  double seconds = cli__now() - began;
  const char *report = o->report ? ingot_engine_report(model->engine) : NULL;
  if (o->report && !report) return cli__fail(INGOT_E_INTERNAL, "the build left no report");
  if (report) CLI_TRY(cli__write_file(o->report, report, strlen(report)));
  return o->common.quiet || (o->report && strcmp(o->report, "-") == 0) ? INGOT_OK : print_summary(model, o->output, seconds);
}

ingot_status cli__build(int argc, char **argv, int *exit_status) {
  (void)exit_status;
  options o = {.settings.budget = 10};
  const cli__option list[] = {
    {CLI__TEXT, "saveEngine", 'o', "FILE", &o.output, "The engine file to write."},
    {CLI__HEADING, NULL, 0, NULL, NULL, "Shapes"},
    {CLI__TEXT, "shapes", 0, "SHAPES", &o.shapes, "Inputs' shapes: x:1x3x224x224,y:1x8. The name may be left out when there is one input."},
    {CLI__LIST, "minShapes", 0, "SHAPES", &o.min, "The smallest shapes."},
    {CLI__LIST, "optShapes", 0, "SHAPES", &o.opt, "The shapes to tune for."},
    {CLI__LIST, "maxShapes", 0, "SHAPES", &o.max, "The largest shapes."},
    {CLI__LIST, "profile", 0, "N", &o.profile, "Before each further set of the three: another profile, numbered from 0. May be left out."},
    {CLI__HEADING, NULL, 0, NULL, NULL, "Building"},
    {CLI__REAL, "budget", 0, "SECONDS", &o.settings.budget, "Time kernels for so long at most (10). 0: the cost model alone chooses, and the "
     "engine is "
     "ready in a moment."},
    {CLI__COUNT, "threads", 0, "N", &o.settings.threads, "Threads to tune for (all that the process may use)."},
    {CLI__TEXT, "timingCacheFile", 0, "FILE", &o.settings.timing_cache, "Read measured times from here and add new ones, so that the next build is "
     "quicker."},
    CLI__DEVICE_OPTIONS(o.settings),
    {CLI__FLAG, "noVerify", 0, NULL, &o.settings.no_verify, "Don't compare the engine with the reference kernels before writing it."},
    {CLI__TEXT, "report", 0, "FILE.json", &o.report, "Write what was done: passes, each layer's candidates with their times, the choice, the "
     "checks. "
     "\"-\" is standard output."},
    {CLI__HEADING, NULL, 0, NULL, NULL, "For those who work on ingot"},
    {CLI__TEXT, "dump", 0, "FOLDER", &o.settings.dump, "Write the network as text after every pass."},
    {CLI__LIST, "skip", 0, "PASS", &o.settings.skip, "Leave a pass out; may be given again."},
    {CLI__TEXT, "stop-after", 0, "PASS", &o.settings.stop_after, "Do no pass after this one."},
    {CLI__HEADING, NULL, 0, NULL, NULL, "Other"},
    CLI__COMMON_OPTIONS(o.common),
  };
  const cli__usage usage = {"build", "M.onnx -o M.ingot [options]", description, examples, list, sizeof list / sizeof *list};
  const char *path;
  bool done;
  CLI_TRY(cli__command(&usage, argc, argv, &path, &done));
  if (done) return INGOT_OK;
  if (!o.output) return cli__fail(INGOT_E_ARGUMENT, "where to? Add -o FILE.ingot");
  CLI_TRY(cli__common(&o.common));
  CLI_TRY(cli__may_replace(o.output)); /* before the long work, not after it */
  cli__model model;
  ingot_config *config = NULL;
  ingot_status status = cli__model_open(&model, path);
  if (status == INGOT_OK && model.engine) status = cli__fail(INGOT_E_ARGUMENT, "%s is an engine already; build wants the ONNX file", path);
  if (status == INGOT_OK) status = compile(&o, &model, &config);
  ingot_config_destroy(config);
  cli__model_free(&model);
  return status;
}
