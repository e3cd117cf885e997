/* The profile: each layer's time over some runs, and a table that adds up. */
#ifndef INGOT_CLI_LAYERS_H
#define INGOT_CLI_LAYERS_H
#include "error.h"
#include <jansson.h>
#include <stdio.h>

typedef struct cli__layer {
  char *name, *type, *kernel;  /* owned */
  double milliseconds;         /* of all runs together */
  int64_t flops, bytes;        /* of one run */
} cli__layer;

typedef struct cli__layers {
  size_t runs, count;
  cli__layer *items;           /* in running order; owned */
  double total;                /* milliseconds of all runs, measured around them: the layers and the gaps between them */
  size_t position;             /* while measuring: the next layer of this run */
  bool failed;                 /* while measuring: no memory */
} cli__layers;

/* Runs the context so often with the profiler. */
ingot_status cli__layers_measure(ingot_context *context, size_t runs, cli__layers *layers);
void cli__layers_free(cli__layers *layers);
/* Milliseconds a run: {"runs", "layers": [{"name","type","kernel","ms","percent","flops","bytes"}], "sum_ms", "gaps_ms", "total_ms"}. */
json_t *cli__layers_json(const cli__layers *layers);
ingot_status cli__layers_print(const cli__layers *layers, FILE *file);
#endif
