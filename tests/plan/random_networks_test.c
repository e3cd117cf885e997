/* Random small networks: whatever the passes and the planner make of them (layouts, slices in place, merged buffers, kernels of each
 * instruction set, threads), the results are the reference's. A network that fails is printed. INGOT_TEST_SECONDS 240 INGOT_TEST_ASAN */
#include "testing.h"
#include "ir/network.h"
#include "ops/ops.h"

enum { MOST_VALUES = 48, MOST_OUTPUTS = 3, MOST_TEXT = 1 << 15, NETWORKS = 120 };

typedef struct tensor { int rank, c, h, w; bool used; } tensor; /* (N, c, h, w), (N, c, h) or (N, c) */
typedef struct maker {
  uint64_t random;
  char *text;
  size_t length;
  tensor v[MOST_VALUES];
  int n, constants;
} maker;

static int below(maker *m, int n) { return (int)(testing_random(&m->random) * n); }
static __attribute__((format(printf, 2, 3))) void say(maker *m, const char *format, ...) {
  va_list args;
  va_start(args, format);
  m->length += (size_t)vsnprintf(m->text + m->length, MOST_TEXT - m->length, format, args);
  va_end(args);
  assert_true(m->length < MOST_TEXT);
}
static int constant(maker *m, const char *dims) {
  say(m, "const k%d: float32[%s] = random(%d)\n", m->constants, dims, m->constants + 1);
  return m->constants++;
}
static int ints(maker *m, int n, int a, int b, int c, int d) {
  const int v[4] = {a, b, c, d};
  say(m, "const k%d: int64[%d] = {", m->constants, n);
  for (int i = 0; i < n; i++) say(m, "%s%d", i ? ", " : "", v[i]);
  say(m, "}\n");
  return m->constants++;
}
static int made(maker *m, int rank, int c, int h, int w) {
  m->v[m->n] = (tensor){rank, c, h, w, false};
  return m->n++;
}
static int take(maker *m, int rank) { /* a value of the rank, -1 if there is none; later ones rather */
  for (int tries = 0; tries < 12; tries++) {
    int i = m->n - 1 - below(m, m->n < 6 || tries > 5 ? m->n : 6);
    if (rank < 0 || m->v[i].rank == rank) return m->v[i].used = true, i;
  }
  return -1;
}

static void convolution(maker *m) {
  static const int outs[] = {1, 3, 8, 16, 20, 32};
  int x = take(m, 4);
  if (x < 0) return;
  const tensor t = m->v[x];
  char dims[64];
  bool depthwise = below(m, 4) == 0;
  int k = t.h >= 3 && t.w >= 3 && below(m, 3) ? 3 : 1, stride = 1 + (below(m, 4) == 0), o = depthwise ? t.c : outs[below(m, 6)], pad = k / 2;
  snprintf(dims, sizeof dims, "%d,%d,%d,%d", o, depthwise ? 1 : t.c, k, k);
  int w = constant(m, dims), bias = below(m, 2);
  snprintf(dims, sizeof dims, "%d", o);
  int b = bias ? constant(m, dims) : 0;
  say(m, "v%d = Conv(v%d, k%d", m->n, x, w);
  if (bias) say(m, ", k%d", b);
  say(m, ") {pads=[%d, %d, %d, %d] strides=[%d, %d] group=%d}\n", pad, pad, pad, pad, stride, stride, depthwise ? o : 1);
  made(m, 4, o, (t.h + 2 * pad - k) / stride + 1, (t.w + 2 * pad - k) / stride + 1);
}
static void transposed(maker *m) {
  int x = take(m, 4);
  if (x < 0 || m->v[x].h > 12) return;
  const tensor t = m->v[x];
  char dims[64];
  int o = 1 + below(m, 12);
  snprintf(dims, sizeof dims, "%d,%d,2,2", t.c, o);
  int w = constant(m, dims);
  say(m, "v%d = ConvTranspose(v%d, k%d) {strides=[2, 2]}\n", m->n, x, w);
  made(m, 4, o, t.h * 2, t.w * 2);
}
static void pool(maker *m) {
  int x = take(m, 4);
  if (x < 0) return;
  const tensor t = m->v[x];
  int kind = below(m, 3);
  if (kind == 2) {
    say(m, "v%d = GlobalAveragePool(v%d)\n", m->n, x);
    made(m, 4, t.c, 1, 1);
  } else if (t.h >= 2 && t.w >= 2) {
    say(m, "v%d = %s(v%d) {kernel_shape=[2, 2] strides=[2, 2]}\n", m->n, kind ? "MaxPool" : "AveragePool", x);
    made(m, 4, t.c, t.h / 2, t.w / 2);
  }
}
static void unary(maker *m) {
  static const char *const ops[] = {"Relu", "Sigmoid", "Tanh", "Neg", "Abs", "HardSwish", "Identity", "Softmax"};
  int x = take(m, -1);
  const tensor t = m->v[x];
  int op = below(m, 8);
  say(m, op == 7 ? "v%d = %s(v%d) {axis=1}\n" : "v%d = %s(v%d)\n", m->n, ops[op], x);
  made(m, t.rank, t.c, t.h, t.w);
}
static void binary(maker *m) {
  static const char *const ops[] = {"Add", "Mul", "Sub", "Max"};
  int x = take(m, -1), y = take(m, m->v[x].rank);
  const tensor t = m->v[x];
  const char *op = ops[below(m, 4)];
  if (y >= 0 && m->v[y].c == t.c && m->v[y].h == t.h && m->v[y].w == t.w && below(m, 4)) {
    say(m, "v%d = %s(v%d, v%d)\n", m->n, op, x, y);
  } else {
    char dims[64];
    snprintf(dims, sizeof dims, "%d%s", t.c, t.rank == 4 ? ",1,1" : t.rank == 3 ? ",1" : "");
    int k = constant(m, dims);
    say(m, "v%d = %s(v%d, k%d)\n", m->n, op, x, k);
  }
  made(m, t.rank, t.c, t.h, t.w);
}
static void concat(maker *m) {
  int x = take(m, -1), parts[4], n = 0, c = 0;
  const tensor t = m->v[x];
  for (int tries = 0; tries < 16 && n < 4; tries++) {
    int y = n ? take(m, t.rank) : x;
    if (y < 0 || m->v[y].h != t.h || m->v[y].w != t.w || (n && c + m->v[y].c > 96)) continue;
    parts[n++] = y;
    c += m->v[y].c;
  }
  say(m, "v%d = Concat(", m->n);
  for (int i = 0; i < n; i++) say(m, "%sv%d", i ? ", " : "", parts[i]);
  say(m, ") {axis=1}\n");
  made(m, t.rank, c, t.h, t.w);
}
static void split(maker *m) {
  int x = take(m, -1);
  const tensor t = m->v[x];
  if (t.c < 2 || m->n + 2 > MOST_VALUES) return;
  int a = 1 + below(m, t.c - 1), k = ints(m, 2, a, t.c - a, 0, 0);
  say(m, "@split%d v%d, v%d = Split(v%d, k%d) {axis=1}\n", m->n, m->n, m->n + 1, x, k);
  made(m, t.rank, a, t.h, t.w);
  made(m, t.rank, t.c - a, t.h, t.w);
}
static void slice(maker *m) {
  int x = take(m, -1);
  const tensor t = m->v[x];
  int axis = 1 + below(m, t.rank - 1), size = axis == 1 ? t.c : axis == 2 ? t.h : t.w;
  int from = below(m, size), to = from + 1 + below(m, size - from), step = below(m, 5) == 0 ? 2 : 1;
  int starts = ints(m, 1, from, 0, 0, 0), ends = ints(m, 1, to, 0, 0, 0), axes = ints(m, 1, axis, 0, 0, 0), steps = ints(m, 1, step, 0, 0, 0);
  say(m, "v%d = Slice(v%d, k%d, k%d, k%d, k%d)\n", m->n, x, starts, ends, axes, steps);
  size = (to - from + step - 1) / step;
  made(m, t.rank, axis == 1 ? size : t.c, axis == 2 ? size : t.h, axis == 3 ? size : t.w);
}
static void reshape(maker *m) {
  int x = take(m, -1);
  const tensor t = m->v[x];
  int kind = below(m, 3), shape;
  if (kind == 0) { /* (N, all) */
    say(m, "v%d = Flatten(v%d)\n", m->n, x);
    made(m, 2, t.c * t.h * t.w, 1, 1);
  } else if (kind == 1) { /* (N, c, h * w) */
    shape = ints(m, 3, 0, t.c, t.h * t.w, 0);
    say(m, "v%d = Reshape(v%d, k%d)\n", m->n, x, shape);
    made(m, 3, t.c, t.h * t.w, 1);
  } else if (t.c % 2 == 0) { /* (N, c/2, 2, h * w) */
    shape = ints(m, 4, 0, t.c / 2, 2, t.h * t.w);
    say(m, "v%d = Reshape(v%d, k%d)\n", m->n, x, shape);
    made(m, 4, t.c / 2, 2, t.h * t.w);
  }
}
static void transpose(maker *m) {
  int x = take(m, below(m, 2) ? 4 : 3);
  if (x < 0) return;
  const tensor t = m->v[x];
  if (t.rank == 3) {
    say(m, "v%d = Transpose(v%d) {perm=[0, 2, 1]}\n", m->n, x);
    made(m, 3, t.h, t.c, 1);
    return;
  }
  static const int perms[4][3] = {{2, 3, 1}, {3, 1, 2}, {2, 1, 3}, {1, 3, 2}};
  const int *p = perms[below(m, 4)], d[4] = {0, t.c, t.h, t.w};
  say(m, "v%d = Transpose(v%d) {perm=[0, %d, %d, %d]}\n", m->n, x, p[0], p[1], p[2]);
  made(m, 4, d[p[0]], d[p[1]], d[p[2]]);
}
static void product(maker *m) {
  int x = take(m, -1);
  const tensor t = m->v[x];
  int k = t.rank == 4 ? t.w : t.rank == 3 ? t.h : t.c, o = 1 + below(m, 24);
  if (k > 512) return;
  char dims[64];
  snprintf(dims, sizeof dims, "%d,%d", k, o);
  int w = constant(m, dims);
  say(m, "v%d = MatMul(v%d, k%d)\n", m->n, x, w);
  made(m, t.rank, t.rank == 2 ? o : t.c, t.rank == 3 ? o : t.h, t.rank == 4 ? o : t.w);
}
static void reduce(maker *m) {
  int x = take(m, -1);
  const tensor t = m->v[x];
  int axis = 1 + below(m, t.rank - 1), k = ints(m, 1, axis, 0, 0, 0);
  say(m, "v%d = %s(v%d, k%d)\n", m->n, below(m, 2) ? "ReduceMean" : "ReduceMax", x, k);
  made(m, t.rank, axis == 1 ? 1 : t.c, axis == 2 ? 1 : t.h, axis == 3 ? 1 : t.w);
}

static int generate(maker *m, uint64_t seed) { /* returns how many outputs */
  static void (*const makers[])(maker *) = {convolution, convolution, convolution, unary, unary, binary, binary, concat, concat, split,
                                            split, slice, reshape, transpose, product, pool, reduce, transposed};
  m->random = seed * 0x9e3779b97f4a7c15u + 1;
  m->length = 0, m->n = 0, m->constants = 0;
  for (int i = 0; i < 4; i++) below(m, 2);
  int c = 1 + below(m, 20), h = 2 + below(m, 12), w = 2 + below(m, 12);
  say(m, "network {\ninput v0: float32[N,%d,%d,%d]\n", c, h, w);
  made(m, 4, c, h, w);
  for (int i = 4 + below(m, 18); i > 0 && m->n + 2 < MOST_VALUES; i--) {
    makers[below(m, (int)(sizeof makers / sizeof *makers))](m);
    tensor *t = &m->v[m->n - 1];
    if (t->c * t->h * t->w > 20000) break;
  }
  int outputs = 0;
  for (int i = m->n - 1; i > 0 && outputs < MOST_OUTPUTS; i--)
    if (!m->v[i].used || below(m, 12) == 0) outputs++, say(m, "output v%d\n", i);
  if (!outputs) outputs++, say(m, "output v%d\n", m->n - 1);
  say(m, "}\n");
  return outputs;
}

typedef struct result { float *data[MOST_OUTPUTS]; size_t count[MOST_OUTPUTS]; } result;

#define MUST(call) \
  do { \
    ingot_status s_ = (call); \
    if (s_ != INGOT_OK) fail_msg("%s\n%s: %s", text, #call, ingot_last_error()); \
  } while (0)

static void run(const char *text, ingot_engine *engine, int threads, int batch, result *r) {
  ingot_context *context;
  ingot_io_info info;
  MUST(ingot_context_create(engine, &(ingot_context_options){.threads = threads}, &context));
  MUST(ingot_engine_io(engine, 0, &info));
  int64_t dims[4] = {batch, info.dims[1], info.dims[2], info.dims[3]};
  size_t n = (size_t)(dims[0] * dims[1] * dims[2] * dims[3]);
  float *x = malloc(n * sizeof *x);
  uint64_t random = 77;
  for (size_t i = 0; i < n; i++) x[i] = (float)testing_random(&random) * 2 - 1;
  MUST(ingot_context_set_input_shape(context, "v0", 4, dims));
  MUST(ingot_context_set_address(context, "v0", x));
  MUST(ingot_context_run(context));
  for (size_t i = 1; i < ingot_engine_num_io(engine); i++) {
    int rank;
    int64_t d[INGOT_MAX_RANK];
    MUST(ingot_engine_io(engine, i, &info));
    MUST(ingot_context_shape(context, info.name, &rank, d));
    size_t count = 1;
    for (int k = 0; k < rank; k++) count *= (size_t)d[k];
    r->count[i - 1] = count;
    r->data[i - 1] = malloc(count * sizeof(float) + 1);
    memcpy(r->data[i - 1], ingot_context_output(context, info.name), count * sizeof(float));
  }
  free(x);
  ingot_context_destroy(context);
}

static void compare(const char *text, const result *want, const result *got, int outputs, const char *how) {
  for (int o = 0; o < outputs; o++) {
    float largest = 0;
    if (want->count[o] != got->count[o]) fail_msg("%s\n%s: output %d has %zu elements, not %zu", text, how, o, got->count[o], want->count[o]);
    for (size_t i = 0; i < want->count[o]; i++) largest = fmaxf(largest, fabsf(want->data[o][i]));
    for (size_t i = 0; i < want->count[o]; i++)
      if (!testing_close((double)got->data[o][i], (double)want->data[o][i], 0, 1e-6 + 2e-4 * (double)largest))
        fail_msg("%s\n%s: output %d, element %zu is %g, not %g (largest %g)", text, how, o, i, (double)got->data[o][i], (double)want->data[o][i],
                 (double)largest);
  }
}

static void free_result(result *r, int outputs) {
  for (int i = 0; i < outputs; i++) free(r->data[i]);
}

static void one_network(uint64_t seed, char *text) {
  maker m = {.text = text};
  ingot__diag diag;
  ingot__network *network;
  ingot_engine *engine;
  ingot_config *config;
  result want, got;
  int outputs = generate(&m, seed);
  ingot__diag_init(&diag, NULL);
  if (ingot__network_parse(NULL, text, m.length, &diag, &network) != INGOT_OK || ingot__infer_network(network, &diag) != INGOT_OK)
    fail_msg("%s\n%s", text, diag.text);
  MUST(ingot_config_create(NULL, &config));
  MUST(ingot_config_set_budget(config, 0));
  MUST(ingot_config_set_threads(config, 1 + (int)(seed % 2)));
  int batch = 1 + (int)(seed % 3);
  ingot_io_info info;
  MUST(ingot_build_reference(network, config, &engine));
  run(text, engine, 1, batch, &want);
  MUST(ingot_engine_io(engine, 0, &info));
  ingot_engine_destroy(engine);
  if (seed % 4 == 3) { /* else any batch: dims stay symbols */
    const int64_t dims[4] = {batch, info.dims[1], info.dims[2], info.dims[3]};
    MUST(ingot_config_set_profile(config, "v0", 4, NULL, dims, NULL));
  }
  for (TESTING_EACH_ISA(isa)) {
    MUST(ingot_build(network, config, &engine));
    run(text, engine, 1 + (int)(seed / 2 % 2), batch, &got);
    compare(text, &want, &got, outputs, ingot__isa_name((ingot__isa)isa));
    free_result(&got, outputs);
    if ((seed + (uint64_t)isa) % 3 == 0) { /* and as a file */
      void *data;
      size_t size;
      ingot_engine *again;
      MUST(ingot_engine_serialize(engine, &data, &size));
      MUST(ingot_engine_load_memory(NULL, data, size, &again));
      ingot_blob_free(engine, data, size);
      run(text, again, 1, batch, &got);
      compare(text, &want, &got, outputs, "loaded");
      free_result(&got, outputs);
      ingot_engine_destroy(again);
    }
    ingot_engine_destroy(engine);
  }
  free_result(&want, outputs);
  ingot_config_destroy(config);
  ingot__network_free(network);
}

static void same_as_reference(void **state) {
  (void)state;
  const char *first = getenv("INGOT_TEST_SEED"), *count = getenv("INGOT_TEST_COUNT");
  char *text = malloc(MOST_TEXT);
  uint64_t from = first ? strtoull(first, NULL, 10) : 1, n = count ? strtoull(count, NULL, 10) : NETWORKS;
  for (uint64_t seed = from; seed < from + n; seed++) one_network(seed, text);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_reference)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
