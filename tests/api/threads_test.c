/* One engine, many contexts on many threads, each with its own pool: results are those of one alone. INGOT_TEST_TSAN INGOT_TEST_ASAN */
#include "api/small_network.h"
#include <pthread.h>

enum { THREADS = 8, RUNS = 25, MOST_BATCH = 3 };

typedef struct job {
  ingot_engine *engine;
  const float *x;
  const float *expected_y, *expected_l; /* by batch, MOST_BATCH * SMALL_OUT each */
  int seed;
  _Atomic int *done;
} job;

static void count(void *user, ingot_status status) {
  if (status == INGOT_OK) (*(_Atomic int *)user)++;
}

static void *work(void *user) {
  job *j = user;
  ingot_context *context = NULL;
  ingot_context_options options = {.threads = 2};
  float y[MOST_BATCH * SMALL_OUT], l[MOST_BATCH * SMALL_OUT];
  if (ingot_context_create(j->engine, &options, &context) != INGOT_OK) return (void *)"no context";
  const char *problem = NULL;
  for (int r = 0; r < RUNS && !problem; r++) {
    int batch = 1 + (r + j->seed) % MOST_BATCH;
    size_t n = (size_t)batch * SMALL_OUT;
    memset(y, 0, sizeof y);
    if (r % 2 == 0) {
      if (small_run(context, batch, j->x, true, y, l) != INGOT_OK) problem = "a run failed";
    } else { /* the same, by the context's own thread */
      bool flag = true;
      int64_t dims[4] = {batch, 3, 8, 8};
      if (ingot_context_set_input_shape(context, "x", 4, dims) || ingot_context_set_address(context, "x", (void *)(uintptr_t)j->x) ||
          ingot_context_set_address(context, "flag", &flag) || ingot_context_set_address(context, "y", y) ||
          ingot_context_set_address(context, "l", l) || ingot_context_enqueue(context, count, j->done) || ingot_context_wait(context))
        problem = "an enqueued run failed";
    }
    if (!problem && memcmp(y, j->expected_y + (size_t)(batch - 1) * MOST_BATCH * SMALL_OUT, n * sizeof *y)) problem = "other results";
    if (!problem && memcmp(l, j->expected_l + (size_t)(batch - 1) * MOST_BATCH * SMALL_OUT, n * sizeof *l)) problem = "other results of the loop";
  }
  ingot_context_destroy(context);
  return (void *)(uintptr_t)problem;
}

static void many_contexts(void **state) {
  (void)state;
  ingot_engine *engine = NULL;
  ingot_context *context = NULL;
  float x[MOST_BATCH * SMALL_IN], y[MOST_BATCH][MOST_BATCH * SMALL_OUT] = {{0}}, l[MOST_BATCH][MOST_BATCH * SMALL_OUT] = {{0}};
  small_input(x, MOST_BATCH, 9);
  assert_int_equal(small_build(NULL, 0, false, &engine), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, &(ingot_context_options){.threads = 2}, &context), INGOT_OK);
  for (int b = 1; b <= MOST_BATCH; b++) assert_int_equal(small_run(context, b, x, true, y[b - 1], l[b - 1]), INGOT_OK);
  ingot_context_destroy(context);
  pthread_t thread[THREADS];
  job jobs[THREADS];
  _Atomic int done = 0;
  for (int i = 0; i < THREADS; i++) {
    jobs[i] = (job){engine, x, y[0], l[0], i, &done};
    assert_int_equal(pthread_create(&thread[i], NULL, work, &jobs[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    void *problem;
    pthread_join(thread[i], &problem);
    if (problem) fail_msg("%s", (const char *)problem);
  }
  assert_int_equal(done, THREADS * (RUNS / 2));
  ingot_engine_destroy(engine);
}

static void contexts_keep_their_engine(void **state) {
  (void)state;
  ingot_engine *engine = NULL;
  ingot_context *context = NULL;
  float x[SMALL_IN], y[SMALL_OUT], l[SMALL_OUT];
  small_input(x, 1, 3);
  assert_int_equal(small_build(NULL, 0, false, &engine), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, NULL, &context), INGOT_OK);
  ingot_engine_destroy(engine);
  assert_int_equal(small_run(context, 1, x, false, y, l), INGOT_OK);
  for (int i = 0; i < SMALL_OUT; i++) assert_true(testing_close(l[i], -8.0 * (double)y[i], 1e-6, 0)); /* negated, doubled three times */
  ingot_context_destroy(context);
}

static bool cancel_at(void *user, const char *phase, size_t done, size_t total) {
  (void)phase, (void)done, (void)total;
  return --*(int *)user > 0;
}

static void builds_can_be_cancelled(void **state) {
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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(many_contexts), cmocka_unit_test(contexts_keep_their_engine),
                                     cmocka_unit_test(builds_can_be_cancelled)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
