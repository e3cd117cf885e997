/* ingot compare: a network's outputs against expected ones, or against the reference kernels. */
#include "commands.h"
#include "compare.h"
#include "progress.h"
#include "table.h"
#include <math.h>
#include <string.h>

typedef struct options {
  cli__input_settings inputs;
  cli__build_settings settings;
  const char *data, *golden, *network, *shapes;
  double atol, rtol;               /* below 0: not given */
  bool layers;
  cli__common_settings common;
} options;

typedef struct session {
  const options *o;
  cli__model model;
  cli__model source;               /* --network, for the reference of an engine file */
  cli__tolerance tolerance;
  bool different;
} session;

static const char description[] =
  "Runs a network and compares its outputs with expected ones: ONNX's test data (--data: a folder with input_*.pb and output_*.pb, or one with "
  "such "
  "folders test_data_set_*, in the order of the network's inputs and outputs), or .npz files (--inputs, --golden). Without expected outputs, "
  "those of the "
  "reference kernels are the truth, and inputs may be left out: then they are random.\n\n"
  "Outputs are the same when every float is within 1e-3 of the expected output's range (largest minus smallest) and everything else is equal. "
  "With --atol "
  "or --rtol the rule is numpy.allclose's: |got - expected| <= atol + rtol * |expected|. NaN equals NaN.\n\n"
  "--layers also runs the network layer by layer with the reference kernels and says at which tensor the engine leaves them. The exit status is "
  "0 when all "
  "outputs are the same, 1 when one is different, another for an error.";

static const char examples[] =
  "  ingot compare mnist.onnx --data mnist/test_data_set_0\n"
  "  ingot compare net.ingot --inputs in.npz --golden out.npz --atol 1e-4 --rtol 1e-3\n"
  "  ingot compare net.onnx --layers\n"
  "  ingot compare net.ingot --network net.onnx --layers\n";

static ingot_status print_outputs(session *s, const cli__arrays *got, const cli__arrays *golden, bool *different) {
  static const char *const headings[] = {"output", "shape", ">largest difference", ">mean", ">range", ">of range", ""};
  cli__table table;
  cli__table_init(&table, headings, 7);
  for (size_t i = 0; i < golden->count; i++) {
    const cli__array *expected = &golden->items[i], *a = cli__arrays_find(got, expected->name);
    if (!a) return cli__fail(INGOT_E_INTERNAL, "output '%s' is missing", expected->name);
    cli__difference d = cli__difference_of(a, expected, &s->tolerance);
    char shape[192], other[192];
    cli__dims_text(a->rank, a->dims, shape);
    cli__table_cell(&table, "%s", a->name);
    cli__table_cell(&table, "%s", shape);
    if (d.shapes_differ) {
      for (int k = 0; k < 4; k++) cli__table_cell(&table, "%s", "");
      cli__table_cell(&table, "DIFFERENT: %s is expected", cli__dims_text(expected->rank, expected->dims, other));
    } else {
      cli__table_cell(&table, "%.3g", d.most);
      cli__table_cell(&table, "%.3g", d.mean);
      cli__table_cell(&table, "%.3g", d.range);
      cli__table_cell(&table, "%.2g", d.most / d.range);
      if (d.same) cli__table_cell(&table, "%s", "same");
      else cli__table_cell(&table, "DIFFERENT: %zu of %zu, most at %zu: %.6g, expected %.6g", d.beyond, a->count, d.where, d.got, d.expected);
    }
    if (!d.same) *different = true;
  }
  return cli__table_print(&table, stdout);
}

static ingot_status run_engine(const session *s, const cli__model *model, ingot_engine *engine, const cli__arrays *inputs, cli__arrays *outputs) {
  ingot_context *context;
  ingot_status status = cli__context_create(engine, s->o->settings.threads, inputs, &context);
  if (status == INGOT_OK) status = cli__context_run(context);
  if (status == INGOT_OK) status = cli__context_outputs(model, context, outputs);
  ingot_context_destroy(context);
  return status;
}

static ingot_status compare_built(session *s, const char *title, const cli__arrays *inputs, const cli__arrays *golden, ingot_engine *reference) {
  cli__arrays outputs = {0}, expected = {0};
  bool different = false;
  ingot_status status = run_engine(s, &s->model, s->model.engine, inputs, &outputs);
  if (status == INGOT_OK && !golden) status = run_engine(s, &s->model, reference, inputs, &expected);
  if (title) printf("%s\n", title);
  if (status == INGOT_OK) status = print_outputs(s, &outputs, golden ? golden : &expected, &different);
  if (different) s->different = true;
  cli__arrays_free(&expected);
  cli__arrays_free(&outputs);
  const ingot_network *network = s->model.network ? s->model.network : s->source.network;
  if (status == INGOT_OK && s->o->layers)
    status = cli__compare_layers(s->model.engine, reference, network, s->o->settings.threads, inputs, &s->tolerance, s->o->common.verbose);
  return status;
}

/* One set of inputs, with expected outputs or NULL. An ONNX file is compiled anew for each set: their shapes may differ. */
static ingot_status compare_set(session *s, const char *title, const cli__arrays *inputs, const cli__arrays *golden) {
  ingot_engine *reference = NULL;
  bool wants_reference = s->o->layers || !golden;
  cli__model *built = s->model.network || !wants_reference ? &s->model : &s->source;
  if (wants_reference && !built->network)
    return cli__fail(INGOT_E_ARGUMENT, "%s is an engine; the reference needs its ONNX file: add --network FILE.onnx%s", s->model.path,
                     s->o->layers ? "" : ", or give the expected outputs with --golden or --data");
  if (s->model.network) {
    ingot_engine_destroy(s->model.engine);
    s->model.engine = NULL;
  }
  ingot_engine *keep = s->source.engine; /* --network is there for the reference alone: its own engine isn't built */
  if (built == &s->source) s->source.engine = s->model.engine;
  ingot_status status = cli__model_build(built, &s->o->settings, inputs, wants_reference ? &reference : NULL);
  if (built == &s->source) s->source.engine = keep;
  if (status == INGOT_OK) status = compare_built(s, title, inputs, golden, reference);
  ingot_engine_destroy(reference);
  return status;
}

static ingot_status compare_folders(session *s) {
  cli__folders folders;
  ingot_status status = cli__folders_find(s->o->data, &folders);
  for (size_t i = 0; i < folders.count && status == INGOT_OK; i++) {
    cli__arrays inputs, golden;
    status = cli__folder_load(folders.paths[i], &s->model, &inputs, &golden);
    if (status == INGOT_OK) status = compare_set(s, folders.count > 1 ? folders.paths[i] : NULL, &inputs, &golden);
    cli__arrays_free(&inputs);
    cli__arrays_free(&golden);
  }
  cli__folders_free(&folders);
  return status;
}

static ingot_status compare_one(session *s) {
  const options *o = s->o;
  static cli__shapes shapes;
  CLI_TRY(cli__shapes_read("--shapes", o->shapes, &shapes));
  cli__arrays inputs = {0}, golden = {0};
  bool given = cli__inputs_given(&o->inputs);
  ingot_status status = INGOT_OK;
  if (o->golden && !given) status = cli__fail(INGOT_E_ARGUMENT, "--golden needs the inputs that led to it: add --inputs or --input");
  else status = given ? cli__inputs_load(&o->inputs, &s->model, &inputs) : cli__inputs_random(&s->model, &shapes, &inputs);
  if (status == INGOT_OK && o->golden) status = cli__golden_load(o->golden, &s->model, &golden);
  if (status == INGOT_OK) status = compare_set(s, NULL, &inputs, o->golden ? &golden : NULL);
  cli__arrays_free(&golden);
  cli__arrays_free(&inputs);
  return status;
}

static ingot_status compare(session *s, const char *path) {
  const options *o = s->o;
  if (o->data && (o->golden || cli__inputs_given(&o->inputs) || o->shapes))
    return cli__fail(INGOT_E_ARGUMENT, "--data has inputs and outputs; it doesn't go with --inputs, --input, --golden or --shapes");
  CLI_TRY(cli__model_open(&s->model, path));
  if (o->network && s->model.network) return cli__fail(INGOT_E_ARGUMENT, "--network is for engine files; %s is a network itself", path);
  if (o->network) {
    CLI_TRY(cli__model_open(&s->source, o->network));
    if (!s->source.network) return cli__fail(INGOT_E_ARGUMENT, "%s is an engine; --network wants the ONNX file", o->network);
    if (s->source.num_inputs != s->model.num_inputs)
      return cli__fail(INGOT_E_ARGUMENT, "%s has %zu inputs and %s has %zu: not the same network", o->network, s->source.num_inputs, path,
          s->model.num_inputs);
  }
  return o->data ? compare_folders(s) : compare_one(s);
}

ingot_status cli__compare(int argc, char **argv, int *exit_status) {
  options o = {.atol = -1, .rtol = -1};
  const cli__option list[] = {
    {CLI__HEADING, NULL, 0, NULL, NULL, "What is expected"},
    {CLI__TEXT, "data", 0, "FOLDER", &o.data, "ONNX test data."},
    {CLI__TEXT, "golden", 0, "FILE.npz", &o.golden, "The expected outputs, by name."},
    {CLI__TEXT, "network", 0, "M.onnx", &o.network, "When the model is an engine file: the network that it was built from, for the reference."},
    {CLI__HEADING, NULL, 0, NULL, NULL, "Comparing"},
    {CLI__REAL, "atol", 0, "X", &o.atol, "Absolute tolerance (with --rtol alone: 1e-8)."},
    {CLI__REAL, "rtol", 0, "X", &o.rtol, "Relative tolerance (with --atol alone: 0)."},
    {CLI__FLAG, "layers", 0, NULL, &o.layers, "Find the first layer where the engine leaves the reference; with --verbose, a table of all."},
    {CLI__HEADING, NULL, 0, NULL, NULL, "Inputs"},
    {CLI__TEXT, "shapes", 0, "SHAPES", &o.shapes, "Shapes of random inputs: x:1x3x224x224,y:1x8."},
    CLI__INPUT_OPTIONS(o.inputs),
    {CLI__HEADING, NULL, 0, NULL, NULL, "Running, and building an ONNX file"},
    {CLI__COUNT, "threads", 0, "N", &o.settings.threads, "Threads (as built; or all)."},
    CLI__BUILD_OPTIONS(o.settings),
    {CLI__HEADING, NULL, 0, NULL, NULL, "Other"},
    CLI__COMMON_OPTIONS(o.common),
  };
  const cli__usage usage = {"compare", "M [--data DIR | --inputs in.npz --golden out.npz] [options]", description, examples, list,
                            sizeof list / sizeof *list};
  const char *path;
  bool done;
  CLI_TRY(cli__command(&usage, argc, argv, &path, &done));
  if (done) return INGOT_OK;
  CLI_TRY(cli__common(&o.common));
  session s = {.o = &o, .tolerance = {o.atol >= 0 || o.rtol >= 0, o.atol >= 0 ? o.atol : 1e-8, o.rtol >= 0 ? o.rtol : 0}};
  ingot_status status = compare(&s, path);
  cli__model_free(&s.model);
  cli__model_free(&s.source);
  if (status == INGOT_OK && s.different) *exit_status = CLI__DIFFERENT;
  return status;
}
