/* A model's inputs. */
#include "file.h"
#include "inputs.h"
#include "npy.h"
#include "pb.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cli__inputs_given(const cli__input_settings *settings) { return settings->npz || settings->files.count; }

/* ---- Checks ---- */

static ingot_status check_one(const cli__port *port, const char *where, cli__array *array) {
  char who[600], got[192], wanted[192];
  snprintf(who, sizeof who, "%.300s: input '%.200s'", where, port->name);
  if (array->dtype != port->dtype) {
    ingot_dtype was = array->dtype;
    CLI_TRY(cli__array_convert(array, port->dtype, who));
    cli__note("%s converted from %s to %s", who, ingot_dtype_name(was), ingot_dtype_name(port->dtype));
  }
  if (port->rank < 0) return INGOT_OK;
  bool fits = array->rank == port->rank;
  for (int i = 0; fits && i < port->rank; i++) fits = port->dims[i] < 0 || port->dims[i] == array->dims[i];
  cli__dims_text(array->rank, array->dims, got);
  if (!fits) return cli__fail(INGOT_E_SHAPE, "%s has shape %s; the network takes %s", who, got, cli__dims_text(port->rank, port->dims, wanted));
  if (!port->has_profile || !port->one_profile) return INGOT_OK; /* of several profiles the context finds the one that fits */
  for (int i = 0; i < port->rank; i++)
    if (array->dims[i] < port->min[i] || array->dims[i] > port->max[i]) {
      char high[192];
      return cli__fail(INGOT_E_SHAPE, "%s has shape %s; the engine was built for %s to %s (build it with other --minShapes and --maxShapes)",
          who, got,
                       cli__dims_text(port->rank, port->min, wanted), cli__dims_text(port->rank, port->max, high));
    }
  return INGOT_OK;
}

static ingot_status check_names(const cli__model *model, const char *where, const cli__arrays *from) {
  for (size_t i = 0; i < from->count; i++)
    if (!from->items[i].name || !cli__port_find(model->inputs, model->num_inputs, from->items[i].name))
      return cli__port_unknown(where, "input", from->items[i].name ? from->items[i].name : "", model->inputs, model->num_inputs);
  cli__port missing[64];
  size_t count = 0;
  for (size_t i = 0; i < model->num_inputs && count < 64; i++)
    if (!cli__arrays_find(from, model->inputs[i].name)) missing[count++] = model->inputs[i];
  char text[2048];
  if (count == 0) return INGOT_OK;
  return cli__fail(INGOT_E_ARGUMENT, "%s: missing input%s: %s", where, count == 1 ? "" : "s", cli__ports_text(missing, count, text, sizeof text));
}

ingot_status cli__inputs_take(const cli__model *model, const char *where, cli__arrays *from, cli__arrays *inputs) {
  CLI_TRY(check_names(model, where, from));
  for (size_t i = 0; i < model->num_inputs; i++) {
    cli__array *array = cli__arrays_find(from, model->inputs[i].name);
    CLI_TRY(check_one(&model->inputs[i], where, array));
    CLI_TRY(cli__arrays_add(inputs, array)); /* leaves an empty, nameless array behind */
  }
  return INGOT_OK;
}

/* ---- Files ---- */

static ingot_status load_file(const cli__preprocess *preprocess, const char *path, const cli__port *port, cli__array *array) {
  unsigned char head[6] = {0};
  FILE *file;
  uint64_t size;
  CLI_TRY(cli__open_file(path, &file, &size));
  size_t got = fread(head, 1, sizeof head, file);
  fclose(file);
  if (cli__has_ending(path, ".npy") || (got == 6 && memcmp(head, "\x93NUMPY", 6) == 0)) return cli__npy_load(path, array);
  if (cli__has_ending(path, ".pb")) return cli__pb_load(path, array);
  if (cli__has_ending(path, ".npz")) return cli__fail(INGOT_E_ARGUMENT, "%s: .npz files hold several arrays: give it with --inputs", path);
  return cli__preprocess_run(preprocess, path, port->name, port->dtype, port->rank, port->dims, array);
}

/* "name=file"; the longest input's name that matches counts, for names may have '=' in them. */
static ingot_status find_port(const cli__model *model, const char *text, const cli__port **port, const char **path) {
  size_t best = 0;
  *port = NULL;
  for (size_t i = 0; i < model->num_inputs; i++) {
    size_t n = strlen(model->inputs[i].name);
    if (strncmp(text, model->inputs[i].name, n) != 0 || text[n] != '=' || (*port && n <= best)) continue;
    best = n;
    *port = &model->inputs[i];
    *path = text + n + 1;
  }
  if (*port) return INGOT_OK;
  const char *equals = strchr(text, '=');
  if (!equals && model->num_inputs == 1) {
    *port = &model->inputs[0];
    *path = text;
    return INGOT_OK;
  }
  char name[256];
  snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - text) : 0, text);
  if (!equals) {
    char names[2048];
    return cli__fail(INGOT_E_ARGUMENT, "--input %s: which input? Write name=%s; there are: %s", text, text,
                     cli__ports_text(model->inputs, model->num_inputs, names, sizeof names));
  }
  return cli__port_unknown("--input", "input", name, model->inputs, model->num_inputs);
}

static ingot_status load_all(const cli__input_settings *settings, const cli__model *model, cli__arrays *from) {
  cli__preprocess preprocess = {0};
  CLI_TRY(cli__preprocess_read(&settings->texts, &preprocess));
  if (settings->antialias) preprocess.antialias = true;
  preprocess.bgr = settings->bgr;
  if (settings->npz) CLI_TRY(cli__npz_load(settings->npz, from, NULL, NULL));
  for (size_t i = 0; i < settings->files.count; i++) {
    const cli__port *port;
    const char *path;
    CLI_TRY(find_port(model, settings->files.items[i], &port, &path));
    if (cli__arrays_find(from, port->name)) return cli__fail(INGOT_E_ARGUMENT, "input '%s' is given twice", port->name);
    cli__array array = {0};
    CLI_TRY(load_file(&preprocess, path, port, &array));
    free(array.name); /* a .pb's own name: the option's counts */
    if (!(array.name = strdup(port->name))) {
      cli__array_free(&array);
      return cli__no_memory();
    }
    CLI_TRY(cli__arrays_add(from, &array));
  }
  return INGOT_OK;
}

ingot_status cli__inputs_load(const cli__input_settings *settings, const cli__model *model, cli__arrays *inputs) {
  *inputs = (cli__arrays){0};
  cli__arrays from = {0};
  CLI_TRY(cli__model_numbers(model));
  ingot_status status = load_all(settings, model, &from);
  const char *where = settings->npz ? settings->npz : "--input";
  if (status == INGOT_OK) status = cli__inputs_take(model, where, &from, inputs);
  cli__arrays_free(&from);
  return status;
}

/* ---- Made up ---- */

static ingot_status choose_dims(const cli__port *port, const cli__shape *shape, int64_t *dims, int *rank) {
  if (shape) {
    *rank = shape->rank;
    memcpy(dims, shape->dims, sizeof shape->dims);
    return INGOT_OK; /* against the port it is checked with the data */
  }
  if (port->rank < 0) return cli__fail(INGOT_E_ARGUMENT, "input '%s' has no shape in the file: give one with --shapes", port->name);
  *rank = port->rank;
  for (int i = 0; i < port->rank; i++) {
    dims[i] = port->has_profile ? port->opt[i] : port->dims[i] < 0 && i == 0 ? 1 : port->dims[i];
    char text[192];
    if (dims[i] < 0)
      return cli__fail(INGOT_E_ARGUMENT, "input '%s' has free dims (%s): give them with --shapes %s:...", port->name,
                       cli__dims_text(port->rank, port->dims, text), port->name);
  }
  return INGOT_OK;
}

static void fill(cli__array *array, uint64_t *seed) {
  bool is_float = cli__is_float(array->dtype);
  for (size_t i = 0; i < array->count; i++) {
    *seed += 0x9e3779b97f4a7c15u; /* splitmix64 (Steele, Lea, Flood 2014) */
    uint64_t x = *seed;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    cli__array_set(array, i, is_float ? (double)(x >> 40) / (1 << 23) - 1 : (double)(x & 1));
  }
}

ingot_status cli__shapes_check(const char *option, const cli__shapes *shapes, const cli__model *model) {
  for (size_t i = 0; i < shapes->count; i++) {
    const cli__shape *s = &shapes->items[i];
    if (!s->name[0] && model->num_inputs != 1)
      return cli__fail(INGOT_E_ARGUMENT, "%s: a shape without a name, but the network has %zu inputs", option, model->num_inputs);
    const cli__port *port = s->name[0] ? cli__port_find(model->inputs, model->num_inputs, s->name) : &model->inputs[0];
    if (!port) return cli__port_unknown(option, "input", s->name, model->inputs, model->num_inputs);
    bool fits = port->rank < 0 || port->rank == s->rank;
    for (int k = 0; fits && k < port->rank; k++) fits = port->dims[k] < 0 || port->dims[k] == s->dims[k];
    char got[192], wanted[192];
    if (!fits)
      return cli__fail(INGOT_E_SHAPE, "%s: %s for input '%s', but the network takes %s", option, cli__dims_text(s->rank, s->dims, got), port->name,
                       cli__dims_text(port->rank, port->dims, wanted));
  }
  return INGOT_OK;
}

ingot_status cli__inputs_random(const cli__model *model, const cli__shapes *shapes, cli__arrays *inputs) {
  *inputs = (cli__arrays){0};
  CLI_TRY(cli__model_numbers(model));
  CLI_TRY(cli__shapes_check("--shapes", shapes, model));
  uint64_t seed = 1;
  for (size_t i = 0; i < model->num_inputs; i++) {
    const cli__port *port = &model->inputs[i];
    int64_t dims[INGOT_MAX_RANK];
    int rank = 0;
    CLI_TRY(choose_dims(port, cli__shapes_find(shapes, port->name, model->num_inputs == 1), dims, &rank));
    cli__array array;
    CLI_TRY(cli__array_alloc(&array, port->name, port->dtype, rank, dims));
    fill(&array, &seed);
    ingot_status status = check_one(port, "--shapes", &array);
    if (status != INGOT_OK) {
      cli__array_free(&array);
      return status;
    }
    CLI_TRY(cli__arrays_add(inputs, &array));
  }
  return INGOT_OK;
}
