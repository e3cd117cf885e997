/* lift_scales and pair_quantizers on a quantised convolution, and quantisers in epilogues: the graphs they make, with results to the level.
 * INGOT_TEST_ASAN */
#include "passes/pass_check.h"

#define QUANTISED \
  "network { input x: uint8[1,3,5,5] const sx: float32[] = {0.02} const zx: uint8[] = {120}\n" \
  " const wq: int8[4,3,1,1] = {3,-2,5,7,-1,4,100,-90,11,2,2,-3} const sw: float32[] = {0.05} const zw: int8[] = {0}\n" \
  " const b: float32[4] = {0.01,-0.02,0.3,0} const sy: float32[] = {0.1} const zy: uint8[] = {10}\n" \
  " d = DequantizeLinear(x, sx, zx) w = DequantizeLinear(wq, sw, zw) c = Conv(d, w, b) r = Relu(c) y = QuantizeLinear(r, sy, zy) output y }"

static void scales(void **unused) {
  (void)unused;
  pass_check_within(ingot__pass_lift_scales, QUANTISED,
                    "QuantizeLinear(Relu(Conv(DequantizeLinear(x, 1, 120), DequantizeLinear(int8[4,3,1,1], 1, 0), float32[4] exact=1)), 100, 10)",
                    1e-9);
}

static void pairs(void **unused) {
  (void)unused;
#define Q \
  "network { input x: float32[2,3] const s: float32[] = {0.25} const t: float32[] = {0.5} const z: uint8[] = {10} q = QuantizeLinear(x, s, z) "
  pass_check(ingot__pass_pair_quantizers, Q "y = DequantizeLinear(q, s, z) output y }", "Mul(Clip(Round(Div(x, 0.25)), -10, 245), 0.25)");
  pass_check(ingot__pass_pair_quantizers, Q "a = DequantizeLinear(q, s, z) b = DequantizeLinear(q, t, z) y = Add(a, b) output y }",
             "Add(Mul(Clip(Round(Div(x, 0.25)), -10, 245), 0.25), Mul(Clip(Round(Div(x, 0.25)), -10, 245), 0.5))");
  pass_check(ingot__pass_pair_quantizers, Q "y = DequantizeLinear(q, s, z) output y output q }", NULL); /* the levels are wanted */
  pass_check(ingot__pass_pair_quantizers, Q "const o: uint8[] = {11} y = DequantizeLinear(q, s, o) output y }", NULL); /* another zero point */
}

static void in_epilogues(void **unused) {
  (void)unused;
#define CONV \
  "network { input x: float32[1,3,5,5] const w: float32[4,3,1,1] = random(2) const m: float32[] = {40} const l: float32[] = {0} " \
  "const h: float32[] = {255} c = Conv(x, w) r = Relu(c) k = Mul(r, m) n = Round(k) "
  pass_check(ingot__pass_fuse_epilogues, CONV "y = Clip(n, l, h) output y }", "Conv(x, float32[4,3,1,1] act=14 act_alpha=40)");
  pass_check(ingot__pass_fuse_epilogues, CONV "const g: float32[] = {127} y = Clip(n, l, g) output y }",
             "Clip(Round(Mul(Conv(x, float32[4,3,1,1] act=1), 40)), 0, 127)"); /* not 256 levels */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(scales), cmocka_unit_test(pairs), cmocka_unit_test(in_epilogues)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
