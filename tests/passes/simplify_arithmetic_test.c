/* simplify_arithmetic: each rule where it applies and where it must not. INGOT_TEST_ASAN */
#include "passes/pass_check.h"

static void check(const char *text, const char *expected) { pass_check(ingot__pass_simplify_arithmetic, text, expected); }
#define NET(nodes, expected) check("network { input x: float32[2,4,6] input v: float32[6] input p: float32[2,4,6]\n" nodes "\noutput y }", expected)
#define SCALAR(name, value) "const " name ": float32[] = {" value "}\n"

static void neutral_elements(void **unused) {
  (void)unused;
  NET("const z: float32[6] = {0,0,0,0,0,0} r = Relu(x) a = Add(r, z) y = Neg(a)", "Neg(Relu(x))");
  NET(SCALAR("o", "1") "r = Relu(x) a = Mul(o, r) b = Div(a, o) y = Neg(b)", "Neg(Relu(x))");
  NET(SCALAR("m", "-1") "y = Mul(x, m)", "Neg(x)");
  NET(SCALAR("z", "0") "y = Sub(z, x)", "Neg(x)");
  NET(SCALAR("o", "0") "y = Div(o, x)", "Div(0, x)");
  NET("const z: float32[4,6] = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0} a = Add(v, z) y = Neg(a)",
      "Neg(Add(v, float32[4,6]))"); /* it broadcasts */
  NET("const c: bool[1] = {true} r = Relu(x) w = Where(c, r, p) y = Neg(w)", "Neg(Relu(x))");
  NET("const c: bool[1] = {false} w = Where(c, p, v) y = Neg(w)", "Neg(Where(0, p, v))"); /* v is smaller */
  NET("n = Neg(x) m = Neg(n) y = Relu(m)", "Relu(x)");
}

static void public_values_keep_their_names(void **unused) {
  (void)unused;
  NET(SCALAR("z", "0") "y = Add(x, z)", "Add(x, 0)"); /* x is an input: y needs a node */
  NET(SCALAR("z", "0") "r = Relu(x) y = Add(r, z)", "Relu(x)");
  check("network { input x: float32[4] const z: float32[] = {0} r = Relu(x) y = Add(r, z) output r output y }", "Relu(x); Add(Relu(x), 0)");
}

static void powers_and_quotients(void **unused) {
  (void)unused;
  NET(SCALAR("e", "2") "y = Pow(x, e)", "Mul(x, x)");
  NET("const e: int64[] = {3} y = Pow(x, e)", "Mul(Mul(x, x), x)");
  NET(SCALAR("e", "0.5") "a = Abs(x) y = Pow(a, e)", "Sqrt(Abs(x))");
  NET(SCALAR("e", "-0.5") "a = Exp(x) y = Pow(a, e)", "Reciprocal(Sqrt(Exp(x)))");
  NET(SCALAR("e", "2.5") "a = Exp(x) y = Pow(a, e)", "Pow(Exp(x), 2.5)");
  NET(SCALAR("c", "4") "y = Div(x, c)", "Mul(x, 0.25)");
  NET(SCALAR("c", "1e-40") "y = Div(x, c)", "Div(x, 1e-40)");
  NET(SCALAR("o", "1") "a = Exp(x) y = Div(o, a)", "Reciprocal(Exp(x))");
  check("network { input x: int64[5] const c: int64[] = {2} y = Div(x, c) output y }", "Div(x, 2)");
}

static void bounds(void **unused) {
  (void)unused;
  NET(SCALAR("z", "0") "y = Max(x, z)", "Relu(x)");
  NET(SCALAR("z", "0") SCALAR("s", "1") "a = Max(x, z) y = Min(s, a)", "Clip(x, 0, 1)");
  NET(SCALAR("z", "0") "y = Clip(x, z)", "Relu(x)");
  NET(SCALAR("z", "-1") "y = Clip(x, z)", "Clip(x, -1)");
  NET(SCALAR("z", "0") SCALAR("s", "1") "r = Relu(x) y = Clip(r, z, s)", "Clip(x, 0, 1)");
  NET(SCALAR("a", "-1") SCALAR("b", "1") "r = Clip(x, a, b) y = Relu(r)", "Clip(x, 0, 1)");
  NET(SCALAR("a", "-1") SCALAR("b", "-0.5") "r = Clip(x, a, b) y = Relu(r)", "Clip(x, 0, 0)");
  NET("const c: float32[6] = {0,1,0,1,0,1} y = Max(x, c)", "Max(x, float32[6])");
  check("network { input x: float32[4] const s: float32[] = {1} r = Relu(x) y = Clip(r, _, s) output y output r }", "Clip(Relu(x), _, 1); Relu(x)");
}

static void activations(void **unused) {
  (void)unused;
  NET("s = Sigmoid(x) y = Mul(s, x)", "Silu(x)");
  NET("s = Sigmoid(x) y = Mul(s, p)", "Mul(Sigmoid(x), p)");
  NET("s = HardSigmoid(x) {alpha=0.16666667} y = Mul(x, s)", "HardSwish(x)");
  NET("s = HardSigmoid(x) y = Mul(x, s)", "Mul(x, HardSigmoid(x))"); /* alpha is 0.2 */
  NET(SCALAR("t", "3") SCALAR("z", "0") SCALAR("s", "6") "a = Add(x, t) b = Clip(a, z, s) c = Mul(x, b) y = Div(c, s)", "HardSwish(x)");
  NET(SCALAR("t", "3") SCALAR("z", "0") SCALAR("s", "6") "a = Add(x, t) b = Relu(a) c = Min(b, s) d = Div(c, s) y = Mul(x, d)", "HardSwish(x)");
  NET(SCALAR("t", "3") SCALAR("z", "0") SCALAR("s", "5") "a = Add(x, t) b = Clip(a, z, s) c = Mul(x, b) y = Div(c, s)",
      "Mul(Mul(x, Clip(Add(x, 3), 0, 5)), 0.2)");
  NET(SCALAR("t", "3") SCALAR("z", "0") SCALAR("s", "6") "a = Add(x, t) b = Clip(a, z, s) y = Div(b, s)", "HardSigmoid(x alpha=0.1667)");
  NET("s = Softplus(x) t = Tanh(s) y = Mul(x, t)", "Mish(x)");
  NET(SCALAR("o", "1") "e = Exp(x) a = Add(e, o) l = Log(a) t = Tanh(l) y = Mul(x, t)", "Mish(x)");
  NET(SCALAR("o", "1") "n = Neg(x) e = Exp(n) a = Add(o, e) y = Div(o, a)", "Sigmoid(x)");
  check("network { input x: float32[4] s = Sigmoid(x) y = Mul(x, s) output y output s }",
      "Mul(x, Sigmoid(x)); Sigmoid(x)"); /* it is read elsewhere */
}

#define ERF SCALAR("r", "1.41421354") SCALAR("i", "0.70710677") SCALAR("h", "0.5") SCALAR("o", "1")
static void gelu(void **unused) {
  (void)unused;
  NET(ERF "d = Div(x, r) e = Erf(d) a = Add(e, o) m = Mul(x, a) y = Mul(m, h)", "Gelu(x)");
  NET(ERF "d = Mul(i, x) e = Erf(d) a = Add(o, e) m = Mul(h, x) y = Mul(m, a)", "Gelu(x)");
  NET(ERF "d = Mul(x, i) e = Erf(d) a = Add(e, o) m = Mul(h, a) y = Mul(x, m)", "Gelu(x)");
  NET(ERF "d = Div(x, r) e = Erf(d) a = Add(e, o) m = Mul(x, a) y = Mul(m, o)", "Mul(x, Add(Erf(Mul(x, 0.7071)), 1))");
  NET(ERF "d = Div(p, r) e = Erf(d) a = Add(e, o) m = Mul(x, a) y = Mul(m, h)", "Mul(Mul(x, Add(Erf(Mul(p, 0.7071)), 1)), 0.5)");
  NET(SCALAR("k", "0.044715") SCALAR("s", "0.7978846") SCALAR("h", "0.5") SCALAR("o", "1") SCALAR("t", "3")
      "c = Pow(x, t) d = Mul(c, k) e = Add(x, d) f = Mul(e, s) g = Tanh(f) a = Add(g, o) m = Mul(x, a) y = Mul(m, h)", "Gelu(x approximate=tanh)");
  NET(SCALAR("k", "0.044715") SCALAR("s", "0.7978846") SCALAR("h", "0.5") SCALAR("o", "1")
      "q = Mul(x, x) d = Mul(k, q) e = Add(d, o) u = Mul(x, s) f = Mul(u, e) g = Tanh(f) a = Add(o, g) m = Mul(h, x) y = Mul(m, a)",
      "Gelu(x approximate=tanh)");
}

static void doubles(void **unused) {
  (void)unused;
  check("network { input x: bool[4] n = Not(x) m = Not(n) o = Not(m) output o }", "Not(x)");
  check("network { input x: int8[4] a = Cast(x) {to=6} b = Cast(a) {to=1} output b }", "Cast(x)");
  check("network { input x: float32[4] a = Cast(x) {to=6} b = Cast(a) {to=1} output b }", "Cast(Cast(x to=6))");
  check("network { input x: float32[2,3,4,5] const a: int64[1] = {2} const b: int64[1] = {-1} m = ReduceMean(x, a) y = ReduceMean(m, b) output y }",
        "ReduceMean(x, {2,3})");
  check("network { input x: float32[2,3,4,5] const a: int64[1] = {2} const b: int64[1] = {-1} m = ReduceMean(x, a) {keepdims=0} y = ReduceMean(m, "
        "b) output y }",
        "ReduceMean(ReduceMean(x, 2 keepdims=0), -1)");
}

static void broadcasts_and_products(void **unused) {
  (void)unused;
  NET("const s: int64[3] = {2,4,6} e = Expand(v, s) y = Add(x, e)", "Add(x, v)");
  NET("const s: int64[3] = {2,4,6} e = Expand(v, s) y = Add(v, e)", "Add(v, Expand(v, {2,4,6}))");
  NET(SCALAR("c", "3") "const q: int64[3] = {0,2,1} t = Transpose(p) {perm=[0,2,1]} m = Mul(x, c) n = Mul(t, c) y = MatMul(m, n)",
      "MatMul(x, Transpose(p perm=0,2,1) alpha=9)");
  NET(SCALAR("c", "3") "t = Transpose(p) {perm=[0,2,1]} m = MatMul(x, t) y = Mul(m, c)", "MatMul(x, Transpose(p perm=0,2,1) alpha=3)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(neutral_elements), cmocka_unit_test(public_values_keep_their_names), cmocka_unit_test(powers_and_quotients),
        cmocka_unit_test(bounds),
    cmocka_unit_test(activations), cmocka_unit_test(gelu), cmocka_unit_test(doubles), cmocka_unit_test(broadcasts_and_products),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
