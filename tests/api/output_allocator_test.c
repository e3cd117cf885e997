/* Outputs in memory that the caller makes when their sizes are known: before the run, in the middle of it, by a Loop; without copies.
 * INGOT_TEST_ASAN */
#include "testing.h"
#include "ir/network.h"
#include "ops/ops.h"

/* `early` is known before, `where` (2 x how many) when NonZero has run, `twice` after that, `trips` when the Loop has ended. */
static const char text[] =
    "network {\n  input x: float32[N]\n  early = Relu(x)\n  where = NonZero(x)\n  f = Cast(where) {to=1}\n  twice = Add(f, f)\n"
    "  const all: int64[1] = {0}\n  sum = ReduceSum(x, all) {keepdims=0}\n  n = Cast(sum) {to=7}\n  const go: bool[] = {1}\n"
    "  last, trips = Loop(n, go, sum) {body={\n    input i: int64[]\n    input c: bool[]\n    input v: float32[]\n"
    "    u = Neg(v)\n    s = Add(v, v)\n    k = Identity(c)\n    output k\n    output u\n    output s\n  }}\n"
    "  output early\n  output where\n  output twice\n  output trips\n}\n";
enum { OUTPUTS = 4, MOST = 4096 };
static const char *const names[OUTPUTS] = {"early", "where", "twice", "trips"};

/* One output's memory, the caller's. */
typedef struct memory {
  _Alignas(64) char data[2][MOST]; /* each run gets another */
  int calls, notified, rank;
  size_t size;
  void *given;
  int64_t dims[INGOT_MAX_RANK];
  bool none;
} memory;
static memory made[OUTPUTS];

static int index_of(const char *name) {
  for (int i = 0; i < OUTPUTS; i++)
    if (!strcmp(names[i], name)) return i;
  fail_msg("no output '%s'", name);
  return 0;
}

static void *reallocate(void *user, const char *name, void *current, size_t size, size_t align) {
  memory *m = &((memory *)user)[index_of(name)];
  assert_true(size > 0 && size <= MOST && align == 64);
  assert_ptr_equal(current, m->given);
  m->size = size;
  return m->given = m->none ? NULL : m->data[++m->calls % 2];
}

static void notify(void *user, const char *name, int rank, const int64_t *dims) {
  memory *m = &((memory *)user)[index_of(name)];
  m->notified++;
  m->rank = rank;
  memcpy(m->dims, dims, (size_t)rank * sizeof *dims);
}

static const void *seen[OUTPUTS];
static void observe(void *user, const char *tensor, ingot_dtype dtype, int rank, const int64_t *dims, const void *data) {
  (void)user, (void)dtype, (void)rank, (void)dims;
  for (int i = 0; i < OUTPUTS; i++)
    if (!strcmp(names[i], tensor)) seen[i] = data;
}

static ingot_context *make(bool reference) {
  ingot_network *network;
  ingot_config *config;
  ingot_engine *engine;
  ingot_context *context;
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  if (ingot__network_parse(NULL, text, sizeof text - 1, &diag, &network) || ingot__infer_network(network, &diag)) fail_msg("%s", diag.text);
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_budget(config, 0), INGOT_OK);
  ingot_status status = reference ? ingot_build_reference(network, config, &engine) : ingot_build(network, config, &engine);
  if (status != INGOT_OK) fail_msg("%s", ingot_last_error());
  assert_int_equal(ingot_context_create(engine, &(ingot_context_options){.threads = 1}, &context), INGOT_OK);
  ingot_engine_destroy(engine);
  ingot_config_destroy(config);
  ingot_network_destroy(network);
  memset(made, 0, sizeof made);
  for (int i = 0; i < OUTPUTS; i++) {
    ingot_output_allocator allocator = {reallocate, notify, made}; /* copied */
    assert_int_equal(ingot_context_set_output_allocator(context, names[i], &allocator), INGOT_OK);
  }
  return context;
}

static void set(ingot_context *context, float *x, int64_t n) {
  assert_int_equal(ingot_context_set_input_shape(context, "x", 1, &n), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "x", x), INGOT_OK);
}

static void check(ingot_context *context, const float *x, int n, int run) {
  int64_t count = 0;
  double sum = 0;
  for (int i = 0; i < n; i++) count += x[i] != 0, sum += (double)x[i];
  int64_t trips = sum > 0 ? (int64_t)sum : 0;
  const int64_t wanted[OUTPUTS][2] = {{n}, {1, count}, {1, count}, {trips}};
  for (int i = 0; i < OUTPUTS; i++) {
    const memory *m = &made[i];
    assert_int_equal(m->calls, run); /* once a run */
    assert_int_equal(m->notified, run);
    assert_ptr_equal(ingot_context_output(context, names[i]), m->given);
    assert_int_equal(m->rank, i == 1 || i == 2 ? 2 : 1);
    for (int d = 0; d < m->rank; d++) assert_int_equal(m->dims[d], wanted[i][d]);
  }
  int64_t at = 0;
  for (int i = 0; i < n; i++) {
    assert_true(((float *)made[0].given)[i] == (x[i] > 0 ? x[i] : 0));
    if (x[i] == 0) continue;
    assert_int_equal(((int64_t *)made[1].given)[at], i);
    assert_true(((float *)made[2].given)[at++] == 2.0f * (float)i);
  }
  for (int64_t t = 0; t < trips; t++) assert_true(((float *)made[3].given)[t] == (t % 2 ? -2 : 2) * (float)sum);
}

static void lands_there(void **state) {
  (void)state;
  float inputs[3][8] = {{0, 1, 0, 2, 3, 0, 0, 0}, {0}, {1, 1, 1, 1, 1, 1, 1, 30}};
  for (int reference = 0; reference < 2; reference++) {
    ingot_context *context = make(reference);
    assert_int_equal(ingot_context_set_observer(context, observe, NULL), INGOT_OK);
    for (int run = 1; run <= 12; run++) {
      int n = run % 4 < 2 ? 8 : 6, k = run % 3;
      set(context, inputs[k], n);
      memset(seen, 0, sizeof seen);
      if (ingot_context_run(context) != INGOT_OK) fail_msg("%s", ingot_last_error());
      check(context, inputs[k], n, run);
      for (int i = 0; i < 3; i++) assert_true(!seen[i] || seen[i] == made[i].given); /* kernels wrote there themselves */
      assert_non_null(seen[1]);
      if (k != 1) assert_true(made[1].size >= 8 * (size_t)made[1].dims[1]);
    }
    ingot_context_destroy(context);
  }
}

static void gives_nothing(void **state) {
  (void)state;
  float x[2] = {1, 1};
  ingot_context *context = make(false);
  set(context, x, 2);
  for (int i = 0; i < OUTPUTS; i++) {
    made[i].none = true;
    assert_int_equal(ingot_context_run(context), INGOT_E_MEMORY);
    assert_non_null(strstr(ingot_last_error(), names[i]));
    assert_null(ingot_context_output(context, names[i]));
    made[i].none = false;
    made[i].given = NULL;
    for (int k = 0; k < OUTPUTS; k++) /* fresh ones: a failed run leaves off in the middle */
      assert_int_equal(ingot_context_set_output_allocator(context, names[k], &(ingot_output_allocator){reallocate, notify, made}), INGOT_OK),
          made[k].given = NULL, made[k].calls = made[k].notified = 0;
    assert_int_equal(ingot_context_run(context), INGOT_OK);
    check(context, x, 2, 1);
  }
  for (int k = 0; k < OUTPUTS; k++) assert_int_equal(ingot_context_set_output_allocator(context, names[k], NULL), INGOT_OK);
  assert_int_equal(ingot_context_run(context), INGOT_OK);
  for (int k = 0; k < OUTPUTS; k++) {
    assert_int_equal(made[k].calls, 1); /* not asked any more */
    assert_true(ingot_context_output(context, names[k]) && ingot_context_output(context, names[k]) != made[k].given);
  }
  assert_int_equal(ingot_context_set_output_allocator(context, "x", &(ingot_output_allocator){reallocate, notify, made}), INGOT_E_ARGUMENT);
  assert_int_equal(ingot_context_set_output_allocator(context, "early", &(ingot_output_allocator){0}), INGOT_E_ARGUMENT);
  ingot_context_destroy(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(lands_there), cmocka_unit_test(gives_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
