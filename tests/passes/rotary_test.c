/* simplify_arithmetic's rotary rule: as exporters write it, and near misses. INGOT_TEST_ASAN */
#include "passes/pass_check.h"

static void check(const char *text, const char *expected) { pass_check(ingot__pass_simplify_arithmetic, text, expected); }

#define HALVES "const a0: int64[1] = {0} const a4: int64[1] = {4} const end: int64[1] = {9223372036854775807} const last: int64[1] = {3}\n"
#define TURNED "x1 = Slice(x, a0, a4, last) x2 = Slice(x, a4, end, last) n = Neg(x2) t = Concat(n, x1) {axis=-1}\n"
#define NET(nodes, expected) \
  check("network { input x: float32[2,3,5,8] input m: float32[2,1,5,4] input other: float32[2,1,5,8] " HALVES "e = Concat(m, m) {axis=-1}\n" \
        "c = Cos(e) s = Sin(e) " TURNED nodes "\noutput y }", expected)
#define TABLE(f) "Reshape(Slice(" f "(Concat(m, m axis=-1)), 0, 4, -1), {0,-1,4})"

static void is_found(void **unused) {
  (void)unused;
  NET("p = Mul(x, c) q = Mul(t, s) y = Add(p, q)", "RotaryEmbedding(x, " TABLE("Cos") ", " TABLE("Sin") ")");
  NET("p = Mul(c, x) q = Mul(s, t) y = Add(q, p)", "RotaryEmbedding(x, " TABLE("Cos") ", " TABLE("Sin") ")");
  NET("u, v = Split(x) {axis=3 num_outputs=2} w = Neg(v) tt = Concat(w, u) {axis=3} p = Mul(x, c) q = Mul(tt, s) y = Add(p, q)",
      "RotaryEmbedding(x, " TABLE("Cos") ", " TABLE("Sin") ")");
}

static void is_none(void **unused) {
  (void)unused;
  NET("p = Mul(x, c) q = Mul(t, other) y = Add(p, q)", NULL); /* its halves may differ */
  NET("p = Mul(x, c) q = Mul(t, s) y = Sub(p, q)", NULL);
  NET("z = Neg(x1) tt = Concat(z, x2) {axis=-1} p = Mul(x, c) q = Mul(tt, s) y = Add(p, q)", NULL);
  NET("tt = Concat(x2, x1) {axis=-1} p = Mul(x, c) q = Mul(tt, s) y = Add(p, q)", NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(is_found), cmocka_unit_test(is_none)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
