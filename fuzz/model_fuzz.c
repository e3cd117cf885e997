/* Fuzzes load, build and run with ONNX models: what the reader takes is built by the cost model alone and with little memory, by the passes
 * and for the reference, and run at two sets of shapes on two sorts of data, or refused with an error that isn't ours. */
#include "api/api.h"
#include "ir/network.h"
#include "onnx_mutate.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void silent(void *user, ingot_severity severity, const char *text) { (void)user, (void)severity, (void)text; }

enum { MOST_INPUT = 1 << 15, MOST_INPUTS = 16, MOST_LAYERS = 60, MOST_TRIPS = 16 };
static const int64_t sizes[] = {3, 1}; /* what dims that aren't fixed get */

static void must_not_be_ours(ingot_status status) {
  if (status != INGOT_E_INTERNAL) return;
  fprintf(stderr, "%s\n", ingot_last_error());
  abort();
}

/* Data of any type: zeros, a pattern of bytes that are small numbers in many types, or ones for bools. */
static const char *data_of(int which) {
  static _Alignas(64) char zeros[MOST_INPUT], pattern[MOST_INPUT], ones[MOST_INPUT];
  static bool made;
  for (int i = 0; !made && i < MOST_INPUT; i++) {
    pattern[i] = (char)(i % 4 == 3 ? 0x3f : i % 4 == 2 ? i / 4 * 37 : i % 8 == 0 ? i / 8 % 5 : 0);
    ones[i] = 1;
  }
  made = true;
  return which == 0 ? zeros : which == 1 ? pattern : ones;
}

static void run(ingot_engine *engine, int which) {
  ingot_context *context;
  if (ingot_context_create(engine, &(ingot_context_options){.threads = 1}, &context) != INGOT_OK) return;
  bool ready = true;
  for (size_t i = 0; ready && i < ingot_engine_num_io(engine); i++) {
    ingot_io_info info;
    size_t bytes = 16;
    if (ingot_engine_io(engine, i, &info) != INGOT_OK || !info.is_input) continue;
    for (int d = 0; d < info.rank; d++) {
      if (info.dims[d] < 0) info.opt[d] = sizes[which];
      if (bytes <= MOST_INPUT) bytes *= info.opt[d] < MOST_INPUT ? (size_t)info.opt[d] : MOST_INPUT;
    }
    ready = bytes <= MOST_INPUT && info.dtype != INGOT_STRING && ingot_context_set_input_shape(context, info.name, info.rank, info.opt) == INGOT_OK &&
            ingot_context_set_address(context, info.name, (void *)(uintptr_t)data_of(which && info.dtype == INGOT_BOOL ? 2 : which)) == INGOT_OK;
  }
  if (ready) must_not_be_ours(ingot_context_run(context));
  ingot_context_destroy(context);
}

/* A loop runs for as long as its model says: those are run that say so with a small constant, and stand alone. */
static bool loops_long(const ingot_network *network) {
  size_t loops = 0;
  for (size_t i = 0; i < network->n_node; i++) {
    const ingot__node *n = network->node[i];
    if (!n || n->op != INGOT__OP_Loop) continue;
    const ingot__value *trips = n->n_in ? n->in[0] : NULL;
    int64_t most = -1;
    if (trips && trips->data && trips->type.dtype == INGOT_INT64 && trips->bytes == 8) memcpy(&most, trips->data, 8);
    if (++loops > 1 || most < 0 || most > MOST_TRIPS) return true;
  }
  return false;
}

static void build_and_run(const ingot_env *env, const ingot_network *network, bool reference) {
  ingot_config *config;
  ingot_engine *engine;
  if (ingot_config_create(env, &config) != INGOT_OK) return;
  ingot_config_set_budget(config, 0);
  ingot_config_set_threads(config, 1);
  ingot_config_set_verify(config, false);
  for (size_t i = 0; i < ingot_network_num_inputs(network); i++) {
    const ingot_tensor *input = ingot_network_input(network, i);
    int64_t least[INGOT_MAX_RANK], dims[INGOT_MAX_RANK];
    ingot_tensor_dims(input, dims);
    for (int d = 0; d < ingot_tensor_rank(input); d++) least[d] = dims[d] < 0 ? sizes[1] : dims[d], dims[d] = dims[d] < 0 ? sizes[0] : dims[d];
    if (ingot_tensor_rank(input) >= 0) ingot_config_set_profile(config, ingot_tensor_name(input), ingot_tensor_rank(input), least, dims, NULL);
  }
  ingot_status status = reference ? ingot_build_reference(network, config, &engine) : ingot_build(network, config, &engine);
  must_not_be_ours(status);
  if (status == INGOT_OK) {
    run(engine, 0);
    run(engine, 1);
    ingot_engine_destroy(engine);
  }
  ingot_config_destroy(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const ingot_env env = {.log = silent, .memory_limit = (size_t)64 << 20};
  ingot_network *network = NULL;
  ingot_status status = ingot_network_load_memory(&env, data, size, NULL, &network);
  must_not_be_ours(status);
  if (status != INGOT_OK) return 0;
  if (ingot_network_num_layers(network) <= MOST_LAYERS && ingot_network_num_inputs(network) <= MOST_INPUTS && !loops_long(network)) {
    build_and_run(&env, network, false);
    build_and_run(&env, network, true);
  }
  ingot_network_destroy(network);
  return 0;
}
