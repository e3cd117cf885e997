/* ingot inspect: the engine's own JSON, as it is or as tables. */
#include "commands.h"
#include "inputs.h"
#include "table.h"
#include <jansson.h>
#include <string.h>

static const char description[] =
  "Shows what a network was compiled to: its layers in running order, the nodes of the original network fused into each, kernels, precisions, "
  "shapes, "
  "bytes moved and floating-point operations (at the opt shapes); inputs, outputs and profiles. An ONNX file is compiled first.";

static const char examples[] =
  "  ingot inspect net.ingot\n"
  "  ingot inspect net.ingot --json | jq '.layers[].kernel'\n";

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

/* [1, "N", -1] -> "1xNx?". */
static const char *dims_of(const json_t *list, char *text, size_t size) {
  size_t n = 0, i;
  json_t *item;
  snprintf(text, size, "%s", json_array_size(list) ? "" : json_is_array(list) ? "scalar" : "");
  json_array_foreach(list, i, item) {
    const char *between = i ? "x" : "";
    if (n + 32 > size) break;
    if (json_is_string(item)) n += (size_t)snprintf(text + n, size - n, "%s%.24s", between, json_string_value(item));
    else if (json_integer_value(item) < 0) n += (size_t)snprintf(text + n, size - n, "%s?", between);
    else n += (size_t)snprintf(text + n, size - n, "%s%lld", between, (long long)json_integer_value(item));
  }
  return text;
}

static double number_of(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

static ingot_status print_ports(const json_t *root) {
  static const char *const headings[] = {"", "name", "type", "shape", "min", "opt", "max"};
  static const char *const keys[] = {"min", "opt", "max"};
  const json_t *profile = json_array_get(json_object_get(root, "profiles"), 0);
  cli__table table;
  cli__table_init(&table, headings, 7);
  for (int out = 0; out < 2; out++) {
    size_t i;
    json_t *port;
    json_array_foreach(json_object_get(root, out ? "outputs" : "inputs"), i, port) {
      char text[192];
      cli__table_cell(&table, "%s", out ? "output" : "input");
      cli__table_cell(&table, "%s", text_of(port, "name"));
      const char *kind = json_string_value(json_object_get(port, "kind")); /* of tensors: none */
      cli__table_cell(&table, "%s%s%s", kind ? kind : "", kind ? " of " : "", text_of(port, "type"));
      cli__table_cell(&table, "%s", kind ? "" : dims_of(json_object_get(port, "dims"), text, sizeof text));
      const json_t *range = json_object_get(profile, text_of(port, "name"));
      for (size_t k = 0; k < 3; k++) cli__table_cell(&table, "%s", kind ? "" : dims_of(json_object_get(range, keys[k]), text, sizeof text));
    }
  }
  return cli__table_print(&table, stdout);
}

static void fused_cell(cli__table *table, const json_t *layer) {
  char text[160] = "";
  size_t n = 0, i;
  json_t *name;
  json_array_foreach(json_object_get(layer, "nodes"), i, name) {
    const char *word = json_string_value(name) ? json_string_value(name) : "";
    if (n + strlen(word) + 16 > sizeof text) {
      snprintf(text + n, sizeof text - n, ", ...");
      break;
    }
    n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "", word);
  }
  cli__table_cell(table, "%s", text);
}

static ingot_status print_layers(const json_t *root) {
  static const char *const headings[] = {"layer", "type", "kernel", "precision", "output", ">MB", ">MFLOP", "made of"};
  cli__table table;
  cli__table_init(&table, headings, 8);
  const json_t *layers = json_object_get(root, "layers");
  double bytes = 0, flops = 0;
  size_t i;
  json_t *layer;
  json_array_foreach(layers, i, layer) {
    char text[192];
    cli__table_cell(&table, "%s", text_of(layer, "name"));
    cli__table_cell(&table, "%s", text_of(layer, "type"));
    const char *kernel = text_of(layer, "kernel"); /* none: a view of other memory, nothing to run */
    cli__table_cell(&table, "%s", *kernel ? kernel : "-");
    cli__table_cell(&table, "%s", text_of(layer, "precision"));
    json_t *output = json_array_get(json_object_get(layer, "outputs"), 0);
    cli__table_cell(&table, "%s", dims_of(json_object_get(output, "dims"), text, sizeof text));
    cli__table_cell(&table, "%.2f", number_of(layer, "bytes") / 1e6);
    cli__table_cell(&table, "%.1f", number_of(layer, "flops") / 1e6);
    fused_cell(&table, layer);
    bytes += number_of(layer, "bytes"), flops += number_of(layer, "flops");
  }
  putchar('\n');
  CLI_TRY(cli__table_print(&table, stdout));
  printf("\n%zu layers, %.2f MB moved and %.3f GFLOP a run\n", json_array_size(layers), bytes / 1e6, flops / 1e9);
  return INGOT_OK;
}

static ingot_status print_tables(const char *path, const char *text, size_t size) {
  json_error_t error;
  json_t *root = json_loadb(text, size, 0, &error);
  if (!root) return cli__fail(INGOT_E_INTERNAL, "the engine's description can't be read: %s", error.text);
  printf("%s  %s", path, text_of(root, "device"));
  if (number_of(root, "threads") > 0) printf(", %.0f threads", number_of(root, "threads"));
  printf("\n\n");
  ingot_status status = print_ports(root);
  if (status == INGOT_OK) status = print_layers(root);
  json_decref(root);
  return status;
}

static ingot_status inspect(cli__model *model, const cli__build_settings *settings, const char *shapes_text, bool json) {
  if (!model->engine) {
    static cli__shapes shapes;
    CLI_TRY(cli__shapes_read("--shapes", shapes_text, &shapes));
    cli__arrays inputs = {0};
    ingot_status status = cli__inputs_random(model, &shapes, &inputs); /* for their shapes */
    if (status == INGOT_OK) status = cli__model_build(model, settings, &inputs, NULL);
    cli__arrays_free(&inputs);
    if (status != INGOT_OK) return status;
  } else if (shapes_text) {
    return cli__fail(INGOT_E_ARGUMENT, "--shapes is for ONNX files; the engine has its profile");
  }
  char *text;
  size_t size;
  CLI_TRY(cli__library(ingot_engine_inspect(model->engine, &text, &size)));
  ingot_status status = INGOT_OK;
  if (json) {
    fwrite(text, 1, size, stdout);
    if (size == 0 || text[size - 1] != '\n') putchar('\n');
  } else {
    status = print_tables(model->path, text, size);
  }
  ingot_blob_free(model->engine, text, size + 1);
  return status;
}

ingot_status cli__inspect(int argc, char **argv, int *exit_status) {
  (void)exit_status;
  cli__build_settings settings = {0};
  const char *shapes = NULL, *path;
  cli__common_settings common = {0};
  bool json = false, done;
  const cli__option list[] = {
    {CLI__FLAG, "json", 0, NULL, &json, "Print JSON."},
    {CLI__HEADING, NULL, 0, NULL, NULL, "Building an ONNX file"},
    {CLI__TEXT, "shapes", 0, "SHAPES", &shapes, "Inputs' shapes: x:1x3x224x224,y:1x8 (free first dims are 1)."},
    {CLI__COUNT, "threads", 0, "N", &settings.threads, "Threads to build for (all)."},
    CLI__BUILD_OPTIONS(settings),
    {CLI__HEADING, NULL, 0, NULL, NULL, "Other"},
    CLI__COMMON_OPTIONS(common),
  };
  const cli__usage usage = {"inspect", "M [--json]", description, examples, list, sizeof list / sizeof *list};
  CLI_TRY(cli__command(&usage, argc, argv, &path, &done));
  if (done) return INGOT_OK;
  CLI_TRY(cli__common(&common));
  cli__model model;
  ingot_status status = cli__model_open(&model, path);
  if (status == INGOT_OK) status = inspect(&model, &settings, shapes, json);
  cli__model_free(&model);
  return status;
}
