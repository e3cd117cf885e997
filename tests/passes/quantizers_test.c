/* quantize_convolutions, quantize_sums, lift_scales and pair_quantizers, and quantisers in epilogues: the graphs they make, with results to the
 * level.
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

/* The factor is 0.02 0.05 / 0.1, the bias 10, -20, 300, 0 of 0.001. */
static void convolutions(void **unused) {
  (void)unused;
  pass_check(ingot__pass_quantize_convolutions, QUANTISED,
             "Conv(x, int8[4,3,1,1], {10,-20,300,0}, _, 0.01 x_zero=120 y_zero=10 y_low=10)");
  /* the network's last nodes, and no Relu among them */
  pass_check(ingot__pass_quantize_convolutions,
             "network { input x: uint8[1,1,2,2] const s: float32[] = {0.5} const z: uint8[] = {3} const wq: int8[1,1,1,1] = {4} "
             "const sw: float32[] = {0.25} const zw: int8[] = {0} d = DequantizeLinear(x, s, z) w = DequantizeLinear(wq, sw, zw) "
             "c = Conv(d, w) y = QuantizeLinear(c, s, z) output y }", "Conv(x, 4, 0, _, 0.25 x_zero=3 y_zero=3)");
#define SIGNED \
  "network { input x: float32[1,2,3,3] const s: float32[] = {0.02} const z: int8[] = {-8} const wq: uint8[2,2,1,1] = {130,120,100,255} " \
  "const zw: uint8[2] = {128,128} const sw: float32[2] = {0.5,0.25} q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) " \
  "w = DequantizeLinear(wq, sw, zw) {axis=0} c = Conv(d, w) y = QuantizeLinear(c, s, z) "
  /* int8 between quantisers becomes uint8, 128 higher */
  pass_check(ingot__pass_quantize_convolutions, SIGNED "o = DequantizeLinear(y, s, z) output o }",
             "DequantizeLinear(Conv(QuantizeLinear(x, 0.02, 120), {2,-8,-28,127}, {0,0}, _, float32[2] x_zero=120 y_zero=120), 0.02, 120)");
  pass_check(ingot__pass_quantize_convolutions, SIGNED "output y }",
             "QuantizeLinear(Conv(DequantizeLinear(QuantizeLinear(x, 0.02, 120), 0.02, 120), "
             "DequantizeLinear({130,120,100,255}, float32[2], {128,128} axis=0)), 0.02, -8)"); /* the output's type is the model's */
}

static void sums(void **unused) {
  (void)unused;
  pass_check_within(ingot__pass_quantize_sums,
                    "network { input a: uint8[2,3] input b: uint8[2,3] const s: float32[] = {0.5} const t: float32[] = {0.25} "
                    "const z: uint8[] = {10} "
                    "const n: uint8[] = {4} x = DequantizeLinear(a, s, z) w = DequantizeLinear(b, t, n) c = Add(x, w) r = Relu(c) "
                    "y = QuantizeLinear(r, s, n) output y }",
                    "Cast(Clip(Round(Add(Mul(Cast(a), 1), Add(Mul(Cast(b), 0.5), -8))), 4, 255) to=2)", 0);
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
  const struct CMUnitTest tests[] = {cmocka_unit_test(scales), cmocka_unit_test(convolutions), cmocka_unit_test(sums), cmocka_unit_test(pairs),
                                     cmocka_unit_test(in_epilogues)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
