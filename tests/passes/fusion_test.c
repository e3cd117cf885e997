/* fold_constants, remove_identities, lower_operators, fold_batch_norms, fuse_epilogues, nest_concats, fuse_elementwise: what they make, what they
 * leave, and that results stay. INGOT_TEST_ASAN */
#include "passes/pass_check.h"

#define NET(pass, text, expected) pass_check(ingot__pass_##pass, "network {\n" text "\n}", expected)
#define X "input x: float32[2,3,4,4] "
#define W "const w: float32[8,3,3,3] = random(3) "

static void constants(void **unused) {
  (void)unused;
  NET(fold_constants, X "const a: float32[] = {2} const b: float32[] = {3} c = Mul(a, b) y = Mul(x, c) output y", "Mul(x, 6)");
  NET(fold_constants, X "s = Shape(x) const i: int64[] = {1} n = Gather(s, i) const o: int64[1] = {0} u = Unsqueeze(n, o) y = ConstantOfShape(u) "
                        "z = Relu(x) output y output z", NULL);
  NET(fold_constants, X "const c: bool[] = {1} y = If(c) {then_branch={ t = Neg(x) output t } else_branch={ e = Abs(x) "
      "output e }} output y", "Neg(x)");
  NET(fold_constants, X "const c: bool[] = {0} y = If(c) {then_branch={ t = Neg(x) output t } else_branch={ e = Abs(x) "
      "output e }} output y", "Abs(x)");
  NET(fold_constants, X "input c: bool[] y = If(c) {then_branch={ t = Neg(x) output t } else_branch={ e = Abs(x) output e }} output y", NULL);
}

static void identities(void **unused) {
  (void)unused;
  NET(remove_identities, X "a = Identity(x) b = Cast(a) {to=1} const p: int64[8] = {0,0,0,0,0,0,0,0} c = Pad(b, p) y = Relu(c) output y", "Relu(x)");
  NET(remove_identities, X "y = Identity(x) output y", "Identity(x)"); /* input and output both need a name */
  NET(remove_identities, X "const s: int64[1] = {0} const e: int64[1] = {2} a = Slice(x, s, e) y = Relu(a) output y", "Relu(x)");
  NET(remove_identities, X "const s: int64[1] = {1} const e: int64[1] = {-9} const a: int64[1] = {0} const t: int64[1] = {-1} "
                           "r = Slice(x, s, e, a, t) y = Relu(r) output y", NULL); /* backwards */
}

static void lowering(void **unused) {
  (void)unused;
  NET(lower_operators, "input a: float32[2,3] const b: float32[5,3] = random(1) const c: float32[5] = random(2) y = "
      "Gemm(a, b, c) {transB=1 alpha=0.5} output y",
      "MatMul(a, float32[5,3], float32[5] trans_b=1 alpha=0.5)");
  NET(lower_operators, "input a: float32[2,3] const b: float32[3,5] = random(1) const c: float32[5] = random(2) y = Gemm(a, b, c) {beta=2} output y",
      "Gemm(a, float32[3,5], float32[5] beta=2)");
  NET(lower_operators, X "const k: int64[2] = {2,3} y = ReduceMean(x, k) output y", "GlobalAveragePool(x)");
  NET(lower_operators, X "const k: int64[2] = {1,3} y = ReduceMean(x, k) output y", "ReduceMean(x, {1,3})");
  NET(lower_operators, X "const c: float32[3,1,1] = random(5) y = Mul(c, x) output y", "Mul(x, float32[3,1,1])");
}

static void batch_norms(void **unused) {
  (void)unused;
#define BN "const g: float32[8] = random(4) const b: float32[8] = random(5) const m: float32[8] = random(6) const v: float32[8] = {1,2,3,4,5,6,7,8} "
  NET(fold_batch_norms, X W BN "c = Conv(x, w) y = BatchNormalization(c, g, b, m, v) output y", "Conv(x, float32[8,3,3,3], float32[8])");
  NET(fold_batch_norms, X W BN "c = Conv(x, w) y = BatchNormalization(c, g, b, m, v) output y output c", NULL); /* c is wanted as it is */
  NET(fold_batch_norms, X W "const s: float32[8,1,1] = random(7) c = Conv(x, w) y = Mul(c, s) output y", "Conv(x, float32[8,3,3,3], float32[8])");
  NET(fold_batch_norms, X W "const s: float32[2,2] = random(7) c = Conv(x, w) y = Mul(c, s) output y", "Mul(Conv(x, "
      "float32[8,3,3,3]), float32[2,2])");
  NET(fold_batch_norms, X BN "const u: float32[3,4,3,3] = random(3) c = ConvTranspose(x, u) {group=1 strides=[2,2]} const "
      "t: float32[4,1,1] = random(9) "
                          "y = Add(c, t) output y", "ConvTranspose(x, float32[3,4,3,3], float32[4] strides=2,2)");
  NET(fold_batch_norms, "input a: float32[2,3] const q: float32[3,5] = random(1) const t: float32[5] = random(2) m = "
      "MatMul(a, q) y = Add(t, m) output y",
      "MatMul(a, float32[3,5], float32[5])");
}

static void epilogues(void **unused) {
  (void)unused;
  NET(fuse_epilogues, X W "c = Conv(x, w) y = Relu(c) output y", "Conv(x, float32[8,3,3,3] act=1)");
  NET(fuse_epilogues, X W "input r: float32[2,8,2,2] c = Conv(x, w) s = Add(r, c) y = Relu(s) output y", "Conv(x, float32[8,3,3,3], _, r act=1)");
  NET(fuse_epilogues, X W "c = Conv(x, w) y = Relu(c) output y output c", "Relu(Conv(x, float32[8,3,3,3])); Conv(x, float32[8,3,3,3])");
  NET(fuse_epilogues, X W "input r: float32[8,2,2] c = Conv(x, w) y = Add(r, c) output y", NULL); /* broadcast: no residual */
  NET(fuse_epilogues, X W "const k: float32[2,8,2,2] = random(3) c = Conv(x, w) y = Add(k, c) output y", NULL); /* constants stay plain */
  NET(fuse_epilogues, X W "const l: float32[] = {0} const h: float32[] = {6} c = Conv(x, w) y = Clip(c, l, h) output y",
      "Conv(x, float32[8,3,3,3] act=2 act_beta=6)");
}

static void concats(void **unused) {
  (void)unused;
  NET(nest_concats, X "a = Neg(x) b = Abs(x) c = Concat(x, a) {axis=1} y = Concat(x, a, b) {axis=1} output c output y",
      "Concat(x, Neg(x) axis=1); Concat(Concat(x, Neg(x) axis=1), Abs(x) axis=1)");
  NET(nest_concats, X "a = Neg(x) b = Abs(x) c = Concat(x, a) {axis=2} y = Concat(x, a, b) {axis=1} output c output y", NULL);
}

static void elementwise(void **unused) {
  (void)unused;
  NET(fuse_elementwise, X "const c: float32[] = {3} a = Mul(x, c) b = Add(a, x) y = Sigmoid(b) output y", "Fused(x "
      "{Sigmoid(Add(Mul(x_1, 3), x_1))})");
  NET(fuse_elementwise, X "a = Neg(x) y = Exp(a) output y output a", "Exp(Neg(x)); Neg(x)"); /* a is wanted */
  NET(fuse_elementwise, X "y = Exp(x) output y", "Exp(x)");
  NET(fuse_elementwise, "input i: int64[9,8] const k: int64[] = {3} a = Mul(i, k) b = Abs(a) y = Cast(b) {to=1} output y",
      "Fused(i {Cast(Abs(Mul(i_1, 3)))})");
  NET(fuse_elementwise, "input h: float16[4,4] f = Cast(h) {to=1} r = Relu(f) y = Cast(r) {to=10} output y",
      "Fused(h {Cast(Relu(Cast(h_1)) to=10)})");
  NET(fuse_elementwise, "input h: float16[4,4] f = Cast(h) {to=11} y = Neg(f) output y", "Neg(Cast(h to=11))"); /* one that no kernel takes */
  NET(fuse_elementwise, X "const c: float32[] = {3} a = Sqrt(c) y = Exp(a) z = Neg(x) output y output z", "Exp(Sqrt(3)); Neg(x)"); /* no inputs */
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(constants), cmocka_unit_test(identities), cmocka_unit_test(lowering), cmocka_unit_test(batch_norms),
    cmocka_unit_test(epilogues), cmocka_unit_test(concats), cmocka_unit_test(elementwise)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
