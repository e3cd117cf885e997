/* How far float16's rounding moves outputs, measured before networks are made narrow (compile/rounding.c): layers at the front, and the
 * last few, stay in float32, without TF32, where it is too far, and nowhere else. INGOT_TEST_ON_GPU INGOT_TEST_SECONDS 300 */
#include "engine/engine.h"
#include "networks.h"
#include <unistd.h>

/* d is a five-hundredth of p and q, and e as large as they are: a half's rounding of those is a tenth of e. */
#define SENSITIVE \
  "network {\ninput x: float32[256,128]\n" \
  "const w: float32[128,128] = random(1)\nconst w2: float32[128,128] = random(2)\nconst w3: float32[128,8] = random(3)\n" \
  "const k: float32[] = {1.002}\nconst s: float32[] = {300}\n" \
  "a = MatMul(x, w)\nb = Tanh(a)\nc = Mul(b, k)\np = MatMul(b, w2)\nq = MatMul(c, w2)\nd = Sub(p, q)\ne = Mul(d, s)\nt = Tanh(e)\n"
static const device_network sensitive = {.name = "sensitive", .text = SENSITIVE "y = MatMul(t, w3)\noutput y\n}\n"};
/* Of which output there is nothing but decisions. */
static const device_network decided = {.name = "sensitive and decided", .text = SENSITIVE "y = ArgMax(t) {axis=1}\noutput y\n}\n"};

/* Among so many rows halves decide otherwise for some. */
static const device_network steady = {.name = "steady", .text =
  "network {\ninput x: float32[4000,32]\nconst w: float32[32,64] = random(1)\nconst table: float32[64,4] = random(2)\n"
  "a = MatMul(x, w)\ni = ArgMax(a) {axis=1 keepdims=0}\ny = Gather(table, i)\noutput y\n}\n"};

/* Halves of logits beyond 1024 are whole numbers; of what is before them they keep enough. */
#define LAYER(x, y, n) y " = MatMul(" x ", w" n ")\n" y "t = Sigmoid(" y ")\n"
#define WEIGHT(n) "const w" n ": float32[64,64] = random(" n ")\n"
static const device_network headed = {.name = "headed", .text =
  "network {\ninput x: float32[64,64]\nconst v: float32[64,8] = random(20)\nconst far: float32[8] = {1500,1500,1500,1500,1500,1500,1500,1500}\n"
  WEIGHT("1") WEIGHT("2") WEIGHT("3") WEIGHT("4") WEIGHT("5") WEIGHT("6") WEIGHT("7") WEIGHT("8") WEIGHT("9") WEIGHT("10") WEIGHT("11") WEIGHT("12")
  LAYER("x", "a", "1") LAYER("at", "b", "2") LAYER("bt", "c", "3") LAYER("ct", "d", "4") LAYER("dt", "e", "5") LAYER("et", "f", "6")
  LAYER("ft", "g", "7") LAYER("gt", "h", "8") LAYER("ht", "i", "9") LAYER("it", "j", "10") LAYER("jt", "k", "11") LAYER("kt", "l", "12")
  "m = MatMul(lt, v)\no = Add(m, far)\ny = Softmax(o) {axis=-1}\noutput y\n}\n"};

/* A spectrum's power, of which small numbers count as much as large ones; halves bear it as long as the signal is loud. */
static const device_network logarithmic = {.name = "logarithmic", .text =
  "network {\ninput x: float32[256,8]\nconst w: float32[8,4] = random(1)\n"
  "p = Mul(x, x)\nv = Mul(w, w)\nm = MatMul(p, v)\ny = Log(m)\noutput y\n}\n"};

typedef struct told { char kept[400]; double moved; int measured; bool cancel; } told;

static void listen(void *user, ingot_severity severity, const char *text) {
  told *t = user;
  const char *moves = strstr(text, "moves outputs by ");
  (void)severity;
  if (strstr(text, "stay in float32, which leaves")) snprintf(t->kept, sizeof t->kept, "%s", text);
  if (moves) t->moved = atof(moves + strlen("moves outputs by "));
}

static bool progress(void *user, const char *phase, size_t done, size_t total) {
  told *t = user;
  (void)done, (void)total;
  const bool ours = !strcmp(phase, "measuring rounding");
  t->measured += ours;
  return !(ours && t->cancel);
}

/* `error` < 0: not set. */
static ingot_status build(const device_network *n, unsigned precision, double error, const char *cache, told *t, ingot_engine **engine) {
  const device_build how = {precision, cache, false, error, listen, progress, t, 0};
  return device_text_build(n->text, &how, engine);
}

static ingot_engine *must_build(const device_network *n, unsigned precision, double error, told *t) {
  ingot_engine *engine = NULL;
  if (build(n, precision, error, NULL, t, &engine) != INGOT_OK) fail_msg("%s", ingot_last_error());
  return engine;
}

/* Products that are computed in halves. */
static size_t halves(const ingot_engine *engine) {
  size_t n = 0;
  for (const ingot__node *node = engine->network->main->first; node; node = node->next)
    n += node->op == INGOT__OP_MatMul && node->in[0]->type.dtype == INGOT_FLOAT16;
  return n;
}

/* Steps whose kernels round float32 to TF32. */
static size_t tf32(const ingot_engine *engine) {
  size_t n = 0;
  for (const ingot__node *node = engine->network->main->first; node; node = node->next) {
    const ingot__kernel *kernel = engine->step[node->id].kernel;
    n += kernel && strstr(kernel->name, "tf32");
  }
  return n;
}

/* Whether the engine's result is the reference's within the tolerance. */
static bool right(ingot_engine *engine, const device_network *n, double tolerance) {
  ingot_engine *truth;
  ingot_context *got, *want;
  char words[400] = "";
  assert_int_equal(device_network_build(NULL, n, NULL, 0, 0, &truth), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, NULL, &got), INGOT_OK);
  assert_int_equal(ingot_context_create(truth, NULL, &want), INGOT_OK);
  assert_int_equal(device_network_run(engine, got, n, 3), INGOT_OK);
  assert_int_equal(device_network_run(truth, want, n, 3), INGOT_OK);
  bool same = device_network_same(engine, got, want, tolerance, words, sizeof words);
  ingot_context_destroy(got), ingot_context_destroy(want);
  ingot_engine_destroy(truth);
  return same;
}

/* TF32 is allowed, and would be as wrong as halves. */
static void what_is_moved_too_far_stays_exact(void **state) {
  (void)state;
  const unsigned precision = INGOT_PRECISION_FP16 | INGOT_PRECISION_TF32;
  told t = {0};
  ingot_engine *engine = must_build(&sensitive, precision, -1, &t);
  assert_true(t.moved > 0.01);
  assert_non_null(strstr(t.kept, "'y'"));
  assert_int_equal(halves(engine), 1); /* the last */
  assert_int_equal(tf32(engine), 0);
  assert_true(right(engine, &sensitive, 5e-3));
  ingot_engine_destroy(engine);

  told none = {0};
  engine = must_build(&sensitive, precision, 0, &none);
  assert_int_equal(none.measured, 0);
  assert_true(halves(engine) > 1);
  assert_false(right(engine, &sensitive, 1e-2));
  ingot_engine_destroy(engine);
}

/* The front alone would be all of it. */
static void the_back_stays_exact_where_that_helps(void **state) {
  (void)state;
  told t = {0};
  ingot_engine *engine = must_build(&headed, INGOT_PRECISION_FP16, 0.02, &t);
  assert_true(t.moved > 0.05);
  assert_non_null(strstr(t.kept, "and last 4 of"));
  if (halves(engine) < 6) fail_msg("%zu products in halves: %s", halves(engine), t.kept);
  assert_true(right(engine, &headed, 2e-2));
  ingot_engine_destroy(engine);
}

static void logarithms_are_measured_in_pauses_too(void **state) {
  (void)state;
  told t = {0};
  ingot_engine *engine = must_build(&logarithmic, INGOT_PRECISION_FP16, -1, &t);
  if (!strstr(t.kept, "a thousandth as large")) fail_msg("moved by %g; %s", t.moved, t.kept);
  assert_int_equal(halves(engine), 0);
  ingot_engine_destroy(engine);
}

static void what_decisions_are_taken_from(void **state) {
  (void)state;
  told t = {0};
  ingot_engine *engine = must_build(&decided, INGOT_PRECISION_FP16, -1, &t);
  assert_true(t.moved > 0.01);
  assert_int_equal(halves(engine), 0);
  ingot_engine_destroy(engine);
}

static void what_follows_decisions_is_not_compared(void **state) {
  (void)state;
  told t = {0};
  ingot_engine *engine = must_build(&steady, INGOT_PRECISION_FP16, -1, &t);
  assert_true(t.measured > 0 && t.moved > 0 && t.moved < 2e-3);
  assert_string_equal(t.kept, "");
  assert_int_equal(halves(engine), 1);
  assert_false(right(engine, &steady, 1e-2)); /* there are such decisions */
  ingot_engine_destroy(engine);
}

static void other_precisions_are_not_measured(void **state) {
  (void)state;
  ingot_engine *engine;
  told t = {0};
  assert_int_equal(build(&sensitive, INGOT_PRECISION_BF16, -1, NULL, &t, &engine), INGOT_OK);
  ingot_engine_destroy(engine);
  assert_int_equal(build(&sensitive, INGOT_PRECISION_TF32, -1, NULL, &t, &engine), INGOT_OK);
  assert_true(tf32(engine) > 0);
  ingot_engine_destroy(engine);
  assert_int_equal(t.measured, 0);
}

/* A cache knows networks that bear float16, with the error that was allowed. */
static void remembered(void **state) {
  (void)state;
  const char *cache = testing_file("", 0);
  static const struct { const device_network *network; double error; bool measured; } builds[] = {
    {&steady, -1, true}, {&steady, -1, false}, {&steady, 1e-3, true}, {&steady, 1e-3, false}, {&steady, 1e-6, true},
    {&sensitive, -1, true}, {&sensitive, -1, true}, {&sensitive, 0.9, true}, {&sensitive, 0.9, false}};
  assert_int_equal(unlink(cache), 0);
  for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
    ingot_engine *engine;
    told t = {0};
    if (build(builds[i].network, INGOT_PRECISION_FP16, builds[i].error, cache, &t, &engine) != INGOT_OK) fail_msg("%s", ingot_last_error());
    if ((t.measured > 0) != builds[i].measured) fail_msg("build %zu", i);
    ingot_engine_destroy(engine);
  }
  testing_file_remove(cache);
}

static void cancelled(void **state) {
  (void)state;
  told t = {.cancel = true};
  ingot_engine *engine;
  assert_int_equal(build(&sensitive, INGOT_PRECISION_FP16, -1, NULL, &t, &engine), INGOT_E_CANCELLED);
}

static void errors_that_are_none(void **state) {
  (void)state;
  ingot_config *config;
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_fp16_error(config, -0.1), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_config_set_fp16_error(config, 0.0 / 0.0), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_config_set_fp16_error(NULL, 0.1), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_config_set_fp16_error(config, 0), INGOT_OK);
  ingot_config_destroy(config);
}

int main(void) {
  if (!testing_gpu()) return 77;
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_moved_too_far_stays_exact), cmocka_unit_test(the_back_stays_exact_where_that_helps),
    cmocka_unit_test(logarithms_are_measured_in_pauses_too),
    cmocka_unit_test(what_decisions_are_taken_from), cmocka_unit_test(what_follows_decisions_is_not_compared),
    cmocka_unit_test(other_precisions_are_not_measured), cmocka_unit_test(remembered),
    cmocka_unit_test(cancelled), cmocka_unit_test(errors_that_are_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
