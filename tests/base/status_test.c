/* Error texts: all problems of a call, cut off cleanly; one last error a thread; the map of statuses. INGOT_TEST_ASAN */
#include "testing.h"
#include "base/log.h"
#include <pthread.h>

static void problems_are_collected(void **state) {
  (void)state;
  ingot__diag d;
  ingot__diag_init(&d, "net.onnx");
  assert_int_equal(ingot__report(&d), INGOT_OK);
  assert_string_equal(ingot_last_error(), "");
  assert_int_equal(ingot__fail(&d, INGOT_E_SHAPE, "conv_7 (Conv)", "weights have %d channels, input has %d", 3, 4), INGOT_E_SHAPE);
  assert_int_equal(ingot__fail(&d, INGOT_E_TYPE, NULL, "no %s", "types"), INGOT_E_TYPE);
  assert_int_equal(d.count, 2);
  assert_string_equal(d.text, "net.onnx: conv_7 (Conv): weights have 3 channels, input has 4\nnet.onnx: no types");
  assert_int_equal(ingot__report(&d), INGOT_E_SHAPE);
  assert_string_equal(ingot_last_error(), d.text);
  assert_int_equal(ingot__fail(NULL, INGOT_E_IO, NULL, "nobody listens"), INGOT_E_IO);
  assert_int_equal(ingot__no_memory(NULL), INGOT_E_MEMORY);
}

static void texts_end_in_time(void **state) {
  (void)state;
  ingot__diag d;
  ingot__diag_init(&d, NULL);
  char name[3000];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = 0;
  for (int i = 0; i < 1000; i++) ingot__fail(&d, INGOT_E_NETWORK, i % 3 ? "layer" : name, "problem %d", i);
  assert_int_equal(d.count, 1000);
  assert_true(strlen(d.text) < sizeof d.text);
  assert_int_equal(strlen(d.text), d.length);
  ingot__report(&d);
  assert_int_equal(strlen(ingot_last_error()), d.length);
  ingot__diag_init(&d, NULL);
  for (int i = 0; i < 1000; i++) ingot__fail(&d, INGOT_E_NETWORK, "layer", "problem %d", i);
  assert_non_null(strstr(d.text, "... and more"));
  assert_null(strstr(strstr(d.text, "... and more") + 1, "... and more"));
}

static void *other_thread(void *arg) {
  *(bool *)arg = ingot_last_error()[0] == 0;
  return NULL;
}
static void last_error_is_the_threads_own(void **state) {
  (void)state;
  ingot__diag d;
  ingot__diag_init(&d, NULL);
  ingot__fail(&d, INGOT_E_IO, NULL, "mine");
  ingot__report(&d);
  bool empty = false;
  pthread_t t;
  assert_int_equal(pthread_create(&t, NULL, other_thread, &empty), 0);
  pthread_join(t, NULL);
  assert_true(empty);
  assert_string_equal(ingot_last_error(), "mine");
}

static void statuses_have_texts(void **state) {
  (void)state;
  for (int s = 0; s <= INGOT_E_INTERNAL; s++) {
    assert_string_not_equal(ingot_status_text((ingot_status)s), "unknown status");
    int code = ingot__exit_status((ingot_status)s);
    assert_true(s == 0 ? code == 0 : code > 0 && code < 126);
  }
  assert_string_equal(ingot_status_text((ingot_status)99), "unknown status");
  assert_true(ingot__exit_status((ingot_status)99) != 0);
  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", INGOT_VERSION_MAJOR, INGOT_VERSION_MINOR, INGOT_VERSION_PATCH);
  assert_string_equal(ingot_version(), version);
}

static struct { int calls; ingot_severity severity; char text[4096]; } heard;
static void hear(void *user, ingot_severity severity, const char *text) {
  (*(int *)user)++;
  heard.severity = severity;
  snprintf(heard.text, sizeof heard.text, "%s", text);
}
static void messages_go_to_the_caller(void **state) {
  (void)state;
  ingot__log log;
  ingot_env env = {.log = hear, .log_user = &heard.calls, .log_level = INGOT_LOG_INFO};
  ingot__log_init(&log, &env);
  ingot__logf(&log, INGOT_LOG_VERBOSE, "not wanted");
  assert_int_equal(heard.calls, 0);
  ingot__logf(&log, INGOT_LOG_INFO, "%d of %d", 1, 2);
  assert_int_equal(heard.calls, 1);
  assert_int_equal(heard.severity, INGOT_LOG_INFO);
  assert_string_equal(heard.text, "1 of 2");
  char text[5000];
  memset(text, 'y', sizeof text - 1);
  text[sizeof text - 1] = 0;
  ingot__logf(&log, INGOT_LOG_ERROR, "%s", text);
  assert_string_equal(heard.text + strlen(heard.text) - 4, "y...");
  ingot__logf(NULL, INGOT_LOG_ERROR, "nobody");
  ingot__log_init(&log, NULL);
  assert_int_equal(log.level, INGOT_LOG_WARNING);
  assert_true(ingot__progressed(NULL, "phase", 1, 2));
}

static void clock_runs(void **state) {
  (void)state;
  double a = ingot__now();
  usleep(2000);
  double b = ingot__now();
  assert_true(b - a >= 0.0019 && b - a < 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(problems_are_collected), cmocka_unit_test(texts_end_in_time), cmocka_unit_test(last_error_is_the_threads_own),
    cmocka_unit_test(statuses_have_texts), cmocka_unit_test(messages_go_to_the_caller), cmocka_unit_test(clock_runs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
