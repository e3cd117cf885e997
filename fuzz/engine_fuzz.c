/* Engine files: the input is a list of changes (offset in three bytes, value in one) to the description of a good engine, whose checksums
 * are then made right again; what still loads must run or say why not. */
#include "tests/engine/engine_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char *good, *bytes;
  static size_t length;
  if (!good) {
    good = engine_bytes(&length);
    bytes = malloc(length);
    if (!bytes) abort();
  }
  memcpy(bytes, good, length);
  ingot__engine_head head;
  memcpy(&head, good, sizeof head);
  for (; size >= 4; data += 4, size -= 4) {
    size_t at = (size_t)(data[0] << 16 | data[1] << 8 | data[2]) % head.description_size;
    bytes[sizeof head + at] = (char)data[3];
  }
  engine_repair(bytes, length);
  ingot_env env = {.memory_limit = 256 << 20, .log = engine_silent};
  ingot_engine *engine;
  if (ingot_engine_load_memory(&env, bytes, length, &engine) != INGOT_OK) return 0;
  engine_run(engine);
  ingot_engine_destroy(engine);
  return 0;
}
