/* ingot run: a network on arrays or pictures. */
#include "classes.h"
#include "commands.h"
#include "file.h"
#include "inputs.h"
#include "npy.h"
#include "progress.h"
#include "table.h"
#include <math.h>
#include <string.h>

typedef struct options {
  cli__input_settings inputs;
  cli__build_settings settings;
  const char *outputs, *labels;
  int64_t top;
  cli__common_settings common;
} options;

static const char description[] =
  "Runs a network once. Inputs come from a .npz file (--inputs) or one by one (--input). Outputs go to a .npz file (--outputs), under their names; "
  "without it, their shapes and ranges are printed. An ONNX file is compiled first, for the inputs' shapes.\n\n"
  "Pictures become inputs by the steps below, in the order of this list; without any, a picture is scaled to the network's size and keeps its "
  "levels 0 "
  "to 255. value = (pixel - mean) * scale. 64-bit floats are converted to 32 bits, and integers when all fit, with a remark; other types must be "
  "right.";

static const char examples[] =
  "  ingot run net.ingot --inputs in.npz --outputs out.npz\n"
  "  ingot run resnet50.onnx --input cat.jpg --preset imagenet --top 5 --labels labels.txt\n"
  "  ingot run yolox.onnx --input images=dog.jpg --letterbox corner:416x416 --bgr \\\n"
  "      --outputs out.npz\n"
  "  ingot run net.onnx --input x=x.npy --input mask=mask.npy --outputs out.npz\n";

static ingot_status print_outputs(const cli__arrays *outputs) {
  static const char *const headings[] = {"output", "type", "shape", ">min", ">max", ">mean"};
  cli__table table;
  cli__table_init(&table, headings, 6);
  for (size_t i = 0; i < outputs->count; i++) {
    const cli__array *a = &outputs->items[i];
    double min = INFINITY, max = -INFINITY, sum = 0;
    size_t nans = 0;
    for (size_t k = 0; k < a->count; k++) {
      double x = cli__array_get(a, k);
      nans += isnan(x);
      min = fmin(min, x), max = fmax(max, x), sum += x;
    }
    char dims[192];
    cli__table_cell(&table, "%s", a->name);
    cli__table_cell(&table, "%s", ingot_dtype_name(a->dtype));
    cli__table_cell(&table, "%s", cli__dims_text(a->rank, a->dims, dims));
    bool any = a->count > nans;
    cli__table_cell(&table, any ? "%.6g" : "-", min);
    cli__table_cell(&table, any ? "%.6g" : "-", max);
    if (nans) cli__table_cell(&table, "%zu NaN", nans);
    else cli__table_cell(&table, any ? "%.6g" : "-", sum / (double)a->count);
  }
  return cli__table_print(&table, stdout);
}

static ingot_status run(const options *o, cli__model *model, cli__arrays *inputs, ingot_context **context, cli__arrays *outputs) {
  cli__labels labels = {0};
  if (o->outputs) CLI_TRY(cli__may_replace(o->outputs));
  if (o->labels) CLI_TRY(cli__labels_load(o->labels, &labels));
  ingot_status status = cli__inputs_load(&o->inputs, model, inputs);
  if (status == INGOT_OK) status = cli__model_build(model, &o->settings, inputs, NULL);
  if (status == INGOT_OK) status = cli__context_create(model->engine, o->settings.threads, inputs, context);
  if (status == INGOT_OK) status = cli__context_run(*context);
  if (status == INGOT_OK) status = cli__context_outputs(model, *context, outputs);
  if (status == INGOT_OK && o->outputs) status = cli__npz_save(o->outputs, outputs);
  if (status == INGOT_OK && o->top) status = cli__classes_print(outputs, (size_t)o->top, o->labels ? &labels : NULL, stdout);
  if (status == INGOT_OK && !o->outputs && !o->top) status = print_outputs(outputs);
  cli__labels_free(&labels);
  return status;
}

ingot_status cli__run(int argc, char **argv, int *exit_status) {
  (void)exit_status;
  options o = {0};
  const cli__option list[] = {
    {CLI__HEADING, NULL, 0, NULL, NULL, "Inputs"},
    CLI__INPUT_OPTIONS(o.inputs),
    {CLI__HEADING, NULL, 0, NULL, NULL, "Outputs"},
    {CLI__TEXT, "outputs", 0, "FILE.npz", &o.outputs, "Write the outputs here, by name; whole or not at all."},
    {CLI__COUNT, "top", 0, "K", &o.top, "Print the K best classes with their probabilities. Outputs that aren't probabilities already (none "
     "below 0, sum "
     "1 within 1%) go through a softmax for this."},
    {CLI__TEXT, "labels", 0, "FILE", &o.labels, "The classes' names, one a line; a number and comma before a name are passed over."},
    {CLI__HEADING, NULL, 0, NULL, NULL, "Running, and building an ONNX file"},
    {CLI__COUNT, "threads", 0, "N", &o.settings.threads, "Threads (as built; or all)."},
    CLI__BUILD_OPTIONS(o.settings),
    {CLI__HEADING, NULL, 0, NULL, NULL, "Other"},
    CLI__COMMON_OPTIONS(o.common),
  };
  const cli__usage usage = {"run", "M --inputs in.npz --outputs out.npz [options]", description, examples, list, sizeof list / sizeof *list};
  const char *path;
  bool done;
  CLI_TRY(cli__command(&usage, argc, argv, &path, &done));
  if (done) return INGOT_OK;
  CLI_TRY(cli__common(&o.common));
  if (o.labels && !o.top) o.top = 5;
  cli__model model;
  cli__arrays inputs = {0}, outputs = {0};
  ingot_context *context = NULL;
  ingot_status status = cli__model_open(&model, path);
  if (status == INGOT_OK) status = run(&o, &model, &inputs, &context, &outputs);
  ingot_context_destroy(context);
  cli__arrays_free(&outputs);
  cli__arrays_free(&inputs);
  cli__model_free(&model);
  return status;
}
