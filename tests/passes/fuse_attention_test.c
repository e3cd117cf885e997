/* fuse_attention: scales and masks in their places, and near misses. INGOT_TEST_ASAN */
#include "passes/pass_check.h"

static void check(const char *text, const char *expected) { pass_check(ingot__pass_fuse_attention, text, expected); }
#define NET(nodes, expected) \
  check("network { input q: float32[2,3,5,4] input k: float32[2,3,7,4] input v: float32[2,3,7,6] input m: float32[5,7] input n: float32[5,1]\n" \
        " const c: float32[] = {0.5} const d: float32[] = {4}\n" nodes "\noutput y }", expected)

static void is_found(void **unused) {
  (void)unused;
  NET("s = MatMul(q, k) {trans_b=1} p = Softmax(s) y = MatMul(p, v)", "FusedAttention(q, k, v scale=1)");
  NET("s = MatMul(q, k) {trans_b=1 alpha=3} t = Mul(c, s) p = Softmax(t) {axis=3} y = MatMul(p, v)", "FusedAttention(q, k, v scale=1.5)");
  NET("s = MatMul(q, k) {trans_b=1} t = Div(s, d) a = Add(m, t) p = Softmax(a) y = MatMul(p, v)", "FusedAttention(q, k, v, m scale=0.25)");
  NET("g = Mul(q, c) s = MatMul(g, k) {trans_b=1} a = Add(s, m) p = Softmax(a) y = MatMul(p, v)", "FusedAttention(q, k, v, m scale=0.5)");
}

static void is_none(void **unused) {
  (void)unused;
  NET("s = MatMul(q, k) {trans_b=1} p = Softmax(s) {axis=2} y = MatMul(p, v)", "MatMul(Softmax(MatMul(q, k trans_b=1) axis=2), v)");
  NET("s = MatMul(q, k) {trans_b=1} a = Add(s, n) p = Softmax(a) y = MatMul(p, v)", "MatMul(Softmax(Add(MatMul(q, k trans_b=1), n)), v)");
  NET("s = MatMul(q, k) {trans_b=1} p = Softmax(s) o = MatMul(p, v) r = ReduceMax(p) y = Add(o, r)", NULL); /* the weights are read elsewhere */
  check("network { input q: float32[3,5,4] input k: float32[3,7,4] input v: float32[7,6] s = MatMul(q, k) {trans_b=1} p = Softmax(s) y = "
        "MatMul(p, v) output y }",
        "MatMul(Softmax(MatMul(q, k trans_b=1)), v)"); /* one V for all */
  check("network { input q: float32[3,5,4] input k: float32[3,4,7] input v: float32[3,7,6] s = MatMul(q, k) p = Softmax(s) y = MatMul(p, v) "
        "output y }",
        "MatMul(Softmax(MatMul(q, k)), v)"); /* K as it is would have to be transposed */
}

static void with_symbols(void **unused) {
  (void)unused;
  check("network { input q: float32[N,3,L,4] input k: float32[N,3,S,4] input v: float32[N,3,S,6] input m: float32[N,1,L,S]"
        " s = MatMul(q, k) {trans_b=1} a = Add(s, m) p = Softmax(a) y = MatMul(p, v) output y }", "FusedAttention(q, k, v, m scale=1)");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(is_found), cmocka_unit_test(is_none), cmocka_unit_test(with_symbols)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
