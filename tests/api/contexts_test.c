/* Many contexts over one engine, at once and with different shapes, some with threads of their own, some asynchronous: all get what one
 * alone gets. INGOT_TEST_TSAN INGOT_TEST_ASAN INGOT_TEST_SECONDS 300 */
#include "api/small_network.h"
#include "testing_networks.h"
#include <pthread.h>

enum { SIZES = 5, WORKERS = 4, ROUNDS = 12, CHANNELS = 8 };
static const int height[SIZES] = {8, 10, 16, 7, 24}, width[SIZES] = {8, 14, 6, 9, 20};
static float *input[SIZES], *expected[SIZES];

static size_t in_count(int s) { return (size_t)(3 * height[s] * width[s]); }
static size_t out_count(int s) { return (size_t)(CHANNELS * (height[s] / 2) * (width[s] / 2)); }

static ingot_status run_one(ingot_context *context, int s, float *out, bool async) {
  const int64_t dims[] = {1, 3, height[s], width[s]};
  INGOT_TRY(ingot_context_set_input_shape(context, "x", 4, dims));
  INGOT_TRY(ingot_context_set_address(context, "x", input[s]));
  INGOT_TRY(ingot_context_set_address(context, "y", out));
  if (!async) return ingot_context_run(context);
  INGOT_TRY(ingot_context_enqueue(context, NULL, NULL));
  return ingot_context_wait(context);
}

static bool same(const float *a, const float *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!testing_close((double)a[i], (double)b[i], 1e-4, 1e-5)) return false;
  return true;
}

typedef struct worker { ingot_engine *engine; pthread_t thread; int index; ingot_status status; int wrong; } worker;
static void *work(void *arg) {
  worker *w = arg;
  ingot_context *context;
  w->status = ingot_context_create(w->engine, &(ingot_context_options){.threads = 1 + w->index % 2}, &context);
  if (w->status != INGOT_OK) return NULL;
  float *out = malloc(out_count(4) * 4 + 4);
  for (int r = 0; r < ROUNDS && w->status == INGOT_OK; r++) {
    int s = (w->index + r) % SIZES;
    w->status = run_one(context, s, out, w->index == 3);
    if (!same(out, expected[s], out_count(s))) w->wrong++;
  }
  free(out);
  ingot_context_destroy(context);
  return NULL;
}

static int prepare(void **state) {
  (void)state;
  uint64_t random = 11;
  ingot_engine *engine;
  ingot_context *context;
  if (testing_engine(NULL, TESTING_IMAGE_NETWORK, 8, 8, 1, &engine) != INGOT_OK) return -1;
  if (ingot_context_create(engine, NULL, &context) != INGOT_OK) return -1;
  for (int s = 0; s < SIZES; s++) {
    input[s] = malloc(in_count(s) * 4);
    expected[s] = malloc(out_count(s) * 4);
    for (size_t i = 0; i < in_count(s); i++) input[s][i] = (float)testing_random(&random) * 2 - 1;
    if (run_one(context, s, expected[s], false) != INGOT_OK) return -1;
  }
  ingot_context_destroy(context);
  ingot_engine_destroy(engine);
  return 0;
}
static int clean_up(void **state) {
  (void)state;
  for (int s = 0; s < SIZES; s++) free(input[s]), free(expected[s]);
  return 0;
}

static void sums_are_one(void **state) { /* the expected numbers are a softmax over channels, and are not all alike */
  (void)state;
  for (int s = 0; s < SIZES; s++) {
    size_t pixels = out_count(s) / CHANNELS;
    bool differs = false;
    for (size_t p = 0; p < pixels; p++) {
      double sum = 0;
      for (size_t c = 0; c < CHANNELS; c++) sum += (double)expected[s][c * pixels + p];
      assert_true(fabs(sum - 1) < 1e-5);
      differs = differs || fabsf(expected[s][p] - expected[s][0]) > 1e-4f;
    }
    assert_true(differs);
  }
}

static void at_once(void **state) {
  (void)state;
  ingot_engine *engine;
  assert_int_equal(testing_engine(NULL, TESTING_IMAGE_NETWORK, 8, 8, 2, &engine), INGOT_OK);
  worker w[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    w[i] = (worker){.engine = engine, .index = i};
    assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
  }
  for (int i = 0; i < WORKERS; i++) {
    pthread_join(w[i].thread, NULL);
    assert_int_equal(w[i].status, INGOT_OK);
    assert_int_equal(w[i].wrong, 0);
  }
  ingot_engine_destroy(engine);
}

/* The same with an If and a Loop, whose bodies each context plans for itself; batches change from run to run. */
enum { MOST_BATCH = 3 };
typedef struct control {
  ingot_engine *engine;
  pthread_t thread;
  const float *x;
  float y[MOST_BATCH][MOST_BATCH * SMALL_OUT];
  int index, wrong;
} control;

static void *work_control(void *arg) {
  control *c = arg;
  ingot_context *context;
  float y[MOST_BATCH * SMALL_OUT], l[MOST_BATCH * SMALL_OUT];
  if (ingot_context_create(c->engine, &(ingot_context_options){.threads = 2}, &context) != INGOT_OK) return c->wrong++, NULL;
  for (int r = 0; r < ROUNDS; r++) {
    int batch = 1 + (r + c->index) % MOST_BATCH;
    size_t n = (size_t)batch * SMALL_OUT;
    bool flag = r % 2;
    if (small_run(context, batch, c->x, flag, y, l) != INGOT_OK) c->wrong++;
    if (!same(y, c->y[batch - 1], n)) c->wrong++;
    for (size_t i = 0; i < n; i++) c->wrong += !testing_close((double)l[i], (flag ? 16.0 : -8.0) * (double)y[i], 1e-6, 0); /* doubled thrice */
  }
  ingot_context_destroy(context);
  return NULL;
}

static void control_flow_at_once(void **state) {
  (void)state;
  ingot_engine *engine;
  float x[MOST_BATCH * SMALL_IN], l[MOST_BATCH * SMALL_OUT];
  static control c[WORKERS];
  ingot_context *context;
  small_input(x, MOST_BATCH, 9);
  assert_int_equal(small_build(NULL, 0, false, &engine), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, NULL, &context), INGOT_OK);
  for (int b = 1; b <= MOST_BATCH; b++) assert_int_equal(small_run(context, b, x, true, c[0].y[b - 1], l), INGOT_OK);
  ingot_context_destroy(context);
  for (int i = 0; i < WORKERS; i++) {
    if (i) memcpy(c[i].y, c[0].y, sizeof c[0].y);
    c[i].engine = engine, c[i].x = x, c[i].index = i;
    assert_int_equal(pthread_create(&c[i].thread, NULL, work_control, &c[i]), 0);
  }
  for (int i = 0; i < WORKERS; i++) {
    pthread_join(c[i].thread, NULL);
    assert_int_equal(c[i].wrong, 0);
  }
  ingot_engine_destroy(engine);
}

static void engines_outlive_their_handle(void **state) {
  (void)state;
  ingot_engine *engine;
  ingot_context *a, *b;
  assert_int_equal(testing_engine(NULL, TESTING_IMAGE_NETWORK, 8, 8, 2, &engine), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, NULL, &a), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, NULL, &b), INGOT_OK);
  ingot_engine_destroy(engine);
  float *out = malloc(out_count(1) * 4);
  assert_int_equal(run_one(a, 1, out, true), INGOT_OK);
  ingot_context_destroy(a);
  assert_int_equal(run_one(b, 1, out, false), INGOT_OK);
  assert_true(same(out, expected[1], out_count(1)));
  ingot_context_destroy(b);
  free(out);
}

/* Two threads build at once; nothing is shared between builds but the process. */
static void *build(void *arg) {
  ingot_engine *engine;
  *(ingot_status *)arg = testing_engine(NULL, TESTING_IMAGE_NETWORK, 8, 8, 1, &engine);
  if (*(ingot_status *)arg == INGOT_OK) ingot_engine_destroy(engine);
  return NULL;
}
static void builds_at_once(void **state) {
  (void)state;
  pthread_t t[2];
  ingot_status status[2];
  for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&t[i], NULL, build, &status[i]), 0);
  for (int i = 0; i < 2; i++) {
    pthread_join(t[i], NULL);
    assert_int_equal(status[i], INGOT_OK);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(sums_are_one), cmocka_unit_test(at_once), cmocka_unit_test(control_flow_at_once),
    cmocka_unit_test(engines_outlive_their_handle), cmocka_unit_test(builds_at_once),
  };
  return cmocka_run_group_tests(tests, prepare, clean_up);
}
