/* An engine's bytes, repaired checksums, and a run of whatever was loaded: for the tests of damaged engines and their fuzzer. */
#ifndef INGOT_TESTS_ENGINE_BYTES_H
#define INGOT_TESTS_ENGINE_BYTES_H
#include "engine/format.h"
#include "testing_networks.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* From malloc. */
static inline void *engine_bytes(size_t *size) {
  ingot_engine *engine;
  void *data, *copy;
  if (testing_engine(NULL, TESTING_IMAGE_NETWORK, 8, 8, 1, &engine) != INGOT_OK) abort();
  if (ingot_engine_serialize(engine, &data, size) != INGOT_OK || !(copy = malloc(*size))) abort();
  memcpy(copy, data, *size);
  ingot_blob_free(engine, data, *size);
  ingot_engine_destroy(engine);
  return copy;
}

/* Right checksums for what is there; the sizes in the head are left alone. */
static inline void engine_repair(void *bytes, size_t size) {
  ingot__engine_head head;
  if (size < sizeof head) return;
  memcpy(&head, bytes, sizeof head);
  if (head.description_size <= size - sizeof head) head.description_hash = XXH3_64bits((char *)bytes + sizeof head, head.description_size);
  if (head.blobs_offset <= size) head.blobs_hash = XXH3_64bits((char *)bytes + head.blobs_offset, size - head.blobs_offset);
  head.head_hash = XXH3_64bits(&head, sizeof head - 8);
  memcpy(bytes, &head, sizeof head);
}

static inline void engine_silent(void *user, ingot_severity severity, const char *text) { (void)user, (void)severity, (void)text; }

/* A sequence of two small tensors, or an optional of one; empty strings and zeros. */
static inline ingot_status engine_set_value(ingot_context *context, const ingot_io_info *io) {
  static const char zeros[64];
  const int64_t dims[1] = {2};
  ingot_value *tensor, *element[2], *value = NULL;
  INGOT_TRY(ingot_value_create_tensor(NULL, io->dtype, 1, dims, zeros, &tensor));
  element[0] = element[1] = tensor;
  ingot_status status = io->kind == INGOT_KIND_OPTIONAL ? ingot_value_create_optional(NULL, tensor, &value)
                                                        : ingot_value_create_sequence(NULL, element, 2, &value);
  if (status == INGOT_OK) status = ingot_context_set_value(context, io->name, value);
  ingot_value_destroy(value);
  ingot_value_destroy(tensor);
  return status;
}

/* Runs it on zeros in its best shapes, where these are small. */
static inline ingot_status engine_run(ingot_engine *engine) {
  ingot_context *context;
  float *memory[8] = {0};
  INGOT_TRY(ingot_context_create(engine, &(ingot_context_options){.threads = 1}, &context));
  ingot_status status = INGOT_OK;
  for (size_t i = 0; i < ingot_engine_num_io(engine) && i < 8 && status == INGOT_OK; i++) {
    ingot_io_info io;
    size_t n = 1, bytes = 0;
    if ((status = ingot_engine_io(engine, i, &io)) != INGOT_OK || !io.is_input) break;
    if (io.kind != INGOT_KIND_TENSOR) {
      status = engine_set_value(context, &io);
      continue;
    }
    for (int d = 0; d < io.rank; d++)
      if (io.opt[d] < 0 || io.opt[d] > 1 << 12 || !ingot__mul(n, (size_t)io.opt[d], &n)) status = INGOT_E_LIMIT;
    if (status == INGOT_OK && (!ingot__dtype_bytes(io.dtype, n, &bytes) || bytes > 1 << 20)) status = INGOT_E_LIMIT;
    if (status == INGOT_OK) status = ingot_context_set_input_shape(context, io.name, io.rank, io.opt);
    if (status == INGOT_OK && !(memory[i] = calloc(1, bytes ? bytes : 1))) status = INGOT_E_MEMORY;
    if (status == INGOT_OK) status = ingot_context_set_address(context, io.name, memory[i]);
  }
  if (status == INGOT_OK) status = ingot_context_run(context);
  ingot_context_destroy(context);
  for (int i = 0; i < 8; i++) free(memory[i]);
  return status;
}
#endif
