/* What ONNX doesn't have: fused inputs and activations of products, Fused, FusedAttention, Reformat. Expected numbers by hand or from the
 * operators that they are made of. */
#include "run_text.h"

/* Both outputs of the network are equal. */
static void same(const char *text, double tolerance) {
  run_text r = {0};
  if (run_text_run(&r, text) != INGOT_OK) fail_msg("%s", r.diag.text);
  ingot__view a = run_text_output(&r, 0), b = run_text_output(&r, 1);
  assert_int_equal(a.rank, b.rank);
  for (int i = 0; i < a.rank; i++) assert_int_equal(a.dim[i], b.dim[i]);
  assert_true(ingot__view_count(&a) > 0);
  for (size_t i = 0; i < (size_t)ingot__view_count(&a); i++) {
    double x = ingot__get_double(a.dtype, a.data, i), y = ingot__get_double(b.dtype, b.data, i);
    if (!testing_close(x, y, tolerance, tolerance)) fail_msg("element %zu: %.9g and %.9g", i, x, y);
  }
  run_text_free(&r);
}

static void conv_with_residual_and_activation(void **unused) {
  (void)unused;
  same("network {\n"
       "const x: float32[2,3,5,4] = random(1)\nconst w: float32[9,3,3,3] = random(2)\nconst b: float32[9] = random(3)\n"
       "const r: float32[2,9,5,4] = random(4)\n"
       "a = Conv(x, w, b, r) {pads=[1, 1, 1, 1] act=Silu}\n"
       "c = Conv(x, w, b) {pads=[1, 1, 1, 1]}\nd = Add(c, r)\ne = Silu(d)\noutput a\noutput e\n}", 1e-5);
  same("network {\n"
       "const x: float32[1,4,6] = random(1)\nconst w: float32[4,2,3] = random(2)\nconst b: float32[4] = random(3)\n"
       "const r: float32[1,4,8] = random(4)\n"
       "a = ConvTranspose(x, w, b, r) {group=2 act=Relu}\n"
       "c = ConvTranspose(x, w, b) {group=2}\nd = Add(c, r)\ne = Relu(d)\noutput a\noutput e\n}", 1e-5);
}

static void matmul_with_all_of_it(void **unused) {
  (void)unused;
  same("network {\n"
       "const a: float32[2,1,7,3] = random(1)\nconst b: float32[5,4,7] = random(2)\nconst bias: float32[4] = random(3)\n"
       "const r: float32[2,5,3,4] = random(4)\nconst half: float32[] = {0.5}\n"
       "p = MatMul(a, b, bias, r) {trans_a=1 trans_b=1 alpha=0.5 act=Gelu}\n"
       "at = Transpose(a) {perm=[0, 1, 3, 2]}\nbt = Transpose(b) {perm=[0, 2, 1]}\nq = MatMul(at, bt)\nh = Mul(q, half)\n"
       "s = Add(h, bias)\nt = Add(s, r)\nu = Gelu(t)\noutput p\noutput u\n}", 1e-5);
  /* A bias for each row, and 1-D operands with addends. */
  same("network {\n"
       "const a: float32[3,2] = random(1)\nconst b: float32[2] = random(2)\nconst bias: float32[3] = random(3)\nconst r: float32[1] = {2}\n"
       "p = MatMul(a, b, bias, r)\nq = MatMul(a, b)\ns = Add(q, bias)\nt = Add(s, r)\noutput p\noutput t\n}", 1e-6);
}

static void attention(void **unused) {
  (void)unused;
  same("network {\n"
       "const q: float32[2,3,4,5] = random(1)\nconst k: float32[2,3,6,5] = random(2)\nconst v: float32[2,3,6,7] = random(3)\n"
       "const m: float32[4,6] = random(4)\nconst s: float32[] = {0.25}\n"
       "a = FusedAttention(q, k, v, m) {scale=0.25}\n"
       "kt = Transpose(k) {perm=[0, 1, 3, 2]}\nqk = MatMul(q, kt)\nqs = Mul(qk, s)\nqm = Add(qs, m)\np = Softmax(qm)\nb = MatMul(p, v)\n"
       "output a\noutput b\n}", 1e-5);
  /* A mask of bools, one for each batch, K and V shared by the heads, the scale left to the operator: 1/sqrt(4). */
  same("network {\n"
       "const q: float32[2,3,4,4] = random(1)\nconst k: float32[2,1,3,4] = random(2)\nconst v: float32[2,1,3,2] = random(3)\n"
       "const m: bool[2,1,1,3] = {true, false, true, true, true, false}\nconst s: float32[] = {0.5}\nconst low: float32[] = {-inf}\n"
       "a = FusedAttention(q, k, v, m)\n"
       "kt = Transpose(k) {perm=[0, 1, 3, 2]}\nqk = MatMul(q, kt)\nqs = Mul(qk, s)\nqm = Where(m, qs, low)\np = Softmax(qm)\nb = MatMul(p, v)\n"
       "output a\noutput b\n}", 1e-5);
}

static void fused_chains(void **unused) {
  (void)unused;
  same("network {\n"
       "const x: float32[2,3,4] = random(1)\nconst y: float32[3,1] = random(2)\n"
       "a = Fused(x, y) {body={\ninput i: float32[2,3,4]\ninput j: float32[3,1]\nconst two: float32[] = {2}\n"
       "k = Exp(j)\nl = Mul(i, k)\nm = Add(l, two)\nn = Tanh(m)\noutput n\n}}\n"
       "const two_: float32[] = {2}\nk_ = Exp(y)\nl_ = Mul(x, k_)\nm_ = Add(l_, two_)\nn_ = Tanh(m_)\noutput a\noutput n_\n}", 0);
  /* An output that is used inside as well, another type, a body of one input given twice. */
  same("network {\n"
       "const x: float32[1,1,5] = random(1)\n"
       "a, b = Fused(x, x) {body={\ninput i: float32[1,1,5]\ninput j: float32[1,1,5]\n"
       "k = Mul(i, j)\nl = Greater(k, i)\noutput k\noutput l\n}}\n"
       "c = Where(b, a, x)\nd = Max(a, x)\noutput c\noutput d\n}", 0);
}

/* Between its nodes a chain of halves is in float32; a Cast rounds all the same. */
static void chains_of_halves(void **unused) {
  (void)unused;
  same("network {\n"
       "const f: float32[2,3,40] = random(1)\nx = Cast(f) {to=float16}\nconst y: float16[3,1] = {0.5, 0.25, 1}\n"
       "a = Fused(x, y) {body={\ninput i: float16[2,3,40]\ninput j: float16[3,1]\nconst nine: float16[] = {9}\n"
       "k = Sin(i)\nl = Add(k, j)\nm = Pow(l, nine)\noutput m\n}}\n"
       "g = Cast(x) {to=float32}\nh = Cast(y) {to=float32}\nconst nine_: float32[] = {9}\n"
       "k_ = Sin(g)\nl_ = Add(k_, h)\nm_ = Pow(l_, nine_)\nn_ = Cast(m_) {to=float16}\noutput a\noutput n_\n}", 0);
  same("network {\n"
       "const f: float32[5,7] = random(1)\n"
       "a, b = Fused(f) {body={\ninput i: float32[5,7]\nconst three: bfloat16[] = {3}\n"
       "j = Exp(i)\nk = Cast(j) {to=bfloat16}\nl = Mul(k, three)\nm = Greater(l, k)\nn = Cast(l) {to=float32}\noutput n\noutput m\n}}\n"
       "const three_: float32[] = {3}\nj_ = Exp(f)\nk_ = Cast(j_) {to=bfloat16}\nw_ = Cast(k_) {to=float32}\nl_ = Mul(w_, three_)\n"
       "m_ = Greater(l_, w_)\nc = Where(b, a, f)\nd = Where(m_, l_, f)\noutput c\noutput d\n}", 0);
}

/* Every element where strides say, the rest untouched. */
static void reformat(void **unused) {
  (void)unused;
  float plain[2 * 3 * 4], nhwc[2 * 4 * 5], back[2 * 3 * 4];
  for (int i = 0; i < 24; i++) plain[i] = (float)i;
  for (int i = 0; i < 40; i++) nhwc[i] = -1;
  const int64_t dim[4] = {2, 3, 2, 2};
  ingot__node node = {.op = INGOT__OP_Reformat, .name = "reformat"};
  ingot__view in = {.data = plain}, out = {.data = nhwc}, last = {.data = back};
  assert_true(ingot__view_set(&in, INGOT_FLOAT32, 4, dim, INGOT__PLAIN));
  assert_true(ingot__view_set(&out, INGOT_FLOAT32, 4, dim, INGOT__CHANNELS_LAST));
  assert_true(ingot__view_set(&last, INGOT_FLOAT32, 4, dim, INGOT__PLAIN));
  assert_int_equal(out.stride[0], 12);
  assert_int_equal(out.stride[1], 1);
  assert_int_equal(out.stride[2], 6);
  assert_int_equal(out.stride[3], 3);
  out.stride[0] = 20, out.stride[2] = 10, out.stride[3] = 5; /* a slice: three of five channels */
  ingot__call call = {.node = &node, .in = &in, .out = &out, .n_in = 1, .n_out = 1};
  assert_int_equal(ingot__reference(&call), INGOT_OK);
  for (int n = 0; n < 2; n++)
    for (int p = 0; p < 4; p++)
      for (int c = 0; c < 5; c++) assert_true(nhwc[(n * 4 + p) * 5 + c] == (c < 3 ? plain[(n * 3 + c) * 4 + p] : -1));
  ingot__call again = {.node = &node, .in = &out, .out = &last, .n_in = 1, .n_out = 1};
  assert_int_equal(ingot__reference(&again), INGOT_OK);
  assert_memory_equal(plain, back, sizeof plain);
}

static void views(void **unused) {
  (void)unused;
  ingot__view v;
  const int64_t dim[3] = {2, 0, 4}, huge[3] = {INT64_MAX / 2, 3, 1}, negative[1] = {-1};
  assert_true(ingot__view_set(&v, INGOT_FLOAT32, 3, dim, INGOT__PLAIN)); /* empty tensors have strides too */
  assert_int_equal(v.stride[0], 4);
  assert_int_equal(ingot__view_count(&v), 0);
  assert_true(ingot__view_set(&v, INGOT_FLOAT32, 2, dim, INGOT__CHANNELS_LAST)); /* rank 2 has one layout */
  assert_int_equal(v.layout, INGOT__PLAIN);
  assert_false(ingot__view_set(&v, INGOT_FLOAT32, 3, huge, INGOT__PLAIN));
  assert_false(ingot__view_set(&v, INGOT_FLOAT32, 1, negative, INGOT__PLAIN));
  assert_false(ingot__view_set(&v, INGOT_FLOAT32, 9, dim, INGOT__PLAIN));
}

/* Integers at the ends of their ranges: nothing traps, sums wrap. */
static void integer_edges(void **unused) {
  (void)unused;
  same("network {\nconst a: int64[4] = {-9223372036854775808, 5, -7, 9223372036854775807}\nconst b: int64[4] = {-1, 0, 2, -1}\n"
       "c = Div(a, b)\nconst e: int64[4] = {-9223372036854775808, 0, -3, -9223372036854775807}\noutput c\noutput e\n}", 0);
  same("network {\nconst a: int32[3] = {-2147483648, 2147483647, 65536}\nconst b: int32[3] = {-1, 1, 65536}\n"
       "c = Mul(a, b)\nd = Add(c, b)\nconst e: int32[3] = {2147483647, -2147483648, 65536}\noutput d\noutput e\n}", 0);
  same("network {\nconst a: int8[2] = {-128, 100}\nn = Neg(a)\nb = Add(n, a)\nconst e: int8[2] = {0, 0}\noutput b\noutput e\n}", 0);
  same("network {\nconst a: uint8[3] = {3, 250, 0}\nconst b: uint8[3] = {5, 10, 1}\nc = Sub(a, b)\nconst e: uint8[3] = {254, 240, 255}\n"
       "output c\noutput e\n}", 0);
  same("network {\nconst a: int64[2] = {-9223372036854775808, 7}\nconst b: int64[2] = {-1, 0}\nc = Mod(a, b)\nconst e: int64[2] = {0, 0}\n"
       "output c\noutput e\n}", 0);
}

/* A multiply-add is two. */
static void flops(void **unused) {
  (void)unused;
  static const struct { const char *text; int64_t wanted; } cases[] = {
      {"const x: float32[2,4,8,8] = random(1)\nconst w: float32[6,2,3,3] = random(2)\ny = Conv(x, w) {group=2 pads=[1, 1, 1, 1]}",
       2 * (2 * 6 * 8 * 8) * (2 * 3 * 3)},
      {"const x: float32[5,3,4] = random(1)\nconst w: float32[4,7] = random(2)\ny = MatMul(x, w)", 2 * 5 * 3 * 7 * 4},
      {"const x: float32[4,3] = random(1)\nconst w: float32[4,7] = random(2)\ny = Gemm(x, w) {transA=1}", 2 * 3 * 7 * 4},
      {"const x: float32[4,3] = random(1)\ny = Exp(x)", 12},
      {"const x: float32[4,3] = random(1)\ny = Transpose(x)", 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[1024];
    run_text r = {0};
    snprintf(text, sizeof text, "network {\n%s\noutput y\n}", cases[i].text);
    if (run_text_run(&r, text) != INGOT_OK) fail_msg("%s", r.diag.text);
    const ingot__node *node = r.network->main->first;
    ingot__view in[2], out = run_text_output(&r, 0);
    for (size_t k = 0; k < node->n_in; k++) in[k] = run_view(&r, node->in[k]);
    ingot__call call = {.node = node, .attrs = node->attrs, .in = in, .out = &out, .n_in = node->n_in, .n_out = 1};
    assert_int_equal(ingot__op_flops(&call), cases[i].wanted);
    run_text_free(&r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(conv_with_residual_and_activation), cmocka_unit_test(matmul_with_all_of_it),
                                     cmocka_unit_test(attention), cmocka_unit_test(fused_chains), cmocka_unit_test(chains_of_halves),
                                     cmocka_unit_test(reformat),
                                     cmocka_unit_test(views), cmocka_unit_test(flops), cmocka_unit_test(integer_edges)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
