/* The profile: each layer's time over some runs, and a table that adds up. */
#ifndef INGOT_CLI_LAYERS_H
#define INGOT_CLI_LAYERS_H
#include "error.h"
#include <jansson.h>
#include <stdio.h>

typedef struct cli__layer {
  char *name, *type, *kernel, *precision; /* owned */
  double milliseconds;         /* of all runs together */
  int64_t flops, bytes;        /* of one run */
  double least;                /* milliseconds that a run needs for them at least; 0: not known */
} cli__layer;

typedef struct cli__layers {
  size_t runs, count;
  cli__layer *items;           /* in running order; owned */
  double total;                /* milliseconds of all runs: the layers and the gaps between them */
  bool apart;                  /* `total` is of runs without the profiler */
  size_t position;             /* while measuring: the next layer of this run */
  bool failed;                 /* while measuring: no memory */
} cli__layers;

/* Runs the context so often with the profiler. run: milliseconds of a run without it, on GPUs, where runs with it are another thing; 0: what the
 * runs take. */
ingot_status cli__layers_measure(ingot_context *context, size_t runs, double run, cli__layers *layers);
void cli__layers_free(cli__layers *layers);
/* Milliseconds a run: {"runs", "layers": [{"name","type","kernel","precision","ms","percent","flops","bytes","roofline_ms"}], "sum_ms", "gaps_ms",
 * "total_ms"}. */
json_t *cli__layers_json(const cli__layers *layers);
ingot_status cli__layers_print(const cli__layers *layers, FILE *file);
#endif
