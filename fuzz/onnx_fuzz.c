/* Fuzzes the ONNX reader: any bytes are refused or become a network that holds its invariants. The same bytes are read as a TensorProto
 * too. fuzz/model_fuzz.c goes on from there. */
#include "import/onnx/onnx.h"
#include "onnx_mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void silent(void *user, ingot_severity severity, const char *text) { (void)user, (void)severity, (void)text; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static ingot__diag diag;
  const ingot_env env = {.log = silent, .memory_limit = (size_t)256 << 20};
  ingot__network *network = NULL;
  ingot__diag_init(&diag, "fuzz");
  ingot_status status = ingot__onnx_load_memory(&env, data, size, NULL, &diag, &network);
  if (status == INGOT_E_INTERNAL) abort();
  if (status == INGOT_OK && ingot__network_verify(network, &diag) != INGOT_OK) abort();
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
