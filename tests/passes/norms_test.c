/* Normalisations that simplify_arithmetic recognises. INGOT_TEST_ASAN */
#include "passes/pass_check.h"

static void check(const char *text, const char *expected) { pass_check(ingot__pass_simplify_arithmetic, text, expected); }
#define BEGIN "network { input x: float32[2,3,4,6] const last: int64[1] = {-1} const two: int64[2] = {2,3} const mid: int64[1] = {2}\n" \
              " const e: float32[] = {0.01} const sq: float32[] = {2} const g: float32[6] = random(7) const b: float32[6] = random(8)\n"
#define MOMENTS(axes) "m = ReduceMean(x, " axes ") d = Sub(x, m) s = Pow(d, sq) w = ReduceMean(s, " axes ") t = Add(w, e) r = Sqrt(t)\n"

static void layer_norm(void **unused) {
  (void)unused;
  check(BEGIN MOMENTS("last") "n = Div(d, r) k = Mul(n, g) y = Add(k, b) output y }", "LayerNormalization(x, float32[6], float32[6] epsilon=0.01)");
  check(BEGIN "m = ReduceMean(x, last) d = Sub(x, m) d2 = Sub(x, m) s = Mul(d2, d2) w = ReduceMean(s, last) t = Add(e, w) r = Sqrt(t) i = "
        "Reciprocal(r)"
        " y = Mul(i, d) output y }", "LayerNormalization(x, float32[6] epsilon=0.01)");
  check(BEGIN MOMENTS("last") "n = Div(d, r) y = Mul(n, x) output y }", "Mul(LayerNormalization(x, float32[6] epsilon=0.01), x)");
  check(BEGIN "const c: float32[] = {2} " MOMENTS("last") "n = Div(d, r) k = Mul(n, c) y = Sub(k, b) output y }",
        "Sub(LayerNormalization(x, float32[6] epsilon=0.01), float32[6])");
}

static void rms_norm(void **unused) {
  (void)unused;
  check(BEGIN "s = Mul(x, x) w = ReduceMean(s, last) t = Add(w, e) r = Sqrt(t) n = Div(x, r) y = Mul(g, n) output y }",
        "RMSNormalization(x, float32[6] epsilon=0.01)");
  check(BEGIN "const h: float32[] = {-0.5} s = Pow(x, sq) w = ReduceMean(s, last) t = Add(w, e) r = Pow(t, h) n = Mul(x, r) y = Add(n, b) output y }",
        "Add(RMSNormalization(x, float32[6] epsilon=0.01), float32[6])");
}

static void instance_and_group_norm(void **unused) {
  (void)unused;
  check(BEGIN MOMENTS("two") "n = Div(d, r) output n }", "InstanceNormalization(x, float32[3], float32[3] epsilon=0.01)");
  check("network { input x: float32[2,6,4,4] const a: int64[3] = {0,3,-1} const o: float32[3] = {1,1,1} const z: float32[3] = {0,0,0}\n"
        " const s: int64[4] = {2,6,4,4} r = Reshape(x, a) n = InstanceNormalization(r, o, z) y = Reshape(n, s) output y }",
        "GroupNormalization(x, float32[6], float32[6] num_groups=3)");
}

static void what_is_none(void **unused) {
  (void)unused;
  check(BEGIN MOMENTS("mid") "n = Div(d, r) output n }",
        "Div(Sub(x, ReduceMean(x, 2)), Sqrt(Add(ReduceMean(Mul(Sub(x, ReduceMean(x, 2)), Sub(x, ReduceMean(x, 2))), 2), 0.01)))"); /* not the last */
  check(BEGIN "m = ReduceMean(x, mid) d = Sub(x, m) s = Mul(d, d) w = ReduceMean(s, last) t = Add(w, e) r = Sqrt(t) n = Div(d, r) output n }",
        "RMSNormalization(Sub(x, ReduceMean(x, 2)), float32[6] epsilon=0.01)"); /* the mean is another's */
  check(BEGIN MOMENTS("last") "n = Div(d, r) output n output w }", NULL); /* the variance is an output */
  check("network { input x: float32[N,3,K] const last: int64[1] = {-1} const e: float32[] = {0.01} m = ReduceMean(x, last) d = Sub(x, m) s = "
        "Mul(d, d)"
        " w = ReduceMean(s, last) t = Add(w, e) r = Sqrt(t) n = Div(d, r) output n }",
        "Div(Sub(x, ReduceMean(x, -1)), Sqrt(Add(ReduceMean(Mul(Sub(x, ReduceMean(x, -1)), Sub(x, ReduceMean(x, -1))), -1), 0.01)))");
        /* K is not known */
  check("network { input x: float32[N,3,6] const last: int64[1] = {-1} const e: float32[] = {0.01} m = ReduceMean(x, last) d = Sub(x, m) s = "
        "Mul(d, d)"
        " w = ReduceMean(s, last) t = Add(w, e) r = Sqrt(t) n = Div(d, r) output n }", "LayerNormalization(x, float32[6] epsilon=0.01)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(layer_norm), cmocka_unit_test(rms_norm), cmocka_unit_test(instance_and_group_norm), cmocka_unit_test(what_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
