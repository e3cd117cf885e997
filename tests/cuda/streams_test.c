/* Runs through the public calls, on the emulated GPU or with INGOT_TEST_GPU=1 on the real one: inputs and outputs in pages, page-locked and in the
 * GPU's memory, streams that aren't waited for, times, engines taken to another device. INGOT_TEST_ON_GPU
 * INGOT_TEST_SECONDS 300 */
#include "testing_gpu.h"
#include "testing_networks.h"
#include <dlfcn.h>

#define NETWORK \
  "network {\ninput x: float32[N,8]\nconst w: float32[8] = random(1)\n" \
  "m = Mul(x, w)\ny = Transpose(m) {perm=[1,0]}\na = Add(m, x)\nz = Transpose(a) {perm=[1,0]}\noutput y, z\n}\n"
enum { COLUMNS = 8, MOST = 64 * COLUMNS };

static int (*cuStreamCreate)(void **, unsigned);
static int (*cuStreamDestroy)(void *);
static int (*cuStreamSynchronize)(void *);
static ingot_engine *engine, *reference;
static ingot_device *device;
static float input[MOST];

static ingot_status build(const char *where, ingot_engine **on_gpu, ingot_engine **truth) {
  ingot__network *network;
  ingot_config *config;
  const int64_t least[] = {1, COLUMNS}, best[] = {4, COLUMNS}, most[] = {64, COLUMNS};
  INGOT_TRY(ingot__network_parse(NULL, NETWORK, strlen(NETWORK), NULL, &network));
  INGOT_TRY(ingot_config_create(NULL, &config));
  INGOT_TRY(ingot_config_set_profile(config, "x", 2, least, best, most));
  INGOT_TRY(ingot_config_set_budget(config, 0));
  INGOT_TRY(ingot_build_reference(network, config, truth));
  INGOT_TRY(ingot_config_set_device(config, where));
  INGOT_TRY(ingot_build(network, config, on_gpu));
  ingot_config_destroy(config);
  ingot__network_free(network);
  return INGOT_OK;
}

static int set_up(void **state) {
  (void)state;
  void *library = dlopen(testing_driver(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return -1;
  cuStreamCreate = (int (*)(void **, unsigned))dlsym(library, "cuStreamCreate");
  cuStreamDestroy = (int (*)(void *))dlsym(library, "cuStreamDestroy_v2");
  cuStreamSynchronize = (int (*)(void *))dlsym(library, "cuStreamSynchronize");
  for (int i = 0; i < MOST; i++) input[i] = (float)((i * 37) % 101) / 50 - 1;
  if (ingot_device_create(NULL, "cuda", &device) == INGOT_OK && build("cuda:0", &engine, &reference) == INGOT_OK) return 0;
  fprintf(stderr, "%s\n", ingot_last_error());
  return -1;
}

static int tear_down(void **state) {
  (void)state;
  ingot_engine_destroy(engine);
  ingot_engine_destroy(reference);
  ingot_device_destroy(device); /* the emulated driver aborts if anything is left on it */
  return 0;
}

static void *on_gpu(size_t size) {
  void *memory = NULL;
  assert_int_equal(ingot_device_alloc(device, size, &memory), INGOT_OK);
  return memory;
}
static void *locked(size_t size) {
  void *memory = NULL;
  assert_int_equal(ingot_device_alloc_host(device, size, &memory), INGOT_OK);
  return memory;
}

static ingot_context *context_for(ingot_engine *e, int rows, const void *x, void *y, void *z) {
  ingot_context *context;
  assert_int_equal(ingot_context_create(e, NULL, &context), INGOT_OK);
  assert_int_equal(ingot_context_set_input_shape(context, "x", 2, (int64_t[]){rows, COLUMNS}), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "x", (void *)x), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "y", y), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "z", z), INGOT_OK);
  return context;
}

static void expect(const float *y, const float *z, const float *x, int rows) {
  float truth[2][MOST];
  ingot_context *context = context_for(reference, rows, x, truth[0], truth[1]);
  assert_int_equal(ingot_context_run(context), INGOT_OK);
  for (int i = 0; i < rows * COLUMNS; i++) {
    assert_true(fabsf(y[i] - truth[0][i]) < 1e-6f);
    assert_true(fabsf(z[i] - truth[1][i]) < 1e-6f);
  }
  ingot_context_destroy(context);
}

static void devices(void **state) {
  (void)state;
  ingot_device *other = NULL;
  if (testing_real_gpu()) assert_true(ingot_device_count("cuda") >= 1);
  else assert_int_equal(ingot_device_count("cuda"), 1);
  assert_int_equal(ingot_device_count("cpu"), 1);
  assert_int_equal(ingot_device_count("tpu"), 0);
  assert_non_null(strstr(ingot_device_description(device), testing_real_gpu() ? "sm_" : "sm_90"));
  assert_int_equal(ingot_device_create(NULL, "cuda:63", &other), INGOT_E_DEVICE);
  for (const char *const *word = (const char *const[]){"cpu", "cuda:", "cuda:x", "cuda:1000", "gpu", "", NULL}; *word; word++)
    assert_int_equal(ingot_device_create(NULL, *word, &other), INGOT_E_ARGUMENT);
  float back[MOST] = {0}, *a = on_gpu(sizeof back), *b = on_gpu(sizeof back);
  assert_int_equal((uintptr_t)a % 256, 0);
  assert_int_equal(ingot_device_copy(device, a, input, sizeof input), INGOT_OK);
  assert_int_equal(ingot_device_copy(device, b, a, sizeof input), INGOT_OK);
  assert_int_equal(ingot_device_copy(device, back, b, sizeof input), INGOT_OK);
  assert_memory_equal(back, input, sizeof input);
  assert_int_equal(ingot_device_copy(device, NULL, NULL, 0), INGOT_OK);
  ingot_device_free(device, a);
  ingot_device_free(device, b);
  ingot_device_free(device, NULL);
  ingot_device_free_host(device, locked(100));
}

static void memory_of_all_kinds(void **state) {
  (void)state;
  enum { ROWS = 5, BYTES = ROWS * COLUMNS * 4 };
  float y[ROWS * COLUMNS], z[ROWS * COLUMNS];
  for (int kind = 0; kind < 4; kind++) { /* pages; page-locked; the GPU's; outputs of the context's own */
    void *(*make)(size_t) = kind == 1 ? locked : on_gpu;
    void (*give)(ingot_device *, void *) = kind == 1 ? ingot_device_free_host : ingot_device_free;
    bool made = kind == 1 || kind == 2;
    float *at[3] = {input, y, z};
    for (int i = 0; i < 3 && made; i++) at[i] = make(BYTES);
    if (made) assert_int_equal(ingot_device_copy(device, at[0], input, BYTES), INGOT_OK);
    if (kind == 3) at[1] = at[2] = NULL;
    ingot_context *context = context_for(engine, ROWS, at[0], at[1], at[2]);
    for (int run = 0; run < 3; run++) {
      memset(y, 0, BYTES);
      assert_int_equal(ingot_context_run(context), INGOT_OK);
      const void *out[2] = {ingot_context_output(context, "y"), ingot_context_output(context, "z")};
      if (kind != 3) assert_true(out[0] == at[1] && out[1] == at[2]);
      assert_int_equal(ingot_device_copy(device, y, out[0], BYTES), INGOT_OK);
      assert_int_equal(ingot_device_copy(device, z, out[1], BYTES), INGOT_OK);
      expect(y, z, input, ROWS);
    }
    ingot_context_destroy(context);
    for (int i = 0; i < 3 && made; i++) give(device, at[i]);
  }
}

/* Nothing has run when enqueue comes back, everything has after the wait; another stream goes on where the first was, which may be gone. */
static void streams(void **state) {
  (void)state;
  enum { ROWS = 3, BYTES = ROWS * COLUMNS * 4 };
  float *x = on_gpu(BYTES), *y = on_gpu(BYTES), *z = on_gpu(BYTES), other[ROWS * COLUMNS], out[2][ROWS * COLUMNS];
  void *stream[2];
  ingot_context *context = context_for(engine, ROWS, x, y, z);
  assert_int_equal(ingot_context_wait(context), INGOT_E_STATE);
  assert_non_null(ingot_context_stream(context));
  assert_int_equal(ingot_device_copy(device, x, input, BYTES), INGOT_OK);
  assert_int_equal(ingot_context_run(context), INGOT_OK);
  for (int i = 0; i < 2; i++) assert_int_equal(cuStreamCreate(&stream[i], 1), 0);
  for (int i = 0; i < ROWS * COLUMNS; i++) other[i] = 3 - input[i];
  assert_int_equal(ingot_device_copy(device, x, other, BYTES), INGOT_OK);
  assert_int_equal(ingot_context_enqueue_stream(context, stream[0]), INGOT_OK);
  if (!testing_real_gpu()) { /* which may be through before the copies begin */
    assert_int_equal(ingot_device_copy(device, out[0], y, BYTES), INGOT_OK);
    assert_int_equal(ingot_device_copy(device, out[1], z, BYTES), INGOT_OK);
    expect(out[0], out[1], input, ROWS);
  }
  assert_int_equal(ingot_context_enqueue_stream(context, stream[1]), INGOT_OK);
  assert_int_equal(ingot_context_wait(context), INGOT_OK);
  assert_int_equal(ingot_device_copy(device, out[0], y, BYTES), INGOT_OK);
  assert_int_equal(ingot_device_copy(device, out[1], z, BYTES), INGOT_OK);
  expect(out[0], out[1], other, ROWS);
  assert_int_equal(ingot_context_enqueue_stream(context, stream[0]), INGOT_OK);
  assert_int_equal(cuStreamSynchronize(stream[0]), 0);
  for (int i = 0; i < 2; i++) assert_int_equal(cuStreamDestroy(stream[i]), 0);
  assert_int_equal(ingot_device_copy(device, x, input, BYTES), INGOT_OK);
  assert_int_equal(ingot_context_run(context), INGOT_OK);
  assert_int_equal(ingot_device_copy(device, out[0], y, BYTES), INGOT_OK);
  assert_int_equal(ingot_device_copy(device, out[1], z, BYTES), INGOT_OK);
  expect(out[0], out[1], input, ROWS);
  assert_int_equal(ingot_context_enqueue_stream(context, ingot_context_stream(context)), INGOT_OK); /* and goes away while it may run */
  ingot_context_destroy(context);
  for (int i = 0; i < 3; i++) ingot_device_free(device, (float *[]){x, y, z}[i]);
  context = context_for(reference, ROWS, input, out[0], out[1]);
  assert_null(ingot_context_stream(context));
  assert_int_equal(ingot_context_enqueue_stream(context, NULL), INGOT_E_STATE);
  ingot_context_destroy(context);
}

/* The caller's memory on the GPU is another in every run, then stays, then moves again. */
static void restless(void **state) {
  (void)state;
  enum { ROWS = 4, BYTES = ROWS * COLUMNS * 4, PLACES = 3 };
  float *x[PLACES], *y[PLACES], *z[PLACES], values[ROWS * COLUMNS], out[2][ROWS * COLUMNS];
  for (int i = 0; i < PLACES; i++) x[i] = on_gpu(BYTES), y[i] = on_gpu(BYTES), z[i] = on_gpu(BYTES);
  ingot_context *context = context_for(engine, ROWS, x[0], y[0], z[0]);
  for (int run = 0; run < 100; run++) {
    int at = run < 12 || run > 90 ? run % PLACES : 0;
    for (int i = 0; i < ROWS * COLUMNS; i++) values[i] = input[i] * (float)(run + 1);
    assert_int_equal(ingot_device_copy(device, x[at], values, BYTES), INGOT_OK);
    assert_int_equal(ingot_context_set_address(context, "x", x[at]), INGOT_OK);
    assert_int_equal(ingot_context_set_address(context, "y", y[at]), INGOT_OK);
    assert_int_equal(ingot_context_set_address(context, "z", z[(at + run) % PLACES]), INGOT_OK);
    assert_int_equal(ingot_context_run(context), INGOT_OK);
    assert_ptr_equal(ingot_context_output(context, "y"), y[at]);
    assert_int_equal(ingot_device_copy(device, out[0], y[at], BYTES), INGOT_OK);
    assert_int_equal(ingot_device_copy(device, out[1], z[(at + run) % PLACES], BYTES), INGOT_OK);
    if (run % 9 == 0 || run < 12) {
      float truth[2][MOST];
      ingot_context *other = context_for(reference, ROWS, values, truth[0], truth[1]);
      assert_int_equal(ingot_context_run(other), INGOT_OK);
      for (int i = 0; i < ROWS * COLUMNS; i++) assert_true(fabsf(out[0][i] - truth[0][i]) < 1e-4f && fabsf(out[1][i] - truth[1][i]) < 1e-4f);
      ingot_context_destroy(other);
    }
  }
  ingot_context_destroy(context);
  for (int i = 0; i < PLACES; i++) ingot_device_free(device, x[i]), ingot_device_free(device, y[i]), ingot_device_free(device, z[i]);
}

static void times(void **state) {
  (void)state;
  float y[MOST], z[MOST];
  ingot_run_times t = {-1, -1, -1};
  ingot_context *context = context_for(engine, 64, input, y, z);
  assert_int_equal(ingot_context_times(context, &t), INGOT_E_STATE);
  assert_int_equal(ingot_context_set_timing(context, true), INGOT_OK);
  assert_int_equal(ingot_context_times(context, &t), INGOT_E_STATE);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(i ? ingot_context_enqueue_stream(context, ingot_context_stream(context)) : ingot_context_run(context), INGOT_OK);
    assert_int_equal(ingot_context_times(context, &t), INGOT_OK);
    assert_true(t.to_device > 0 && t.compute > 0 && t.from_device > 0);
    assert_int_equal(ingot_context_wait(context), INGOT_OK);
    expect(y, z, input, 64);
  }
  assert_int_equal(ingot_context_set_timing(context, false), INGOT_OK);
  assert_int_equal(ingot_context_run(context), INGOT_OK);
  assert_int_equal(ingot_context_times(context, &t), INGOT_E_STATE);
  ingot_memory_info memory;
  assert_int_equal(ingot_context_memory(context, &memory), INGOT_OK);
  assert_true(memory.activations > 0);
  ingot_context_destroy(context);
  context = context_for(reference, 64, input, y, z);
  assert_int_equal(ingot_context_set_timing(context, true), INGOT_E_STATE);
  ingot_context_destroy(context);
}

static void elsewhere(void **state) {
  (void)state;
  void *data;
  size_t size;
  int index = -1;
  ingot_engine *loaded = NULL;
  float y[MOST], z[MOST];
  assert_string_equal(ingot_engine_device(engine, &index), "cuda");
  assert_int_equal(index, 0);
  assert_string_equal(ingot_engine_device(reference, NULL), "cpu");
  assert_int_equal(ingot_engine_serialize(engine, &data, &size), INGOT_OK);
  assert_int_equal(ingot_engine_load_memory_on(NULL, data, size, "cpu", &loaded), INGOT_E_DEVICE);
  assert_int_equal(ingot_engine_load_memory_on(NULL, data, size, "cuda:63", &loaded), INGOT_E_DEVICE);
  assert_int_equal(ingot_engine_load_memory_on(NULL, data, size, "here", &loaded), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_engine_load_on(NULL, "/nowhere/at.all", "cuda", &loaded), INGOT_E_IO);
  assert_int_equal(ingot_engine_load_memory_on(NULL, data, size, "cuda:0", &loaded), INGOT_OK);
  ingot_context *context = context_for(loaded, 7, input, y, z);
  assert_int_equal(ingot_context_run(context), INGOT_OK);
  expect(y, z, input, 7);
  ingot_context_destroy(context);
  ingot_engine_destroy(loaded);
  ingot_blob_free(engine, data, size);
}

int main(void) {
  if (!testing_gpu()) return 77;
  const struct CMUnitTest tests[] = {cmocka_unit_test(devices), cmocka_unit_test(memory_of_all_kinds), cmocka_unit_test(streams),
                                     cmocka_unit_test(restless), cmocka_unit_test(times), cmocka_unit_test(elsewhere)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
