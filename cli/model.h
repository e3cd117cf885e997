/* A model from the command line: an ONNX file or an engine, told apart by content, and an engine of it in the end. */
#ifndef INGOT_CLI_MODEL_H
#define INGOT_CLI_MODEL_H
#include "array.h"
#include "options.h"
#include "shapes.h"

typedef struct cli__port {          /* an input or output */
  char *name;                       /* owned */
  ingot_dtype dtype;
  ingot_kind kind;
  int rank;
  int64_t dims[INGOT_MAX_RANK];     /* -1: not fixed */
  bool one_profile;                 /* of an engine: no other has other shapes */
  bool has_profile;                 /* of an engine's input: */
  int64_t min[INGOT_MAX_RANK], opt[INGOT_MAX_RANK], max[INGOT_MAX_RANK];
} cli__port;

typedef struct cli__model {
  const char *path;
  ingot_network *network;           /* NULL for an engine file */
  ingot_engine *engine;             /* NULL for an ONNX file until cli__model_build */
  size_t num_inputs, num_outputs;
  cli__port *inputs, *outputs;
} cli__model;

/* INGOT_E_UNSUPPORTED where an input or output isn't a tensor of numbers: arrays in files and on the command line are nothing else. */
ingot_status cli__model_numbers(const cli__model *model);

/* How to build; what the options --budget, --threads, ... write into. */
typedef struct cli__build_settings {
  double budget;                    /* seconds */
  int64_t threads;                  /* 0: all */
  const char *timing_cache, *dump, *stop_after; /* NULL: none */
  cli__list skip;
  bool no_verify;
  const char *device;               /* NULL: the CPU */
  bool fp16, bf16, best, no_tf32;
  const char *fp16_error;           /* a number, of an output's range; NULL: the default */
  const char *pools;                /* "workspace:64", MiB; NULL: no limits */
  const char *tactics;              /* "-CUBLAS_LT,+CUDNN"; NULL: the default */
} cli__build_settings;

/* Loads the file and lists its inputs and outputs. Free with cli__model_free, also after a failure. */
ingot_status cli__model_open(cli__model *model, const char *path);
void cli__model_free(cli__model *model);
/* Sets what the settings say. Free the config with ingot_config_destroy, also after a failure. */
ingot_status cli__settings_apply(const cli__build_settings *settings, ingot_config **config);
/* Makes sure that model->engine is there: builds it, when the model is ONNX, for exactly the shapes of `inputs` (one an input, in
 * order). `reference`: also a reference engine, or NULL. An engine whose profile doesn't admit the shapes is an error. */
ingot_status cli__model_build(cli__model *model, const cli__build_settings *settings, const cli__arrays *inputs, ingot_engine **reference);
/* The port of a name among `count`, or NULL; and an error's text for a name that isn't there, with those that are. */
const cli__port *cli__port_find(const cli__port *ports, size_t count, const char *name);
ingot_status cli__port_unknown(const char *where, const char *kind, const char *name, const cli__port *ports, size_t count);
/* "a (float32 1x3x224x224), b (…)" of all ports. Returns `text`. */
const char *cli__ports_text(const cli__port *ports, size_t count, char *text, size_t size);

/* A context with the shapes and addresses of `inputs`, which must outlive it. */
ingot_status cli__context_create(ingot_engine *engine, int64_t threads, const cli__arrays *inputs, ingot_context **context);
/* Copies all outputs after a run, in order. */
ingot_status cli__context_outputs(const cli__model *model, ingot_context *context, cli__arrays *outputs);
#endif
