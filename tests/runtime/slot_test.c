/* Plans that are kept for regions whose shapes come again: loops with branches and with outputs whose size depends on data inside, run again and
 * again with shapes that change within a run and between runs; expected numbers are computed here. INGOT_TEST_ASAN */
#include "testing.h"
#include "ir/network.h"
#include "ops/ops.h"

/* Each trip: v is negated (odd trips) or doubled (even ones); then 0.5 for each element that isn't 0 is added to those elements. The Loop itself
 * stands behind a NonZero, so that it is planned in the middle of a run. */
static const char branches[] =
    "network {\n  input x: float32[N]\n  input trips: int64[]\n  const go: bool[] = {1}\n  const two: int64[] = {2}\n"
    "  const half: float32[] = {0.5}\n  const zero: int64[1] = {0}\n"
    "  const minus: int64[1] = {-1}\n  first = NonZero(x)\n  flat = Reshape(first, minus)\n  start = Gather(x, flat)\n"
    "  y = Loop(trips, go, start) {body={\n    input i: int64[]\n    input c: bool[]\n    input v: float32[*]\n"
    "    p = Mod(i, two)\n    q = Cast(p) {to=9}\n"
    "    w = If(q) {then_branch={\n      a = Neg(v)\n      output a\n    } else_branch={\n      b = Add(v, v)\n      output b\n    }}\n"
    "    nz = NonZero(w)\n    s = Shape(nz)\n    f = Cast(s) {to=1}\n    n = ReduceMax(f, zero) {keepdims=0}\n    h = Mul(n, half)\n"
    "    u = Add(w, h)\n    k = Identity(c)\n    output k\n    output u\n  }}\n  output y\n}\n";

/* Each trip puts what isn't 0 of v behind x: the carried value's size depends on data and on the trip. */
static const char growing[] =
    "network {\n  input x: float32[N]\n  input trips: int64[]\n  const go: bool[] = {1}\n  const minus: int64[1] = {-1}\n"
    "  y, sizes = Loop(trips, go, x) {body={\n    input i: int64[]\n    input c: bool[]\n    input v: float32[*]\n"
    "    nz = NonZero(v)\n    at = Reshape(nz, minus)\n    kept = Gather(v, at)\n    u = Concat(x, kept) {axis=0}\n"
    "    s = Shape(kept)\n    k = Identity(c)\n    output k\n    output u\n    output s\n  }}\n  output y\n  output sizes\n}\n";

static ingot_context *make(const char *text, bool reference) {
  ingot_network *network;
  ingot_config *config;
  ingot_engine *engine;
  ingot_context *context;
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  if (ingot__network_parse(NULL, text, strlen(text), &diag, &network) || ingot__infer_network(network, &diag)) fail_msg("%s", diag.text);
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_budget(config, 0), INGOT_OK);
  ingot_status status = reference ? ingot_build_reference(network, config, &engine) : ingot_build(network, config, &engine);
  if (status != INGOT_OK) fail_msg("%s", ingot_last_error());
  assert_int_equal(ingot_context_create(engine, &(ingot_context_options){.threads = 1}, &context), INGOT_OK);
  ingot_engine_destroy(engine);
  ingot_config_destroy(config);
  ingot_network_destroy(network);
  return context;
}

enum { MOST = 256 };

static void run(ingot_context *context, const float *x, int64_t n, int64_t trips) {
  assert_int_equal(ingot_context_set_input_shape(context, "x", 1, &n), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "x", (void *)(uintptr_t)x), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "trips", &trips), INGOT_OK);
  if (ingot_context_run(context) != INGOT_OK) fail_msg("%s", ingot_last_error());
}

static void expect(ingot_context *context, const float *want, int64_t n) {
  int rank;
  int64_t dims[INGOT_MAX_RANK];
  assert_int_equal(ingot_context_shape(context, "y", &rank, dims), INGOT_OK);
  assert_true(rank == 1 && dims[0] == n);
  const float *got = ingot_context_output(context, "y");
  for (int64_t i = 0; i < n; i++) assert_true(got[i] == want[i]);
}

/* Some elements are 0, others small whole numbers. */
static void fill(float *x, int64_t n, uint64_t *random) {
  for (int64_t i = 0; i < n; i++) x[i] = testing_random(random) < 0.4 ? 0 : (float)(int)(testing_random(random) * 9 - 4);
}

static void branches_and_sizes(void **state) {
  (void)state;
  for (int reference = 0; reference < 2; reference++) {
    ingot_context *context = make(branches, reference);
    uint64_t random = 5;
    for (int r = 0; r < 60; r++) {
      float x[MOST], v[MOST];
      int64_t n = 1 + r % 11, trips = r % 5, m = 0;
      fill(x, n, &random);
      for (int64_t i = 0; i < n; i++)
        if (x[i] != 0) v[m++] = x[i];
      for (int64_t t = 0; t < trips; t++) {
        int64_t count = 0;
        for (int64_t i = 0; i < m; i++) v[i] = t % 2 ? -v[i] : 2 * v[i], count += v[i] != 0;
        float most = count > 1 ? (float)count : 1; /* NonZero gives 1 x count */
        for (int64_t i = 0; i < m; i++) v[i] += 0.5f * most;
      }
      run(context, x, n, trips);
      expect(context, v, m);
    }
    ingot_context_destroy(context);
  }
}

static void sizes_that_grow(void **state) {
  (void)state;
  for (int reference = 0; reference < 2; reference++) {
    ingot_context *context = make(growing, reference);
    uint64_t random = 6;
    for (int r = 0; r < 60; r++) {
      float x[8], v[MOST];
      int64_t n = 1 + r % 7, trips = r % 12, m = n, sizes[12];
      fill(x, n, &random);
      memcpy(v, x, sizeof x);
      for (int64_t t = 0; t < trips; t++) {
        float kept[MOST];
        int64_t k = 0;
        for (int64_t i = 0; i < m; i++)
          if (v[i] != 0) kept[k++] = v[i];
        memcpy(v, x, (size_t)n * sizeof *x);
        memcpy(v + n, kept, (size_t)k * sizeof *x);
        m = n + k;
        sizes[t] = k;
      }
      run(context, x, n, trips);
      expect(context, v, m);
      const int64_t *got = ingot_context_output(context, "sizes");
      for (int64_t t = 0; t < trips; t++) assert_int_equal(got[t], sizes[t]);
    }
    ingot_context_destroy(context);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(branches_and_sizes), cmocka_unit_test(sizes_that_grow)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
