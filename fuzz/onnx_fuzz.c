/* Fuzzes the ONNX importer: any bytes are refused or become a network that holds its invariants; what was read is built and run, by the cost
 * model alone and with little memory, or refused with an error that isn't ours. The same bytes are read as a TensorProto too. */
#include "import/onnx/onnx.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void silent(void *user, ingot_severity severity, const char *text) { (void)user, (void)severity, (void)text; }

enum { MOST_INPUT = 1 << 16, MOST_DIM = 8 };

/* One run on zeros at the shapes the engine was tuned for. */
static void run(ingot_engine *engine) {
  static const char zeros[MOST_INPUT];
  ingot_context *context;
  if (ingot_context_create(engine, &(ingot_context_options){.threads = 1}, &context) != INGOT_OK) return;
  bool ready = true;
  for (size_t i = 0; ready && i < ingot_engine_num_io(engine); i++) {
    ingot_io_info info;
    size_t bytes = 16;
    if (ingot_engine_io(engine, i, &info) != INGOT_OK || !info.is_input) continue;
    for (int d = 0; d < info.rank && bytes <= MOST_INPUT; d++) bytes *= info.opt[d] < MOST_INPUT ? (size_t)info.opt[d] : MOST_INPUT;
    ready = bytes <= MOST_INPUT && info.dtype != INGOT_STRING && ingot_context_set_input_shape(context, info.name, info.rank, info.opt) == INGOT_OK &&
            ingot_context_set_address(context, info.name, (void *)(uintptr_t)zeros) == INGOT_OK;
  }
  if (ready && ingot_context_run(context) == INGOT_E_INTERNAL) abort();
  ingot_context_destroy(context);
}

static bool loops(const ingot_network *network) { /* such may run for as long as they say */
  for (size_t i = 0; i < network->n_node; i++)
    if (network->node[i] && network->node[i]->op == INGOT__OP_Loop) return true;
  return false;
}

static void build_and_run(const ingot_env *env, const ingot_network *network) {
  ingot_config *config;
  ingot_engine *engine;
  if (ingot_config_create(env, &config) != INGOT_OK) return;
  ingot_config_set_budget(config, 0);
  ingot_config_set_threads(config, 1);
  ingot_config_set_verify(config, false);
  for (size_t i = 0; i < ingot_network_num_inputs(network); i++) {
    const ingot_tensor *input = ingot_network_input(network, i);
    int64_t dims[INGOT_MAX_RANK];
    ingot_tensor_dims(input, dims);
    for (int d = 0; d < ingot_tensor_rank(input); d++) dims[d] = dims[d] < 0 ? MOST_DIM : dims[d];
    if (ingot_tensor_rank(input) >= 0) ingot_config_set_profile(config, ingot_tensor_name(input), ingot_tensor_rank(input), NULL, dims, NULL);
  }
  ingot_status status = ingot_build(network, config, &engine);
  if (status == INGOT_E_INTERNAL) abort();
  if (status == INGOT_OK) {
    run(engine);
    ingot_engine_destroy(engine);
  }
  ingot_config_destroy(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static ingot__diag diag;
  const ingot_env env = {.log = silent, .memory_limit = (size_t)256 << 20};
  ingot__network *network = NULL;
  ingot__diag_init(&diag, "fuzz");
  ingot_status status = ingot__onnx_load_memory(&env, data, size, NULL, &diag, &network);
  if (status == INGOT_E_INTERNAL) abort();
  if (status == INGOT_OK && ingot__network_verify(network, &diag) != INGOT_OK) abort();
  if (status == INGOT_OK && ingot_network_num_layers(network) < 200 && !loops(network)) build_and_run(&env, network);
  ingot__network_free(network);

  ingot__heap heap;
  ingot__arena arena;
  ingot__literal tensor;
  ingot__heap_init(&heap, &env);
  ingot__arena_init(&arena, &heap);
  ingot__diag_init(&diag, "fuzz");
  ingot__onnx_load_tensor(&heap, &arena, data, size, &diag, &tensor, NULL);
  ingot__arena_free(&arena);
  return 0;
}
