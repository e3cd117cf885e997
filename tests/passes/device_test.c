/* Passes that act only for targets with a device or with halves: narrow_floats, unfold_patches, fuse_elementwise of halves. Numbers of narrow
 * networks are compared loosely, by the reference, which rounds every value to its type. INGOT_TEST_ASAN */
#include "passes/pass_check.h"

static void narrow(const char *text, const char *expected) {
  pass_narrow = INGOT_FLOAT16;
  pass_check_within(ingot__pass_narrow_floats, text, expected, 0.02);
  pass_narrow = INGOT_UNDEFINED;
}

static void products_are_narrow(void **unused) {
  (void)unused;
  narrow("network { input x: float32[2,3] const w: float32[3,4] = random(1) y = MatMul(x, w) output y }",
         "Cast(MatMul(Cast(x to=10), float16[3,4]))");
  narrow("network { input x: float32[2,3] const w: float32[3,4] = random(1) m = MatMul(x, w) r = Relu(m) y = Softmax(r) output y }",
         "Cast(Softmax(Relu(MatMul(Cast(x to=10), float16[3,4]))))");
}

static void what_may_overflow_is_not(void **unused) {
  (void)unused;
  narrow("network { input x: float32[4] e = Exp(x) y = Tanh(e) output y }", "Cast(Tanh(Cast(Exp(x) to=10)))");
  narrow("network { input x: float32[2,3] const w: float32[3] = {1, 70000, 3} y = Mul(x, w) output y }", "Mul(x, float32[3])"); /* beyond float16 */
}

static void what_would_vanish_is_not(void **unused) {
  (void)unused;
  narrow("network { input x: float32[2,3] const e: float32[] = {1e-12} r = Relu(x) n = ReduceL2(r) c = Clip(n, e) y = Div(r, c) output y }",
         "Div(Cast(Relu(Cast(x to=10))), Clip(ReduceL2(Cast(Relu(Cast(x to=10)))), 1e-12))");
  narrow("network { input x: float32[2,3] const e: float32[] = {1e-7} r = Relu(x) y = Add(r, e) output y }",
         "Cast(Add(Relu(Cast(x to=10)), 1.192e-07))");
}

static void what_was_measured_beyond_is_not(void **unused) {
  (void)unused;
  const char *text = "network { input x: float32[2,3] const w: float32[3,4] = random(1) m = MatMul(x, w) t = Transpose(m) {perm=[1,0]} r = Relu(t) "
                     "y = Sigmoid(r) output y }";
  pass_wide = "m"; /* what reads it by way of a Transpose, too */
  narrow(text, "Cast(Sigmoid(Cast(Relu(Transpose(MatMul(x, float32[3,4]) perm=1,0)) to=10)))");
  pass_wide = "r";
  narrow(text, "Sigmoid(Relu(Cast(Transpose(MatMul(Cast(x to=10), float16[3,4]) perm=1,0))))");
  pass_wide = NULL;
}

#define ATTENTION(masks, m) "network { input q: float32[2,3,4] input k: float32[2,5,4] input v: float32[2,5,4] input c: bool[3,5]\n" masks \
                            "y = FusedAttention(q, k, v, " m ") output y }"
#define NARROW_QKV "Cast(q to=10), Cast(k to=10), Cast(v to=10)"
static void masks_of_attention(void **unused) {
  (void)unused;
  narrow(ATTENTION("const m: float32[3,5] = random(1)", "m"), "Cast(FusedAttention(" NARROW_QKV ", float16[3,5]))");
  narrow(ATTENTION("input f: float32[3,5] m = Tanh(f)", "m"), "Cast(FusedAttention(" NARROW_QKV ", Tanh(Cast(f to=10))))");
  narrow(ATTENTION("input m: float32[3,5]", "m"), "Cast(FusedAttention(" NARROW_QKV ", m))");
  narrow(ATTENTION("const z: float32[] = {0} const l: float32[] = {-3.4e38} m = Where(c, z, l)", "m"),
         "Cast(FusedAttention(" NARROW_QKV ", Where(c, 0, -3.4e+38)))"); /* minus infinity as a half */
}

/* Nothing is measured for bfloat16: what a constant beyond its range may be in stays wide. */
static void constants_that_bfloat16_lacks(void **unused) {
  (void)unused;
  pass_narrow = INGOT_BFLOAT16;
  pass_check_within(ingot__pass_narrow_floats,
                    "network { input c: bool[3,5] input x: float32[3,5] const z: float32[] = {0} const l: float32[] = {-3.4028234e38}\n"
                    "m = Where(c, z, l) r = Relu(x) a = Add(r, m) p = Softmax(a) y = Tanh(p) output y }",
                    "Cast(Tanh(Cast(Softmax(Add(Cast(Relu(Cast(x to=16))), Where(c, 0, -3.403e+38))) to=16)))", 0.02);
  pass_narrow = INGOT_UNDEFINED;
}

static void moves_follow_what_they_move(void **unused) {
  (void)unused;
  narrow("network { input x: float32[2,3] y = Transpose(x) {perm=[1,0]} output y }", "Transpose(x perm=1,0)"); /* no Casts for it alone */
  narrow("network { input x: float32[2,3] r = Relu(x) y = Transpose(r) {perm=[1,0]} output y }", "Cast(Transpose(Relu(Cast(x to=10)) perm=1,0))");
}

static void shapes_and_scales_keep_their_types(void **unused) {
  (void)unused;
  narrow("network { input x: float32[1,1,2,2] const s: float32[4] = {1, 1, 2, 2} r = Relu(x) y = Resize(r, _, s) output y }",
         "Cast(Resize(Relu(Cast(x to=10)), _, float32[4]))");
  narrow("network { input c: bool[3] input x: float32[3] r = Relu(x) y = Where(c, r, x) output y }",
         "Cast(Where(c, Relu(Cast(x to=10)), Cast(x to=10)))");
}

static void one_value_narrow_and_wide(void **unused) {
  (void)unused;
  narrow("network { input x: float32[4] r = Relu(x) e = Exp(r) s = Sigmoid(r) output e output s output r }",
         "Exp(Cast(Relu(Cast(x to=10)))); Cast(Sigmoid(Relu(Cast(x to=10)))); Cast(Relu(Cast(x to=10)))");
}

static void halves_stay(void **unused) { /* as widen_halves leaves a network of halves */
  (void)unused;
  narrow("network { input x: float16[2,3] a = Cast(x) {to=1} r = Relu(a) y = Cast(r) {to=10} output y }", "Relu(x)");
  narrow("network { input x: float16[2,3] a = Cast(x) {to=1} t = Transpose(a) {perm=[1,0]} r = Relu(t) y = Cast(r) {to=10} output y output r }",
         "Relu(Transpose(x perm=1,0)); Cast(Relu(Transpose(x perm=1,0)))");
  narrow("network { input x: bfloat16[2,3] a = Cast(x) {to=1} y = Relu(a) output y }", "Cast(Relu(Cast(Cast(x) to=10)))");
}

static void not_asked(void **unused) {
  (void)unused;
  pass_check(ingot__pass_narrow_floats, "network { input x: float32[4] y = Relu(x) output y }", "Relu(x)");
  pass_check(ingot__pass_unfold_patches,
             "network { input x: float32[1,3,8,8] const w: float32[5,3,8,8] = random(1) y = Conv(x, w) {kernel_shape=[8,8] strides=[8,8] "
             "pads=[0,0,0,0] dilations=[1,1]} output y }",
             NULL);
}

static void unfold(const char *text, const char *expected) {
  pass_device = true;
  pass_check(ingot__pass_unfold_patches, text, expected);
  pass_device = false;
}

static void patches_are_unfolded(void **unused) {
  (void)unused;
  unfold("network { input x: float32[2,3,16,8] const w: float32[5,3,8,8] = random(1) const b: float32[5] = random(2) y = Conv(x, w, b) "
         "{kernel_shape=[8,8] strides=[8,8] pads=[0,0,0,0] dilations=[1,1] act=1} output y }",
         "Conv(SpaceToDepth(x blocksize=8), float32[5,192,1,1], float32[5] kernel_shape=1,1 strides=1,1 pads=0,0,0,0 dilations=1,1 act=1)");
  const char *overlapping =
      "network { input x: float32[2,3,16,8] const w: float32[5,3,8,8] = random(1) y = Conv(x, w) {kernel_shape=[8,8] strides=[4,4] pads=[0,0,0,0] "
      "dilations=[1,1]} output y }";
  unfold(overlapping, "Conv(x, float32[5,3,8,8] kernel_shape=8,8 strides=4,4 pads=0,0,0,0 dilations=1,1)");
}

static void chains_of_halves(void **unused) {
  (void)unused;
  const char *text = "network { input x: float16[4] r = Relu(x) y = Sigmoid(r) output y }";
  pass_check_within(ingot__pass_fuse_elementwise, text, "Sigmoid(Relu(x))", 0); /* halves aren't computed with here */
  pass_narrow = INGOT_FLOAT16;
  pass_check_within(ingot__pass_fuse_elementwise, text, "Fused(x {Sigmoid(Relu(x_1))})", 0.01);
  pass_narrow = INGOT_UNDEFINED;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(products_are_narrow), cmocka_unit_test(what_may_overflow_is_not), cmocka_unit_test(what_would_vanish_is_not),
    cmocka_unit_test(what_was_measured_beyond_is_not), cmocka_unit_test(masks_of_attention), cmocka_unit_test(constants_that_bfloat16_lacks),
    cmocka_unit_test(moves_follow_what_they_move),
    cmocka_unit_test(shapes_and_scales_keep_their_types), cmocka_unit_test(one_value_narrow_and_wide), cmocka_unit_test(halves_stay),
    cmocka_unit_test(not_asked),
    cmocka_unit_test(patches_are_unfolded), cmocka_unit_test(chains_of_halves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
