/* What fails on a GPU is told and leaves nothing behind: every call of the driver in turn, every allocation of the host, and the GPU's memory at
 * an end; through building, saving, loading and running. The driver's calls can be made to fail on the emulated GPU alone, which also
 * aborts when something is left on it; the rest runs with INGOT_TEST_GPU=1 on the real one, too. INGOT_TEST_ON_GPU
 * INGOT_TEST_SECONDS 600 */
#define INGOT_ARENA_EXACT
#include "../../src/base/mem.c"
#include "networks.h"
#include <dlfcn.h>

enum { TRIES = 150 }; /* spread evenly; INGOT_TEST_COUNT in the environment: another number, 0 for all */
static size_t tries(void) {
  const char *count = getenv("INGOT_TEST_COUNT");
  return count ? strtoull(count, NULL, 10) : testing_real_gpu() ? TRIES / 6 : TRIES; /* building takes a real one longer */
}

static void silent(void *user, ingot_severity severity, const char *text) { (void)user, (void)severity, (void)text; }

/* Each of its ways through a device's calls: timing, bytes, two shapes, recordings, a stream, outputs in the GPU's memory. */
static ingot_status run_all(const ingot_env *env, const device_network *n, ingot_engine *engine) {
  ingot_context *context = NULL;
  ingot_device *device = NULL;
  void *there = NULL;
  ingot_status status = ingot_context_create(engine, NULL, &context);
  for (uint64_t seed = 0; status == INGOT_OK && seed < 5; seed++) status = device_network_run(engine, context, n, seed / 2);
  if (status == INGOT_OK) status = ingot_device_create(env, "cuda", &device);
  if (status == INGOT_OK) status = ingot_device_alloc(device, 1 << 20, &there);
  if (status == INGOT_OK) status = ingot_context_set_address(context, "y", there);
  if (status == INGOT_OK) status = ingot_context_set_timing(context, true);
  if (status == INGOT_OK) status = device_network_run(engine, context, n, 1);
  if (context) ingot_context_destroy(context);
  if (device) ingot_device_free(device, there), ingot_device_destroy(device);
  return status;
}

static ingot_status life(const ingot_env *env, void *user) {
  const device_network *n = user;
  ingot_engine *engine = NULL;
  ingot_env quiet = env ? *env : (ingot_env){0};
  quiet.log = silent;
  INGOT_TRY(device_network_build(&quiet, n, "cuda", INGOT_PRECISION_FP16, 1e-3, &engine));
  ingot_status status = device_network_reload(&quiet, &engine);
  if (status == INGOT_OK) status = run_all(&quiet, n, engine);
  if (engine) ingot_engine_destroy(engine);
  return status;
}

static void each_call(void **state) {
  (void)state;
  const device_network *n = &device_networks[0];
  char number[32];
  size_t failed = 0;
  if (testing_real_gpu()) skip();
  void *driver = dlopen(testing_driver(), RTLD_NOW | RTLD_LOCAL);
  long (*calls)(void) = driver ? (long (*)(void))dlsym(driver, "emulated_calls") : NULL;
  assert_non_null(calls);
  for (int i = 0; i < 2; i++) { /* once more with all code out of the cache */
    setenv("INGOT_EMULATED_FAIL", i ? "1000000000" : "1000000001", 1);
    assert_int_equal(life(NULL, (void *)(uintptr_t)n), INGOT_OK);
  }
  size_t most = (size_t)calls();
  size_t step = tries() && most > tries() ? most / tries() : 1;
  for (size_t i = 1; i <= most; i += step) {
    snprintf(number, sizeof number, "%zu", i);
    setenv("INGOT_EMULATED_FAIL", number, 1);
    ingot_status status = life(NULL, (void *)(uintptr_t)n);
    if (status == INGOT_OK) continue; /* a kernel that can't be timed isn't taken */
    failed++;
    if (status != INGOT_E_DEVICE || !strstr(ingot_last_error(), "unknown error"))
      fail_msg("call %zu of %zu failed: status %d, %s", i, most, (int)status, ingot_last_error());
  }
  unsetenv("INGOT_EMULATED_FAIL");
  printf("%zu calls, %zu made to fail and told\n", most, failed);
  assert_true(most > 100 && failed > 50);
  assert_int_equal(life(NULL, (void *)(uintptr_t)n), INGOT_OK);
}

static void each_allocation(void **state) {
  (void)state;
  for (size_t i = 0; i < 3; i += 2) {
    size_t n = testing_fail_each(life, (void *)(uintptr_t)&device_networks[i], tries());
    printf("%s: %zu allocations\n", device_networks[i].name, n);
    assert_true(n > 500);
  }
}

/* Everything that is left of the GPU's memory, down to pieces of `least` bytes. */
enum { MOST_PIECES = 4096 };
static size_t take_all(ingot_device *device, size_t least, void **piece) {
  size_t n = 0;
  for (size_t size = (size_t)1 << 37; size >= least; size /= 2)
    while (n < MOST_PIECES && ingot_device_alloc(device, size, &piece[n]) == INGOT_OK) n++;
  return n;
}

static void no_device_memory(void **state) {
  (void)state;
  const device_network *n = &device_networks[0];
  ingot_env env = {.log = silent};
  ingot_device *device;
  ingot_engine *engine = NULL, *second = NULL;
  ingot_context *context = NULL, *other = NULL;
  void *piece[MOST_PIECES];
  assert_int_equal(device_network_build(&env, n, "cuda", 0, 0, &engine), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, NULL, &context), INGOT_OK);
  assert_int_equal(device_network_run(engine, context, n, 0), INGOT_OK);
  assert_int_equal(ingot_device_create(NULL, "cuda", &device), INGOT_OK);
  size_t taken = take_all(device, 512, piece);
  assert_true(taken > 0);
  assert_int_equal(ingot_device_alloc(device, (size_t)1 << 20, &piece[taken]), INGOT_E_MEMORY);
  assert_non_null(strstr(ingot_last_error(), "out of memory"));
  ingot_status status = ingot_context_create(engine, NULL, &other); /* somewhere on its way to a result there must be a word */
  if (status == INGOT_OK) status = device_network_run(engine, other, n, 2);
  assert_int_equal(status, INGOT_E_MEMORY);
  assert_non_null(strstr(ingot_last_error(), "GPU"));
  if (other) ingot_context_destroy(other);
  status = device_network_build(&env, n, "cuda", 0, 0, &second);
  if (status == INGOT_OK) ingot_engine_destroy(second); /* building alone needs none */
  else assert_int_equal(status, INGOT_E_MEMORY);
  assert_int_equal(device_network_run(engine, context, n, 0), INGOT_OK); /* who has memory goes on */
  while (taken) ingot_device_free(device, piece[--taken]);
  assert_int_equal(device_network_run(engine, context, n, 2), INGOT_OK);
  ingot_context_destroy(context);
  ingot_device_destroy(device);
  ingot_engine_destroy(engine);
}

int main(void) {
  if (!testing_gpu()) return 77;
  if (!testing_real_gpu()) setenv("INGOT_EMULATED_MEMORY", "64000000", 1);
  const struct CMUnitTest tests[] = {cmocka_unit_test(no_device_memory), cmocka_unit_test(each_call), cmocka_unit_test(each_allocation)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
