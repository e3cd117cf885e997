/* fuse_attention: scales and masks in their places, what is around taken in, and near misses; share_repeated. INGOT_TEST_ASAN */
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
  NET("s = MatMul(q, k) {trans_b=1} t = Div(s, d) h = Sin(m) a = Add(h, t) b = Add(a, m) p = Softmax(b) y = MatMul(p, v)",
      "FusedAttention(q, k, v, Add(Sin(m), m) scale=0.25)");
}

#define SCORES "input q: float32[2,3,5,4] input k: float32[2,3,7,4] input v: float32[2,3,7,6]\n" \
  "const low: float32[] = {-inf} const zero: float32[] = {0} input b: bool[5,7] s = MatMul(q, k) {trans_b=1}\n"
static void with_conditions(void **unused) {
  (void)unused;
  check("network { " SCORES "w = Where(b, s, low) p = Softmax(w) y = MatMul(p, v) output y }", "FusedAttention(q, k, v, b scale=1)");
  check("network { " SCORES "w = Where(b, low, s) p = Softmax(w) y = MatMul(p, v) output y }", "FusedAttention(q, k, v, Not(b) scale=1)");
  check("network { " SCORES "const far: float32[] = {-1000} w = Where(b, s, far) p = Softmax(w) y = MatMul(p, v) output y }",
        "MatMul(Softmax(Where(b, MatMul(q, k trans_b=1), -1000)), v)"); /* a query without any key would see all of them */
  check("network { " SCORES "p = Softmax(s) n = IsNaN(p) g = Where(n, zero, p) y = MatMul(g, v) output y }", "FusedAttention(q, k, v scale=1)");
  check("network { " SCORES "const one: float32[] = {1} p = Softmax(s) n = IsNaN(p) g = Where(n, one, p) y = MatMul(g, v) output y }", NULL);
}

static void takes_repeated_heads(void **unused) {
  (void)unused;
#define REPEAT(x, d) "const f" x ": int64[5] = {2,2,1,7," d "} const w" x ": int64[5] = {2,2,3,7," d "} const t" x ": int64[4] = {2,6,7," d "}\n" \
                     "a" x " = Reshape(" x ", f" x ") b" x " = Expand(a" x ", w" x ") r" x " = Reshape(b" x ", t" x ")\n"
  check("network { input q: float32[2,6,5,4] input k: float32[2,2,7,4] input v: float32[2,2,7,3]\n" REPEAT("k", "4") REPEAT("v", "3")
        "s = MatMul(q, rk) {trans_b=1} p = Softmax(s) y = MatMul(p, rv) output y }", "FusedAttention(q, k, v scale=1)");
  check("network { input q: float32[2,6,5,4] input k: float32[2,6,7,4] input v: float32[2,2,7,3]\n" REPEAT("v", "3")
        "s = MatMul(q, k) {trans_b=1} p = Softmax(s) y = MatMul(p, rv) output y }", NULL);
}

static void takes_transposes(void **unused) {
  (void)unused;
  check("network { input q: float32[2,5,3,4] input k: float32[2,7,3,4] input v: float32[2,3,7,6]\n"
        "tq = Transpose(q) {perm=[0,2,1,3]} tk = Transpose(k) {perm=[0,2,1,3]} a = FusedAttention(tq, tk, v)\n"
        "y = Transpose(a) {perm=[0,2,1,3]} output y }",
        "FusedAttention(q, k, v swapped=11)");
  check("network { input q: float32[2,5,3,4] input k: float32[2,7,3,4] input v: float32[2,3,7,6]\n"
        "tq = Transpose(q) {perm=[0,2,1,3]} tk = Transpose(k) {perm=[0,2,1,3]} y = FusedAttention(tq, tk, v) {causal=1} output y\noutput tk }",
        NULL); /* tk must be there anyway */
  check("network { input q: float32[2,3,5,4] input k: float32[2,3,4,7] input v: float32[2,3,7,6] t = Transpose(k) {perm=[0,1,3,2]}\n"
        "y = FusedAttention(q, t, v) output y }", "FusedAttention(q, Transpose(k perm=0,1,3,2), v)");
}

static void shared(const char *text, const char *expected) { pass_check(ingot__pass_share_repeated, text, expected); }

static void repeated_nodes(void **unused) {
  (void)unused;
  static const char text[] = "network { input x: float32[2,3] const a: float32[3] = {1,2,3} const b: float32[3] = {1,2,3}\n"
                             "p = Mul(x, a) q = Mul(x, b) r = Exp(p) s = Exp(q) t = Sqrt(q) y = Add(r, s) z = Add(y, t) output z }";
  ingot__network *network;
  assert_int_equal(ingot__network_parse(NULL, text, sizeof text - 1, NULL, &network), INGOT_OK);
  ingot__pass_context context = {0};
  bool changed = false;
  size_t n = 0;
  assert_int_equal(ingot__pass_share_repeated(network, &context, &changed), INGOT_OK);
  for (const ingot__node *node = network->main->first; node; node = node->next) n++;
  assert_true(changed);
  assert_int_equal(n, 5);
  ingot__network_free(network);
  shared("network { input x: float32[2,3] p = LeakyRelu(x) {alpha=0.1} q = LeakyRelu(x) {alpha=0.2} y = Add(p, q) output y }", NULL);
  shared("network { input x: float32[2,3] p = Exp(x) y = Add(p, p) q = Exp(x) output y output q }", NULL); /* an output has a name */
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
  const struct CMUnitTest tests[] = {cmocka_unit_test(is_found), cmocka_unit_test(with_conditions), cmocka_unit_test(takes_repeated_heads),
                                     cmocka_unit_test(takes_transposes), cmocka_unit_test(repeated_nodes), cmocka_unit_test(is_none),
                                     cmocka_unit_test(with_symbols)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
