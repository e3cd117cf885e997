/* cancel_transposes: what is merged, moved, taken into products, and what stays. INGOT_TEST_ASAN */
#include "passes/pass_check.h"

static void check(const char *text, const char *expected) { pass_check(ingot__pass_cancel_transposes, text, expected); }
#define NET(nodes, expected) check("network { input x: float32[2,3,4,5] input z: float32[2,3,4,5]\n" nodes "\noutput y }", expected)

static void two_in_a_row(void **unused) {
  (void)unused;
  NET("a = Transpose(x) {perm=[0,2,3,1]} b = Transpose(a) {perm=[0,3,1,2]} y = Relu(b)", "Relu(x)");
  NET("a = Transpose(x) {perm=[0,2,3,1]} y = Transpose(a) {perm=[0,2,1,3]}", "Transpose(x perm=0,3,2,1)");
  NET("const s: int64[2] = {6,-1} const t: int64[3] = {0,5,4} a = Reshape(x, s) y = Reshape(a, t)", "Reshape(x, {6,5,4})");
  NET("const s: int64[2] = {6,-1} const t: int64[4] = {2,3,4,5} r = Relu(x) a = Reshape(r, s) b = Reshape(a, t) y = Neg(b)", "Neg(Relu(x))");
  check("network { input x: float32[N,3,4] const s: int64[2] = {0,-1} const t: int64[3] = {0,4,3} a = Reshape(x, s) y = Reshape(a, t) output y }",
        "Reshape(x, {0,4,3})");
  check("network { input x: float32[2,3] a = Transpose(x) b = Transpose(a) output b output a }", NULL); /* b is x, but both are public */
  NET("a = Transpose(x) {perm=[0,2,3,1]} b = Transpose(x) {perm=[0,2,3,1]} c = Neg(b) y = Concat(a, c) {axis=1}",
      "Concat(Transpose(x perm=0,2,3,1), Neg(Transpose(x perm=0,2,3,1)) axis=1)"); /* one Transpose, read twice */
}

static void of_dims_of_one(void **unused) {
  (void)unused;
  check("network { input x: float32[3,1,4,1] y = Transpose(x) {perm=[1,0,3,2]} output y }", "Reshape(x, {1,3,1,4})");
  check("network { input x: float32[3,1,4,1] y = Transpose(x) {perm=[2,1,0,3]} output y }", "Transpose(x perm=2,1,0,3)");
  check("network { input x: float32[N,1,4] y = Transpose(x) {perm=[1,0,2]} output y }", "Reshape(x, {1,-1,4})");
}

#define THERE "a = Transpose(x) {perm=[0,2,3,1]} "
#define BACK " y = Transpose(b) {perm=[0,3,1,2]}"
static void through_nodes(void **unused) {
  (void)unused;
  NET(THERE "const c: float32[3] = {1,2,3} m = Mul(a, c) b = Relu(m)" BACK, "Relu(Mul(x, float32[1,3,1,1]))");
  NET(THERE "const c: float32[] = {2} m = Mul(c, a) b = Relu(m)" BACK, "Relu(Mul(2, x))");
  NET(THERE "b = Softmax(a)" BACK, "Softmax(x axis=1)");
  NET(THERE "t = Transpose(z) {perm=[0,2,3,1]} b = Concat(a, t) {axis=-1}" BACK, "Concat(x, z axis=1)");
  NET(THERE "const p: int64[8] = {0,1,2,0,0,0,0,3} b = Pad(a, p)" BACK, "Pad(x, {0,0,1,2,0,3,0,0})");
  NET(THERE "const s: int64[2] = {1,0} const e: int64[2] = {3,2} b = Slice(a, s, e)" BACK, "Slice(x, {1,0}, {3,2}, {0,2})");
  NET(THERE "const s: int64[1] = {1} const e: int64[1] = {3} const k: int64[1] = {-1} b = Slice(a, s, e, k)" BACK, "Slice(x, 1, 3, 1)");
  NET(THERE "const k: int64[1] = {-1} b = ReduceMean(a, k)" BACK, "ReduceMean(x, 1)");
  NET(THERE "const k: int64[2] = {1,2} y = ReduceMax(a, k)", "Reshape(ReduceMax(x, {2,3}), {2,1,1,3})");
  NET(THERE "t = Transpose(z) {perm=[0,2,3,1]} y = Add(a, t)", "Transpose(Add(x, z) perm=0,2,3,1)");
  NET(THERE "const c: float32[3] = {1,2,3} m = Mul(a, c) t = Transpose(z) {perm=[0,2,3,1]} y = Add(m, t)",
      "Transpose(Add(Mul(x, float32[1,3,1,1]), z) perm=0,2,3,1)");
  NET(THERE "m = Mul(a, a) b = Mul(m, m)" BACK, "Mul(Mul(x, x), Mul(x, x))");
}

static void what_stays(void **unused) {
  (void)unused;
  NET(THERE "y = Relu(a)", "Relu(Transpose(x perm=0,2,3,1))");
  check("network { input x: float32[2,3,4,5] input w: float32[2,4,5,3] " THERE "b = Add(a, w)" BACK " output y output a }",
        "Transpose(Add(Transpose(x perm=0,2,3,1), w) perm=0,3,1,2); Transpose(x perm=0,2,3,1)");
  NET(THERE "const k: int64[1] = {1} y = CumSum(a, k)", "CumSum(Transpose(x perm=0,2,3,1), 1)");
  NET("const s: int64[5] = {2,3,2,2,5} const t: int64[4] = {2,6,2,5} a = Reshape(x, s) b = Transpose(a) {perm=[0,2,1,3,4]} y = Reshape(b, t)",
      "Reshape(Transpose(Reshape(x, {2,3,2,2,5}) perm=0,2,1,3,4), {2,6,2,5})"); /* a channel shuffle */
}

static void tokens_of_images(void **unused) {
  (void)unused;
  NET("const s: int64[3] = {2,3,20} a = Reshape(x, s) y = Transpose(a) {perm=[0,2,1]}", "Reshape(Transpose(x perm=0,2,3,1), {2,20,3})");
  check("network { input x: float32[N,20,3] const s: int64[4] = {0,3,4,5} a = Transpose(x) {perm=[0,2,1]} y = Reshape(a, s) output y }",
        "Transpose(Reshape(x, {0,4,5,3}) perm=0,3,1,2)");
  NET("const s: int64[3] = {2,4,15} a = Reshape(x, s) y = Transpose(a) {perm=[0,2,1]}", "Transpose(Reshape(x, {2,4,15}) perm=0,2,1)");
}

static void into_products(void **unused) {
  (void)unused;
  /* Batches and heads put together for a product, as PyTorch's exporter writes keys. */
  check("network { input x: float32[2,3,4,5] const f: int64[3] = {-1,7,5} const g: int64[4] = {2,3,5,7}\n"
        "input kk: float32[2,3,7,5] a = Reshape(kk, f) b = Transpose(a) {perm=[0,2,1]} c = Reshape(b, g) y = MatMul(x, c) output y }",
        "MatMul(x, kk trans_b=1)");
  NET("t = Transpose(z) {perm=[0,1,3,2]} y = MatMul(x, t)", "MatMul(x, z trans_b=1)");
  NET("t = Transpose(x) {perm=[0,1,3,2]} y = MatMul(t, z)", "MatMul(x, z trans_a=1)");
  NET("t = Transpose(z) {perm=[0,1,3,2]} y = MatMul(x, t) {trans_b=1 trans_a=1}", "MatMul(x, z trans_a=1)");
  check("network { input x: float32[2,4,7,3] input z: float32[2,3,4,5] t = Transpose(z) {perm=[0,2,3,1]} y = MatMul(x, t) {trans_b=1} output y }",
      NULL);
  check("network { input x: float32[2,4,7,5] input z: float32[2,3,4,5] t = Transpose(z) {perm=[0,2,3,1]} y = MatMul(x, t) output y }",
        "MatMul(x, Transpose(z perm=0,2,1,3) trans_b=1)"); /* whole rows move */
  check("network { input x: float32[2,3] t = Transpose(x) y = MatMul(t, x) output y }", "MatMul(x, x trans_a=1)");
}

static void through_rows(void **unused) {
  (void)unused;
#define ROWS(nodes, expected) check("network { input x: float32[N,L,4] const w: float32[4,6] = random(1) const s: float32[4] = random(2)\n" \
                                    "const b: float32[6] = random(3)\n" nodes "\noutput y }", expected)
#define PERM " {perm=[1,0,2]} "
  ROWS("a = Transpose(x)" PERM "p = MatMul(a, w, b) y = Transpose(p)" PERM, "MatMul(x, float32[4,6], float32[6])");
  ROWS("a = Transpose(x)" PERM "n = LayerNormalization(a, s) y = Transpose(n)" PERM, "LayerNormalization(x, float32[4])");
  ROWS("a = Transpose(x)" PERM "n = RMSNormalization(a, s) p = MatMul(n, w) g = Gelu(p) y = Transpose(g)" PERM,
       "Gelu(MatMul(RMSNormalization(x, float32[4]), float32[4,6]))");
  ROWS("n = RMSNormalization(x, s) {axis=1} y = Transpose(n)" PERM, NULL); /* rows are more than the last dim */
  /* To several readers, of which a pull sees one: a third of the elements, moved before, is moved no more. */
  ROWS("const f: int64[4] = {0,0,3,2} const i: int64[1] = {0} const j: int64[1] = {1} const k: int64[1] = {2} const l: int64[1] = {3}\n"
       "a = Transpose(x)" PERM "p = MatMul(a, w) r = Reshape(p, f) c = Slice(r, i, k, k) d = Slice(r, j, l, k)\n"
       "e = Transpose(c) {perm=[1,2,0,3]} g = Transpose(d) {perm=[1,0,2,3]} h = Transpose(g) {perm=[0,2,1,3]} y = Add(e, h)",
       "Transpose(Add(Slice(Reshape(MatMul(x, float32[4,6]), {0,0,3,2}), 0, 2, 2), "
       "Slice(Reshape(MatMul(x, float32[4,6]), {0,0,3,2}), 1, 3, 2)) perm=0,2,1,3)");
  ROWS("a = Transpose(x)" PERM "y = MatMul(a, w)", "MatMul(Transpose(x perm=1,0,2), float32[4,6])"); /* more would be moved behind it */
  ROWS("a = Transpose(x)" PERM "q = Transpose(a)" PERM "z = Shape(a) p = MatMul(a, w) t = Transpose(p)" PERM
       "k = Cast(z) {to=float32} r = ReduceSum(k) m = MatMul(q, w) g = Add(m, t) y = Add(g, r)",
       "Add(Add(MatMul(x, float32[4,6]), MatMul(x, float32[4,6])), ReduceSum(Cast(Gather(Shape(x), {1,0,2}))))");
}

static void through_reshapes(void **unused) {
  (void)unused;
  check("network { input x: float32[2,3,5,4] const s: int64[3] = {3,2,20} a = Transpose(x) {perm=[1,0,2,3]} b = Reshape(a, s) y = Transpose(b)"
        " {perm=[1,0,2]} output y }", "Reshape(x, {2,3,20})");
  check("network { input x: float32[A,B,C,4] const s: int64[4] = {0,0,-1,2} a = Transpose(x) {perm=[1,0,2,3]} b = Reshape(a, s) y = Transpose(b)"
        " {perm=[1,2,0,3]} output y }", "Transpose(Reshape(x, {0,0,-1,2}) perm=0,2,1,3)");
  check("network { input x: float32[2,3,5,4] const s: int64[3] = {6,5,4} a = Transpose(x) {perm=[1,0,2,3]} b = Reshape(a, s) y = Transpose(b)"
        " {perm=[1,0,2]} output y }", NULL); /* what it puts together is not in one order */
}

static void around_products(void **unused) {
  (void)unused;
  check("network { input x: float32[L,N,2,2] const w: float32[4,6] = random(1) const b: float32[6] = random(3) const f: int64[2] = {-1,4}\n"
        "z = Shape(x) const i: int64[2] = {0,1} const six: int64[1] = {6} s = Gather(z, i) g = Concat(s, six) {axis=0}\n"
        "a = Reshape(x, f) p = MatMul(a, w, b) y = Reshape(p, g) output y }", "MatMul(Reshape(x, {0,0,4}), float32[4,6], float32[6])");
  check("network { input x: float32[1,5,4] const w: float32[4,6] = random(1) const f: int64[3] = {5,1,4} const g: int64[4] = {1,5,3,2}\n"
        "a = Reshape(x, f) p = MatMul(a, w) y = Reshape(p, g) output y }", "Reshape(MatMul(x, float32[4,6]), {1,5,3,2})");
  check("network { input x: float32[2,3,4,5,8] const w: float32[8,8] = random(1) const f: int64[3] = {6,20,8} const g: int64[5] = {2,3,4,5,8}\n"
        "a = Reshape(x, f) p = MatMul(a, w) y = Reshape(p, g) output y }",
        "Reshape(MatMul(Reshape(x, {6,20,8}), float32[8,8]), {2,3,4,5,8})"); /* few dims are as good */
}

static void computed_shapes(void **unused) {
  (void)unused;
  check("network { input x: float32[N,L,6] z = Shape(x) const i: int64[2] = {0,1} const t: int64[2] = {2,3} s = Gather(z, i)\n"
        "f = Concat(s, t) {axis=0} y = Reshape(x, f) {allowzero=1} output y }", "Reshape(x, {0,0,2,3})");
  check("network { input x: float32[N,L,6] z = Shape(x) const i: int64[2] = {1,0} const t: int64[1] = {6} s = Gather(z, i)\n"
        "f = Concat(s, t) {axis=0} y = Reshape(x, f) output y }", "Reshape(x, Concat(Gather(Shape(x), {1,0}), 6))"); /* neither is where it was */
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_in_a_row), cmocka_unit_test(of_dims_of_one), cmocka_unit_test(through_nodes), cmocka_unit_test(what_stays),
    cmocka_unit_test(tokens_of_images), cmocka_unit_test(into_products), cmocka_unit_test(through_rows), cmocka_unit_test(through_reshapes),
    cmocka_unit_test(around_products), cmocka_unit_test(computed_shapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
