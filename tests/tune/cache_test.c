/* The timing cache: what is written is read again, damaged files are no more than a warning, and a failed save leaves the old file.
 * INGOT_TEST_ASAN */
#include "testing.h"
#include "tune/tune.h"

static int warnings;
static void count(void *user, ingot_severity severity, const char *text) {
  (void)user, (void)text;
  warnings += severity == INGOT_LOG_WARNING;
}
static const ingot__log log_ = {count, NULL, INGOT_LOG_WARNING};

static void open_tuner(ingot__tuner *t, ingot__heap *heap) {
  static ingot_engine engine = {.device = "a device"};
  engine.backend = ingot__backend_find(NULL);
  ingot__heap_init(heap, NULL);
  assert_int_equal(ingot__tuner_init(t, heap, NULL, &engine, 0, NULL), INGOT_OK);
}

static float seconds_of(const ingot__tuner *t, uint64_t key) {
  for (size_t i = 0; i < t->capacity; i++)
    if (t->table[i].key == key) return t->table[i].seconds;
  return -1;
}

static size_t read_text(const char *text, size_t size) { /* returns how many times were read */
  ingot__tuner t;
  ingot__heap heap;
  const char *path = testing_file(text, size);
  open_tuner(&t, &heap);
  assert_int_equal(ingot__tuner_load(&t, path, &log_, NULL), INGOT_OK);
  testing_file_remove(path);
  size_t n = t.count;
  ingot__tuner_free(&t);
  assert_int_equal(heap.used, 0);
  return n;
}

static void round_trip(void **state) {
  (void)state;
  ingot__tuner t, u;
  ingot__heap heap, heap2;
  enum { N = 3000 };
  open_tuner(&t, &heap);
  open_tuner(&u, &heap2);
  for (uint64_t i = 1; i <= N; i++) assert_true(ingot__tuner_put(&t, i * 0x9e3779b97f4a7c15u, (float)i * 1e-6f));
  assert_true(ingot__tuner_put(&t, 0x9e3779b97f4a7c15u, 7e-6f)); /* the newest counts */
  assert_int_equal(t.count, N);
  const char *path = testing_file("", 0);
  assert_int_equal(ingot__tuner_save(&t, path, NULL), INGOT_OK);
  warnings = 0;
  assert_int_equal(ingot__tuner_load(&u, path, &log_, NULL), INGOT_OK);
  assert_int_equal(warnings, 0);
  assert_int_equal(u.count, N);
  for (uint64_t i = 1; i <= N; i++)
    assert_true(testing_close((double)seconds_of(&u, i * 0x9e3779b97f4a7c15u), i == 1 ? 7e-6 : (double)i * 1e-6, 1e-5, 0));
  testing_file_remove(path);
  assert_int_equal(ingot__tuner_load(&u, path, &log_, NULL), INGOT_OK); /* none there: an empty cache */
  ingot__tuner_free(&t);
  ingot__tuner_free(&u);
}

static void damaged(void **state) {
  (void)state;
  static const char good[] = "ingot timing cache 1\n0000000000000001 1e-05\n00000000000000ff 0.25\n";
  warnings = 0;
  assert_int_equal(read_text(good, sizeof good - 1), 2);
  assert_int_equal(warnings, 0);
  for (size_t n = 0; n < sizeof good - 1; n++) assert_true(read_text(good, n) <= 2);
  warnings = 0;
  static const char *const bad[] = {"", "x", "ingot timing cache 2\n0000000000000001 1e-05\n", "ingot timing cache 1\nhello\n",
                                    "ingot timing cache 1\n0000000000000001 nan\n", "ingot timing cache 1\n0000000000000001 -1\n",
                                    "ingot timing cache 1\n0000000000000001 1e30\n", "ingot timing cache 1\n0000000000000001\n"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(read_text(bad[i], strlen(bad[i])), 0);
    assert_int_equal(warnings, (int)i + 1);
  }
  char noise[4096];
  uint64_t random = 9;
  for (int k = 0; k < 50; k++) {
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)(testing_random(&random) * 256);
    memcpy(noise, good, 21);
    read_text(noise, sizeof noise);
  }
  ingot__tuner t;
  ingot__heap heap;
  open_tuner(&t, &heap);
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  assert_int_equal(ingot__tuner_save(&t, "/nonexistent/folder/cache", &diag), INGOT_E_IO);
  assert_non_null(strstr(diag.text, "/nonexistent/folder/cache"));
  ingot__tuner_free(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(damaged)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
