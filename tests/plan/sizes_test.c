/* One engine for many sizes: kernels and threads chosen at several points of the profile, kept in the file, and taken by the nearest size.
 * INGOT_TEST_ASAN */
#include "testing.h"
#include "compile/compile.h"
#include "runtime/state.h"

static const char text[] =
    "network {\n  input x: float32[N,4096]\n  const w: float32[4096,8] = random(1)\n"
    "  s = Sigmoid(x)\n  t = Tanh(s)\n  y = MatMul(t, w)\n  output s\n  output y\n}\n";
enum { WIDTH = 4096, MOST = 64, OUT = 8 };

static ingot_engine *build(int64_t opt) {
  ingot_network *network;
  ingot_config *config;
  ingot_engine *engine;
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  if (ingot__network_parse(NULL, text, sizeof text - 1, &diag, &network) || ingot__infer_network(network, &diag)) fail_msg("%s", diag.text);
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_budget(config, 0), INGOT_OK);
  assert_int_equal(ingot_config_set_threads(config, 2), INGOT_OK);
  int64_t min[] = {1, WIDTH}, best[] = {opt, WIDTH}, max[] = {MOST, WIDTH};
  assert_int_equal(ingot_config_set_profile(config, "x", 2, min, best, max), INGOT_OK);
  if (ingot_build(network, config, &engine) != INGOT_OK) fail_msg("%s", ingot_last_error());
  ingot_config_destroy(config);
  ingot_network_destroy(network);
  return engine;
}

/* The layer that makes `output`. */
static const ingot__run_step *step_of(const ingot_context *context, const char *output) {
  const ingot__region *region = context->current->frame[0]->region[0];
  for (size_t i = 0; i < region->n_step; i++)
    for (size_t k = 0; k < region->step[i].node->n_out; k++)
      if (region->step[i].node->out[k] && !strcmp(region->step[i].node->out[k]->name, output)) return &region->step[i];
  fail_msg("nothing makes %s", output);
  return NULL;
}

static void run(ingot_context *context, const float *x, int64_t n) {
  static float s[MOST * WIDTH], y[MOST * OUT];
  int64_t dims[2] = {n, WIDTH};
  assert_int_equal(ingot_context_set_input_shape(context, "x", 2, dims), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "x", (void *)(uintptr_t)x), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "s", s), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "y", y), INGOT_OK);
  assert_int_equal(ingot_context_run(context), INGOT_OK);
  for (int64_t i = 0; i < n * WIDTH; i += 61) assert_true(testing_close((double)s[i], 1 / (1 + exp(-(double)x[i])), 1e-5, 1e-6));
}

static void by_size(void **state) {
  (void)state;
  static float x[MOST * WIDTH];
  uint64_t random = 3;
  for (int i = 0; i < MOST * WIDTH; i++) x[i] = (float)testing_random(&random) * 4 - 2;
  ingot_engine *built = build(1), *engine;
  void *bytes;
  size_t size;
  assert_int_equal(ingot_engine_serialize(built, &bytes, &size), INGOT_OK);
  for (int loaded = 0; loaded < 2; loaded++) {
    if (loaded) assert_int_equal(ingot_engine_load_memory(NULL, bytes, size, &engine), INGOT_OK);
    else engine = built;
    ingot_context *context;
    assert_int_equal(ingot_context_create(engine, &(ingot_context_options){.threads = 2}, &context), INGOT_OK);
    run(context, x, 1);
    const ingot__run_step *small = step_of(context, "s");
    assert_true(small->step->one_thread && small->call.threads == 1); /* too little to share */
    const ingot__step *base = &engine->step[small->node->id];
    assert_true(base->n_other >= 1 && small->step == base);
    for (int i = 0; i < base->n_other; i++) assert_true(base->other[i].size > base->size);
    run(context, x, 16);
    const ingot__run_step *large = step_of(context, "s");
    assert_true(!large->step->one_thread && large->call.threads == 2 && large->step != base);
    for (int64_t n = 2; n <= MOST; n += 7) run(context, x, n);
    run(context, x, 1);
    assert_ptr_equal(step_of(context, "s")->step, base);
    ingot_context_destroy(context);
    if (loaded) ingot_engine_destroy(engine);
  }
  ingot_blob_free(built, bytes, size);
  ingot_engine_destroy(built);
}

/* Shapes come back to the plans that were made for them: of many while they are small. */
static void shapes_are_kept(void **state) {
  (void)state;
  ingot_engine *engine = build(1);
  ingot_context *context;
  const ingot__instance *met[MOST + 1];
  int rank;
  int64_t dims[INGOT_MAX_RANK];
  assert_int_equal(ingot_context_create(engine, &(ingot_context_options){.threads = 1}, &context), INGOT_OK);
  for (int round = 0; round < 2; round++)
    for (int64_t n = 1; n <= MOST; n++) {
      assert_int_equal(ingot_context_set_input_shape(context, "x", 2, (int64_t[]){n, WIDTH}), INGOT_OK);
      assert_int_equal(ingot_context_shape(context, "y", &rank, dims), INGOT_OK);
      assert_true(rank == 2 && dims[0] == n && dims[1] == OUT);
      if (round) assert_ptr_equal(context->current, met[n]);
      met[n] = context->current;
    }
  ingot_context_destroy(context);
  ingot_engine_destroy(engine);
}

/* The same weights are packed once, whatever the number of sizes; and a file has them once. */
static void weights_are_shared(void **state) {
  (void)state;
  ingot_engine *e = build(1);
  for (size_t i = 0; i < e->network->n_node; i++)
    for (int k = 0; k < e->step[i].n_other; k++) {
      const ingot__step *base = &e->step[i], *other = &base->other[k];
      if (!base->packed || strcmp(base->kernel->functions->pack_format, other->kernel->functions->pack_format)) continue;
      assert_ptr_equal(other->packed, base->packed);
    }
  void *bytes;
  size_t size;
  assert_int_equal(ingot_engine_serialize(e, &bytes, &size), INGOT_OK);
  assert_true(size < 5 * WIDTH * OUT * sizeof(float) / 2); /* one copy, its columns filled up to 16, and the description */
  ingot_blob_free(e, bytes, size);
  ingot_engine_destroy(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(by_size), cmocka_unit_test(shapes_are_kept), cmocka_unit_test(weights_are_shared)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
