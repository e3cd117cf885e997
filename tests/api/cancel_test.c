/* Stopping: builds through their progress callback, runs through ingot_context_cancel, from other threads and before an enqueued run has
 * begun. INGOT_TEST_TSAN INGOT_TEST_ASAN */
#include "api/small_network.h"
#include <pthread.h>
#include <time.h>

static bool cancel_at(void *user, const char *phase, size_t done, size_t total) {
  (void)phase, (void)done, (void)total;
  return --*(int *)user > 0;
}

static void builds(void **state) {
  (void)state;
  ingot_status status = INGOT_E_CANCELLED;
  int tries = 0;
  for (int at = 1; status == INGOT_E_CANCELLED && at < 1000; at += 7, tries++) {
    ingot_network *network = NULL;
    ingot_config *config = NULL;
    ingot_engine *engine = NULL;
    int left = at;
    assert_int_equal(small_network(NULL, &network), INGOT_OK);
    assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
    assert_int_equal(ingot_config_set_budget(config, 0), INGOT_OK);
    assert_int_equal(ingot_config_set_progress(config, cancel_at, &left), INGOT_OK);
    status = ingot_build(network, config, &engine);
    assert_true(status == INGOT_OK || status == INGOT_E_CANCELLED);
    ingot_engine_destroy(engine);
    ingot_config_destroy(config);
    ingot_network_destroy(network);
  }
  assert_int_equal(status, INGOT_OK);
  assert_true(tries > 2);
}

/* Both loop for longer than anybody waits: one over a layer, one over nothing. `trips` ends them in time when a test wants that. */
static const char over_a_layer[] =
    "network {\n  input trips: int64[]\n  input x: float32[4]\n  const go: bool[] = {1}\n"
    "  y = Loop(trips, go, x) {body={\n    input i: int64[]\n    input c: bool[]\n    input v: float32[4]\n"
    "    u = Neg(v)\n    k = Identity(c)\n    output k\n    output u\n  }}\n  output y\n}\n";
static const char over_nothing[] =
    "network {\n  input trips: int64[]\n  input x: float32[4]\n  const go: bool[] = {1}\n"
    "  y = Loop(trips, go, x) {body={\n    input i: int64[]\n    input c: bool[]\n    input v: float32[4]\n"
    "    output c\n    output v\n  }}\n  output y\n}\n";

static ingot_context *endless(const char *text, int64_t *trips, float *x) {
  ingot_network *network;
  ingot_config *config;
  ingot_engine *engine;
  ingot_context *context;
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  assert_int_equal(ingot__network_parse(NULL, text, strlen(text), &diag, &network), INGOT_OK);
  assert_int_equal(ingot__infer_network(network, &diag), INGOT_OK);
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_budget(config, 0), INGOT_OK);
  assert_int_equal(ingot_build(network, config, &engine), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, &(ingot_context_options){.threads = 1}, &context), INGOT_OK);
  ingot_engine_destroy(engine);
  ingot_config_destroy(config);
  ingot_network_destroy(network);
  assert_int_equal(ingot_context_set_address(context, "trips", trips), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "x", x), INGOT_OK);
  return context;
}

static void *cancel_soon(void *user) {
  nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  ingot_context_cancel(user);
  return NULL;
}

static void runs_from_another_thread(void **state) {
  (void)state;
  const char *const networks[] = {over_a_layer, over_nothing};
  for (int i = 0; i < 2; i++) {
    int64_t trips = INT64_MAX;
    float x[4] = {1, 2, 3, 4};
    pthread_t thread;
    ingot_context *context = endless(networks[i], &trips, x);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, context), 0);
    assert_int_equal(ingot_context_run(context), INGOT_E_CANCELLED);
    assert_non_null(strstr(ingot_last_error(), "cancelled"));
    assert_null(ingot_context_output(context, "y")); /* no run's result */
    pthread_join(thread, NULL);
    trips = 3; /* the context runs again */
    assert_int_equal(ingot_context_run(context), INGOT_OK);
    assert_true(((const float *)ingot_context_output(context, "y"))[1] == (i ? 2.0f : -2.0f));
    ingot_context_destroy(context);
  }
}

static void enqueued_runs(void **state) { /* also one whose thread hasn't begun when the cancel comes */
  (void)state;
  int64_t trips = INT64_MAX;
  float x[4] = {0};
  ingot_context *context = endless(over_a_layer, &trips, x);
  for (int r = 0; r < 20; r++) {
    assert_int_equal(ingot_context_enqueue(context, NULL, NULL), INGOT_OK);
    ingot_context_cancel(context);
    assert_int_equal(ingot_context_wait(context), INGOT_E_CANCELLED);
  }
  trips = 2; /* a cancel that comes too late concerns nobody */
  ingot_context_cancel(context);
  assert_int_equal(ingot_context_run(context), INGOT_OK);
  ingot_context_cancel(context);
  assert_int_equal(ingot_context_enqueue(context, NULL, NULL), INGOT_OK);
  assert_int_equal(ingot_context_wait(context), INGOT_OK);
  ingot_context_cancel(NULL);
  ingot_context_destroy(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(builds), cmocka_unit_test(runs_from_another_thread), cmocka_unit_test(enqueued_runs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
