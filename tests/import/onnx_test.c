/* The ONNX importer: models written byte for byte, good, wrong and damaged. Expected results follow from ONNX's specification.
 * INGOT_TEST_ASAN */
#include "import/onnx_bytes.h"
#include "import/onnx/onnx.h"
#include "import/onnx/wire.h"
#include "ir/network.h"

static ingot__diag diag;

static unsigned warnings;
static void count_warnings(void *user, ingot_severity severity, const char *text) {
  (void)user, (void)text;
  warnings += severity == INGOT_LOG_WARNING;
}
static const ingot_env counting = {.log = count_warnings, .log_level = INGOT_LOG_WARNING};

static ingot__network *load(msg m) {
  ingot__network *network = NULL;
  ingot__diag_init(&diag, "m.onnx");
  ingot_status status = ingot__onnx_load_memory(NULL, m.p, m.n, NULL, &diag, &network);
  if (status != INGOT_OK) fail_msg("%s", diag.text);
  assert_int_equal(ingot__network_verify(network, &diag), INGOT_OK);
  return network;
}
static ingot__network *load_graph(msg graph) { return load(model(graph, 21)); }

/* Loading must fail with this status, and say `text`. */
static void refuse_bytes(msg m, ingot_status expected, const char *text) {
  ingot__network *network = NULL;
  ingot__diag_init(&diag, "m.onnx");
  ingot_status status = ingot__onnx_load_memory(NULL, m.p, m.n, NULL, &diag, &network);
  if (status != expected) fail_msg("status %d instead of %d: %s", (int)status, (int)expected, diag.text);
  assert_int_equal(diag.status, expected);
  if (!strstr(diag.text, text)) fail_msg("'%s' isn't in: %s", text, diag.text);
}
static void refuse(msg graph, ingot_status expected, const char *text) { refuse_bytes(model(graph, 21), expected, text); }

static int teardown(void **state) {
  (void)state;
  msg_free_all();
  return 0;
}

static void test_wire(void **state) {
  (void)state;
  static const struct { const char *bytes; size_t n; bool good; uint64_t value; } cases[] = {
      {"\x08\x01", 2, true, 1},
      {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, true, UINT64_MAX},
      {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, false, 0},           /* 65 bits */
      {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12, false, 0},       /* eleven bytes */
      {"\x08\x80", 2, false, 0},                                                 /* cut off */
      {"\x08", 1, false, 0},
      {"\x00\x01", 2, false, 0},                                                 /* field 0 */
      {"\x0b\x0c", 2, false, 0},                                                 /* a group */
      {"\x0f\x01", 2, false, 0},                                                 /* wire type 7 */
      {"\x0a\x05xyz", 5, false, 0},                                              /* longer than the bytes */
      {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01xyz", 14, false, 0},
      {"\x0d\x01\x02\x03", 4, false, 0},
      {"\x0d\x01\x02\x03\x04", 5, true, 0x04030201},
      {"\x09\x01\x00\x00\x00\x00\x00\x00\x80", 9, true, 0x8000000000000001u}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ingot__wire w = ingot__wire_open((ingot__text){cases[i].bytes, cases[i].n});
    ingot__wire_field f;
    assert_int_equal(ingot__wire_next(&w, &f), cases[i].good);
    assert_int_equal(w.damaged, !cases[i].good);
    if (cases[i].good) assert_true(f.number == 1 && f.value == cases[i].value);
    assert_false(ingot__wire_next(&w, &f));
  }
}

static void test_smallest(void **state) {
  (void)state;
  msg n = node("Relu", "r", "x", "y");
  ingot__network *network = load_graph(graph_of(&n, 1));
  ingot__graph *g = network->main;
  assert_int_equal(g->n_input, 1);
  assert_int_equal(g->n_output, 1);
  assert_int_equal(g->n_node, 1);
  assert_string_equal(g->input[0]->name, "x");
  assert_string_equal(g->output[0]->name, "y");
  assert_string_equal(g->first->name, "r");
  assert_int_equal(g->first->op, INGOT__OP_Relu);
  assert_int_equal(g->output[0]->type.dtype, INGOT_FLOAT32);
  assert_int_equal(g->output[0]->type.rank, 2);
  assert_true(g->output[0]->type.dim[0] == ingot__dim_symbol(&network->dims, "N"));
  assert_int_equal(g->output[0]->type.dim[1], 4);
  ingot__network_free(network);
}

static void test_symbols(void **state) {
  (void)state;
  msg g = {0};
  put_msg(&g, GRAPH_NODE, node("Identity", "", "a", "y"));
  put_msg(&g, GRAPH_INPUT, value("a", INGOT_FLOAT32, "N _ N 0 3"));
  put_msg(&g, GRAPH_INPUT, value("b", INGOT_FLOAT32, "N _"));
  put_msg(&g, GRAPH_INPUT, value("c", INGOT_FLOAT32, "? ?")); /* Paddle2ONNX's word for none */
  put_msg(&g, GRAPH_OUTPUT, value("y", INGOT_FLOAT32, NULL));
  ingot__network *network = load_graph(g);
  const ingot__type *a = &network->main->input[0]->type, *b = &network->main->input[1]->type,
                    *c = &network->main->input[2]->type;
  assert_true(c->dim[0] < 0 && c->dim[1] < 0 && c->dim[0] != c->dim[1]);
  assert_true(a->dim[0] < 0 && a->dim[0] == a->dim[2] && a->dim[0] == b->dim[0]);
  assert_true(a->dim[1] < 0 && a->dim[1] != a->dim[0] && a->dim[1] != b->dim[1] && a->dim[3] < 0 && a->dim[3] != a->dim[1]);
  assert_int_equal(a->dim[4], 3);
  assert_string_equal(network->main->first->name, "y"); /* a node without a name has its output's */
  ingot__network_free(network);
}

/* Up to IR version 3 every initializer is an input too. */
static void test_initializer_inputs(void **state) {
  (void)state;
  static const float w[4] = {1, 2, 3, 4};
  msg n = node("Add", "a", "x w", "y"), g = graph_of(&n, 1);
  put_msg(&g, GRAPH_INPUT, value("w", INGOT_FLOAT32, "4"));
  put_msg(&g, GRAPH_INITIALIZER, tensor("w", INGOT_FLOAT32, 1, (int64_t[]){4}, w, sizeof w));
  ingot__network *network = load_graph(g);
  assert_int_equal(network->main->n_input, 1);
  ingot__value *v = ingot__network_find_value(network, "w");
  assert_true(ingot__value_is_const(v));
  assert_memory_equal(v->data, w, sizeof w);
  ingot__network_free(network);
}

static void test_constant_outputs(void **state) {
  (void)state;
  static const float w[1] = {1};
  msg n = node("Relu", "a", "x", "y"), g = graph_of(&n, 1);
  put_msg(&g, GRAPH_INITIALIZER, tensor("w", INGOT_FLOAT32, 1, (int64_t[]){1}, w, sizeof w));
  put_msg(&g, GRAPH_OUTPUT, value("w", INGOT_FLOAT32, NULL));
  put_msg(&g, GRAPH_OUTPUT, value("x", INGOT_FLOAT32, NULL));
  ingot__network *network = load_graph(g);
  assert_int_equal(network->main->n_output, 3);
  assert_string_equal(network->main->output[1]->name, "w");
  assert_false(ingot__value_is_const(network->main->output[1]));
  assert_string_equal(network->main->output[2]->name, "x");
  ingot__network_free(network);
}

static void test_order(void **state) {
  (void)state;
  msg unsorted[] = {node("Relu", "last", "b", "y"), node("Relu", "first", "x", "a"), node("Relu", "second", "a", "b")};
  ingot__network *network = load_graph(graph_of(unsorted, 3));
  assert_string_equal(network->main->first->name, "first");
  assert_string_equal(network->main->last->name, "last");
  ingot__network_free(network);
  msg cycle[] = {node("Relu", "ok", "x", "z"), node("Add", "one", "x b", "a"), node("Relu", "two", "a", "b"), node("Relu", "three", "a", "y")};
  refuse(graph_of(cycle, 4), INGOT_E_NETWORK, "in a cycle: 'one', 'two'");
  msg itself = node("Add", "one", "x y", "y");
  refuse(graph_of(&itself, 1), INGOT_E_NETWORK, "cycle: 'one'");
}

static void test_names(void **state) {
  (void)state;
  msg twice[] = {node("Relu", "a", "x", "y"), node("Relu", "b", "x", "y")};
  refuse(graph_of(twice, 2), INGOT_E_NETWORK, "m.onnx: b (Relu): its output 'y' has the name of another output");
  msg same[] = {node("Relu", "a", "x", "z"), node("Relu", "a", "z", "y")};
  refuse(graph_of(same, 2), INGOT_E_NETWORK, "m.onnx: a (Relu): another node has the same name");
  const int64_t four = 4;
  const float ones[] = {1, 1, 1, 1};
  msg constant = attr_tensor("value", tensor("t", INGOT_FLOAT32, 1, &four, ones, sizeof ones));
  msg anonymous[] = {node_attr(node("Constant", "anon", "", "c"), constant), node_attr(node("Constant", "anon", "", "d"), constant),
                     node("Add", "a", "x c", "z"), node("Add", "b", "z d", "y")};
  ingot__network_free(load_graph(graph_of(anonymous, 4))); /* as spox writes them: constants are values, whose names are their outputs' */
  msg missing = node("Relu", "a", "q", "y");
  refuse(graph_of(&missing, 1), INGOT_E_NETWORK, "m.onnx: a (Relu): its input 0 is 'q', which no node");
  msg input = node("Relu", "a", "x", "x");
  refuse(graph_of(&input, 1), INGOT_E_NETWORK, "has the name of an input");
  msg none = node("Relu", "a", "x", "z");
  refuse(graph_of(&none, 1), INGOT_E_NETWORK, "the output 'y' is made by no node");
  msg left_out = node("Add", "a", "x -", "y");
  refuse(graph_of(&left_out, 1), INGOT_E_NETWORK, "its input 1 is left out");
  msg many = node("Conv", "a", "x x x x", "y");
  refuse(graph_of(&many, 1), INGOT_E_NETWORK, "has 4 inputs, but takes at most 3"); /* the fourth is ours */
}

/* All problems are told at once, those that follow from others not. */
static void test_all_problems(void **state) {
  (void)state;
  msg nodes[] = {node("Foo", "f1", "x", "a"), node("Foo", "f2", "x", "b"),  node("Foo", "f3", "x", "c"),
                 node("Bar", "g", "a", "d"),  node("Relu", "r", "d", "y"),  node("Relu", "s", "nothing", "e"),
                 node("Add", "t", "e y", "z"), node_attr(node("Relu", "u", "x", "w"), attr_int("slope", 1))};
  refuse(graph_of(nodes, 8), INGOT_E_NETWORK, "4 nodes use operators that ingot doesn't have: Foo (node 'f1', 'f2' and 1 more), Bar (node 'g')");
  assert_non_null(strstr(diag.text, "s (Relu): its input 0 is 'nothing'"));
  assert_non_null(strstr(diag.text, "u (Relu): has an attribute 'slope'"));
  assert_int_equal(diag.count, 3);
}

static void test_attributes(void **state) {
  (void)state;
  msg bad_type = node_attr(node("LeakyRelu", "a", "x", "y"), attr_int("alpha", 1));
  refuse(graph_of(&bad_type, 1), INGOT_E_NETWORK, "attribute 'alpha' is an int, and must be a float");
  msg twice = node_attr(node_attr(node("LeakyRelu", "a", "x", "y"), attr_float("alpha", 1)), attr_float("alpha", 2));
  refuse(graph_of(&twice, 1), INGOT_E_NETWORK, "attribute 'alpha' is given twice");
  msg required = node("Concat", "a", "x x", "y");
  refuse(graph_of(&required, 1), INGOT_E_NETWORK, "the attribute 'axis' is missing");
  msg ours = node_attr(node("MatMul", "a", "x x", "y"), attr_int("act", 1));
  refuse(graph_of(&ours, 1), INGOT_E_NETWORK, "has an attribute 'act'");
  msg ours_too = node_attr(node("MatMul", "a", "x x", "y"), attr_int("trans_b", 1));
  refuse(graph_of(&ours_too, 1), INGOT_E_NETWORK, "has an attribute 'trans_b'");
  msg inside = node_domain(node("FusedAttention", "a", "x x x", "y"), "ingot");
  refuse(graph_of(&inside, 1), INGOT_E_UNSUPPORTED, "ingot.FusedAttention");
  msg outside = node_attr(node("LeakyRelu", "a", "x", "y"), attr_ref("alpha", 1, "slope"));
  refuse(graph_of(&outside, 1), INGOT_E_NETWORK, "outside of one");
  msg good = node_attr(node("LeakyRelu", "a", "x", "y"), attr_float("alpha", 0.25f));
  ingot__network *network = load_graph(graph_of(&good, 1));
  assert_true(((ingot__attrs_LeakyRelu *)network->main->first->attrs)->alpha == 0.25f);
  ingot__network_free(network);
}

static void test_versions(void **state) {
  (void)state;
  msg n = node("Relu", "r", "x", "y"), no_opset = {0}, no_graph = {0}, no_version = {0};
  put_int(&no_opset, 1, 8);
  put_msg(&no_opset, 7, graph_of(&n, 1));
  refuse_bytes(no_opset, INGOT_E_FORMAT, "which opset");
  put_int(&no_graph, 1, 8);
  put_msg(&no_graph, 8, opset("", 13));
  refuse_bytes(no_graph, INGOT_E_FORMAT, "no graph");
  put_msg(&no_version, 7, graph_of(&n, 1));
  refuse_bytes(no_version, INGOT_E_FORMAT, "no IR version");
  refuse_bytes((msg){0}, INGOT_E_FORMAT, "no bytes");
  msg two = model(graph_of(&n, 1), 13);
  put_msg(&two, 7, graph_of(&n, 1));
  refuse_bytes(two, INGOT_E_FORMAT, "two graphs");
  msg empty = {0};
  put_text(&empty, 2, "g");
  refuse(empty, INGOT_E_NETWORK, "no nodes");
  msg explicit_domain = {0};
  put_int(&explicit_domain, 1, 8);
  put_msg(&explicit_domain, 7, graph_of(&n, 1));
  put_msg(&explicit_domain, 8, opset("ai.onnx", 13));
  ingot__network_free(load(explicit_domain));
}

/* If: one branch reads a value of the graph around it, the other gives it away as it is. */
static void test_subgraphs(void **state) {
  (void)state;
  msg then_graph = {0}, else_graph = {0}, relu = node("Relu", "inner", "x", "y");
  put_msg(&then_graph, GRAPH_NODE, relu); /* its output has the name of the If's */
  put_msg(&then_graph, GRAPH_OUTPUT, value("y", INGOT_FLOAT32, NULL));
  put_msg(&else_graph, GRAPH_OUTPUT, value("x", INGOT_FLOAT32, NULL));
  msg branch = node_attr(node_attr(node("If", "if", "c", "y"), attr_graph("then_branch", then_graph)), attr_graph("else_branch", else_graph));
  msg g = graph_of(&branch, 1);
  put_msg(&g, GRAPH_INPUT, value("c", INGOT_BOOL, ""));
  ingot__network *network = load_graph(g);
  assert_string_equal(network->main->output[0]->name, "y");
  ingot__attrs_If *a = network->main->first->attrs;
  assert_int_equal(a->then_branch->n_output, 1);
  assert_int_equal(a->then_branch->first->op, INGOT__OP_Relu);
  assert_ptr_equal(a->then_branch->first->in[0], network->main->input[0]);
  assert_int_equal(a->else_branch->first->op, INGOT__OP_Identity);
  assert_int_equal(network->main->output[0]->type.rank, 2);
  ingot__network_free(network);
}

/* A branch waits for a node that stands behind the If. */
static void test_captured_order(void **state) {
  (void)state;
  msg then_graph = {0};
  put_msg(&then_graph, GRAPH_NODE, node("Relu", "inner", "late", "z"));
  put_msg(&then_graph, GRAPH_OUTPUT, value("z", INGOT_FLOAT32, NULL));
  msg branch = node_attr(node_attr(node("If", "if", "c", "y"), attr_graph("then_branch", then_graph)), attr_graph("else_branch", then_graph));
  msg nodes[] = {branch, node("Neg", "n", "x", "late")}, g = graph_of(nodes, 2);
  put_msg(&g, GRAPH_INPUT, value("c", INGOT_BOOL, ""));
  ingot__network *network = load_graph(g);
  assert_string_equal(network->main->first->name, "n");
  ingot__network_free(network);
}

/* y = leaky(leaky(x)) by a function called twice, with its slope as an attribute; the second call leaves it to the default. */
static msg function_model(const char *called) {
  msg f = {0};
  put_text(&f, 1, "F");
  put_text(&f, 10, "local");
  put_text(&f, 4, "in");
  put_text(&f, 5, "out");
  put_msg(&f, 11, attr_float("slope", 0.5f));
  put_msg(&f, 7, node_attr(node("LeakyRelu", "leaky", "in", "t"), attr_ref("alpha", 1, "slope")));
  put_msg(&f, 7, node_domain(node(called, "second", "t", "out"), strcmp(called, "Neg") == 0 ? "" : "local"));
  put_msg(&f, 9, opset("", 21));
  msg nodes[] = {node_domain(node_attr(node("F", "one", "x", "a"), attr_float("slope", 0.25f)), "local"),
                 node_domain(node("F", "two", "a", "y"), "local")};
  msg m = model(graph_of(nodes, 2), 21);
  put_msg(&m, 25, f);
  return m;
}

static void test_functions(void **state) {
  (void)state;
  ingot__network *network = load(function_model("Neg"));
  ingot__node *n = network->main->first;
  assert_int_equal(network->main->n_node, 4);
  assert_true(((ingot__attrs_LeakyRelu *)n->attrs)->alpha == 0.25f);
  assert_string_equal(n->name, "one/leaky");
  assert_string_equal(n->next->out[0]->name, "a");
  assert_true(((ingot__attrs_LeakyRelu *)n->next->next->attrs)->alpha == 0.5f);
  assert_string_equal(network->main->output[0]->name, "y");
  ingot__network_free(network);
  refuse_bytes(function_model("F"), INGOT_E_NETWORK, "the function 'F' calls itself");
  refuse_bytes(function_model("G"), INGOT_E_UNSUPPORTED, "local.G (node 'one/second' and 'two/second')");
}

static void test_newer_opset(void **state) {
  (void)state;
  msg n = node("Relu", "r", "x", "y");
  msg m = model(graph_of(&n, 1), 1000);
  ingot__network *network = NULL;
  warnings = 0;
  assert_int_equal(ingot__onnx_load_memory(&counting, m.p, m.n, NULL, NULL, &network), INGOT_OK); /* a warning, no more */
  assert_int_equal(warnings, 1);
  ingot__network_free(network);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_wire, teardown),
      cmocka_unit_test_teardown(test_smallest, teardown),
      cmocka_unit_test_teardown(test_symbols, teardown),
      cmocka_unit_test_teardown(test_initializer_inputs, teardown),
      cmocka_unit_test_teardown(test_constant_outputs, teardown),
      cmocka_unit_test_teardown(test_order, teardown),
      cmocka_unit_test_teardown(test_names, teardown),
      cmocka_unit_test_teardown(test_all_problems, teardown),
      cmocka_unit_test_teardown(test_attributes, teardown),
      cmocka_unit_test_teardown(test_versions, teardown),
      cmocka_unit_test_teardown(test_subgraphs, teardown),
      cmocka_unit_test_teardown(test_captured_order, teardown),
      cmocka_unit_test_teardown(test_functions, teardown),
      cmocka_unit_test_teardown(test_newer_opset, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
