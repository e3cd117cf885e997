/* Runs on GPUs that aren't waited for one by one: the memory of inputs and outputs, streams, times. */
#ifndef INGOT_CLI_GPUS_H
#define INGOT_CLI_GPUS_H
#include "model.h"

typedef struct cli__gpu_settings {
  int64_t threads;              /* of each context: for layers on the host */
  int64_t streams;              /* runs in flight; 0 counts as 1 */
  bool stay;                    /* inputs and outputs stay in the GPU's memory: nothing is copied in a run */
  bool all;                     /* on every GPU, each with its part of the batch; else where the engine runs */
} cli__gpu_settings;

typedef struct cli__gpu {
  ingot_device *device;
  ingot_engine *engine;         /* the model's, or its own for another GPU */
  bool own_engine;
  cli__array *inputs;           /* its part of the batch; names and data are another's */
  void **memory;                /* by input: the GPU's, or the host's that is page-locked */
} cli__gpu;

typedef struct cli__lane {      /* a run in flight: on each GPU a context, which has a stream of its own */
  ingot_context **context;
  void **outputs;               /* [GPU * outputs + output]: in the GPU's memory; NULL: the context's own */
  bool busy;
  double start, enqueued;       /* seconds of cli__now */
} cli__lane;

typedef struct cli__gpus {
  size_t count, streams, num_inputs, num_outputs;
  bool stay;
  cli__gpu *gpus;
  cli__lane *lanes;
} cli__gpus;

/* Milliseconds of a run; the slowest GPU's. */
typedef struct cli__run_times { double latency, enqueue, to_device, compute, from_device; } cli__run_times;

/* How many GPUs share the batch: 1 but for `all`. */
ingot_status cli__gpus_count(const cli__gpu_settings *settings, size_t *count);
/* Part i of n of the inputs: those whose first dim is free are split along it, which must go evenly. `part` has room for all of them; names and
 * data are those of `inputs`. */
ingot_status cli__gpus_part(const cli__model *model, const cli__arrays *inputs, size_t n, size_t i, cli__array *part);
/* Contexts and memory for a model that has been built for a GPU (and for the shapes of a part). Free with cli__gpus_close, also after a failure. */
ingot_status cli__gpus_open(cli__gpus *gpus, const cli__model *model, const cli__gpu_settings *settings, const cli__arrays *inputs);
void cli__gpus_close(cli__gpus *gpus);
/* Puts a run of a lane into its streams; it must not be busy. */
ingot_status cli__gpus_start(cli__gpus *gpus, size_t lane);
ingot_status cli__gpus_finish(cli__gpus *gpus, size_t lane, cli__run_times *times);
#endif
