/* Every allocation of the network's code fails in turn, those inside arenas too: this program has a base/mem.c of its own whose arenas take
 * each allocation from the heap. INGOT_TEST_ASAN */
#define INGOT_ARENA_EXACT
#include "../../src/base/mem.c"
#include "ir/network.h"
#include "testing.h"

static const char text[] =
  "network {\n"
  "  input x: float32[N,3,224,224]\n"
  "  input \"input\": float16[N*2+1,\"a b\",(N+1)/2]\n"
  "  input c: bool[]\n"
  "  const w: float32[8,3,3,3] = random(7)\n"
  "  const words: string[2] = {\"a\\\"b\\\\\", \"\\n\\x01\"}\n"
  "  const axes: int64[2] = {2, -3}\n"
  "  y: float32[N,8,224,224] = Conv(x, w) {pads=[1, 1, 1, 1] act=Relu} from \"conv1, bn1\"\n"
  "  @split a, _, b = Split(y, axes) {axis=1}\n"
  "  k = ConstantOfShape(axes) {value=int64[1]{5}}\n"
  "  l, m = LSTM(x, w, w, _, axes) {activations=[\"Tanh\", \"Relu\"] activation_alpha=[0.5, 1] clip=3}\n"
  "  z = If(c) {then_branch={\n"
  "    const t: float32[] = {1}\n"
  "    e = Add(a, t)\n"
  "    output e\n"
  "  } else_branch=named {\n"
  "    i = Identity(b)\n"
  "    output i\n"
  "  }}\n"
  "  output z\n"
  "  output y\n"
  "}\n";

typedef struct cursor { const char *at; } cursor;
static int compare(void *user, const char *s, size_t n) {
  cursor *c = user;
  assert_memory_equal(c->at, s, n);
  c->at += n;
  return 0;
}

static ingot_status reads_and_copies(const ingot_env *env, void *user) {
  (void)user;
  ingot__diag diag;
  ingot__network *n = NULL, *copy = NULL;
  ingot__diag_init(&diag, NULL);
  ingot_status status = ingot__network_parse(env, text, sizeof text - 1, &diag, &n);
  if (status == INGOT_OK && !(copy = ingot__network_clone(n, env))) status = INGOT_E_MEMORY;
  if (status == INGOT_OK) status = ingot__network_verify(copy, &diag);
  cursor c = {text};
  if (status == INGOT_OK) status = ingot__network_print(copy, compare, &c);
  if (status == INGOT_OK) status = ingot__network_sort(n, &diag);
  ingot__network_free(copy);
  ingot__network_free(n);
  return status;
}

static ingot__network *net;
static ingot__diag diag;

static bool add_node(void) {
  ingot__value *x = ingot__network_find_value(net, "x");
  return ingot__node_new(net->main, INGOT__OP_Concat, "y", net->main->first, (ingot__value *[]){x, x, NULL, x}, 4, 1, NULL);
}
static bool append_input(void) {
  return ingot__node_set_input(ingot__network_find_value(net, "y")->producer, 2, ingot__network_find_value(net, "x"));
}
static bool replace_output(void) { /* y is an output and has users: w takes both its place and its name */
  return ingot__value_replace(ingot__network_find_value(net, "y"), ingot__network_find_value(net, "w"));
}
static bool replace_by_input(void) { return ingot__value_replace(ingot__network_find_value(net, "y"), ingot__network_find_value(net, "x")); }
static bool replace_by_outer(void) { return ingot__value_replace(ingot__network_find_value(net, "i"), ingot__network_find_value(net, "a")); }
static bool rename_value(void) { return ingot__value_rename(ingot__network_find_value(net, "a"), "another name"); }
static bool add_output(void) { return ingot__graph_add_output(net->main, ingot__network_find_value(net, "k")); }
static bool absorb(void) {
  return ingot__node_absorb_origin(ingot__network_find_value(net, "y")->producer, ingot__network_find_value(net, "a")->producer);
}

typedef bool (*change)(void);

/* After a failed change the network is as it was: it verifies and prints the same text. After any, it can be sorted and swept. */
static ingot_status makes(const ingot_env *env, void *user) {
  testing_allocator *a = env->allocator->user;
  ingot__diag_init(&diag, NULL);
  ingot_status status = ingot__network_parse(env, text, sizeof text - 1, &diag, &net);
  if (status != INGOT_OK) return status;
  bool done = ((change)user)();
  a->fail_at = 0;
  if (ingot__network_verify(net, &diag) != INGOT_OK) fail_msg("%s", diag.text);
  cursor c = {text};
  if (!done) assert_int_equal(ingot__network_print(net, compare, &c), INGOT_OK);
  ingot__network_sweep(net);
  assert_int_equal(ingot__network_sort(net, &diag), INGOT_OK);
  if (ingot__network_verify(net, &diag) != INGOT_OK) fail_msg("%s", diag.text);
  ingot__network_free(net);
  return done ? INGOT_OK : INGOT_E_MEMORY;
}

static void reading_and_copying(void **unused) {
  (void)unused;
  assert_true(testing_fail_each(reads_and_copies, NULL, 0) > 100);
}
static void changing(void **unused) {
  (void)unused;
  static const change changes[] = {add_node, append_input, replace_output, replace_by_input, replace_by_outer, rename_value, add_output, absorb};
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) testing_fail_each(makes, (void *)changes[i], 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reading_and_copying), cmocka_unit_test(changing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
