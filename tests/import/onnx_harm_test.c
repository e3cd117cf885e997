/* The ONNX importer and files made to do harm: too deep, too many, cut off, with flipped bits, and with no memory to load them.
 * INGOT_TEST_ASAN */
#include "import/onnx_bytes.h"
#include "import/onnx/onnx.h"
#include "ir/network.h"

static ingot__diag diag;

static void silent(void *user, ingot_severity severity, const char *text) { (void)user, (void)severity, (void)text; }

static void refuse(msg graph, ingot_status expected, const char *text) {
  msg m = model(graph, 21);
  ingot__network *network = NULL;
  ingot__diag_init(&diag, "m.onnx");
  ingot_status status = ingot__onnx_load_memory(NULL, m.p, m.n, NULL, &diag, &network);
  if (status != expected || !strstr(diag.text, text)) fail_msg("status %d instead of %d: %s", (int)status, (int)expected, diag.text);
}

static int teardown(void **state) {
  (void)state;
  msg_free_all();
  return 0;
}

static void test_depth(void **state) {
  (void)state;
  static const int depths[] = {20, 31, 40, 2000};
  for (size_t k = 0; k < sizeof depths / sizeof *depths; k++) {
    int depth = depths[k];
    msg inner = {0};
    put_msg(&inner, GRAPH_NODE, node("Relu", "r", "x", "z"));
    put_msg(&inner, GRAPH_OUTPUT, value("z", INGOT_FLOAT32, NULL));
    for (int i = 1; i < depth; i++) {
      msg next = {0};
      put_msg(&next, GRAPH_NODE, node_attr(node_attr(node("If", "if", "c", "z"), attr_graph("then_branch", inner)),
                                           i > 1 ? attr_int("unused", 1) : attr_graph("else_branch", inner)));
      put_msg(&next, GRAPH_OUTPUT, value("z", INGOT_FLOAT32, NULL));
      inner = next;
    }
    msg branch = node_attr(node("If", "if", "c", "y"), attr_graph("then_branch", inner)), g = graph_of(&branch, 1);
    put_msg(&g, GRAPH_INPUT, value("c", INGOT_BOOL, ""));
    if (depth > 32) refuse(g, INGOT_E_LIMIT, "nested deeper than 32");
    else refuse(g, INGOT_E_NETWORK, "the attribute 'else_branch' is missing");
  }
}

/* Weights whose size no machine has: ConvInteger's sums are divided by it. The fuzzer's find. */
static void test_endless_channels(void **state) {
  (void)state;
  msg conv = node("ConvInteger", "conv", "a w", "y"), g = graph_of(&conv, 1);
  put_msg(&g, GRAPH_INPUT, value("a", INGOT_UINT8, "1 1 13 5"));
  put_msg(&g, GRAPH_INPUT, value("w", INGOT_UINT8, "1 9223372036854775807 8 8"));
  msg m = model(g, 21);
  ingot__network *network = NULL;
  ingot__diag_init(&diag, "m.onnx");
  if (ingot__onnx_load_memory(NULL, m.p, m.n, NULL, &diag, &network) == INGOT_OK) ingot__network_free(network);
}

/* Hardmax reads the dim after its axis. The fuzzer's find, too. */
static void test_last_axis_of_all(void **state) {
  (void)state;
  msg hot = node_attr(node("Hardmax", "hot", "x", "y"), attr_int("axis", INT64_MAX));
  refuse(graph_of(&hot, 1), INGOT_E_NETWORK, "axis 9223372036854775807 is outside");
}

/* f0 calls f1 twice, which calls f2 twice...: 2^30 nodes. */
static void test_function_explosion(void **state) {
  (void)state;
  msg first = node_domain(node("F0", "start", "x", "y"), "local"), m = model(graph_of(&first, 1), 21);
  for (int i = 0; i < 30; i++) {
    char name[16], next[16];
    msg f = {0};
    snprintf(name, sizeof name, "F%d", i);
    snprintf(next, sizeof next, i < 29 ? "F%d" : "Relu", i + 1);
    put_text(&f, 1, name);
    put_text(&f, 10, "local");
    put_text(&f, 4, "in");
    put_text(&f, 5, "out");
    put_msg(&f, 7, node_domain(node(next, "a", "in", "t"), i < 29 ? "local" : ""));
    put_msg(&f, 7, node_domain(node(next, "b", "t", "out"), i < 29 ? "local" : ""));
    put_msg(&m, 25, f);
  }
  ingot__network *network = NULL;
  ingot__diag_init(&diag, NULL);
  assert_int_equal(ingot__onnx_load_memory(NULL, m.p, m.n, NULL, &diag, &network), INGOT_E_LIMIT);
}

/* A model with a bit of everything, for damage. */
static msg everything(void) {
  static const float w[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  static const int64_t axes[] = {1}, two = 2, four = 4;
  msg then_graph = {0}, sparse = {0};
  put_msg(&then_graph, GRAPH_NODE, node("Mul", "inner", "b v", "z"));
  put_msg(&then_graph, GRAPH_INITIALIZER, tensor("v", INGOT_FLOAT32, 1, &four, w, 16));
  put_msg(&then_graph, GRAPH_OUTPUT, value("z", INGOT_FLOAT32, "N 4"));
  msg f = {0};
  put_text(&f, 1, "F");
  put_text(&f, 10, "local");
  put_text(&f, 4, "in");
  put_text(&f, 5, "out");
  put_msg(&f, 7, node_attr(node("LeakyRelu", "leaky", "in", "out"), attr_ref("alpha", 1, "slope")));
  put_msg(&f, 9, opset("", 11));
  msg k = tensor_begin("", INGOT_INT64, 1, &two);
  put_int(&k, 7, 0);
  put_int(&k, 7, 4);
  msg nodes[] = {node("MatMul", "m", "x w", "a"), node_domain(node_attr(node("F", "f", "a", "a2"), attr_float("slope", 0.1f)), "local"),
                 node("Add", "s", "a2 sp", "a3"), node_attr(node("Constant", "k", "", "shape"), attr_tensor("value", k)),
                 node("Reshape", "r", "a3 shape", "a4"), node_attr(node("ReduceSum", "sum", "a4", "t"), attr_ints("axes", axes, 1)),
                 node("Sub", "d", "a4 t", "b"),
                 node_attr(node_attr(node("If", "if", "c", "y"), attr_graph("then_branch", then_graph)), attr_graph("else_branch", then_graph))};
  msg g = graph_of(nodes, 8);
  put_msg(&g, GRAPH_INPUT, value("c", INGOT_BOOL, ""));
  put_msg(&g, GRAPH_INITIALIZER, tensor("w", INGOT_FLOAT32, 2, (int64_t[]){4, 4}, w, sizeof w));
  put_msg(&g, GRAPH_INFO, value("a", INGOT_FLOAT32, "N 4"));
  put_msg(&sparse, 1, tensor("sp", INGOT_FLOAT32, 1, &two, w, 8));
  put_msg(&sparse, 2, tensor("", INGOT_INT64, 1, &two, (int64_t[]){1, 3}, 16));
  put_int(&sparse, 3, 4);
  put_msg(&g, GRAPH_SPARSE, sparse);
  msg m = model(g, 11);
  put_msg(&m, 25, f);
  return m;
}

static void test_everything(void **state) {
  (void)state;
  msg m = everything();
  ingot__network *network = NULL;
  ingot__diag_init(&diag, NULL);
  if (ingot__onnx_load_memory(NULL, m.p, m.n, NULL, &diag, &network) != INGOT_OK) fail_msg("%s", diag.text);
  ingot__value *sp = ingot__network_find_value(network, "sp");
  assert_true(sp && sp->bytes == 16);
  assert_memory_equal(sp->data, ((float[]){0, 1, 0, 2}), 16);
  assert_int_equal(network->main->output[0]->type.rank, 2);
  ingot__network_free(network);
}

/* Names come out of files and go to terminals. */
static void test_control_characters(void **state) {
  (void)state;
  msg n = node("Relu", "\x1b[2Jred\n\x7f", "nothing", "y");
  refuse(graph_of(&n, 1), INGOT_E_NETWORK, "m.onnx: ?[2Jred?? (Relu): ");
}

/* A zero byte ends C's text: a name that holds one would be another name, or none. @ stands for it. */
static void test_zero_bytes(void **state) {
  (void)state;
  static const struct { const char *op, *in, *out, *input; } cases[] = {
      {"Equal@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@", "x x", "y", "x"}, {"Flatten", "x", "@y", "x"},
      {"Relu", "x", "y@", "x"}, {"Relu", "@", "y", "@"}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    msg n = node(cases[k].op, "n", cases[k].in, cases[k].out), g = graph_of(&n, 1);
    put_msg(&g, GRAPH_INPUT, value(cases[k].input, INGOT_FLOAT32, "3 4"));
    for (size_t i = 0; i < g.n; i++)
      if (g.p[i] == '@') g.p[i] = 0;
    refuse(g, INGOT_E_FORMAT, "can't read a ");
  }
}

/* Cut anywhere, and with every bit flipped, a file is refused or loaded, without harm. The bytes lie in memory of their exact size, so that
 * AddressSanitizer sees a step beyond. */
static void test_damage(void **state) {
  (void)state;
  static const ingot_env env = {.log = silent};
  msg m = everything();
  size_t good = 0;
  for (size_t i = 0; i < m.n + m.n * 8; i++) {
    size_t n = i < m.n ? i : m.n;
    uint8_t *p = malloc(n ? n : 1);
    assert_non_null(p);
    memcpy(p, m.p, n);
    if (i >= m.n) p[(i - m.n) / 8] ^= (uint8_t)(1 << (i - m.n) % 8);
    ingot__network *network = NULL;
    ingot__diag_init(&diag, NULL);
    ingot_status status = ingot__onnx_load_memory(&env, p, n, NULL, &diag, &network);
    free(p); /* nothing of it may be needed from here on */
    assert_true((status == INGOT_OK) == (network != NULL));
    assert_int_equal(status, diag.status);
    assert_true(status != INGOT_E_INTERNAL);
    if (network) {
      assert_int_equal(ingot__network_verify(network, &diag), INGOT_OK);
      good++;
    } else {
      assert_true(diag.length > 0);
    }
    ingot__network_free(network);
  }
  assert_true(good > 0);
}

static ingot_status try_load(const ingot_env *env, void *user) {
  const msg *m = user;
  ingot__network *network = NULL;
  ingot__diag_init(&diag, NULL);
  ingot_status status = ingot__onnx_load_memory(env, m->p, m->n, NULL, &diag, &network);
  ingot__network_free(network);
  return status;
}

static void test_memory(void **state) {
  (void)state;
  msg m = everything();
  assert_true(testing_fail_each(try_load, &m, 0) > 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_depth, teardown),      cmocka_unit_test_teardown(test_function_explosion, teardown),
      cmocka_unit_test_teardown(test_everything, teardown), cmocka_unit_test_teardown(test_control_characters, teardown),
      cmocka_unit_test_teardown(test_zero_bytes, teardown),   cmocka_unit_test_teardown(test_endless_channels, teardown),
      cmocka_unit_test_teardown(test_last_axis_of_all, teardown),
      cmocka_unit_test_teardown(test_damage, teardown),     cmocka_unit_test_teardown(test_memory, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
