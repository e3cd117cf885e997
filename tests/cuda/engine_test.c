/* Whole networks on the device (the emulated GPU, or with INGOT_TEST_GPU=1 the real one): built in each precision, through bytes, run with the least,
 * best and most of their shapes and again, on several threads, compared with the CPU's reference engine.
 * INGOT_TEST_ONE_THREAD=1 leaves out the threads. INGOT_TEST_ON_GPU INGOT_TEST_SECONDS 600 */
#include "networks.h"
#include "engine/engine.h"

static const struct { const char *name; unsigned flags; double tolerance; } precisions[] = {
  {"float32", 0, 1e-4}, {"fp16", INGOT_PRECISION_FP16, 1e-2}, {"bf16", INGOT_PRECISION_BF16, 6e-2},
};

static void networks(void **state) {
  (void)state;
  int bad = 0;
  for (size_t i = 0; i < DEVICE_NETWORKS; i++) {
    const device_network *n = &device_networks[i];
    ingot_engine *truth = NULL;
    if (device_network_build(NULL, n, NULL, 0, 0, &truth) != INGOT_OK) fail_msg("%s: %s", n->name, ingot_last_error());
    for (size_t p = 0; p < (n->float32_alone ? 1 : sizeof precisions / sizeof precisions[0]); p++) {
      device_network_job j = {.network = n, .truth = truth, .inputs = 2, .tolerance = precisions[p].tolerance * (n->looser ? n->looser : 1)};
      if (device_network_build(NULL, n, "cuda", precisions[p].flags, 0, &j.engine) != INGOT_OK || device_network_reload(NULL, &j.engine) != INGOT_OK)
        snprintf(j.words, sizeof j.words, "%s", ingot_last_error());
      else device_network_work(&j);
      if (*j.words) print_error("%s in %s: %s\n", n->name, precisions[p].name, j.words), bad++;
      if (j.engine) ingot_engine_destroy(j.engine);
    }
    ingot_engine_destroy(truth);
  }
  assert_int_equal(bad, 0);
}

static void threads(void **state) {
  (void)state;
  if (getenv("INGOT_TEST_ONE_THREAD")) skip();
  for (size_t i = 0; i < DEVICE_NETWORKS; i += 2) {
    const device_network *n = &device_networks[i];
    ingot_engine *truth = NULL, *engine = NULL;
    if (device_network_build(NULL, n, NULL, 0, 0, &truth) != INGOT_OK || device_network_build(NULL, n, "cuda", 0, 0, &engine) != INGOT_OK)
      fail_msg("%s: %s", n->name, ingot_last_error());
    device_network_on_threads(&(device_network_job){.network = n, .engine = engine, .truth = truth, .inputs = 2,
                                                    .tolerance = 1e-4 * (n->looser ? n->looser : 1)});
    ingot_engine_destroy(engine);
    ingot_engine_destroy(truth);
  }
}

/* Inputs and outputs in the device's memory, runs put into the context's stream one after the other. */
static void on_the_device(void **state) {
  (void)state;
  const device_network *n = &device_networks[1];
  ingot_engine *truth = NULL, *engine = NULL;
  ingot_device *device = NULL;
  ingot_context *got = NULL, *want = NULL;
  ingot_io_info io;
  if (device_network_build(NULL, n, NULL, 0, 0, &truth) != INGOT_OK || device_network_build(NULL, n, "cuda", 0, 0, &engine) != INGOT_OK)
    fail_msg("%s", ingot_last_error());
  assert_int_equal(ingot_device_create(NULL, "cuda", &device), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, NULL, &got), INGOT_OK);
  assert_int_equal(ingot_context_create(truth, NULL, &want), INGOT_OK);
  for (uint64_t seed = 0; seed < 6; seed++) {
    float *x = device_network_input(engine, n, seed, &io), *y;
    int rank;
    int64_t dim[INGOT_MAX_RANK], count = 1, in_count = 1;
    void *there[2];
    for (int d = 0; d < io.rank; d++) in_count *= io.dims[d];
    assert_int_equal(device_network_run(truth, want, n, seed), INGOT_OK);
    assert_int_equal(ingot_context_set_input_shape(got, "x", io.rank, io.dims), INGOT_OK);
    assert_int_equal(ingot_context_shape(got, "y", &rank, dim), INGOT_OK);
    for (int d = 0; d < rank; d++) count *= dim[d];
    assert_int_equal(ingot_device_alloc(device, (size_t)in_count * 4, &there[0]), INGOT_OK);
    assert_int_equal(ingot_device_alloc(device, (size_t)count * 4, &there[1]), INGOT_OK);
    assert_int_equal(ingot_device_copy(device, there[0], x, (size_t)in_count * 4), INGOT_OK);
    assert_int_equal(ingot_context_set_address(got, "x", there[0]), INGOT_OK);
    assert_int_equal(ingot_context_set_address(got, "y", there[1]), INGOT_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(ingot_context_enqueue_stream(got, ingot_context_stream(got)), INGOT_OK);
    assert_int_equal(ingot_context_wait(got), INGOT_OK);
    y = malloc((size_t)count * 4);
    assert_int_equal(ingot_device_copy(device, y, there[1], (size_t)count * 4), INGOT_OK);
    const float *right = ingot_context_output(want, "y");
    for (int64_t i = 0; i < count; i++) assert_true(fabsf(y[i] - right[i]) < 1e-4f);
    for (int i = 0; i < 2; i++) ingot_device_free(device, there[i]);
    free(x), free(y);
  }
  ingot_context_destroy(got);
  ingot_context_destroy(want);
  ingot_engine_destroy(engine);
  ingot_engine_destroy(truth);
  ingot_device_destroy(device);
}

typedef struct seen { size_t layers, device_layers; double seconds; bool odd; } seen;
static void profiled(void *user, const ingot_layer_profile *p) {
  seen *s = user;
  const bool on_device = !strncmp(p->kernel, "cuda_", 5);
  s->layers++;
  s->device_layers += on_device;
  s->seconds += p->microseconds * 1e-6;
  s->odd |= !(p->microseconds >= 0) || !p->precision || p->least_microseconds < 0 || (on_device && p->bytes > 0 && p->least_microseconds == 0);
}

/* A run with a profiler plays its layers again and again, whose memory others write over: its outputs are right all the same. */
static void profiles(void **state) {
  (void)state;
  for (size_t i = 0; i < DEVICE_NETWORKS; i++) {
    const device_network *n = &device_networks[i];
    ingot_engine *truth = NULL, *engine = NULL;
    ingot_context *got = NULL, *want = NULL;
    char words[200] = "";
    if (device_network_build(NULL, n, NULL, 0, 0, &truth) != INGOT_OK || device_network_build(NULL, n, "cuda", 0, 0, &engine) != INGOT_OK)
      fail_msg("%s: %s", n->name, ingot_last_error());
    assert_int_equal(ingot_context_create(engine, NULL, &got), INGOT_OK);
    assert_int_equal(ingot_context_create(truth, NULL, &want), INGOT_OK);
    for (uint64_t seed = 0; seed < 3; seed++) {
      seen s = {0};
      assert_int_equal(ingot_context_set_profiler(got, profiled, &s), INGOT_OK);
      assert_int_equal(device_network_run(truth, want, n, seed), INGOT_OK);
      if (device_network_run(engine, got, n, seed) != INGOT_OK) fail_msg("%s: %s", n->name, ingot_last_error());
      if (!device_network_same(engine, got, want, 1e-4 * (n->looser ? n->looser : 1), words, sizeof words)) fail_msg("%s: %s", n->name, words);
      assert_true(s.layers > 1 && s.device_layers > 0 && s.seconds > 0 && !s.odd);
    }
    ingot_context_destroy(got);
    ingot_context_destroy(want);
    ingot_engine_destroy(engine);
    ingot_engine_destroy(truth);
  }
}

/* An input that is only seen otherwise (its one channel comes last) goes to the device as it is: a caller's memory there is used where it is. */
static void one_channel(void **state) {
  (void)state;
  static const device_network n = {.name = "one channel", .text =
    "network {\ninput x: float32[1,1,12,10]\nconst w: float32[8,1,3,3] = random(1)\nconst w2: float32[8,8,3,3] = random(2)\n"
    "a = Conv(x, w) {pads=[1,1,1,1]}\nb = Relu(a)\nc = Conv(b, w2) {pads=[1,1,1,1]}\ny = Sigmoid(c)\noutput y\n}\n"};
  ingot_engine *engine = NULL, *truth = NULL;
  if (device_network_build(NULL, &n, "cuda", INGOT_PRECISION_FP16, 0, &engine) != INGOT_OK ||
      device_network_build(NULL, &n, NULL, 0, 0, &truth) != INGOT_OK || device_network_reload(NULL, &engine) != INGOT_OK)
    fail_msg("%s", ingot_last_error());
  const ingot__value *x = engine->network->main->input[0];
  for (size_t u = 0; u < x->n_user; u++) assert_int_equal(x->user[u]->op, INGOT__OP_Transfer);
  device_network_job j = {.network = &n, .engine = engine, .truth = truth, .inputs = 2, .tolerance = 1e-2};
  device_network_work(&j);
  if (*j.words) fail_msg("%s", j.words);
  ingot_engine_destroy(engine);
  ingot_engine_destroy(truth);
}

int main(void) {
  if (!testing_gpu()) return 77;
  const struct CMUnitTest tests[] = {cmocka_unit_test(networks), cmocka_unit_test(threads), cmocka_unit_test(on_the_device),
                                     cmocka_unit_test(profiles), cmocka_unit_test(one_channel)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
