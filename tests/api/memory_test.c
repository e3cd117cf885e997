/* Every allocation of a whole life fails in turn: reading, building, saving, loading, running. Nothing leaks, nothing crashes, and the
 * caller is told. Arenas here take each allocation from the heap, so that those inside them fail too. INGOT_TEST_ASAN
 * INGOT_TEST_SECONDS 300 */
#define INGOT_ARENA_EXACT
#include "../../src/base/mem.c"
#include "testing.h"
#include "small_network.h"
#include "testing_networks.h"
#include "values_network.h"

enum { TRIES = 400 }; /* of all allocations, spread evenly; INGOT_TEST_COUNT in the environment: another number, 0 for all */
static size_t tries(void) { return getenv("INGOT_TEST_COUNT") ? strtoull(getenv("INGOT_TEST_COUNT"), NULL, 10) : TRIES; }

static ingot_status life(const ingot_env *env, void *user) {
  ingot_engine *engine, *again = NULL;
  ingot_context *context = NULL;
  void *data = NULL;
  size_t size = 0;
  (void)user;
  ingot_status status = testing_engine(env, TESTING_IMAGE_NETWORK, 8, 8, 1, &engine);
  if (status != INGOT_OK) return status;
  status = ingot_engine_serialize(engine, &data, &size);
  if (status == INGOT_OK) {
    status = ingot_engine_load_memory(env, data, size, &again);
    ingot_blob_free(engine, data, size);
  }
  ingot_engine_destroy(engine);
  if (status != INGOT_OK) return status;
  status = ingot_context_create(again, NULL, &context);
  if (status == INGOT_OK) {
    float x[3 * 8 * 10] = {0}, y[8 * 4 * 5];
    const int64_t dims[] = {1, 3, 8, 10};
    status = ingot_context_set_input_shape(context, "x", 4, dims);
    if (status == INGOT_OK) status = ingot_context_set_address(context, "x", x);
    if (status == INGOT_OK) status = ingot_context_set_address(context, "y", y);
    if (status == INGOT_OK) status = ingot_context_run(context);
    char *json;
    if (status == INGOT_OK && (status = ingot_engine_inspect(again, &json, &size)) == INGOT_OK) ingot_blob_free(again, json, size + 1);
    ingot_context_destroy(context);
  }
  ingot_engine_destroy(again);
  return status;
}

static void each_allocation(void **state) {
  (void)state;
  size_t n = testing_fail_each(life, NULL, tries());
  printf("%zu allocations\n", n);
  assert_true(n > 50);
}

/* With subgraphs, a little timing, and the engine in a file. */
static ingot_status life_with_subgraphs(const ingot_env *env, void *user) {
  ingot_engine *engine, *again = NULL;
  ingot_context *context = NULL;
  float x[2 * SMALL_IN], y[2 * SMALL_OUT], l[2 * SMALL_OUT];
  small_input(x, 2, 4);
  INGOT_TRY(small_build(env, 1e-3, false, &engine));
  ingot_status status = ingot_engine_save(engine, user);
  ingot_engine_destroy(engine);
  if (status == INGOT_OK) status = ingot_engine_load(env, user, &again);
  if (status == INGOT_OK) status = ingot_context_create(again, NULL, &context);
  for (int batch = 1; status == INGOT_OK && batch <= 2; batch++) status = small_run(context, batch, x, batch == 2, y, l);
  ingot_context_destroy(context);
  ingot_engine_destroy(again);
  return status;
}

static void each_allocation_with_subgraphs(void **state) {
  (void)state;
  const char *path = testing_file("", 0);
  size_t n = testing_fail_each(life_with_subgraphs, (void *)(uintptr_t)path, tries());
  printf("%zu allocations\n", n);
  assert_true(n > 500);
  testing_file_remove(path);
}

/* Objects: in from the caller, through a Loop, an If and a SequenceMap, out and kept for longer than the context. */
static ingot_status run_values(const ingot_env *env, ingot_context *c) {
  const int64_t n = 2;
  const float x[2] = {1, 2};
  const ingot_string t[2] = {{"one", 3}, {"two", 3}};
  ingot_value *tensor = NULL, *text = NULL, *sequence = NULL, *optional = NULL, *kept;
  ingot_status status = ingot_value_create_tensor(env, INGOT_FLOAT32, 1, &n, x, &tensor);
  if (status == INGOT_OK) status = ingot_value_create_tensor(env, INGOT_STRING, 1, &n, t, &text);
  if (status == INGOT_OK) status = ingot_value_create_sequence(env, &tensor, 1, &sequence);
  if (status == INGOT_OK) status = ingot_value_create_optional(env, sequence, &optional);
  if (status == INGOT_OK) status = ingot_context_set_value(c, "s", sequence);
  if (status == INGOT_OK) status = ingot_context_set_value(c, "o", optional);
  if (status == INGOT_OK) status = ingot_context_set_value(c, "t", text);
  ingot_value_destroy(tensor), ingot_value_destroy(text), ingot_value_destroy(sequence), ingot_value_destroy(optional);
  if (status == INGOT_OK) status = ingot_context_run(c);
  if (status != INGOT_OK) return status;
  ingot_value_retain(kept = ingot_context_value(c, "l"));
  ingot_context_destroy(c);
  assert_int_equal(ingot_value_count(kept), 4);
  ingot_value_destroy(kept);
  return INGOT_OK;
}

static ingot_status life_with_values(const ingot_env *env, void *user) {
  ingot_engine *engine, *again = NULL;
  ingot_context *context = NULL;
  void *data = NULL;
  size_t size = 0;
  (void)user;
  INGOT_TRY(values_build(env, false, &engine));
  ingot_status status = ingot_engine_serialize(engine, &data, &size);
  if (status == INGOT_OK) {
    status = ingot_engine_load_memory(env, data, size, &again);
    ingot_blob_free(engine, data, size);
  }
  ingot_engine_destroy(engine);
  if (status == INGOT_OK) status = ingot_context_create(again, NULL, &context);
  if (status == INGOT_OK && (status = run_values(env, context)) != INGOT_OK) ingot_context_destroy(context);
  ingot_engine_destroy(again);
  return status;
}

static void each_allocation_with_values(void **state) {
  (void)state;
  size_t n = testing_fail_each(life_with_values, NULL, tries());
  printf("%zu allocations\n", n);
  assert_true(n > 200);
}

/* A context that was told of a failure works once there is memory again. */
static void recovers(void **state) {
  (void)state;
  testing_allocator a;
  testing_allocator_init(&a);
  ingot_env env = {.allocator = &a.allocator};
  ingot_engine *engine;
  ingot_context *context;
  assert_int_equal(testing_engine(&env, TESTING_IMAGE_NETWORK, 8, 8, 1, &engine), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, NULL, &context), INGOT_OK);
  float x[3 * 16 * 16], y[8 * 8 * 8], z[8 * 8 * 8];
  uint64_t random = 5;
  for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)testing_random(&random);
  const int64_t dims[] = {1, 3, 16, 16};
  ingot_status status = INGOT_E_MEMORY;
  int failures = 0;
  for (size_t n = 1; status == INGOT_E_MEMORY; n++) {
    a.count = 0;
    a.fail_at = n;
    assert_int_equal(ingot_context_set_address(context, "x", x), INGOT_OK);
    assert_int_equal(ingot_context_set_address(context, "y", y), INGOT_OK);
    status = ingot_context_set_input_shape(context, "x", 4, dims);
    if (status == INGOT_OK) status = ingot_context_run(context);
    failures += status == INGOT_E_MEMORY;
  }
  assert_int_equal(status, INGOT_OK);
  assert_true(failures > 0);
  a.fail_at = 0;
  size_t count = a.count;
  assert_int_equal(ingot_context_set_address(context, "y", z), INGOT_OK);
  assert_int_equal(ingot_context_run(context), INGOT_OK);
  assert_int_equal(a.count, count); /* a second run of a known shape allocates nothing */
  assert_memory_equal(y, z, sizeof y);
  ingot_context_destroy(context);
  ingot_engine_destroy(engine);
  assert_int_equal(a.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation), cmocka_unit_test(each_allocation_with_subgraphs),
                                     cmocka_unit_test(each_allocation_with_values), cmocka_unit_test(recovers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
