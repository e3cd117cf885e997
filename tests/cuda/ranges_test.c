/* float16's range, measured before networks are made narrow (compile/ranges.c): layers whose values leave it stay in float32 and the others don't;
 * what can't be measured builds all the same; a cache remembers networks that stay within. INGOT_TEST_ON_GPU INGOT_TEST_SECONDS 300 */
#include "engine/engine.h"
#include "networks.h"
#include <unistd.h>

#define POINTWISE "{kernel_shape=[1,1] strides=[1,1] pads=[0,0,0,0] dilations=[1,1] group=3}"
/* Up by 300 twice, to 9e4 for inputs up to 1, and down again: a, c and d are within the range, b isn't. */
static const device_network far[] = {
  {.name = "a Concat that can be written in place", .text =
   "network {\ninput x: float32[1,3,6,6]\n"
   "const up: float32[3,1,1,1] = {300, 300, 300}\nconst down: float32[3,2,1,1] = {0.004, 0.002, 0.004, 0.002, 0.004, 0.002}\n"
   "const down2: float32[3,1,1,1] = {0.004, 0.004, 0.004}\nconst w: float32[4,3,3,3] = random(1)\n"
   "a = Conv(x, up) " POINTWISE "\nb = Conv(a, up) " POINTWISE "\ng = Concat(b, a) {axis=1}\nc = Conv(g, down) " POINTWISE "\n"
   "d = Conv(c, down2) " POINTWISE "\ny = Conv(d, w) {pads=[1,1,1,1]}\noutput y\n}\n"},
  {.name = "a view", .text =
   "network {\ninput x: float32[6,2]\n"
   "const up: float32[2,2] = {300, 0, 0, 300}\nconst down: float32[4,2] = {0.004, 0.002, 0.004, 0.002, 0.004, 0.002, 0.002, 0.002}\n"
   "const down2: float32[2,2] = {0.004, 0, 0, 0.004}\nconst shape: int64[2] = {3, 4}\n"
   "a = MatMul(x, up)\nb = MatMul(a, up)\nr = Reshape(b, shape)\nc = MatMul(r, down)\nd = MatMul(c, down2)\ny = Sigmoid(d)\noutput y\n}\n"},
};

/* The same without the way up. */
static const char near_1[] =
  "network {\ninput x: float32[1,3,6,6]\nconst w: float32[4,3,3,3] = random(%d)\ny = Conv(x, w) {pads=[1,1,1,1]}\noutput y\n}\n";

typedef struct told { char wide[400], left[400]; int measured; bool cancel; } told;

static void listen(void *user, ingot_severity severity, const char *text) {
  told *t = user;
  (void)severity;
  if (strstr(text, "values leave float16's range")) snprintf(t->wide, sizeof t->wide, "%s", text);
  if (strstr(text, "float16's range isn't looked after")) snprintf(t->left, sizeof t->left, "%s", text);
}

static bool progress(void *user, const char *phase, size_t done, size_t total) {
  told *t = user;
  (void)done, (void)total;
  bool ours = !strcmp(phase, "measuring ranges");
  t->measured += ours;
  return !(ours && t->cancel);
}

static ingot_status build(const char *text, unsigned precision, const char *cache, bool verify, told *t, ingot_engine **engine) {
  const device_build how = {precision, cache, verify, -1, listen, progress, t, 0};
  return device_text_build(text, &how, engine);
}

static ingot_dtype type_of(const ingot_engine *engine, const char *layer) {
  for (const ingot__node *n = engine->network->main->first; n; n = n->next)
    if (!strcmp(n->name, layer)) return n->out[0]->type.dtype;
  return INGOT_UNDEFINED;
}

static void far_values_stay_float32(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
    told t = {0};
    ingot_engine *engine, *truth;
    ingot_context *got, *want;
    char words[400] = "";
    if (build(far[i].text, INGOT_PRECISION_FP16, NULL, true, &t, &engine) != INGOT_OK) fail_msg("%s: %s", far[i].name, ingot_last_error());
    double largest = 0;
    const char *number = strstr(t.wide, "up to ");
    assert_true(number && sscanf(number, "up to %lf in 'b'", &largest) == 1 && strstr(number, " in 'b'"));
    assert_true(largest > 16376 && largest < 2e5);
    assert_int_equal(device_network_build(NULL, &far[i], NULL, 0, 0, &truth), INGOT_OK);
    assert_int_equal(ingot_context_create(engine, NULL, &got), INGOT_OK);
    assert_int_equal(ingot_context_create(truth, NULL, &want), INGOT_OK);
    assert_int_equal(device_network_run(engine, got, &far[i], 3), INGOT_OK);
    assert_int_equal(device_network_run(truth, want, &far[i], 3), INGOT_OK);
    if (!device_network_same(engine, got, want, 1e-2, words, sizeof words)) fail_msg("%s: %s", far[i].name, words);
    assert_int_equal(type_of(engine, "a"), INGOT_FLOAT16);
    assert_int_equal(type_of(engine, "b"), INGOT_FLOAT32);
    assert_int_equal(type_of(engine, "c"), INGOT_FLOAT32);
    assert_int_equal(type_of(engine, "d"), INGOT_FLOAT16);
    ingot_context_destroy(got), ingot_context_destroy(want);
    ingot_engine_destroy(engine), ingot_engine_destroy(truth);
  }
}

/* Padding as exporters write it, and biases added to it: attention is narrow, its mask isn't, and nobody is warned. */
static void masks_stay_float32(void **state) {
  (void)state;
  told t = {0};
  ingot_engine *engine;
  const char *text =
    "network {\ninput x: float32[2,5,3,8]\ninput keep: bool[2,1,1,5]\nconst none: float32[] = {0}\nconst low: float32[] = {-3.4e38}\n"
    "const bias: float32[3,5,5] = random(1)\nconst w: float32[8,8] = random(2)\nq = MatMul(x, w)\npad = Where(keep, none, low)\n"
    "mask = Add(bias, pad)\na = FusedAttention(q, q, q, mask) {swapped=15}\ny = MatMul(a, w)\noutput y\n}\n";
  if (build(text, INGOT_PRECISION_FP16, NULL, true, &t, &engine) != INGOT_OK) fail_msg("%s", ingot_last_error());
  assert_true(t.measured > 0);
  assert_string_equal(t.wide, "");
  assert_int_equal(type_of(engine, "a"), INGOT_FLOAT16);
  for (const ingot__node *n = engine->network->main->first; n; n = n->next)
    if (n->op == INGOT__OP_FusedAttention) assert_int_equal(n->in[3]->type.dtype, INGOT_FLOAT32);
  ingot_engine_destroy(engine);
}

static void other_precisions_need_none(void **state) {
  (void)state;
  told t = {0};
  ingot_engine *engine;
  assert_int_equal(build(far[0].text, INGOT_PRECISION_BF16, NULL, false, &t, &engine), INGOT_OK);
  ingot_engine_destroy(engine);
  assert_int_equal(build(far[0].text, 0, NULL, false, &t, &engine), INGOT_OK);
  ingot_engine_destroy(engine);
  assert_int_equal(t.measured, 0);
}

/* Whether it was measured. */
static bool measures(const char *text, const char *cache) {
  told t = {0};
  ingot_engine *engine;
  if (build(text, INGOT_PRECISION_FP16, cache, false, &t, &engine) != INGOT_OK) fail_msg("%s", ingot_last_error());
  ingot_engine_destroy(engine);
  return t.measured > 0;
}

static void networks_within_are_remembered(void **state) {
  (void)state;
  const char *cache = testing_file("", 0);
  char text[400];
  assert_int_equal(unlink(cache), 0);
  snprintf(text, sizeof text, near_1, 1);
  assert_true(measures(text, cache));
  assert_false(measures(text, cache));
  snprintf(text, sizeof text, near_1, 2); /* other weights */
  assert_true(measures(text, cache));
  assert_false(measures(text, cache));
  assert_true(measures(far[0].text, cache));
  assert_true(measures(far[0].text, cache)); /* what is wide isn't in the cache */
  testing_file_remove(cache);
}

static void what_fails_on_random_inputs_builds(void **state) {
  (void)state;
  told t = {0};
  ingot_engine *engine;
  const char *text = "network {\ninput x: float32[4,3]\ninput sizes: int64[2]\nconst w: float32[3,3] = random(1)\nm = MatMul(x, w)\n"
                     "y, z = Split(m, sizes) {axis=0}\noutput y\noutput z\n}\n"; /* sizes are 0 in such a run, and don't add up to 4 */
  if (build(text, INGOT_PRECISION_FP16, NULL, true, &t, &engine) != INGOT_OK) fail_msg("%s", ingot_last_error());
  assert_non_null(strstr(t.left, "Split"));
  assert_string_equal(t.wide, "");
  assert_int_equal(type_of(engine, "m"), INGOT_FLOAT16);
  ingot_engine_destroy(engine);
}

static void what_takes_long_is_left_out(void **state) {
  (void)state;
  told t = {0};
  ingot_engine *engine;
  const char *text = "network {\ninput x: float32[2400,2400]\nconst w: float32[2400,2400] = random(1)\ny = MatMul(x, w)\noutput y\n}\n"; /* 28e9 */
  assert_int_equal(build(text, INGOT_PRECISION_FP16, NULL, false, &t, &engine), INGOT_OK);
  assert_non_null(strstr(t.left, "too large"));
  assert_int_equal(t.measured, 0);
  ingot_engine_destroy(engine);
}

/* A batch that the build fixes and the network doesn't: one of it is measured, so that a large one is no reason to measure nothing; all of it where
 * the network has its number elsewhere. */
static void one_of_a_batch_is_measured(void **state) {
  (void)state;
  static const struct { int64_t batch; const char *rest; } cases[] = {
    {20000, "y = Conv(b, w) {pads=[1,1,1,1]}\noutput y\n}\n"},
    {5, "const shape: int64[2] = {5, 6912}\nr = Reshape(b, shape)\ny = Neg(r)\nz = Conv(b, w) {pads=[1,1,1,1]}\noutput y\noutput z\n}\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    told t = {0};
    ingot_engine *engine;
    char text[900];
    snprintf(text, sizeof text, "network {\ninput x: float32[N,3,48,48]\nconst up: float32[3,1,1,1] = {300, 300, 300}\n"
             "const w: float32[16,3,3,3] = random(1)\na = Conv(x, up) " POINTWISE "\nb = Conv(a, up) " POINTWISE "\n%s", cases[i].rest);
    const device_build how = {INGOT_PRECISION_FP16, NULL, false, -1, listen, progress, &t, cases[i].batch};
    if (device_text_build(text, &how, &engine) != INGOT_OK) fail_msg("%s", ingot_last_error());
    assert_string_not_equal(t.wide, "");
    assert_string_equal(t.left, "");
    assert_int_equal(type_of(engine, "a"), INGOT_FLOAT16);
    assert_int_equal(type_of(engine, "b"), INGOT_FLOAT32);
    ingot_engine_destroy(engine);
  }
}

static void cancelled(void **state) {
  (void)state;
  told t = {.cancel = true};
  ingot_engine *engine;
  assert_int_equal(build(far[0].text, INGOT_PRECISION_FP16, NULL, false, &t, &engine), INGOT_E_CANCELLED);
}

int main(void) {
  if (!testing_gpu()) return 77;
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(far_values_stay_float32), cmocka_unit_test(masks_stay_float32), cmocka_unit_test(other_precisions_need_none),
    cmocka_unit_test(networks_within_are_remembered),
    cmocka_unit_test(what_fails_on_random_inputs_builds), cmocka_unit_test(what_takes_long_is_left_out),
    cmocka_unit_test(one_of_a_batch_is_measured), cmocka_unit_test(cancelled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
