/* Shapes that change while an engine lives or are known when it has run alone: planned memory stays where its readers look, empty results cost
 * nothing, kernels give way to the reference where they don't take the shapes that came, captured values arrive in the layout that is wanted.
 * Found by ./dev fuzz; the numbers are worked out by hand. INGOT_TEST_ASAN */
#include "testing.h"
#include "ir/network.h"
#include "runtime/state.h"

typedef struct built { ingot_engine *engine; ingot_context *context; } built;

/* With a profile of input x from `least` to `most` (rank 0: none); through bytes, as a file would be. */
static built build(const char *text, bool reference, int rank, const int64_t *least, const int64_t *most) {
  ingot__network *network;
  ingot_config *config;
  ingot_engine *engine;
  built b;
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  if (ingot__network_parse(NULL, text, strlen(text), &diag, &network) != INGOT_OK) fail_msg("%s", diag.text);
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_threads(config, 1), INGOT_OK);
  assert_int_equal(ingot_config_set_budget(config, 0), INGOT_OK);
  assert_int_equal(ingot_config_set_verify(config, false), INGOT_OK);
  if (rank) assert_int_equal(ingot_config_set_profile(config, "x", rank, least, most, most), INGOT_OK);
  ingot_status status = reference ? ingot_build_reference(network, config, &engine) : ingot_build(network, config, &engine);
  if (status != INGOT_OK) fail_msg("%s", ingot_last_error());
  void *data;
  size_t size;
  assert_int_equal(ingot_engine_serialize(engine, &data, &size), INGOT_OK);
  if (ingot_engine_load_memory(NULL, data, size, &b.engine) != INGOT_OK) fail_msg("%s", ingot_last_error());
  ingot_blob_free(engine, data, size);
  ingot_engine_destroy(engine);
  ingot_config_destroy(config);
  ingot__network_free(network);
  assert_int_equal(ingot_context_create(b.engine, NULL, &b.context), INGOT_OK);
  return b;
}

static void destroy(built b) {
  ingot_context_destroy(b.context);
  ingot_engine_destroy(b.engine);
}

static void set(built b, const char *name, const void *data) {
  assert_int_equal(ingot_context_set_address(b.context, name, (void *)(uintptr_t)data), INGOT_OK);
}

static void run(built b) {
  if (ingot_context_run(b.context) != INGOT_OK) fail_msg("%s", ingot_last_error());
}

static void top_of_the_top(void **state) {
  (void)state;
  static const float x[6] = {3, 9, 1, 7, 5, 8};
  for (int reference = 0; reference < 2; reference++) {
    built b = build("network { input x: float32[6] const four: int64[1] = {4} const two: int64[1] = {2}\n"
                    "v, i = TopK(x, four) n = Neg(v) w, j = TopK(n, two) k = Gather(i, j) output w output k }", reference, 0, NULL, NULL);
    set(b, "x", x);
    for (int again = 0; again < 2; again++) {
      run(b);
      const float *w = ingot_context_output(b.context, "w");
      const int64_t *k = ingot_context_output(b.context, "k");
      assert_true(w[0] == -5 && w[1] == -7 && k[0] == 4 && k[1] == 3);
    }
    destroy(b);
  }
}

/* x x^T: N rows, none of them in the second run; the sums of nothing are 0. */
static void nothing_to_multiply(void **state) {
  (void)state;
  static const float x[6] = {1, 2, 3, 4, 5, 6};
  built b = build("network { input x: float32[N,2] t = Transpose(x) {perm=[1,0]} y = MatMul(x, t) z = MatMul(t, x) output y output z }", false, 2,
                  (const int64_t[]){0, 2}, (const int64_t[]){3, 2});
  int rank;
  int64_t dims[INGOT_MAX_RANK];
  set(b, "x", x);
  for (int64_t n = 3; n >= 0; n -= 3) {
    assert_int_equal(ingot_context_set_input_shape(b.context, "x", 2, (const int64_t[]){n, 2}), INGOT_OK);
    run(b);
    const float *z = ingot_context_output(b.context, "z");
    assert_true(n ? z[0] == 35 && z[1] == 44 && z[3] == 56 : z[0] == 0 && z[1] == 0 && z[3] == 0);
    assert_int_equal(ingot_context_shape(b.context, "y", &rank, dims), INGOT_OK);
    assert_true(rank == 2 && dims[0] == n && dims[1] == n);
  }
  destroy(b);
}

/* Axes that aren't whole numbers tell nothing of the shape, and ReduceSum can't size its own output. */
static void shapes_that_nobody_tells(void **state) {
  (void)state;
  static const float x[4] = {1, 2, 3, 4}, axes[1] = {0};
  for (int reference = 0; reference < 2; reference++) {
    built b = build("network { input x: float32[2,2] input axes: float32[1] s = ReduceSum(x, axes) y = Exp(s) output y }", reference, 0, NULL, NULL);
    set(b, "x", x), set(b, "axes", axes);
    assert_int_equal(ingot_context_run(b.context), INGOT_E_SHAPE);
    destroy(b);
    b = build("network { input x: float32[4] input axes: float32[0,2] y = ReduceLogSum(x, axes) output y }", reference, 0, NULL, NULL);
    set(b, "x", x), set(b, "axes", axes); /* no list of axes */
    for (int again = 0; again < 2; again++) assert_int_equal(ingot_context_run(b.context), INGOT_E_SHAPE);
    destroy(b);
  }
}

/* Counts of elements that aren't 0: some, none, all. */
static void none_found(void **state) {
  (void)state;
  static const float inputs[3][3] = {{1, 0, 2}, {0, 0, 0}, {1, 1, 1}};
  static const int64_t counts[3] = {2, 0, 3};
  built b = build("network { input x: float32[3] i = NonZero(x) j = Neg(i) output j }", false, 0, NULL, NULL);
  for (int k = 0; k < 3; k++) {
    int rank;
    int64_t dims[INGOT_MAX_RANK];
    set(b, "x", inputs[k]);
    run(b);
    assert_int_equal(ingot_context_shape(b.context, "j", &rank, dims), INGOT_OK);
    assert_true(rank == 2 && dims[0] == 1 && dims[1] == counts[k]);
  }
  destroy(b);
}

/* A convolution in a branch reads a value from outside, which comes plain, by a kernel that wants channels last; all weights are 1. */
static void captured_images(void **state) {
  (void)state;
  static float x[20 * 9];
  static const uint8_t yes = 1, no = 0;
  for (int i = 0; i < 20 * 9; i++) x[i] = (float)(i / 9); /* channel c is all c */
  built b = build("network { input x: float32[1,20,3,3] input c: bool[]\n"
                  "const zero: int64[1] = {0} shape = Shape(x) one: int64[1] = Gather(shape, zero)\n"
                  "const w: float32[32,20,1,1] = random(3) const t: float32[32,20,1,1] = random(5)\n"
                  "y = If(c) {then_branch={ a = Conv(x, w) p = Relu(a) output p } else_branch={ d = Conv(x, t) q = Neg(d) output q }}\n"
                  "r = Mul(x, x) output y output r output one }", false, 0, NULL, NULL);
  built truth = build("network { input x: float32[1,20,3,3] input c: bool[]\n"
                      "const w: float32[32,20,1,1] = random(3) const t: float32[32,20,1,1] = random(5)\n"
                      "y = If(c) {then_branch={ a = Conv(x, w) p = Relu(a) output p } else_branch={ d = Conv(x, t) q = Neg(d) output q }}\n"
                      "output y }",
                      true, 0, NULL, NULL);
  for (int k = 0; k < 2; k++) {
    set(b, "x", x), set(b, "c", k ? &yes : &no);
    set(truth, "x", x), set(truth, "c", k ? &yes : &no);
    run(b), run(truth);
    const float *y = ingot_context_output(b.context, "y"), *expected = ingot_context_output(truth.context, "y");
    for (int i = 0; i < 32 * 9; i++) assert_true(testing_close(y[i], expected[i], 1e-4, 1e-4));
  }
  destroy(b), destroy(truth);
}

/* A loop without a condition, saved and loaded. */
static void loop_without_condition(void **state) {
  (void)state;
  static const float x[2] = {1, 10};
  static const int64_t trips = 3;
  built b = build("network { input x: float32[2] input n: int64[]\n"
                  "y = Loop(n, _, x) {body={ input i: int64[] input on: bool[] input v: float32[2]\n"
                  "k = Identity(on) d = Add(v, v) output k output d }}\n"
                  "output y }", false, 0, NULL, NULL);
  set(b, "x", x), set(b, "n", &trips);
  run(b);
  const float *y = ingot_context_output(b.context, "y");
  assert_true(y[0] == 8 && y[1] == 80);
  destroy(b);
}

/* Going backwards, a start before the first element is the first (ONNX: starts are clamped to 0 .. dim - 1). */
static void slice_backwards(void **state) {
  (void)state;
  static const float x[3] = {1, 2, 3};
  for (int reference = 0; reference < 2; reference++) {
    built b = build("network { input x: float32[3] const s: int64[1] = {-9} const e: int64[1] = {-20} const a: int64[1] = {0}\n"
                    "const m: int64[1] = {-1}\n"
                    "y = Slice(x, s, e, a, m) output y }", reference, 0, NULL, NULL);
    int rank;
    int64_t dims[INGOT_MAX_RANK];
    set(b, "x", x);
    run(b);
    assert_int_equal(ingot_context_shape(b.context, "y", &rank, dims), INGOT_OK);
    assert_true(rank == 1 && dims[0] == 1 && *(const float *)ingot_context_output(b.context, "y") == 1);
    destroy(b);
  }
}

/* Dims near the largest number, whose multiples aren't numbers any more: whatever the build says, it counts right. */
static void enormous_dims(void **state) {
  (void)state;
  static const char text[] = "network { input x: float32[N,9223099357971087359] y = Neg(x) output y }";
  ingot__network *network;
  ingot_config *config;
  ingot_engine *engine = NULL;
  assert_int_equal(ingot__network_parse(NULL, text, sizeof text - 1, NULL, &network), INGOT_OK);
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_budget(config, 0), INGOT_OK);
  assert_int_equal(ingot_config_set_verify(config, false), INGOT_OK);
  const int64_t least[] = {1, 9223099357971087359}, most[] = {100, 9223099357971087359};
  assert_int_equal(ingot_config_set_profile(config, "x", 2, least, least, most), INGOT_OK);
  assert_true(ingot_build(network, config, &engine) != INGOT_E_INTERNAL);
  ingot_engine_destroy(engine);
  ingot_config_destroy(config);
  ingot__network_free(network);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(top_of_the_top), cmocka_unit_test(nothing_to_multiply), cmocka_unit_test(shapes_that_nobody_tells), cmocka_unit_test(none_found),
    cmocka_unit_test(captured_images), cmocka_unit_test(loop_without_condition), cmocka_unit_test(slice_backwards), cmocka_unit_test(enormous_dims),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
