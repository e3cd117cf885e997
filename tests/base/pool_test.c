/* The pool: every share is run once, by its own thread, whatever the sizes and the pauses between runs. INGOT_TEST_TSAN INGOT_TEST_ASAN */
#include "testing.h"
#include "base/log.h"
#include "base/pool.h"
#include <pthread.h>

typedef struct job { int calls[64]; int n; pthread_t who[64]; _Atomic long sum; const int *data; size_t total, grain; } job;

static void mark(void *arg, int i, int n) {
  job *j = arg;
  j->calls[i]++;
  if (i == 0) j->n = n;
  j->who[i] = pthread_self();
}
static void add(void *arg, int i, int n) {
  job *j = arg;
  size_t begin, end;
  ingot__share(j->total, j->grain, i, n, &begin, &end);
  long sum = 0;
  for (size_t k = begin; k < end; k++) sum += j->data[k];
  j->sum += sum;
}

static void every_share_once(void **state) {
  (void)state;
  ingot__heap heap;
  ingot__heap_init(&heap, NULL);
  const int sizes[] = {1, 2, 3, 5, 8, 16, 33};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    ingot__pool *pool;
    assert_int_equal(ingot__pool_create(&heap, sizes[s], NULL, &pool), INGOT_OK);
    assert_int_equal(ingot__pool_threads(pool), sizes[s]);
    job j = {0};
    const int runs = 200;
    for (int r = 0; r < runs; r++) {
      ingot__pool_run(pool, mark, &j);
      if (r % 50 == 49) usleep(2000); /* long enough for all to fall asleep */
    }
    assert_int_equal(j.n, sizes[s]);
    assert_true(pthread_equal(j.who[0], pthread_self()));
    for (int i = 0; i < 64; i++) assert_int_equal(j.calls[i], i < sizes[s] ? runs : 0);
    for (int i = 1; i < sizes[s]; i++)
      for (int k = 0; k < i; k++) assert_false(pthread_equal(j.who[i], j.who[k]));
    ingot__pool_destroy(pool);
  }
  assert_int_equal(heap.used, 0);
}

static void results_are_seen(void **state) {
  (void)state;
  ingot__heap heap;
  ingot__heap_init(&heap, NULL);
  enum { N = 1000 };
  int data[N];
  for (int threads = 1; threads <= 4; threads++) {
    ingot__pool *pool;
    assert_int_equal(ingot__pool_create(&heap, threads, NULL, &pool), INGOT_OK);
    for (int r = 0; r < 500; r++) {
      long want = 0;
      job j = {.data = data, .total = (size_t)(r * 7 % (N + 1)), .grain = (size_t)(1 + r % 17)};
      for (size_t k = 0; k < j.total; k++) want += data[k] = r + (int)k; /* plain writes here, plain reads there */
      ingot__pool_run(pool, add, &j);
      assert_int_equal(j.sum, want);
    }
    ingot__pool_destroy(pool);
  }
}

static void no_pool(void **state) {
  (void)state;
  job j = {0};
  ingot__pool_run(NULL, mark, &j);
  assert_int_equal(j.calls[0], 1);
  assert_int_equal(j.n, 1);
  assert_int_equal(ingot__pool_threads(NULL), 1);
  ingot__pool_destroy(NULL);
}

static void shares_cover(void **state) {
  (void)state;
  for (size_t total = 0; total < 70; total++)
    for (size_t grain = 1; grain < 20; grain += 3)
      for (int n = 1; n < 12; n++) {
        size_t at = 0, begin, end;
        for (int i = 0; i < n; i++) {
          ingot__share(total, grain, i, n, &begin, &end);
          assert_int_equal(begin, at);
          assert_true(begin == end || begin % grain == 0);
          at = end;
        }
        assert_int_equal(at, total);
      }
}

static ingot_status create(const ingot_env *env, void *user) {
  (void)user;
  ingot__heap heap;
  ingot__heap_init(&heap, env);
  ingot__pool *pool;
  INGOT_TRY(ingot__pool_create(&heap, 3, NULL, &pool));
  ingot__pool_destroy(pool);
  return INGOT_OK;
}
static void failures(void **state) {
  (void)state;
  assert_int_equal(testing_fail_each(create, NULL, 0), 1);
  ingot__heap heap;
  ingot__heap_init(&heap, NULL);
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  ingot__pool *pool = NULL;
  assert_int_equal(ingot__pool_create(&heap, 0, &diag, &pool), INGOT_E_ARGUMENT);
  assert_int_equal(ingot__pool_create(&heap, 1 << 20, &diag, &pool), INGOT_E_ARGUMENT);
  assert_null(pool);
  assert_non_null(strstr(diag.text, "0 threads"));
}

/* Two pools at once from two threads: nothing is shared between them. */
static void *own_pool(void *arg) {
  every_share_once(arg);
  return NULL;
}
static void pools_side_by_side(void **state) {
  pthread_t other;
  assert_int_equal(pthread_create(&other, NULL, own_pool, NULL), 0);
  every_share_once(state);
  pthread_join(other, NULL);
}

static void nothing(void *arg, int i, int n) { (void)arg, (void)i, (void)n; }
static void says_its_overhead(void **state) { /* a figure for the log, not a test of the machine */
  (void)state;
  ingot__heap heap;
  ingot__heap_init(&heap, NULL);
  ingot__pool *pool;
  assert_int_equal(ingot__pool_create(&heap, 2, NULL, &pool), INGOT_OK);
  double best = 1;
  for (int r = 0; r < 20; r++) {
    double start = ingot__now();
    for (int k = 0; k < 100; k++) ingot__pool_run(pool, nothing, NULL);
    double each = (ingot__now() - start) / 100;
    if (each < best) best = each;
  }
  printf("a run of an empty function on 2 threads: %.2f us\n", best * 1e6);
  ingot__pool_destroy(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_share_once), cmocka_unit_test(results_are_seen), cmocka_unit_test(no_pool), cmocka_unit_test(shares_cover),
    cmocka_unit_test(failures), cmocka_unit_test(pools_side_by_side), cmocka_unit_test(says_its_overhead),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
