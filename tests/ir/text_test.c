/* Networks as text: round trips, errors with their line, garbage. INGOT_TEST_ASAN */
#include "ir/network.h"
#include "ir/elements.h"
#include "testing.h"

typedef struct buffer { char *text; size_t n, capacity; } buffer;
static int add(void *user, const char *text, size_t n) {
  buffer *b = user;
  if (b->n + n + 1 > b->capacity) b->text = realloc(b->text, b->capacity = (b->n + n + 1) * 2);
  memcpy(b->text + b->n, text, n);
  b->n += n;
  b->text[b->n] = 0;
  return 0;
}
static char *print(const ingot__network *n) {
  buffer b = {0};
  assert_int_equal(ingot__network_print(n, add, &b), INGOT_OK);
  return b.text;
}
static ingot__network *parse(const char *text) {
  static ingot__diag diag;
  ingot__network *n = NULL;
  ingot__diag_init(&diag, NULL);
  if (ingot__network_parse(NULL, text, strlen(text), &diag, &n) != INGOT_OK) fail_msg("%s", diag.text);
  if (ingot__network_verify(n, &diag) != INGOT_OK) fail_msg("%s", diag.text);
  return n;
}

static const char all[] =
  "network {\n"
  "  input x: float32[N,3,224,224]\n"
  "  input \"input\": float16[N*2+1,\"a b\",?]\n"
  "  input c: bool[]\n"
  "  input s: sequence float32[*]\n"
  "  const w: float32[8,3,3,3] = random(7)\n"
  "  const axes: int64[2] = {2, -3}\n"
  "  const f: float32[5] = {0.100000001, -1e-30, inf, -inf, nan}\n"
  "  const d: float64[1] = {0.10000000000000001}\n"
  "  const u: uint64[1] = {18446744073709551615}\n"
  "  const none: float32[0,4] = {}\n"
  "  const words: string[2] = {\"a\\\"b\\\\\", \"\\n\\x01\"}\n"
  "  const nibbles: int4[3] = {-8, 7, 1}\n"
  "  const half: bfloat16[2] = {1.5, -0}\n"
  "  const big8: int8[100] = random(1048575)\n"
  "  const big1: bool[65] = random(12345)\n"
  "  const big4: uint4[101] = random(99)\n"
  "  const big16: float16[10,10] = random(31)\n"
  "  y: float32[N,8,224,224] = Conv(x, w) {pads=[1, 1, 1, 1] act=Relu} from \"conv1, bn1\"\n"
  "  @split a: float32[(N+1)/2], _, b = Split(y, axes) {axis=1}\n"
  "  /layer/out = Cast(a) {to=float16}\n"
  "  k = ConstantOfShape(axes) {value=int64[1]{5}}\n"
  "  l, m = LSTM(x, w, w, _, axes) {activations=[\"Tanh\", \"Relu\"] activation_alpha=[0.5, 1] clip=3}\n"
  "  z = If(c) {then_branch={\n"
  "    const t: float32[] = {1}\n"
  "    e = Add(a, t)\n"
  "    f2 = If(c) {then_branch=inner {\n"
  "      g = Relu(e)\n"
  "      output g\n"
  "    } else_branch={\n"
  "      h = Neg(e)\n"
  "      output h\n"
  "    }}\n"
  "    output f2\n"
  "  } else_branch={\n"
  "    i = Identity(b)\n"
  "    output i\n"
  "  }}\n"
  "  @\"last one\" _, q = LayerNormalization(z, f) {axis=0 epsilon=0.00100000005}\n"
  "  output z\n"
  "  output q\n"
  "}\n";

static void prints_what_it_reads(void **unused) {
  (void)unused;
  ingot__network *n = parse(all);
  char *text = print(n);
  assert_string_equal(text, all);
  assert_int_equal(n->n_graph, 5);
  ingot__value *y = ingot__network_find_value(n, "y");
  assert_non_null(y);
  const ingot__attrs_Conv *conv = y->producer->attrs;
  assert_int_equal(conv->pads.n, 4);
  assert_int_equal(conv->act, INGOT__ACT_RELU);
  assert_int_equal(conv->group, 1);
  assert_string_equal(conv->auto_pad, "NOTSET");
  assert_int_equal(y->n_user, 1);
  assert_int_equal(ingot__network_find_value(n, "e")->n_user, 2); /* both in subgraphs of its own */
  ingot__network *copy = ingot__network_clone(n, NULL);
  assert_non_null(copy);
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  assert_int_equal(ingot__network_verify(copy, &diag), INGOT_OK);
  char *again = print(copy);
  assert_string_equal(again, all);
  assert_ptr_equal(ingot__network_find_value(copy, "w")->data, ingot__network_find_value(n, "w")->data);
  free(text), free(again);
  ingot__network_free(copy);
  ingot__network_free(n);
}

static void is_lenient(void **unused) {
  (void)unused;
  ingot__network *n = parse("network{input x:float32[ N , 2*N ]#comment }\n const input:int64[1]={3} y=Add(x,\"input\")y2=Relu(y){}"
                            " output = Neg(y2) output y2,output}");
  char *text = print(n), *again;
  ingot__network *m = parse(text);
  again = print(m);
  assert_string_equal(text, again);
  assert_int_equal(n->main->n_output, 2);
  assert_int_equal(n->main->n_node, 3);
  assert_string_equal(n->main->output[1]->name, "output");
  free(text), free(again);
  ingot__network_free(n);
  ingot__network_free(m);
}

/* Weights that no seed made get one of their own, the same each time. */
static void large_constants(void **unused) {
  (void)unused;
  static float data[1000];
  for (int i = 0; i < 1000; i++) data[i] = (float)i;
  ingot__network *n = ingot__network_new(NULL);
  ingot__type t = {.dtype = INGOT_FLOAT32, .rank = 1, .dim = {1000}};
  ingot__value *c = ingot__constant_new(n->main, "c", &t, data, sizeof data);
  assert_true(ingot__graph_add_output(n->main, c));
  char *one = print(n);
  ingot__network *m = parse(one);
  char *two = print(m);
  assert_string_equal(one, two);
  free(one), free(two);
  const float *v = ingot__network_find_value(m, "c")->data;
  double sum = 0;
  for (int i = 0; i < 1000; i++) {
    assert_true(v[i] >= -1 && v[i] < 1);
    sum += (double)v[i];
  }
  assert_true(fabs(sum / 1000) < 0.1);
  ingot__network_free(n);
  ingot__network_free(m);
}

static void refuses(void **unused) {
  (void)unused;
  static const struct { const char *text, *error; ingot_status status; } cases[] = {
    {"", "line 1: the text must begin with the word network", INGOT_E_FORMAT},
    {"network", "'{' is missing", INGOT_E_FORMAT},
    {"network {\n\n", "line 3: '}' is missing at the end", INGOT_E_FORMAT},
    {"network {\n y = Relu(x)\n}", "line 2: no value x is known here", INGOT_E_FORMAT},
    {"network { input x: float32[] input x: float32[] }", "x is there already", INGOT_E_FORMAT},
    {"network { input x: float31[] }", "there is no data type float31", INGOT_E_FORMAT},
    {"network { input x: float32[-1] }", "a dim is below 0", INGOT_E_FORMAT},
    {"network { input x: float32[1,2,3,4,5,6,7,8,9] }", "more than 8 dims", INGOT_E_LIMIT},
    {"network { input x: float32[] y = Relo(x) }", "there is no operator Relo", INGOT_E_FORMAT},
    {"network { input x: float32[] y = Relu(x, x) }", "Relu can't have 2 inputs", INGOT_E_FORMAT},
    {"network { input x: float32[] y, z = Relu(x) }", "Relu can't have 2 outputs", INGOT_E_FORMAT},
    {"network { input x: float32[] y = Relu(_) }", "input 0 of Relu must not be left out", INGOT_E_FORMAT},
    {"network { input x: float32[] y = Relu(x) {a=1} }", "Relu has no attribute a", INGOT_E_FORMAT},
    {"network { input x: float32[] y = Softmax(x) {axis=1.5} }", "1.5 is no whole number", INGOT_E_FORMAT},
    {"network { input x: float32[] y = Elu(x) {alpha=a} }", "a is no number", INGOT_E_FORMAT},
    {"network { input x: float32[] a, a = Split(x) }", "a is there twice", INGOT_E_FORMAT},
    {"network { input x: float32[] output x, x }", "x is an output already", INGOT_E_FORMAT},
    {"network { const x: float32[2] = {1} }", "',' is missing", INGOT_E_FORMAT},
    {"network { const x: float32[1000000] = {1} }", "1000000 elements are missing", INGOT_E_FORMAT},
    {"network { const x: float32[N] = {1} }", "dims must be numbers", INGOT_E_FORMAT},
    {"network { const x: int8[1] = {128} }", "128 is no int8", INGOT_E_FORMAT},
    {"network { const x: uint64[1] = {-1} }", "-1 is no uint64", INGOT_E_FORMAT},
    {"network { const x: float32[1] = random(1048576) }", "a seed is 0 to", INGOT_E_FORMAT},
    {"network { const x: float32[100000,100000] = random(1) }", "bytes of constants", INGOT_E_LIMIT},
    {"network { const x: float32[9223372036854775807,4] = random(1) }", "dims must be numbers", INGOT_E_FORMAT},
    {"network { const x: string[9000000000] = {} }", "strings are missing", INGOT_E_FORMAT},
    {"network { input c: bool[] y = If(c) }", "If needs its attribute then_branch", INGOT_E_FORMAT},
    {"network { input c: bool[] y = If(c) {then_branch={output c} else_branch={}} }", "output c is of an outer graph", INGOT_E_FORMAT},
    {"network { input c: bool[] y = If(c) {then_branch={z=Not(y)}} }", "no value y is known here", INGOT_E_FORMAT},
    {"network { input c: bool[] y = If(c) {then_branch={z=Not(c)} else_branch={w=Not(z)}} }", "no value z is known here", INGOT_E_FORMAT},
    {"network { input \"x: float32[] }", "a string without an end", INGOT_E_FORMAT},
    {"network { } x", "something stands behind the network", INGOT_E_FORMAT},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ingot__diag diag;
    ingot__network *n = NULL;
    ingot__diag_init(&diag, NULL);
    ingot_status status = ingot__network_parse(NULL, cases[i].text, strlen(cases[i].text), &diag, &n);
    if (status != cases[i].status || !strstr(diag.text, cases[i].error)) fail_msg("%s: %d %s", cases[i].text, status, diag.text);
    assert_null(n);
  }
}

static void nests_to_its_limit(void **unused) {
  (void)unused;
  static char text[20000];
  ingot__diag diag;
  for (int depth = 60; depth < 70; depth++) {
    ingot__network *n = NULL;
    size_t k = (size_t)sprintf(text, "network { input c: bool[] ");
    for (int i = 0; i < depth; i++) k += (size_t)sprintf(text + k, "v%d = If(c) {else_branch={} then_branch={", i);
    for (int i = 0; i < depth; i++) k += (size_t)sprintf(text + k, "}}");
    k += (size_t)sprintf(text + k, "}");
    ingot__diag_init(&diag, NULL);
    ingot_status status = ingot__network_parse(NULL, text, k, &diag, &n);
    assert_int_equal(status, depth < INGOT__MAX_GRAPH_DEPTH ? INGOT_OK : INGOT_E_LIMIT);
    if (n) {
      assert_int_equal(ingot__network_verify(n, &diag), INGOT_OK);
      ingot__network *copy = ingot__network_clone(n, NULL);
      assert_non_null(copy);
      assert_int_equal(ingot__network_sweep(copy), depth);
      assert_int_equal(ingot__network_verify(copy, &diag), INGOT_OK);
      ingot__network_free(copy);
    }
    ingot__network_free(n);
  }
}

/* The text with bytes changed, cut or doubled: refused, or read as a network that keeps its invariants and whose text is a fixpoint. */
static void survives_garbage(void **unused) {
  (void)unused;
  uint64_t r = 5;
  size_t read = 0;
  for (int round = 0; round < 4000; round++) {
    char text[2 * sizeof all];
    size_t n = sizeof all - 1;
    memcpy(text, all, n);
    int changes = 1 + (int)(testing_random(&r) * 3);
    for (int i = 0; i < changes; i++) {
      size_t at = (size_t)(testing_random(&r) * (double)n), k = (size_t)(testing_random(&r) * 12);
      if (at + k > n) k = n - at;
      switch ((int)(testing_random(&r) * 4)) {
        case 0: text[at] = (char)(testing_random(&r) * 256); break;
        case 1: text[at] = "{}[]=,:_@\"#()0-?*"[(int)(testing_random(&r) * 17)]; break;
        case 2: memmove(text + at, text + at + k, n - at - k), n -= k; break;
        default:
          if (n + k > sizeof text) break;
          memmove(text + at + k, text + at, n - at), n += k;
      }
    }
    char *exact = malloc(n ? n : 1); /* so that AddressSanitizer sees reading past it */
    memcpy(exact, text, n);
    ingot__diag diag;
    ingot__network *net = NULL;
    ingot_env env = {.memory_limit = 64 << 20};
    ingot__diag_init(&diag, NULL);
    ingot_status status = ingot__network_parse(&env, exact, n, &diag, &net);
    free(exact);
    if (status != INGOT_OK) {
      assert_true(diag.count == 1 && diag.text[0]);
      continue;
    }
    read++;
    if (ingot__network_verify(net, &diag) != INGOT_OK) fail_msg("%s\n%.*s", diag.text, (int)n, text);
    char *one = print(net);
    ingot__network *m = parse(one);
    char *two = print(m);
    assert_string_equal(one, two);
    free(one), free(two);
    ingot__network_free(m);
    ingot__network_free(net);
  }
  assert_true(read > 100);
}

static void elements(void **unused) {
  (void)unused;
  char text[INGOT__ELEMENT_TEXT];
  double v;
  for (uint32_t i = 0; i < 65536; i++) { /* every half comes back */
    uint16_t h = (uint16_t)i, back = 0;
    if ((h & 0x7c00) == 0x7c00 && h & 0x3ff) continue; /* NaNs lose their payload */
    ingot__element_text(INGOT_FLOAT16, &h, 0, text);
    assert_true(ingot__element_parse(INGOT_FLOAT16, &back, 0, text));
    assert_int_equal(h, back);
  }
  assert_true(ingot__double_parse("-2.5e1", &v) && v == -25);
  assert_false(ingot__double_parse("", &v));
  assert_false(ingot__double_parse("0x10", &v));
  assert_false(ingot__double_parse("1.2.3", &v));
  static const ingot_dtype types[] = {INGOT_FLOAT32, INGOT_FLOAT64, INGOT_FLOAT16, INGOT_BFLOAT16, INGOT_INT64, INGOT_UINT8, INGOT_INT4, INGOT_BOOL,
                                      INGOT_FLOAT8E4M3FN, INGOT_FLOAT8E5M2, INGOT_UINT2, INGOT_INT2, INGOT_FLOAT4E2M1,
                                      INGOT_FLOAT6E2M3, INGOT_FLOAT6E3M2, INGOT_FLOAT8E8M0};
  for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
    uint64_t data[200] = {0};
    uint32_t seed;
    for (size_t i = 0; i < 200; i++) ingot__random_element(types[k], data, i, i, 0xabcde);
    assert_true(ingot__random_seed(types[k], data, 200, &seed));
    assert_int_equal(seed, 0xabcde);
    ingot__set_int(types[k], data, 150, ingot__get_double(types[k], data, 150) == 1 ? 0 : 1);
    assert_false(ingot__random_seed(types[k], data, 200, &seed));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(elements), cmocka_unit_test(prints_what_it_reads), cmocka_unit_test(is_lenient), cmocka_unit_test(large_constants),
    cmocka_unit_test(refuses), cmocka_unit_test(nests_to_its_limit), cmocka_unit_test(survives_garbage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
