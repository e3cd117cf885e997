/* Files mapped for a network: what may be mapped, and that it can be read while the network lives. */
#include "ir/network.h"
#include "testing.h"
#include <sys/stat.h>

static ingot_status map(ingot__network *n, const char *path, const char *error, const void **data, size_t *size) {
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  ingot_status status = ingot__network_map_file(n, path, &diag, data, size);
  if (error && !strstr(diag.text, error)) fail_msg("%s", diag.text);
  return status;
}

static void files(void **unused) {
  (void)unused;
  ingot__network *n = ingot__network_new(NULL);
  const void *data[2] = {NULL, NULL};
  size_t size[2] = {0, 0};
  for (int i = 0; i < 2; i++) {
    const char *path = testing_file(i ? "12345" : "abc", i ? 5 : 3);
    assert_int_equal(map(n, path, NULL, &data[i], &size[i]), INGOT_OK);
    testing_file_remove(path);
  }
  assert_int_equal(size[0], 3);
  assert_memory_equal(data[0], "abc", 3);
  assert_int_equal(size[1], 5);
  assert_memory_equal(data[1], "12345", 5);
  const char *path = testing_file("", 0);
  assert_int_equal(map(n, path, NULL, &data[0], &size[0]), INGOT_OK);
  assert_non_null(data[0]);
  assert_int_equal(size[0], 0);
  testing_file_remove(path);
  assert_int_equal(map(n, path, "can't open", &data[0], &size[0]), INGOT_E_IO);
  assert_int_equal(map(n, "/", "not a regular file", &data[0], &size[0]), INGOT_E_IO);
  assert_int_equal(map(n, "/dev/null", "not a regular file", &data[0], &size[0]), INGOT_E_IO);
  assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes to it: must not wait */
  assert_int_equal(map(n, path, "not a regular file", &data[0], &size[0]), INGOT_E_IO);
  testing_file_remove(path);
  ingot__network_free(n);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(files)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
