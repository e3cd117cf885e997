/* The profile by layer. */
#include "layers.h"
#include "progress.h"
#include "table.h"
#include <stdlib.h>
#include <string.h>

static char *copy(const char *text) { return strdup(text ? text : ""); }

static bool add(cli__layers *layers, const ingot_layer_profile *p) {
  cli__layer *items = realloc(layers->items, (layers->count + 1) * sizeof *items);
  if (!items) return false;
  layers->items = items;
  cli__layer *layer = &items[layers->count++];
  *layer = (cli__layer){.name = copy(p->name), .type = copy(p->type), .kernel = copy(p->kernel), .precision = copy(p->precision), .flops = p->flops,
                        .bytes = p->bytes, .least = p->least_microseconds / 1e3};
  return layer->name && layer->type && layer->kernel && layer->precision;
}

/* Every run goes through the layers in the same order; sub-networks of If and Loop may come more or less often, so the name is looked at. */
static void observe(void *user, const ingot_layer_profile *p) {
  cli__layers *layers = user;
  if (layers->failed) return;
  const char *name = p->name ? p->name : "";
  size_t at = layers->position;
  if (at >= layers->count || strcmp(layers->items[at].name, name) != 0)
    for (at = 0; at < layers->count && strcmp(layers->items[at].name, name) != 0;) at++;
  if (at == layers->count && !add(layers, p)) {
    layers->failed = true;
    return;
  }
  layers->items[at].milliseconds += p->microseconds / 1e3;
  layers->position = at + 1;
}

ingot_status cli__layers_measure(ingot_context *context, size_t runs, double run, cli__layers *layers) {
  CLI_TRY(cli__library(ingot_context_set_profiler(context, observe, layers)));
  ingot_status status = INGOT_OK;
  for (size_t i = 0; i < runs && status == INGOT_OK; i++) {
    layers->position = 0;
    double start = cli__now();
    status = cli__context_run(context);
    layers->total += (cli__now() - start) * 1e3;
  }
  layers->runs = runs;
  layers->apart = run > 0;
  if (run > 0) layers->total = run * (double)runs;
  ingot_context_set_profiler(context, NULL, NULL);
  return layers->failed ? cli__no_memory() : status;
}

void cli__layers_free(cli__layers *layers) {
  for (size_t i = 0; i < layers->count; i++) {
    free(layers->items[i].name);
    free(layers->items[i].type);
    free(layers->items[i].kernel);
    free(layers->items[i].precision);
  }
  free(layers->items);
  *layers = (cli__layers){0};
}

static double sum_of(const cli__layers *layers) {
  double sum = 0;
  for (size_t i = 0; i < layers->count; i++) sum += layers->items[i].milliseconds;
  return sum;
}

json_t *cli__layers_json(const cli__layers *layers) {
  double runs = layers->runs ? (double)layers->runs : 1, sum = sum_of(layers);
  json_t *list = json_array();
  for (size_t i = 0; i < layers->count && list; i++) {
    const cli__layer *l = &layers->items[i];
    double percent = layers->total > 0 ? 100 * l->milliseconds / layers->total : 0;
    json_t *item = json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:I, s:I}", "name", l->name, "type", l->type, "kernel", l->kernel, "precision",
                             l->precision, "ms", l->milliseconds / runs, "percent", percent, "flops", (json_int_t)l->flops, "bytes",
                             (json_int_t)l->bytes);
    if (l->least > 0) json_object_set_new(item, "roofline_ms", json_real(l->least));
    if (json_array_append_new(list, item) != 0) {
      json_decref(list);
      return NULL;
    }
  }
  return json_pack("{s:I, s:o, s:f, s:f, s:f}", "runs", (json_int_t)layers->runs, "layers", list, "sum_ms", sum / runs, "gaps_ms",
                   (layers->total - sum) / runs, "total_ms", layers->total / runs);
}

ingot_status cli__layers_print(const cli__layers *layers, FILE *file) {
  static const char *const headings[] = {"layer", "type", "kernel", "precision", ">ms", ">%", ">GFLOP/s", ">GB/s", ">roofline %"};
  enum { COLUMNS = 9 };
  double runs = layers->runs ? (double)layers->runs : 1, sum = sum_of(layers), total = layers->total;
  cli__table table;
  cli__table_init(&table, headings, layers->apart ? COLUMNS : COLUMNS - 1); /* the last is for GPUs */
  for (size_t i = 0; i < layers->count; i++) {
    const cli__layer *l = &layers->items[i];
    double ms = l->milliseconds / runs, seconds = ms / 1e3;
    cli__table_cell(&table, "%s", l->name);
    cli__table_cell(&table, "%s", l->type);
    cli__table_cell(&table, "%s", l->kernel);
    cli__table_cell(&table, "%s", l->precision);
    cli__table_cell(&table, "%.4f", ms);
    cli__table_cell(&table, "%.1f", total > 0 ? 100 * l->milliseconds / total : 0);
    cli__table_cell(&table, "%.1f", seconds > 0 ? (double)l->flops / seconds / 1e9 : 0);
    cli__table_cell(&table, "%.1f", seconds > 0 ? (double)l->bytes / seconds / 1e9 : 0);
    if (layers->apart) cli__table_cell(&table, l->least > 0 && ms > 0 ? "%.0f" : "", 100 * l->least / ms);
  }
  const struct { const char *name; double ms; } ends[] = {
    {"(sum of layers)", sum}, {layers->apart ? "(rest)" : "(gaps)", total - sum}, {layers->apart ? "(a run)" : "(total)", total}};
  for (size_t i = 0; i < 3; i++) {
    cli__table_cell(&table, "%s", ends[i].name);
    for (int c = 0; c < 3; c++) cli__table_cell(&table, "%s", "");
    cli__table_cell(&table, "%.4f", ends[i].ms / runs);
    cli__table_cell(&table, "%.1f", total > 0 ? 100 * ends[i].ms / total : 0);
    for (int c = 6; c < (layers->apart ? COLUMNS : COLUMNS - 1); c++) cli__table_cell(&table, "%s", "");
  }
  if (layers->apart) fprintf(file, "\nBy layer: what each adds to a run on the GPU, beside the median run without the profiler\n");
  else fprintf(file, "\nBy layer, mean of %zu runs with the profiler on\n", layers->runs);
  return cli__table_print(&table, file);
}
