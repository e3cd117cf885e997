/* Sequences, optionals and strings through the public interface: in and out, through subgraphs, engine files and text; who owns what; what is
 * refused. Expected values are worked out by hand. INGOT_TEST_ASAN */
#include "testing.h"
#include "values_network.h"

static ingot_value *floats(const ingot_env *env, int64_t n, const float *data) {
  ingot_value *v = NULL;
  assert_int_equal(ingot_value_create_tensor(env, INGOT_FLOAT32, 1, &n, data, &v), INGOT_OK);
  return v;
}

/* {10, 20}, {30} */
static ingot_value *two_tensors(const ingot_env *env) {
  ingot_value *element[2] = {floats(env, 2, (float[]){10, 20}), floats(env, 1, (float[]){30})}, *s = NULL;
  assert_int_equal(ingot_value_create_sequence(env, element, 2, &s), INGOT_OK);
  ingot_value_destroy(element[0]);
  ingot_value_destroy(element[1]);
  return s;
}

static void assert_tensor(const ingot_value *v, int64_t n, const float *want) {
  int rank;
  int64_t dims[INGOT_MAX_RANK];
  const void *data;
  assert_non_null(v);
  assert_int_equal(ingot_value_tensor(v, &rank, dims, &data), INGOT_OK);
  assert_int_equal(rank, 1);
  assert_int_equal(dims[0], n);
  assert_memory_equal(data, want, (size_t)n * sizeof *want);
}

static void assert_text(ingot_string got, const char *want, size_t size) {
  assert_int_equal(got.size, size);
  assert_memory_equal(got.data, want, size);
  assert_int_equal(got.data[size], 0);
}

static ingot_engine *build(bool reference, bool through_file) {
  ingot_engine *engine = NULL, *again = NULL;
  assert_int_equal(values_build(NULL, reference, &engine), INGOT_OK);
  if (!through_file) return engine;
  void *bytes;
  size_t size;
  assert_int_equal(ingot_engine_serialize(engine, &bytes, &size), INGOT_OK);
  assert_int_equal(ingot_engine_load_memory(NULL, bytes, size, &again), INGOT_OK);
  ingot_blob_free(engine, bytes, size);
  ingot_engine_destroy(engine);
  return again;
}

static void check_outputs(ingot_context *c, bool filled) {
  const float ten[] = {10, 20}, thirty[] = {30}, one[] = {1};
  const ingot_value *l = ingot_context_value(c, "l");
  assert_int_equal(ingot_value_kind(l), INGOT_KIND_SEQUENCE);
  assert_int_equal(ingot_value_dtype(l), INGOT_FLOAT32);
  assert_int_equal(ingot_value_count(l), 5);
  assert_tensor(ingot_value_element(l, 0), 2, ten);
  assert_tensor(ingot_value_element(l, 1), 1, thirty);
  for (size_t i = 2; i < 5; i++) assert_tensor(ingot_value_element(l, i), 1, one);
  assert_null(ingot_value_element(l, 5));
  assert_int_equal(*(const int64_t *)ingot_context_output(c, "n"), 5);
  int rank;
  int64_t dims[INGOT_MAX_RANK];
  assert_int_equal(ingot_context_shape(c, "cat", &rank, dims), INGOT_OK);
  assert_int_equal(dims[0], 4);
  assert_memory_equal(ingot_context_output(c, "cat"), ((float[]){30, 1, 1, 1}), 16);
  const ingot_value *m = ingot_context_value(c, "m"); /* negated */
  assert_int_equal(ingot_value_count(m), filled ? 2 : 0);
  if (filled) assert_tensor(ingot_value_element(m, 0), 2, (float[]){-10, -20});
  assert_int_equal(ingot_value_kind(ingot_context_value(c, "back")), INGOT_KIND_OPTIONAL);
  assert_int_equal(ingot_value_count(ingot_context_value(c, "back")), filled);
  assert_int_equal(ingot_context_shape(c, "done", &rank, dims), INGOT_OK);
  assert_int_equal(dims[0], 5);
  const ingot_string *done = ingot_context_output(c, "done");
  assert_text(done[0], "xx", 2);
  assert_text(done[1], "", 0);
  assert_text(done[2], "a\0ba\0b", 6);
  assert_text(done[3], "", 0);
  assert_text(done[4], "éé", 4);
}

static void in_and_out(void **state) {
  (void)state;
  for (int way = 0; way < 4; way++) {
    ingot_engine *engine = build(way & 1, way & 2);
    ingot_context *c;
    ingot_value *s = two_tensors(NULL);
    assert_int_equal(ingot_context_create(engine, NULL, &c), INGOT_OK);
    ingot_engine_destroy(engine);
    const ingot_string t[2] = {{"x", 1}, {NULL, 0}};
    const int64_t n = 2;
    assert_int_equal(ingot_context_set_value(c, "s", s), INGOT_OK);
    assert_int_equal(ingot_context_set_input_shape(c, "t", 1, &n), INGOT_OK);
    assert_int_equal(ingot_context_set_address(c, "t", (void *)(uintptr_t)t), INGOT_OK);
    for (int run = 0; run < 2; run++) { /* the optional input holds nothing at first */
      assert_int_equal(ingot_context_run(c), INGOT_OK);
      check_outputs(c, false);
    }
    assert_int_equal(ingot_context_set_value(c, "o", s), INGOT_OK); /* what it holds, as it is */
    assert_int_equal(ingot_context_run(c), INGOT_OK);
    check_outputs(c, true);
    ingot_value *o;
    assert_int_equal(ingot_value_create_optional(NULL, s, &o), INGOT_OK);
    ingot_value_destroy(s); /* held by o, and o by the context */
    assert_int_equal(ingot_context_set_value(c, "o", o), INGOT_OK);
    ingot_value_destroy(o);
    assert_int_equal(ingot_context_run(c), INGOT_OK);
    check_outputs(c, true);
    assert_int_equal(ingot_context_set_value(c, "o", NULL), INGOT_OK);
    assert_int_equal(ingot_context_run(c), INGOT_OK);
    check_outputs(c, false);
    ingot_context_destroy(c);
  }
}

static void values_outlive_contexts(void **state) {
  (void)state;
  ingot_engine *engine = build(false, false);
  ingot_context *c[2];
  ingot_value *s = two_tensors(NULL), *text;
  const int64_t n = 2;
  const ingot_string t[2] = {{"x", 1}, {"", 0}};
  assert_int_equal(ingot_value_create_tensor(NULL, INGOT_STRING, 1, &n, t, &text), INGOT_OK);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(ingot_context_create(engine, NULL, &c[i]), INGOT_OK);
    assert_int_equal(ingot_context_set_value(c[i], "t", text), INGOT_OK); /* a tensor's shape and address at once */
  }
  ingot_value_destroy(text);
  assert_int_equal(ingot_context_set_value(c[0], "s", s), INGOT_OK);
  ingot_value_destroy(s);
  assert_int_equal(ingot_context_run(c[0]), INGOT_OK);
  ingot_value *l = ingot_context_value(c[0], "l"), *element = ingot_value_element(l, 4);
  ingot_value_retain(l);
  ingot_value_retain(element);
  assert_int_equal(ingot_context_run(c[0]), INGOT_OK); /* another value; l stays as it is */
  assert_ptr_not_equal(ingot_context_value(c[0], "l"), l);
  ingot_context_destroy(c[0]);
  ingot_engine_destroy(engine);
  assert_int_equal(ingot_value_count(l), 5);
  assert_int_equal(ingot_context_set_value(c[1], "s", l), INGOT_OK); /* one context's output, another's input */
  ingot_value_destroy(l);
  assert_int_equal(ingot_context_run(c[1]), INGOT_OK);
  assert_int_equal(ingot_value_count(ingot_context_value(c[1], "l")), 8);
  assert_ptr_equal(ingot_value_element(ingot_context_value(c[1], "l"), 4), element); /* counted, not copied */
  ingot_context_destroy(c[1]);
  assert_tensor(element, 1, (float[]){1});
  ingot_value_destroy(element);
}

static void what_is_refused(void **state) {
  (void)state;
  ingot_engine *engine = build(true, false);
  ingot_context *c;
  ingot_value *s = two_tensors(NULL), *tensor = floats(NULL, 1, (float[]){1}), *o, *v, *number, *mixed[2];
  const int64_t n = 1, number_data = 4;
  ingot_io_info info;
  assert_int_equal(ingot_context_create(engine, NULL, &c), INGOT_OK);
  const ingot_kind kinds[] = {INGOT_KIND_SEQUENCE, INGOT_KIND_OPTIONAL_SEQUENCE, INGOT_KIND_TENSOR, INGOT_KIND_SEQUENCE, INGOT_KIND_TENSOR};
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(ingot_engine_io(engine, i, &info), INGOT_OK);
    assert_int_equal(info.kind, kinds[i]);
    if (kinds[i] != INGOT_KIND_TENSOR) assert_int_equal(info.rank, -1);
  }
  assert_int_equal(ingot_value_create_tensor(NULL, INGOT_INT64, 1, &n, &number_data, &number), INGOT_OK);
  assert_int_equal(ingot_value_create_optional(NULL, s, &o), INGOT_OK);
  assert_int_equal(ingot_value_create_optional(NULL, o, &v), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_value_create_sequence(NULL, &s, 1, &v), INGOT_E_ARGUMENT);
  mixed[0] = tensor, mixed[1] = number;
  assert_int_equal(ingot_value_create_sequence(NULL, mixed, 2, &v), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_value_create_tensor(NULL, INGOT_UNDEFINED, 0, NULL, &number_data, &v), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_value_create_tensor(NULL, INGOT_FLOAT32, 1, &n, NULL, &v), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_value_create_tensor(NULL, INGOT_FLOAT32, 2, (int64_t[]){INT64_MAX, 8}, &n, &v), INGOT_E_LIMIT);
  assert_int_equal(ingot_value_create_tensor(NULL, INGOT_STRING, 1, &n, &(ingot_string){NULL, 3}, &v), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_value_tensor(s, &(int){0}, (int64_t[8]){0}, &(const void *){NULL}), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_context_set_value(c, "s", tensor), INGOT_E_TYPE);
  assert_non_null(strstr(ingot_last_error(), "a sequence"));
  assert_int_equal(ingot_context_set_value(c, "s", o), INGOT_E_TYPE);
  assert_int_equal(ingot_context_set_value(c, "s", NULL), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_context_set_value(c, "o", tensor), INGOT_E_TYPE);
  assert_int_equal(ingot_context_set_value(c, "t", number), INGOT_E_TYPE);
  assert_int_equal(ingot_context_set_value(c, "l", s), INGOT_E_ARGUMENT);
  mixed[0] = number;
  assert_int_equal(ingot_value_create_sequence(NULL, mixed, 1, &v), INGOT_OK);
  assert_int_equal(ingot_context_set_value(c, "s", v), INGOT_E_TYPE); /* of int64 */
  ingot_value_destroy(v);
  assert_int_equal(ingot_context_set_address(c, "s", c), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_context_set_input_shape(c, "s", 1, &n), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_context_shape(c, "l", &(int){0}, (int64_t[8]){0}), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_context_set_input_shape(c, "t", 1, &n), INGOT_OK);
  assert_int_equal(ingot_context_set_address(c, "t", &(ingot_string){"x", 1}), INGOT_OK);
  assert_int_equal(ingot_context_run(c), INGOT_E_STATE); /* s was never set */
  assert_non_null(strstr(ingot_last_error(), "s"));
  assert_null(ingot_context_value(c, "l"));
  assert_int_equal(ingot_value_create_sequence(NULL, NULL, 0, &v), INGOT_OK); /* empty: of any type */
  assert_int_equal(ingot_context_set_value(c, "s", v), INGOT_OK);
  ingot_value_destroy(v);
  assert_int_equal(ingot_context_run(c), INGOT_OK); /* l has three elements, of which one is erased */
  assert_int_equal(ingot_value_count(ingot_context_value(c, "l")), 3);
  assert_null(ingot_context_output(c, "l"));
  assert_null(ingot_context_value(c, "n"));
  ingot_value_destroy(s), ingot_value_destroy(tensor), ingot_value_destroy(o), ingot_value_destroy(number);
  ingot_value_destroy(NULL);
  ingot_context_destroy(c);
  ingot_engine_destroy(engine);
}

/* A Loop that inserts and erases holds what is alive alone: memory doesn't grow with the trips. */
static const char queue_text[] =
    "network {\n"
    "  input trips: int64[]\n"
    "  const go: bool[] = {1}\n"
    "  const zero: int64[] = {0}\n"
    "  const x: float32[1024] = random(1)\n"
    "  s = SequenceConstruct(x, x, x)\n"
    "  l = Loop(trips, go, s) {body={\n"
    "    input i: int64[]\n"
    "    input c: bool[]\n"
    "    input v: sequence float32[*]\n"
    "    k = Identity(c)\n"
    "    e = SequenceErase(v, zero)\n"
    "    w = SequenceInsert(e, x)\n"
    "    output k\n"
    "    output w\n"
    "  }}\n"
    "  n = SequenceLength(l)\n"
    "  output n\n"
    "}\n";

static void dead_elements_are_freed(void **state) {
  (void)state;
  ingot_env env = {.memory_limit = 1 << 20};
  ingot_engine *engine;
  ingot_context *c;
  int64_t trips = 2000; /* of 4 KiB each */
  assert_int_equal(values_build_text(&env, queue_text, false, &engine), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, NULL, &c), INGOT_OK);
  assert_int_equal(ingot_context_set_address(c, "trips", &trips), INGOT_OK);
  if (ingot_context_run(c) != INGOT_OK) fail_msg("%s", ingot_last_error());
  assert_int_equal(*(const int64_t *)ingot_context_output(c, "n"), 3);
  ingot_context_destroy(c);
  ingot_engine_destroy(engine);
}

typedef struct text { char data[8192]; size_t n; } text;
static int append(void *user, const char *s, size_t n) {
  text *t = user;
  if (t->n + n >= sizeof t->data) return 1;
  memcpy(t->data + t->n, s, n);
  t->n += n;
  t->data[t->n] = 0;
  return 0;
}

static void text_comes_back(void **state) {
  (void)state;
  static text first, second;
  ingot_network *a, *b;
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  assert_int_equal(values_network(NULL, values_text, &a), INGOT_OK);
  assert_int_equal(ingot__network_print(a, append, &first), INGOT_OK);
  assert_int_equal(ingot__network_parse(NULL, first.data, first.n, &diag, &b), INGOT_OK);
  assert_int_equal(ingot__network_print(b, append, &second), INGOT_OK);
  assert_string_equal(first.data, second.data);
  assert_non_null(strstr(first.data, "o: optional sequence float32[*]"));
  assert_non_null(strstr(first.data, "{\"a\\x00b\", \"\", \"é\"}"));
  ingot_network_destroy(a);
  ingot_network_destroy(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(in_and_out), cmocka_unit_test(values_outlive_contexts), cmocka_unit_test(what_is_refused),
                                     cmocka_unit_test(dead_elements_are_freed), cmocka_unit_test(text_comes_back)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
