/* From network to engine. */
#ifndef INGOT_COMPILE_COMPILE_H
#define INGOT_COMPILE_COMPILE_H
#include "engine/engine.h"
#include "passes/passes.h"
#include "plan/plan.h"
#include "tune/tune.h"
#include <pthread.h>

enum { INGOT__FP16_ERROR_AUTO = -1, INGOT__MOST_SKIPS = 64, INGOT__DEFAULT_MAX_BATCH = 1024 };

typedef struct ingot__shape_range { /* a profile for one input, as the user gave it */
  const char *input;
  size_t profile;
  int rank;
  int64_t min[INGOT_MAX_RANK], opt[INGOT_MAX_RANK], max[INGOT_MAX_RANK];
} ingot__shape_range;

struct ingot_config {
  ingot__heap heap;
  ingot__arena arena;
  ingot__log log;
  ingot_env env;
  ingot__shape_range *range;
  size_t n_range, range_capacity;
  size_t n_profile;             /* ranges are set for the last */
  int threads;
  double budget;
  const char *timing_cache;
  const char *backend;          /* NULL: the default */
  int device_index;
  unsigned precision;           /* INGOT_PRECISION_ */
  unsigned tactics;             /* INGOT_TACTIC_ */
  double fp16_error;            /* of an output's range, that float16's rounding may cause; 0: any, INGOT__FP16_ERROR_AUTO: rounding.c's */
  size_t workspace;             /* bytes that a kernel may want; 0: any */
  bool verify;
  ingot__progress progress;
  const char *dump_folder, *stop_after, *skip[INGOT__MOST_SKIPS];
  size_t n_skip;
};

/* One build's state, handed from step to step. */
typedef struct ingot__build {
  const ingot_config *config;
  ingot__diag *diag;
  ingot_engine *engine;         /* the result, being made */
  ingot__arena arena;           /* freed at the end */
  ingot__heap heap;
  ingot__pool *pool;
  ingot__tuner tuner;
  ingot__planner planner;
  ingot_dtype narrow;           /* what float32 may become; INGOT_UNDEFINED: nothing */
  ingot__name_list wide, exact; /* values whose layers stay in float32: they leave float16's range; they don't bear TF32 either */
  pthread_t opener;             /* of vendors' libraries, while `opening` */
  bool opening;
  ingot__pass_record *passes;
  size_t n_passes;
  double start, seconds_measure, seconds_passes, seconds_plan, seconds_verify;
  struct { size_t layers, whole, sampled, elements; double worst; const char *worst_layer; } verified;
} ingot__build;

ingot_status ingot__compile(const ingot__network *network, const ingot_config *config, bool reference, ingot__diag *diag, ingot_engine **engine);

/* ---- Steps */
ingot_status ingot__build_profile(ingot__build *build);  /* profiles of inputs; fixed dims become numbers everywhere */
/* Fills `wide` and `exact`: from runs of the network, as it was given, on the host. That it can't be run is no error. */
ingot_status ingot__build_measure(ingot__build *build, const ingot__network *network);
/* Begins to open the target's vendor's libraries, where kernels will be timed; waits until that has ended. */
void ingot__build_open_libraries(ingot__build *build);
void ingot__build_await_libraries(ingot__build *build);
ingot_status ingot__build_verify(ingot__build *build);
ingot_status ingot__build_report(ingot__build *build);

/* ---- Runs on random inputs: random_run.c */
enum { INGOT__AT_OPT, INGOT__AT_MIN, INGOT__AT_MAX };
uint64_t ingot__random(uint64_t *state);
const int64_t *ingot__dims_at(const ingot__profile *profile, int which);
/* Sets a context's inputs, of the shapes that the profile (one an input) has at `which`; their memory is the arena's, which is reset. */
ingot_status ingot__random_inputs(ingot_context *context, const ingot__profile *profile, int which, uint64_t *random, ingot__arena *arena,
                                  ingot__diag *diag);
/* A run that is cancelled after `most` seconds: INGOT_E_LIMIT. */
ingot_status ingot__run_guarded(ingot_context *context, int most, ingot__diag *diag);
#endif
