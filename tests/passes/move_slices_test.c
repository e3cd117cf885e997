/* move_slices: parts of a product that attention reads in place, whatever exporters put between; what stays. INGOT_TEST_ASAN */
#include "passes/pass_check.h"

static void check(const char *text, const char *expected) { pass_check(ingot__pass_move_slices, text, expected); }

static void gathers_of_one_index(void **unused) {
  (void)unused;
  check("network { input x: float32[2,3,4] const i: int64[] = {1} y = Gather(x, i) {axis=1} output y }", "Reshape(Slice(x, 1, 2, 1), {2,4})");
  check("network { input x: float32[2,3,4] const i: int64[] = {-1} y = Gather(x, i) {axis=-1} output y }",
        "Reshape(Slice(x, -1, 2.147e+09, 2), {2,3})");
  check("network { input x: float32[2,3,4] const i: int64[1] = {-2} y = Gather(x, i) {axis=2} output y }", "Slice(x, -2, -1, 2)");
  check("network { input x: float32[N,L,4] const i: int64[] = {0} y = Gather(x, i) {axis=1} output y }", "Reshape(Slice(x, 0, 1, 1), {0,4})");
  check("network { input x: float32[N,L,A] const i: int64[] = {0} y = Gather(x, i) output y }", "Squeeze(Slice(x, 0, 1, 0), 0)");
  check("network { input x: float32[N,L,4] const i: int64[] = {2} y = Gather(x, i) {axis=1} output y }", NULL); /* it may be outside */
  check("network { input x: float32[6,4] const i: int64[2] = {1,0} y = Gather(x, i) output y }", "Gather(x, {1,0})");
  check("network { input x: float32[4] const i: int64[] = {1} y = Gather(x, i) output y }", "Gather(x, 1)"); /* elements of shapes */
}

static void rows_of_products(void **unused) {
  (void)unused;
  /* The class token of a transformer: rows of a matrix, some elements apart. */
  check("network { input x: float32[2,5,4] const w: float32[4,3] = random(1) const i: int64[] = {0} a = Gather(x, i) {axis=1} y = MatMul(a, w)"
        " output y }", "MatMul(Slice(Reshape(x, {2,20}), 0, 4, 1), float32[4,3])");
  check("network { input x: float32[N,L,4] const w: float32[4,3] = random(1) const i: int64[] = {0} a = Gather(x, i) {axis=1} y = MatMul(a, w)"
        " output y }", "MatMul(Slice(Reshape(x, {0,-1}), 0, 4, 1), float32[4,3])");
  check("network { input x: float32[2,5,4] const i: int64[] = {0} a = Gather(x, i) {axis=1} y = Relu(a) output y }",
        "Relu(Reshape(Slice(x, 0, 1, 1), {2,4}))");
}

#define QKV(shape) "network { input x: float32[" shape "]\n" \
  "const zero: int64[] = {0} const one: int64[] = {1} const two: int64[] = {2}\n"
#define GATHER "q = Gather(t, zero) k = Gather(t, one) v = Gather(t, two)\n"
#define PARTS(x, n) "FusedAttention(Slice(" x ", 0, " n ", 2), Slice(" x ", 3, 6, 2), Slice(" x ", 6, 9, 2) swapped="

static void parts_of_products(void **unused) {
  (void)unused;
  /* [N, L, 3, heads, D] to three of [N, heads, L, D]. */
  check(QKV("2,5,3,3,4") "t = Transpose(x) {perm=[2,0,3,1,4]} " GATHER "y = FusedAttention(q, k, v) output y }",
        PARTS("Reshape(x, {2,5,9,4})", "3") "7)");
  check(QKV("N,L,3,3,4") "t = Transpose(x) {perm=[2,0,3,1,4]} " GATHER "y = FusedAttention(q, k, v) output y }",
        PARTS("Reshape(x, {0,0,9,4})", "3") "7)");
  check("network { input x: float32[2,5,3,3,4] const s: int64[3] = {1,1,1} const f: int64[4] = {2,3,5,4} t = Transpose(x) {perm=[2,0,3,1,4]}\n"
        "a, b, c = Split(t, s) q = Reshape(a, f) k = Reshape(b, f) v = Reshape(c, f) y = FusedAttention(q, k, v) output y }",
        PARTS("Reshape(x, {2,5,9,4})", "3") "7)");
  /* [N, L, 3 heads D]: each part's heads are split off. */
  check("network { input x: float32[N,L,36] const s: int64[3] = {12,12,12} const f: int64[4] = {0,0,3,4} a, b, c = Split(x, s) {axis=2}\n"
        "q = Reshape(a, f) k = Reshape(b, f) v = Reshape(c, f) y = FusedAttention(q, k, v) {swapped=15} output y }",
        PARTS("Reshape(x, {0,0,9,4})", "3") "15)");
  /* As nn.MultiheadAttention writes it, once its Transposes of batch and positions have gone into one. */
  check(QKV("2,5,36") "const f: int64[5] = {1,2,5,3,12} const g: int64[4] = {3,5,2,12} const h: int64[4] = {5,2,3,4}\n"
        "a = Reshape(x, f) b = Transpose(a) {perm=[3,2,1,0,4]} t = Reshape(b, g) " GATHER
        "d = Reshape(q, h) e = Reshape(k, h) r = Reshape(v, h) i = Transpose(d) {perm=[1,2,0,3]} j = Transpose(e) {perm=[1,2,0,3]}\n"
        "l = Transpose(r) {perm=[1,2,0,3]} y = FusedAttention(i, j, l) output y }", PARTS("Reshape(x, {2,5,9,4})", "3") "7)");
}

static void of_one_batch(void **unused) {
  (void)unused;
  check(QKV("1,5,3,12") "const h: int64[3] = {5,3,4} const o: int64[4] = {1,3,5,4} const p: int64[3] = {5,1,12}\n"
        "t = Transpose(x) {perm=[2,1,0,3]} " GATHER "d = Reshape(q, h) e = Reshape(k, h) r = Reshape(v, h)\n"
        "i = Transpose(d) {perm=[1,0,2]} j = Transpose(e) {perm=[1,0,2]} l = Transpose(r) {perm=[1,0,2]}\n"
        "m = Reshape(i, o) n = Reshape(j, o) s = Reshape(l, o) a = FusedAttention(m, n, s) b = Transpose(a) {perm=[2,0,1,3]} y = Reshape(b, p)"
        " output y }", "Reshape(" PARTS("Reshape(x, {1,5,9,4})", "3") "15), {5,1,12})");
}

static void batch_behind_positions(void **unused) {
  (void)unused;
  check("network { input x: float32[5,2,8] const w: float32[8,36] = random(1) const f: int64[4] = {5,2,9,4}\n"
        "p = MatMul(x, w) a = Reshape(p, f)\n"
        "const b0: int64[1] = {0} const b1: int64[1] = {3} const b2: int64[1] = {6} const b3: int64[1] = {9} const ax: int64[1] = {2}\n"
        "q = Slice(a, b0, b1, ax) k = Slice(a, b1, b2, ax) v = Slice(a, b2, b3, ax)\n"
        "i = Transpose(q) {perm=[1,2,0,3]} j = Transpose(k) {perm=[1,2,0,3]} l = Transpose(v) {perm=[1,2,0,3]}\n"
        "y = FusedAttention(i, j, l) output y }",
        PARTS("Reshape(MatMul(Transpose(x perm=1,0,2), float32[8,36]), {2,5,9,4})", "3") "7)"); /* a third is moved, once */
}

static void what_stays(void **unused) {
  (void)unused;
  /* Products of two such parts read whole tensors: one Transpose of all is less than three. */
  check(QKV("2,5,3,3,4") "t = Transpose(x) {perm=[2,0,3,1,4]} " GATHER "a = MatMul(q, k) {trans_b=1} y = MatMul(a, v) output y }",
        "MatMul(MatMul(Reshape(Slice(Transpose(x perm=2,0,3,1,4), 0, 1, 0), {2,3,5,4}), "
        "Reshape(Slice(Transpose(x perm=2,0,3,1,4), 1, 2, 0), {2,3,5,4}) trans_b=1), "
        "Reshape(Slice(Transpose(x perm=2,0,3,1,4), 2, 3, 0), {2,3,5,4}))");
  /* Heads across the parts' border. */
  check("network { input x: float32[2,5,24] input k: float32[2,5,3,5] input v: float32[2,5,3,5] const b: int64[1] = {4} const e: int64[1] = {19}\n"
        "const ax: int64[1] = {2} const f: int64[4] = {2,5,3,5} a = Slice(x, b, e, ax) q = Reshape(a, f) y = FusedAttention(q, k, v) {swapped=7}"
        " output y }", "FusedAttention(Reshape(Slice(x, 4, 19, 2), {2,5,3,5}), k, v swapped=7)");
  check("network { input x: float32[2,3,5,4] const a: int64[1] = {0} const b: int64[1] = {2} const ax: int64[1] = {1}\n"
        "t = Transpose(x) {perm=[0,2,1,3]} s = Slice(t, a, b, ax) y = Relu(s) output y }",
        "Relu(Transpose(Slice(x, 0, 2, 2) perm=0,2,1,3))"); /* what is cut off isn't moved */
  check("network { input x: float32[2,5,24] const s: int64[2] = {12,12} a, b = Split(x, s) {axis=2} c = Sigmoid(a) y = Mul(c, b) output y }",
        "Mul(Sigmoid(Split(x, {12,12} axis=2)), Split(x, {12,12} axis=2).1)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(gathers_of_one_index), cmocka_unit_test(rows_of_products), cmocka_unit_test(parts_of_products), cmocka_unit_test(of_one_batch),
    cmocka_unit_test(batch_behind_positions), cmocka_unit_test(what_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
