/* The first layer where the engine leaves the reference: both are watched while they run, and compared tensor by tensor. */
#include "compare.h"
#include "progress.h"
#include "table.h"
#include <stdlib.h>
#include <string.h>

typedef struct found { char *name; cli__difference difference; } found;
typedef struct watch {
  cli__arrays truth;             /* the reference's tensors */
  const cli__tolerance *tolerance;
  found *list;                   /* the engine's, in its order */
  size_t count;
  ingot_status status;           /* of the callbacks */
} watch;

static void keep(void *user, const char *tensor, ingot_dtype dtype, int rank, const int64_t *dims, const void *data) {
  watch *w = user;
  if (w->status != INGOT_OK || ingot_dtype_bits(dtype) == 0) return;
  cli__array array, *before = cli__arrays_find(&w->truth, tensor);
  w->status = cli__array_alloc(&array, tensor, dtype, rank, dims);
  if (w->status != INGOT_OK) return;
  if (array.bytes) memcpy(array.data, data, array.bytes);
  if (before) { /* in a loop: the last turn counts, on both sides */
    cli__array_free(before);
    *before = array;
  } else {
    w->status = cli__arrays_add(&w->truth, &array);
  }
}

static void check(void *user, const char *tensor, ingot_dtype dtype, int rank, const int64_t *dims, const void *data) {
  watch *w = user;
  const cli__array *truth = cli__arrays_find(&w->truth, tensor);
  if (w->status != INGOT_OK || !truth || ingot_dtype_bits(dtype) == 0) return;
  cli__array got = {.dtype = dtype, .rank = rank, .data = (void *)(uintptr_t)data};
  memcpy(got.dims, dims, (size_t)rank * sizeof *dims);
  if (!cli__array_size(dtype, rank, dims, &got.count, &got.bytes)) return;
  size_t at = 0;
  while (at < w->count && strcmp(w->list[at].name, tensor) != 0) at++;
  if (at == w->count) {
    found *list = realloc(w->list, (w->count + 1) * sizeof *list);
    if (list) w->list = list;
    char *name = list ? strdup(tensor) : NULL;
    if (!name) {
      w->status = cli__no_memory();
      return;
    }
    w->list[w->count++].name = name;
  }
  w->list[at].difference = cli__difference_of(&got, truth, w->tolerance);
}

static ingot_status watch_run(ingot_engine *engine, int64_t threads, const cli__arrays *inputs, ingot_observer_fn observer, watch *w) {
  ingot_context *context;
  ingot_status status = cli__context_create(engine, threads, inputs, &context);
  if (status == INGOT_OK) status = cli__library(ingot_context_set_observer(context, observer, w));
  if (status == INGOT_OK) status = cli__context_run(context);
  ingot_context_destroy(context);
  return status != INGOT_OK ? status : w->status;
}

static const ingot_layer *maker_of(const ingot_network *network, const char *tensor) {
  for (size_t i = 0; network && i < ingot_network_num_layers(network); i++) {
    const ingot_layer *layer = ingot_network_layer(network, i);
    for (size_t k = 0; k < ingot_layer_num_outputs(layer); k++) {
      const ingot_tensor *output = ingot_layer_output(layer, k);
      if (output && strcmp(ingot_tensor_name(output), tensor) == 0) return layer;
    }
  }
  return NULL;
}

static ingot_status print(const watch *w, const ingot_network *network, bool all) {
  size_t first = 0, bad = 0;
  for (size_t i = w->count; i-- > 0;)
    if (!w->list[i].difference.same) first = i, bad++;
  printf("\nlayers: %zu tensors compared with the reference, %zu differ\n", w->count, bad);
  if (bad) {
    const found *f = &w->list[first];
    const ingot_layer *layer = maker_of(network, f->name);
    printf("first to differ: %s", f->name);
    if (layer) printf(", made by %s (%s)", ingot_layer_name(layer), ingot_layer_type(layer));
    if (f->difference.shapes_differ) printf(": its shape");
    else printf(": by %.3g of a range of %.3g, in %zu elements", f->difference.most, f->difference.range, f->difference.beyond);
    printf("\n");
    if (first > 0) printf("the tensor before it, %s, agrees within %.3g\n", w->list[first - 1].name, w->list[first - 1].difference.most);
  }
  if (!all) return INGOT_OK;
  static const char *const headings[] = {"tensor", ">largest difference", ">range", ""};
  cli__table table;
  cli__table_init(&table, headings, 4);
  for (size_t i = 0; i < w->count; i++) {
    cli__table_cell(&table, "%s", w->list[i].name);
    cli__table_cell(&table, "%.3g", w->list[i].difference.most);
    cli__table_cell(&table, "%.3g", w->list[i].difference.range);
    cli__table_cell(&table, "%s", w->list[i].difference.same ? "same" : w->list[i].difference.shapes_differ ? "OTHER SHAPE" : "DIFFERENT");
  }
  return cli__table_print(&table, stdout);
}

ingot_status cli__compare_layers(ingot_engine *engine, ingot_engine *reference, const ingot_network *network, int64_t threads,
                                 const cli__arrays *inputs, const cli__tolerance *tolerance, bool all) {
  cli__tolerance inner = *tolerance; /* one level in a quantised tensor is no error of a kernel's */
  inner.levels = 1;
  watch w = {.tolerance = &inner};
  ingot_status status = watch_run(reference, threads, inputs, keep, &w);
  if (status == INGOT_OK) status = watch_run(engine, threads, inputs, check, &w);
  if (status == INGOT_OK) status = print(&w, network, all);
  for (size_t i = 0; i < w.count; i++) free(w.list[i].name);
  free(w.list);
  cli__arrays_free(&w.truth);
  return status;
}
