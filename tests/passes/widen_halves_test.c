/* widen_halves: which values change their types, and where Casts stand. Halves' roundings go, so numbers are compared loosely.
 * INGOT_TEST_ASAN */
#include "passes/pass_check.h"

static void check(const char *text, const char *expected) { pass_check_within(ingot__pass_widen_halves, text, expected, 0.01); }

static void casts_stand_at_inputs_and_outputs(void **unused) {
  (void)unused;
  check("network { input x: float16[2,3] input f: float32[2,3] const c: float16[3] = {1, 2, 3} y = Mul(x, c) z = Add(y, x) g = Relu(f) output z "
        "output y output g }",
        "Cast(Add(Mul(Cast(x), float32[3]), Cast(x)) to=10); Cast(Mul(Cast(x), float32[3]) to=10); Relu(f)");
  check("network { input x: bfloat16[4] y = Relu(x) output y }", "Cast(Relu(Cast(x)) to=16)");
}

static void casts_between_go(void **unused) {
  (void)unused;
  check("network { input x: float32[4] h = Cast(x) {to=10} y = Relu(h) z = Cast(y) {to=1} output z }", "Relu(x)");
  check("network { input x: int32[4] h = Cast(x) {to=16} y = Relu(h) z = Cast(y) {to=1} output z }", "Relu(Cast(x))");
}

static void attributes_follow(void **unused) {
  (void)unused;
  check("network { input x: float32[2] const s: int64[1] = {2} h = ConstantOfShape(s) {value=float16[1]{2.5}} f = Cast(h) {to=1} y = Add(x, f) "
        "output y }",
        "Add(x, ConstantOfShape(2))");
  check("network { input x: float16[2] const s: float16[] = {0.5} q = QuantizeLinear(x, s) d = DequantizeLinear(q, s) output d }",
        "Cast(DequantizeLinear(QuantizeLinear(Cast(x), 0.5), 0.5) to=10)");
}

static void subgraphs_too(void **unused) {
  (void)unused;
  check("network { input c: bool[] input x: float16[2] r = Relu(x) y = If(c) {then_branch={ const t: float16[2] = {1, 2} a = Add(r, t) output a }"
        " else_branch={ b = Neg(x) output b }} z = Cast(y) {to=1} output z }",
        "If(c {Add(^, float32[2])} {Neg(^)})");
}

static void moves_stay_half(void **unused) {
  (void)unused;
  check("network { input x: float16[2,3] input z: float16[2,3] t = Transpose(x) {perm=[1,0]} c = Concat(x, z) {axis=0} output t output c }",
        "Cast(Transpose(Cast(x) perm=1,0) to=10); Cast(Concat(Cast(x), Cast(z)) to=10)"); /* x has two readers: its Cast stays */
  check("network { input x: float16[2,3] input z: float16[2,3] c = Concat(x, z) {axis=0} r = Relu(c) output r }",
        "Cast(Relu(Cast(Concat(x, z))) to=10)");
  check("network { input x: float16[2,1] const s: int64[2] = {2,3} c = Expand(x, s) r = Relu(c) output r }",
        "Cast(Relu(Expand(Cast(x), {2,3})) to=10)"); /* there would be more to convert */
  check("network { input x: uint16[3] y = BitCast(x) {to=float16} z = Relu(y) output z }", "Relu(BitCast(x to=10))");
}

static void nothing_to_do(void **unused) {
  (void)unused;
  check("network { input x: float32[4] y = Relu(x) output y }", "Relu(x)");
  pass_check_within(ingot__pass_widen_halves, "network { input x: float16[4] output x }", "x", 0);
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  ingot__network *n = pass_parse(NULL, "network { input x: float16[4] y = Relu(x) output y }", &diag);
  bool changed = false;
  ingot__pass_context context = {.diag = &diag, .log = &n->log, .float_only = false};
  assert_int_equal(ingot__pass_widen_halves(n, &context, &changed), INGOT_OK);
  assert_false(changed);
  ingot__network_free(n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(casts_stand_at_inputs_and_outputs), cmocka_unit_test(casts_between_go), cmocka_unit_test(attributes_follow),
    cmocka_unit_test(subgraphs_too), cmocka_unit_test(moves_stay_half), cmocka_unit_test(nothing_to_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
