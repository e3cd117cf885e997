/* Engine files that are cut off, changed, or changed and given right checksums again: loading refuses or gives an engine that runs; it
 * never reads outside. INGOT_TEST_ASAN INGOT_TEST_SECONDS 300 */
#include "testing.h"
#include "testing_networks.h"
#include "engine_bytes.h"
#include "api/values_network.h"

static void whole(void **state) {
  (void)state;
  ingot_engine *engine;
  size_t size;
  void *bytes = engine_bytes(&size);
  assert_int_equal(ingot_engine_load_memory(NULL, bytes, size, &engine), INGOT_OK);
  assert_int_equal(engine_run(engine), INGOT_OK);
  ingot_engine_destroy(engine);
  free(bytes);
}

static void cut_off(void **state) {
  (void)state;
  size_t size;
  char *bytes = engine_bytes(&size);
  for (size_t n = 0; n < size; n += n < 300 ? 1 : 97) {
    ingot_engine *engine = NULL;
    char *part = malloc(n ? n : 1); /* of its own, so that reading past the end shows */
    memcpy(part, bytes, n);
    assert_int_equal(ingot_engine_load_memory(NULL, part, n, &engine), INGOT_E_FORMAT);
    assert_null(engine);
    free(part);
  }
  free(bytes);
}

static void changed(void **state) {
  (void)state;
  size_t size;
  char *bytes = engine_bytes(&size);
  for (size_t i = 0; i < size; i += i < 1000 ? 1 : 53) {
    ingot_engine *engine = NULL;
    bytes[i] = (char)(bytes[i] ^ 0x10);
    ingot_status status = ingot_engine_load_memory(NULL, bytes, size, &engine);
    if (status != INGOT_E_FORMAT && status != INGOT_E_UNSUPPORTED && status != INGOT_E_LIMIT)
      fail_msg("byte %zu changed: %s: %s", i, ingot_status_text(status), ingot_last_error());
    assert_null(engine);
    bytes[i] = (char)(bytes[i] ^ 0x10);
  }
  free(bytes);
}

/* In the description, or every other time between `low` and `high`; returns how many could be loaded. Frees the bytes. */
static size_t change_and_load(char *bytes, size_t size, int times, size_t low, size_t high) {
  size_t loaded = 0;
  char *copy = malloc(size);
  ingot__engine_head head;
  memcpy(&head, bytes, sizeof head);
  uint64_t random = 17;
  for (int i = 0; i < times; i++) {
    memcpy(copy, bytes, size);
    for (int k = 1 + (int)(testing_random(&random) * 3); k > 0; k--) {
      size_t at = sizeof head + (size_t)(testing_random(&random) * (double)head.description_size);
      if (high && i / 2 % 2) at = low + (size_t)(testing_random(&random) * (double)(high - low));
      static const unsigned char values[] = {0, 1, 2, 4, 127, 128, 255, 8};
      copy[at] = (char)(i % 2 ? values[(int)(testing_random(&random) * 8)] : (unsigned char)(testing_random(&random) * 256));
    }
    engine_repair(copy, size);
    ingot_engine *engine = NULL;
    if (ingot_engine_load_memory(&(ingot_env){.memory_limit = 256 << 20, .log = engine_silent}, copy, size, &engine) != INGOT_OK) continue;
    loaded++;
    engine_run(engine); /* whatever it says */
    ingot_engine_destroy(engine);
  }
  printf("%zu of %d were loaded\n", loaded, times);
  free(copy);
  free(bytes);
  return loaded;
}

static void changed_with_right_checksums(void **state) {
  (void)state;
  size_t size;
  char *bytes = engine_bytes(&size);
  change_and_load(bytes, size, 6000, 0, 0);
}

/* Strings lie among the blobs with their lengths; sequences and optionals are types that a damaged file may put anywhere. */
static void values_changed_with_right_checksums(void **state) {
  (void)state;
  ingot_engine *engine;
  void *data;
  size_t size;
  assert_int_equal(values_build(NULL, false, &engine), INGOT_OK);
  assert_int_equal(ingot_engine_serialize(engine, &data, &size), INGOT_OK);
  char *bytes = malloc(size);
  memcpy(bytes, data, size);
  ingot_blob_free(engine, data, size);
  ingot_engine_destroy(engine);
  static const char text[] = "a\0b\0\0é"; /* behind their number and their three ends */
  size_t at = 32;
  while (at + sizeof text < size && memcmp(bytes + at, text, sizeof text)) at++;
  assert_true(at + sizeof text < size);
  assert_true(change_and_load(bytes, size, 4000, at - 32, at + sizeof text) > 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(whole), cmocka_unit_test(cut_off), cmocka_unit_test(changed), cmocka_unit_test(changed_with_right_checksums),
    cmocka_unit_test(values_changed_with_right_checksums),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
