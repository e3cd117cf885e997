/* Making and changing networks, with the invariants verified after each step. INGOT_TEST_ASAN */
#include "base/log.h"
#include "ir/network.h"
#include "testing.h"

static ingot__network *net;
static ingot__diag diag;
static const ingot__type vector = {.dtype = INGOT_FLOAT32, .rank = 1, .dim = {4}};

static void verify(void) {
  ingot__diag_init(&diag, NULL);
  if (ingot__network_verify(net, &diag) != INGOT_OK) fail_msg("%s", diag.text);
}
static void expect_wrong(const char *text) {
  ingot__diag_init(&diag, NULL);
  assert_int_equal(ingot__network_verify(net, &diag), INGOT_E_INTERNAL);
  if (!strstr(diag.text, text)) fail_msg("%s", diag.text);
}
static int setup(void **unused) {
  (void)unused;
  net = ingot__network_new(NULL);
  return !net;
}
static int teardown(void **unused) {
  (void)unused;
  ingot__network_free(net);
  return 0;
}
static ingot__value *value(const char *name) { return ingot__network_find_value(net, name); }
static ingot__node *unary(ingot__graph *g, ingot__op op, const char *name, ingot__value *in) {
  ingot__node *n = ingot__node_new(g, op, NULL, NULL, &in, 1, 1, &name);
  assert_non_null(n);
  return n;
}
static void read_text(const char *text) {
  ingot__network_free(net);
  net = NULL;
  ingot__diag_init(&diag, NULL);
  if (ingot__network_parse(NULL, text, strlen(text), &diag, &net) != INGOT_OK) fail_msg("%s", diag.text);
  verify();
}
static char printed[20000];
static size_t printed_n;
static int add(void *user, const char *text, size_t n) {
  (void)user;
  assert_true(printed_n + n < sizeof printed);
  memcpy(printed + printed_n, text, n);
  printed[printed_n += n] = 0;
  return 0;
}
static void expect_text(const char *text) {
  verify();
  printed_n = 0;
  assert_int_equal(ingot__network_print(net, add, NULL), INGOT_OK);
  assert_string_equal(printed, text);
}

static void names(void **unused) {
  (void)unused;
  ingot__value *x = ingot__input_new(net->main, "x", &vector), *x1 = ingot__input_new(net->main, "x", &vector);
  assert_string_equal(x->name, "x");
  assert_string_equal(x1->name, "x_1");
  assert_ptr_equal(value("x"), x);
  assert_ptr_equal(value("x_1"), x1);
  assert_null(value("x_2"));
  assert_string_equal(ingot__value_new(net->main, "x_2", NULL)->name, "x_2");
  assert_string_equal(ingot__value_new(net->main, "x", NULL)->name, "x_3");
  assert_string_equal(ingot__value_new(net->main, NULL, NULL)->name, "value_4");
  ingot__node *n = unary(net->main, INGOT__OP_Relu, NULL, x);
  assert_string_equal(n->name, "Relu_0");
  assert_string_equal(n->out[0]->name, "Relu_0");
  assert_string_equal(ingot__where(n), "Relu_0 (Relu)");
  assert_null(ingot__where(NULL));
  assert_true(ingot__value_rename(x1, "other"));
  assert_ptr_equal(value("other"), x1);
  assert_null(value("x_1"));
  assert_false(ingot__value_rename(x1, "x"));
  assert_true(ingot__value_rename(x1, "other"));
  assert_int_equal(ingot__network_sweep(net), 1);
  verify();
  assert_null(value("x_2"));
  assert_non_null(value("x"));
}

static void removes(void **unused) {
  (void)unused;
  read_text("network { input x: float32[4] const w: float32[4]={1,2,3,4} a=Add(x,w) b=Mul(a,a) c=Add(x,b) output c }");
  assert_int_equal(value("a")->n_user, 2);
  assert_int_equal(value("x")->n_user, 2);
  assert_null(ingot__value_only_user(value("a")));
  assert_ptr_equal(ingot__value_only_user(value("b")), value("c")->producer);
  assert_null(ingot__value_only_user(value("c")));
  assert_true(ingot__node_set_input(value("c")->producer, 1, value("w")));
  verify();
  ingot__node_remove(value("b")->producer);
  verify();
  assert_null(value("b"));
  assert_int_equal(value("a")->n_user, 0);
  assert_int_equal(net->main->n_node, 2);
  assert_int_equal(ingot__network_sweep(net), 1);
  expect_text("network {\n  input x: float32[4]\n  const w: float32[4] = {1, 2, 3, 4}\n  c = Add(x, w)\n  output c\n}\n");
  assert_true(ingot__node_set_input(value("c")->producer, 1, value("x")));
  assert_int_equal(ingot__network_sweep(net), 0);
  expect_text("network {\n  input x: float32[4]\n  c = Add(x, x)\n  output c\n}\n");
}

static void replaces(void **unused) {
  (void)unused;
  read_text("network { input x: float32[4] a=Relu(x) b=Neg(a) c=Add(a,b) output a output c }");
  /* a's public name stays with the output, whatever computes it. */
  ingot__node *abs = unary(net->main, INGOT__OP_Abs, "new", value("x"));
  ingot__value *old = value("a");
  ingot__node_move(abs, net->main->first);
  assert_false(ingot__value_is_public_pair(old, abs->out[0]));
  assert_true(ingot__value_replace(old, abs->out[0]));
  assert_string_equal(old->name, "new");
  ingot__node_remove(old->producer);
  expect_text("network {\n  input x: float32[4]\n  @new a = Abs(x)\n  b = Neg(a)\n  c = Add(a, b)\n  output a\n  output c\n}\n");
  /* Two outputs, or an output and an input, can't be one value. */
  assert_true(ingot__value_is_public_pair(value("c"), value("a")));
  assert_true(ingot__value_replace(value("c"), value("a")));
  verify();
  assert_string_equal(net->main->output[1]->name, "c");
  assert_int_equal(net->main->output[1]->producer->op, INGOT__OP_Identity);
  assert_int_equal(ingot__network_sweep(net), 2);
  assert_true(ingot__value_replace(value("a"), value("x")));
  verify();
  ingot__network_sweep(net);
  verify();
  assert_int_equal(net->main->n_node, 2);
  assert_ptr_equal(net->main->output[1]->producer->in[0], value("x"));
}

static void puts_a_node_behind(void **unused) {
  (void)unused;
  read_text("network { input x: float32[4] a=Relu(x) b=Neg(a) output a output b }");
  ingot__value *a = value("a");
  ingot__node *cast = ingot__node_new(net->main, INGOT__OP_Cast, "cast", value("b")->producer, &a, 1, 1, NULL);
  assert_true(ingot__value_replace(a, cast->out[0]));
  expect_text("network {\n  input x: float32[4]\n  @a cast = Relu(x)\n  @cast a = Cast(cast)\n  b = Neg(a)\n  output a\n  output b\n}\n");
}

static void subgraphs(void **unused) {
  (void)unused;
  read_text("network { input x: float32[4] input c: bool[] a=Relu(x) d=Relu(x) z=If(c){then_branch={const k: float32[1]={2} e=Mul(a,k) output e}"
            " else_branch={f=Neg(a) output f}} output z }");
  assert_int_equal(value("a")->n_user, 2);
  assert_true(ingot__value_replace(value("a"), value("d"))); /* in subgraphs too */
  verify();
  assert_int_equal(value("d")->n_user, 2);
  assert_int_equal(ingot__network_sweep(net), 1);
  verify();
  assert_true(ingot__value_is_public_pair(value("f"), value("d")));
  assert_true(ingot__value_replace(value("f"), value("d"))); /* a subgraph's output must be of the subgraph */
  verify();
  assert_int_equal(ingot__network_sweep(net), 1);
  ingot__value *z = value("z");
  ingot__node *relu = unary(net->main, INGOT__OP_Relu, "r", value("x"));
  assert_true(ingot__value_replace(z, relu->out[0]));
  ingot__node_remove(z->producer);
  verify();
  assert_int_equal(value("d")->n_user, 0);
  assert_int_equal(ingot__network_sweep(net), 1);
  expect_text("network {\n  input x: float32[4]\n  input c: bool[]\n  @r z = Relu(x)\n  output z\n}\n");
}

static void sorts(void **unused) {
  (void)unused;
  read_text("network { input x: float32[4] input c: bool[] a=Relu(x) b=Neg(a) z=If(c){then_branch={e=Neg(b) g=Neg(e) output g}"
            " else_branch={f=Neg(a) output f}} d=Add(z,b) output d }");
  static const char sorted[] =
    "network {\n  input x: float32[4]\n  input c: bool[]\n  a = Relu(x)\n  b = Neg(a)\n  z = If(c) {then_branch={\n    e = Neg(b)\n    g = Neg(e)\n"
    "    output g\n  } else_branch={\n    f = Neg(a)\n    output f\n  }}\n  d = Add(z, b)\n  output d\n}\n";
  assert_int_equal(ingot__network_sort(net, &diag), INGOT_OK);
  expect_text(sorted);
  ingot__node_move(value("d")->producer, net->main->first);
  ingot__node_move(value("a")->producer, NULL);
  ingot__node_move(value("g")->producer, value("e")->producer);
  expect_wrong("produced later");
  ingot__diag_init(&diag, NULL);
  assert_int_equal(ingot__network_sort(net, &diag), INGOT_OK);
  expect_text(sorted);
  /* a reads what depends on it through the subgraph. */
  assert_true(ingot__node_set_input(value("a")->producer, 0, value("z")));
  ingot__diag_init(&diag, NULL);
  assert_int_equal(ingot__network_sort(net, &diag), INGOT_E_NETWORK);
  assert_non_null(strstr(diag.text, "in a cycle: "));
  assert_non_null(strstr(diag.text, "a (Relu)"));
  assert_non_null(strstr(diag.text, "z (If)"));
  assert_int_equal(net->main->n_node, 4);
  assert_true(ingot__node_set_input(value("a")->producer, 0, value("x")));
  ingot__diag_init(&diag, NULL);
  assert_int_equal(ingot__network_sort(net, &diag), INGOT_OK);
  expect_text(sorted);
}

static void origins(void **unused) {
  (void)unused;
  read_text("network { input x: float32[4] a=Relu(x) b=Neg(a) c=Neg(b) output c }");
  assert_true(ingot__node_absorb_origin(value("a")->producer, value("b")->producer));
  assert_string_equal(value("a")->producer->origin, "a, b");
  assert_true(ingot__node_absorb_origin(value("c")->producer, value("a")->producer));
  assert_string_equal(value("c")->producer->origin, "c, a, b");
  assert_true(ingot__node_absorb_origin(value("c")->producer, value("b")->producer));
  assert_string_equal(value("c")->producer->origin, "c, a, b");
}

static void finds_what_is_wrong(void **unused) {
  (void)unused;
  static const char text[] = "network { input x: float32[4] const w: float32[4]={1,2,3,4} a=Add(x,w) b=Neg(a) output b }";
  read_text(text);
  value("a")->n_user = 0;
  expect_wrong("users");
  read_text(text);
  value("w")->bytes = 12;
  expect_wrong("12 bytes of data");
  read_text(text);
  value("b")->is_output = false;
  expect_wrong("is_output");
  read_text(text);
  value("a")->producer->n_in = 1;
  expect_wrong("1 inputs");
  read_text(text);
  value("x")->type.dim[0] = -7;
  expect_wrong("no dim");
  read_text(text);
  value("a")->name = "z";
  expect_wrong("name");
  read_text(text);
  net->main->n_node = 5;
  expect_wrong("5 counted");
}

/* Sizes far beyond real networks, in time that shows anything quadratic. */
static void large(void **unused) {
  (void)unused;
  enum { N = 100000 };
  double start = ingot__now();
  ingot__value *x = ingot__input_new(net->main, "x", &vector), *v = x;
  ingot__value *w = ingot__constant_new(net->main, "w", &vector, (float[4]){1, 2, 3, 4}, 16);
  for (int i = 0; i < N; i++) { /* all of one name, all reading one constant */
    ingot__node *n = ingot__node_new(net->main, INGOT__OP_Add, "add", net->main->first, (ingot__value *[]){v, w}, 2, 1, NULL);
    assert_non_null(n);
    v = n->out[0];
  }
  assert_true(ingot__graph_add_output(net->main, v));
  assert_int_equal(ingot__network_sort(net, &diag), INGOT_OK); /* they stand in reverse */
  verify();
  ingot__network *copy = ingot__network_clone(net, NULL);
  assert_non_null(copy);
  ingot__network_free(copy);
  assert_true(ingot__value_replace(w, x));
  v->is_output = false;
  net->main->n_output = 0;
  assert_int_equal(ingot__network_sweep(net), N);
  verify();
  assert_true(ingot__now() - start < 20);
}

static void operators(void **unused) {
  (void)unused;
  for (int i = 1; i < INGOT__OP_COUNT; i++) {
    const ingot__op_info *info = ingot__op_get((ingot__op)i);
    assert_non_null(info);
    assert_int_equal(ingot__op_find(info->name), i);
    if (*info->onnx) assert_int_equal(ingot__op_find_onnx(info->domain, info->onnx), i);
    else assert_string_equal(info->domain, "ingot");
    if (*info->onnx && !*info->domain) assert_int_equal(ingot__op_find_onnx("ai.onnx", info->onnx), i);
    assert_true(info->min_in >= 0 && (info->max_in < 0 || info->max_in >= info->min_in));
    for (size_t k = 0; k < info->n_attr; k++) {
      assert_ptr_equal(ingot__attr_find((ingot__op)i, info->attr[k].name), &info->attr[k]);
      assert_true(info->attr[k].offset < info->attrs_size);
    }
    _Alignas(16) char attrs[2048];
    assert_true(info->attrs_size <= sizeof attrs);
    ingot__attrs_default((ingot__op)i, attrs);
  }
  assert_null(ingot__op_get(INGOT__OP_NONE));
  assert_null(ingot__op_get(INGOT__OP_COUNT));
  assert_int_equal(ingot__op_find("conv"), INGOT__OP_NONE);
  assert_int_equal(ingot__op_find_onnx("com.example", "Conv"), INGOT__OP_NONE);
  assert_int_equal(ingot__op_find_onnx("", "Fused"), INGOT__OP_NONE);
  assert_int_equal(ingot__op_find_onnx("ingot", "Fused"), INGOT__OP_Fused);
  ingot__attrs_LSTM lstm;
  ingot__attrs_default(INGOT__OP_LSTM, &lstm);
  assert_string_equal(lstm.direction, "forward");
  assert_int_equal(lstm.activations.n, 0);
  assert_int_equal(lstm.input_forget, 0);
  ingot__attrs_LayerNormalization norm;
  ingot__attrs_default(INGOT__OP_LayerNormalization, &norm);
  assert_int_equal(norm.axis, -1);
  assert_true(norm.epsilon == 1e-5f);
  ingot__attrs_Shape shape;
  ingot__attrs_default(INGOT__OP_Shape, &shape);
  assert_true(shape.end == INGOT__NO_INT);
}

/* Numbers of PyTorch 2.13's functional.relu, hardtanh(-1, 2), leaky_relu(0.1), sigmoid, tanh, silu, hardsigmoid, hardswish, gelu, gelu(tanh),
 * elu(0.5), softplus and mish of -1.5 and 0.75. */
static void activations(void **unused) {
  (void)unused;
  static const struct { const char *name; float alpha, beta, at[2]; } cases[] = {
    {"None", 0, 0, {-1.5f, 0.75f}},
    {"Relu", 0, 0, {0, 0.75f}},
    {"Clip", -1, 2, {-1, 0.75f}},
    {"LeakyRelu", 0.1f, 0, {-0.150000006f, 0.75f}},
    {"Sigmoid", 0, 0, {0.182425529f, 0.679178715f}},
    {"Tanh", 0, 0, {-0.905148268f, 0.635148942f}},
    {"Silu", 0, 0, {-0.273638278f, 0.509384036f}},
    {"HardSigmoid", 1.0f / 6, 0.5f, {0.25f, 0.625f}},
    {"HardSwish", 0, 0, {-0.375f, 0.46875f}},
    {"Gelu", 0, 0, {-0.10021086f, 0.580029488f}},
    {"GeluTanh", 0, 0, {-0.100428432f, 0.579960585f}},
    {"Elu", 0.5f, 0, {-0.388434917f, 0.75f}},
    {"Softplus", 0, 0, {0.201413289f, 1.1368711f}},
    {"Mish", 0, 0, {-0.298099756f, 0.610018373f}},
    {"Quantize", 4, -2, {-2, 3}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ingot__act act;
    assert_true(ingot__act_find(cases[i].name, &act));
    assert_string_equal(ingot__act_name(act), cases[i].name);
    for (int k = 0; k < 2; k++) {
      float got = ingot__act_apply(act, cases[i].alpha, cases[i].beta, k ? 0.75f : -1.5f);
      if (!testing_close((double)got, (double)cases[i].at[k], 1e-6, 1e-7)) fail_msg("%s: %.9g, not %.9g", cases[i].name, got, cases[i].at[k]);
    }
  }
  ingot__act act;
  assert_false(ingot__act_find("Sine", &act));
  assert_int_equal(sizeof cases / sizeof *cases, INGOT__ACT_COUNT);
  assert_true(ingot__act_apply(INGOT__ACT_SOFTPLUS, 0, 0, 200) == 200);
  assert_true(isnan(ingot__act_apply(INGOT__ACT_RELU, 0, 0, NAN)));
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(operators), cmocka_unit_test(activations), TEST(names), TEST(removes), TEST(replaces), TEST(puts_a_node_behind),
    TEST(subgraphs), TEST(sorts), TEST(origins), TEST(finds_what_is_wrong), TEST(large),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
