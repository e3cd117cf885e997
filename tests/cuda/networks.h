/* Small networks that between them use most of what a device's engine can be made of, and their runs through the public calls, compared with the
 * CPU's reference engine. For the tests on emulated and real GPUs. */
#ifndef INGOT_TESTS_CUDA_NETWORKS_H
#define INGOT_TESTS_CUDA_NETWORKS_H
#include "testing_gpu.h"
#include "testing_networks.h"
#include <pthread.h>

typedef struct device_network {
  const char *name, *text;
  int rank;              /* of input x, whose symbols are from `least` to `most`, tuned for `best`; 0: all dims are fixed */
  int64_t least[4], best[4], most[4];
  double looser;         /* times the tolerance that is usual; 0: 1 */
  bool float32_alone;    /* what it chooses by comparing isn't the same in halves */
} device_network;

static const device_network device_networks[] = {
  {.name = "convolutions", .text = TESTING_IMAGE_NETWORK, .rank = 4, .least = {1, 3, 2, 2}, .best = {1, 3, 12, 10}, .most = {1, 3, 24, 20}},
  {.name = "u-net", .rank = 4, .least = {1, 1, 16, 8}, .best = {2, 1, 16, 8}, .most = {2, 1, 16, 16}, .text =
   "network {\ninput x: float32[N,1,16,W]\n"
   "const w1: float32[8,1,3,3] = random(1)\nconst b1: float32[8] = random(2)\nconst w2: float32[16,8,3,3] = random(3)\n"
   "const b2: float32[16] = random(4)\nconst t: float32[16,8,2,2] = random(5)\nconst w3: float32[8,16,3,3] = random(6)\n"
   "const w4: float32[2,8,1,1] = random(7)\nconst k: float32[] = {0.1}\n"
   "a0 = Conv(x, w1, b1) {pads=[1,1,1,1]}\na = Relu(a0)\np = MaxPool(a) {kernel_shape=[2,2] strides=[2,2]}\n"
   "b0 = Conv(p, w2, b2) {pads=[1,1,1,1]}\nbk = Mul(b0, k)\nb = LeakyRelu(bk) {alpha=0.1}\n"
   "u = ConvTranspose(b, t) {strides=[2,2]}\ns = Concat(a, u) {axis=1}\nc0 = Conv(s, w3) {pads=[1,1,1,1]}\nck = Mul(c0, k)\nc = Sigmoid(ck)\n"
   "y = Conv(c, w4)\noutput y\n}\n"},
  {.name = "constants added, and a bias that is computed", .text =
   "network {\ninput x: float32[1,8,9,7]\nconst w: float32[16,8,3,3] = random(1)\nconst k: float32[1,16,9,7] = random(2)\n"
   "const d: float32[16,1,3,3] = random(3)\nconst p: float32[4,16,1,1] = random(4)\nconst l: float32[1,4,9,7] = random(5)\n"
   "const axes: int64[3] = {0,2,3}\na = Conv(x, w) {pads=[1,1,1,1]}\nb = Add(a, k)\nm = ReduceMean(b, axes) {keepdims=0}\n"
   "c = Conv(b, d, m) {pads=[1,1,1,1] group=16}\ne = Conv(c, p)\ny = Add(l, e)\noutput y\n}\n"},
  {.name = "transformer", .rank = 3, .least = {1, 1, 32}, .best = {1, 9, 32}, .most = {3, 20, 32}, .text =
   "network {\ninput x: float32[N,L,32]\n"
   "const g: float32[32] = random(1)\nconst d: float32[32] = random(2)\nconst wq: float32[32,32] = random(3)\n"
   "const wk: float32[32,32] = random(4)\nconst wv: float32[32,32] = random(5)\nconst wo: float32[32,32] = random(6)\n"
   "const f1: float32[32,64] = random(7)\nconst c1: float32[64] = random(8)\nconst f2: float32[64,32] = random(9)\n"
   "const s: float32[] = {0.05}\nconst heads: int64[4] = {0,0,2,16}\nconst flat: int64[3] = {0,0,32}\n"
   "n1 = LayerNormalization(x, g, d)\nq0 = MatMul(n1, wq)\nk0 = MatMul(n1, wk)\nv0 = MatMul(n1, wv)\n"
   "q1 = Reshape(q0, heads)\nk1 = Reshape(k0, heads)\nv1 = Reshape(v0, heads)\n"
   "q = Transpose(q1) {perm=[0,2,1,3]}\nk = Transpose(k1) {perm=[0,2,3,1]}\nv = Transpose(v1) {perm=[0,2,1,3]}\n"
   "a0 = MatMul(q, k)\na1 = Mul(a0, s)\na = Softmax(a1) {axis=-1}\no0 = MatMul(a, v)\no1 = Transpose(o0) {perm=[0,2,1,3]}\n"
   "o2 = Reshape(o1, flat)\no3 = MatMul(o2, wo)\no4 = Mul(o3, s)\nr = Add(x, o4)\n"
   "h0 = MatMul(r, f1)\nh1 = Add(h0, c1)\nh = Gelu(h1)\nz0 = MatMul(h, f2)\ny = Add(z0, r)\noutput y\n}\n"},
  {.name = "recurrent", .looser = 2, .text =
   "network {\ninput x: float32[5,2,12]\n"
   "const w: float32[1,64,12] = random(1)\nconst r: float32[1,64,16] = random(2)\nconst b: float32[1,128] = random(3)\n"
   "const w2: float32[1,24,16] = random(4)\nconst r2: float32[1,24,8] = random(5)\nconst one: int64[1] = {1}\n"
   "s, h, c = LSTM(x, w, r, b) {hidden_size=16}\nt = Squeeze(s, one)\ny, z = GRU(t, w2, r2) {hidden_size=8}\noutput y\noutput z\noutput c\n}\n"},
  {.name = "branches and loops", .text =
   "network {\ninput x: float32[1,4,6,6]\n"
   "const w: float32[4,4,3,3] = random(1)\nconst zero: float32[] = {0}\nconst trips: int64[] = {3}\nconst k: float32[] = {0.2}\n"
   "a = Conv(x, w) {pads=[1,1,1,1]}\nsum = ReduceSum(x) {keepdims=0}\ngo = Greater(sum, zero)\n"
   "i = If(go) {then_branch={\n t = Relu(a)\n u = Conv(t, w) {pads=[1,1,1,1]}\n v = Mul(u, k)\n output v\n}\n"
   "else_branch={\n t2 = Neg(a)\n output t2\n}}\n"
   "l, all = Loop(trips, _, i) {body={\n input n: int64[]\n input on: bool[]\n input s: float32[1,4,6,6]\n"
   " m0 = Conv(s, w) {pads=[1,1,1,1]}\n m1 = Mul(m0, k)\n m = Tanh(m1)\n e = ReduceMax(m) {keepdims=0}\n output on\n output m\n output e\n}}\n"
   "y = Add(l, a)\noutput y\noutput all\n}\n"},
  {.name = "an outer value handed on", .text =
   "network {\ninput x: float32[1,4,6,6]\nconst w: float32[4,4,1,1] = random(1)\nconst zero: float32[] = {0}\n"
   "a = Conv(x, w)\nsum = ReduceSum(x) {keepdims=0}\ngo = Greater(sum, zero)\n"
   "i = If(go) {then_branch={\n o = Identity(a)\n output o\n}\nelse_branch={\n t = Neg(a)\n output t\n}}\ny = Sigmoid(i)\noutput y\n}\n"},
  {.name = "sizes that depend on data", .float32_alone = true, .text =
   "network {\ninput x: float32[1,6,40]\n"
   "const w: float32[40,40] = random(1)\nconst first: int64[1] = {0}\nconst four: int64[1] = {4}\nconst five: int64[1] = {5}\n"
   "const one: int64[1] = {1}\nconst most: int64[] = {5}\nconst overlap: float32[] = {0.4}\nconst score: float32[] = {0.45}\n"
   "const order: int64[] = {2}\n"
   "m = MatMul(x, w)\nf = Sigmoid(m)\nboxes0 = Slice(f, first, four, one)\nboxes = Transpose(boxes0) {perm=[0,2,1]}\n"
   "scores = Slice(f, four, five, one)\n"
   "chosen = NonMaxSuppression(boxes, scores, most, overlap, score)\nwhich = Gather(chosen, order) {axis=1}\n"
   "y = Gather(boxes, which) {axis=1}\nn = Greater(m, overlap)\nz = NonZero(n)\noutput y\noutput z\n}\n"},
  {.name = "operators of the host", .text =
   "network {\ninput x: float32[1,8,9,7]\n"
   "const w: float32[8,8,1,1] = random(1)\nconst k: float32[] = {3}\nconst flat: int64[1] = {-1}\nconst shape: int64[4] = {1,8,9,7}\n"
   "a = Conv(x, w)\nq, f, z = DynamicQuantizeLinear(a)\nd = DequantizeLinear(q, f, z)\nr = Relu(d)\n"
   "m = Mul(a, k)\no = Round(m)\nu, e, inverse, n = Unique(o)\nv = Gather(u, inverse) {axis=0}\nb = Reshape(v, shape)\ny = Add(b, r)\noutput y\n}\n",
   .looser = 20},
};
enum { DEVICE_NETWORKS = sizeof device_networks / sizeof device_networks[0] };

/* device: "cuda", or NULL for the reference engine of the CPU; budget: of seconds for timing. */
static inline ingot_status device_network_build(const ingot_env *env, const device_network *n, const char *device, unsigned precision, double budget,
                                                ingot_engine **engine) {
  ingot__network *network = NULL;
  ingot_config *config = NULL;
  ingot_status status = ingot__network_parse(env, n->text, strlen(n->text), NULL, &network);
  if (status == INGOT_OK) status = ingot_config_create(env, &config);
  if (status == INGOT_OK && n->rank) status = ingot_config_set_profile(config, "x", n->rank, n->least, n->best, n->most);
  if (status == INGOT_OK) status = ingot_config_set_budget(config, budget);
  if (status == INGOT_OK) status = ingot_config_set_threads(config, 2);
  if (status == INGOT_OK && device) status = ingot_config_set_device(config, device);
  if (status == INGOT_OK && device) status = ingot_config_set_precision(config, precision);
  if (status == INGOT_OK) status = device ? ingot_build(network, config, engine) : ingot_build_reference(network, config, engine);
  if (config) ingot_config_destroy(config);
  if (network) ingot__network_free(network);
  return status;
}

/* A build that is listened to. */
typedef struct device_build {
  unsigned precision;
  const char *cache;         /* of timings; NULL: none */
  bool verify;
  double fp16_error;         /* of ingot_config_set_fp16_error; < 0: not set */
  ingot_log_fn listen;
  ingot_progress_fn progress;
  void *user;                /* of both */
  int64_t batch;             /* dim 0 of input x, whose others are 3, 48 and 48; 0: the network says it */
} device_build;
static inline ingot_status device_text_build(const char *text, const device_build *how, ingot_engine **engine) {
  ingot_env env = {.log = how->listen, .log_user = how->user, .log_level = INGOT_LOG_INFO};
  ingot__network *network;
  ingot_config *config;
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  if (ingot__network_parse(&env, text, strlen(text), &diag, &network) != INGOT_OK) fail_msg("%s", diag.text);
  assert_int_equal(ingot_config_create(&env, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_budget(config, 0), INGOT_OK);
  assert_int_equal(ingot_config_set_threads(config, 1), INGOT_OK);
  assert_int_equal(ingot_config_set_device(config, "cuda"), INGOT_OK);
  assert_int_equal(ingot_config_set_precision(config, how->precision), INGOT_OK);
  assert_int_equal(ingot_config_set_verify(config, how->verify), INGOT_OK);
  assert_int_equal(ingot_config_set_timing_cache(config, how->cache), INGOT_OK);
  assert_int_equal(ingot_config_set_progress(config, how->progress, how->user), INGOT_OK);
  const int64_t shape[] = {how->batch, 3, 48, 48};
  if (how->batch) assert_int_equal(ingot_config_set_profile(config, "x", 4, shape, shape, shape), INGOT_OK);
  if (how->fp16_error >= 0) assert_int_equal(ingot_config_set_fp16_error(config, how->fp16_error), INGOT_OK);
  ingot_status status = ingot_build(network, config, engine);
  ingot_config_destroy(config);
  ingot__network_free(network);
  return status;
}

/* Through bytes, as a file would be. */
static inline ingot_status device_network_reload(const ingot_env *env, ingot_engine **engine) {
  void *data = NULL;
  size_t size = 0;
  ingot_engine *loaded = NULL;
  ingot_status status = ingot_engine_serialize(*engine, &data, &size);
  if (status == INGOT_OK) {
    status = ingot_engine_load_memory(env, data, size, &loaded);
    ingot_blob_free(*engine, data, size);
  }
  ingot_engine_destroy(*engine);
  *engine = loaded;
  return status;
}

/* Random numbers in [-1, 1) for input x; which of the network's three shapes: seed % 3. From malloc. */
static inline float *device_network_input(ingot_engine *engine, const device_network *n, uint64_t seed, ingot_io_info *io) {
  const int64_t *dims = seed % 3 == 1 ? n->best : seed % 3 == 2 ? n->most : n->least;
  size_t count = 1;
  if (ingot_engine_io(engine, 0, io) != INGOT_OK) return NULL;
  for (int d = 0; d < io->rank; d++) {
    if (io->dims[d] < 0) io->dims[d] = dims[d];
    count *= (size_t)io->dims[d];
  }
  float *x = malloc(count * sizeof *x);
  uint64_t random = seed * 0x9e3779b97f4a7c15u + 1;
  for (size_t i = 0; x && i < count; i++) x[i] = (float)(testing_random(&random) * 2 - 1);
  return x;
}

static inline ingot_status device_network_run(ingot_engine *engine, ingot_context *context, const device_network *n, uint64_t seed) {
  ingot_io_info io;
  float *x = device_network_input(engine, n, seed, &io);
  if (!x) return INGOT_E_MEMORY;
  ingot_status status = ingot_context_set_input_shape(context, "x", io.rank, io.dims);
  if (status == INGOT_OK) status = ingot_context_set_address(context, "x", x);
  if (status == INGOT_OK) status = ingot_context_run(context);
  free(x);
  return status;
}

/* Whether all outputs of the two contexts' last runs agree, to `tolerance` of the largest magnitude. */
static inline bool device_network_same(ingot_engine *engine, ingot_context *got, ingot_context *want, double tolerance, char *words, size_t size) {
  for (size_t i = 0; i < ingot_engine_num_io(engine); i++) {
    ingot_io_info io;
    int rank[2];
    int64_t dim[2][INGOT_MAX_RANK], count = 1;
    if (ingot_engine_io(engine, i, &io) != INGOT_OK || io.is_input) continue;
    ingot_context *const contexts[2] = {got, want};
    for (int k = 0; k < 2; k++)
      if (ingot_context_shape(contexts[k], io.name, &rank[k], dim[k]) != INGOT_OK) return snprintf(words, size, "%s", ingot_last_error()), false;
    for (int d = 0; d < rank[0] && rank[0] == rank[1]; d++) {
      if (dim[0][d] != dim[1][d])
        return snprintf(words, size, "%s: dim %d is %lld, not %lld", io.name, d, (long long)dim[0][d], (long long)dim[1][d]), false;
      count *= dim[0][d];
    }
    if (rank[0] != rank[1]) return snprintf(words, size, "%s: rank %d, not %d", io.name, rank[0], rank[1]), false;
    const void *a = ingot_context_output(got, io.name), *b = ingot_context_output(want, io.name);
    double most = 0;
    for (int64_t k = 0; k < count; k++) most = fmax(most, fabs(ingot__get_double(io.dtype, b, (size_t)k)));
    for (int64_t k = 0; k < count; k++) {
      double x = ingot__get_double(io.dtype, a, (size_t)k), y = ingot__get_double(io.dtype, b, (size_t)k);
      if (testing_close(x, y, 0, ingot__dtype_is_float(io.dtype) ? tolerance * most : 0)) continue;
      snprintf(words, size, "%s: element %lld of %lld is %.8g, not %.8g (largest %.3g)", io.name, (long long)k, (long long)count, x, y, most);
      return false;
    }
  }
  return true;
}

/* Runs of an engine beside the reference engine's, as a thread does them. */
typedef struct device_network_job {
  const device_network *network;
  ingot_engine *engine, *truth;
  double tolerance;
  uint64_t seed;
  int inputs;                /* for each of the three shapes in turn: later runs are played from recordings */
  char words[400];           /* what was wrong */
} device_network_job;

/* Each of them in a context of its own. Its parameter is as pthread_create wants it: a device_network_job. */
static inline void *device_network_work(void *user) {
  device_network_job *j = user;
  ingot_context *got = NULL, *want = NULL;
  if (ingot_context_create(j->engine, NULL, &got) != INGOT_OK || ingot_context_create(j->truth, NULL, &want) != INGOT_OK)
    snprintf(j->words, sizeof j->words, "%s", ingot_last_error());
  for (int i = 0; i < 3 * j->inputs && !*j->words; i++) {
    uint64_t seed = j->seed + (uint64_t)(i / j->inputs + i % j->inputs * 3); /* the same shape, other numbers */
    if (device_network_run(j->truth, want, j->network, seed) != INGOT_OK || device_network_run(j->engine, got, j->network, seed) != INGOT_OK)
      snprintf(j->words, sizeof j->words, "run %d: %s", i, ingot_last_error());
    else device_network_same(j->engine, got, want, j->tolerance, j->words, sizeof j->words);
  }
  if (got) ingot_context_destroy(got);
  if (want) ingot_context_destroy(want);
  return NULL;
}

/* On several threads at once; fails with what was wrong on one. */
static inline void device_network_on_threads(const device_network_job *job) {
  enum { THREADS = 4 };
  device_network_job j[THREADS];
  pthread_t thread[THREADS];
  for (int t = 0; t < THREADS; t++) {
    j[t] = *job;
    j[t].seed = (uint64_t)t * 7;
    assert_int_equal(pthread_create(&thread[t], NULL, device_network_work, &j[t]), 0);
  }
  for (int t = 0; t < THREADS; t++) pthread_join(thread[t], NULL);
  for (int t = 0; t < THREADS; t++)
    if (*j[t].words) fail_msg("%s on thread %d: %s", job->network->name, t, j[t].words);
}
#endif
