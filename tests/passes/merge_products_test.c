/* merge_products: queries, keys and values of the same rows, of two different, with and without biases, and near misses. INGOT_TEST_ASAN */
#include "passes/pass_check.h"

static void check(const char *text, const char *expected) { pass_check(ingot__pass_merge_products, text, expected); }
#define CONSTANTS \
  "const wq: float32[6,8] = random(1) const wk: float32[6,8] = random(2) const wv: float32[6,8] = random(3) const bq: float32[8] = random(4)\n" \
  "const bv: float32[8] = random(5) const s: int64[4] = {2,5,2,4} const t: int64[4] = {2,7,2,4}\n"
#define HEADS(rows) "rq = Reshape(q, s) rk = Reshape(k, " rows ") rv = Reshape(v, " rows ") y = FusedAttention(rq, rk, rv) {swapped=7}\noutput y }"

static void of_the_same_rows(void **unused) {
  (void)unused;
#define ALL "Reshape(MatMul(x, float32[6,24], float32[24]), {2,5,6,4})"
  check("network { input x: float32[2,5,6] " CONSTANTS "q = MatMul(x, wq, bq) k = MatMul(x, wk) v = MatMul(x, wv, bv) " HEADS("s"),
        "FusedAttention(Slice(" ALL ", 0, 2, 2), Slice(" ALL ", 2, 4, 2), Slice(" ALL ", 4, 6, 2) swapped=7)");
#define TRANSPOSED "Reshape(MatMul(x, float32[16,8] trans_b=1), {2,5,4,4})"
  check("network { input x: float32[2,5,8] const wq: float32[8,8] = random(1) const wk: float32[4,8] = random(2) const wv: float32[4,8] = random(3)\n"
        "const s: int64[4] = {2,5,2,4} const t: int64[4] = {2,5,1,4} q = MatMul(x, wq) {trans_b=1} k = MatMul(x, wk) {trans_b=1}\n"
        "v = MatMul(x, wv) {trans_b=1} " HEADS("t"), /* two heads of queries to one */
        "FusedAttention(Slice(" TRANSPOSED ", 0, 2, 2), Slice(" TRANSPOSED ", 2, 3, 2), Slice(" TRANSPOSED ", 3, 4, 2) swapped=7)");
}

static void of_other_rows(void **unused) {
  (void)unused;
#define BOTH "Reshape(MatMul(z, float32[6,16], float32[16]), {2,7,4,4})"
  check("network { input x: float32[2,5,6] input z: float32[2,7,6] " CONSTANTS "q = MatMul(x, wq, bq) k = MatMul(z, wk) v = MatMul(z, wv, bv) "
        HEADS("t"),
        "FusedAttention(Reshape(MatMul(x, float32[6,8], float32[8]), {2,5,2,4}), Slice(" BOTH ", 0, 2, 2), Slice(" BOTH ", 2, 4, 2) swapped=7)");
}

static void of_any_number(void **unused) {
  (void)unused;
#define FREE "Reshape(MatMul(x, float32[6,24]), {0,5,6,4})"
  check("network { input x: float32[N,5,6] const wq: float32[6,8] = random(1) const wk: float32[6,8] = random(2) const wv: float32[6,8] = random(3)\n"
        "const s: int64[4] = {0,5,2,4} q = MatMul(x, wq) k = MatMul(x, wk) v = MatMul(x, wv) " HEADS("s"),
        "FusedAttention(Slice(" FREE ", 0, 2, 2), Slice(" FREE ", 2, 4, 2), Slice(" FREE ", 4, 6, 2) swapped=7)");
}

static void is_none(void **unused) {
  (void)unused;
  check("network { input x: float32[2,5,6] input z: float32[2,5,6] input u: float32[2,5,6] " CONSTANTS
        "q = MatMul(x, wq) k = MatMul(z, wk) v = MatMul(u, wv) " HEADS("s"), NULL); /* three inputs */
  check("network { input x: float32[2,5,6] " CONSTANTS
        "q = MatMul(x, wq) {act=Relu} k = MatMul(x, wk) {act=Relu} v = MatMul(x, wv)\noutput v " HEADS("s"), NULL); /* activations; read elsewhere */
  check("network { input x: float32[2,5,6] " CONSTANTS "q = MatMul(x, wq) k = MatMul(x, wk) rq = Reshape(q, s) rk = Reshape(k, s)\n"
        "y = FusedAttention(rq, rk, rk) {swapped=7}\noutput y }", NULL); /* keys that are values */
  check("network { input x: float32[2,5,6] input wq: float32[6,8] input wk: float32[6,8] input wv: float32[6,8] const s: int64[4] = {2,5,2,4}\n"
        "q = MatMul(x, wq) k = MatMul(x, wk) v = MatMul(x, wv) " HEADS("s"), NULL); /* no constants */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(of_the_same_rows), cmocka_unit_test(of_other_rows), cmocka_unit_test(of_any_number),
                                     cmocka_unit_test(is_none)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
