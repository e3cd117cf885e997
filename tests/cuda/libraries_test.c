/* Engines whose products and convolutions are cuBLASLt's and cuDNN's: run on several threads and out of recordings, for shapes that vary; loaded
 * where the library is missing, with and without NVRTC; the libraries' errors; what the timing cache and the choice of tactics make of them. On the
 * emulated GPU with emulated libraries, or with INGOT_TEST_GPU=1 on the real ones. Networks are built by the cost model, and their kernels exchanged
 * in memory: those that are there read the same packed weights. What must not have the library is run by this program anew, with the name of a part.
 * INGOT_TEST_ON_GPU INGOT_TEST_SECONDS 300 */
#include "networks.h"
#include "backend/backend.h"
#include "engine/engine.h"
#include <dlfcn.h>

static const device_network networks[] = {
  {.name = "perceptron", .rank = 2, .least = {1, 24}, .best = {16, 24}, .most = {50, 24}, .text =
   "network {\ninput x: float32[N,24]\nconst w1: float32[24,40] = random(1)\nconst b1: float32[40] = random(2)\n"
   "const w2: float32[40,24] = random(3)\nconst b2: float32[24] = random(4)\n"
   "first = MatMul(x, w1)\nh1 = Add(first, b1)\nh = Relu(h1)\nsecond = MatMul(h, w2)\ns = Add(second, b2)\ny = Add(s, x)\noutput y\n}\n"},
  {.name = "points", .rank = 4, .least = {1, 64, 3, 3}, .best = {2, 64, 16, 15}, .most = {3, 64, 17, 16}, .text =
   "network {\ninput x: float32[N,64,H,W]\nconst w1: float32[128,64,1,1] = random(1)\nconst b1: float32[128] = random(2)\n"
   "const w2: float32[64,128,1,1] = random(3)\na = Conv(x, w1, b1)\nh = Relu(a)\nsecond = Conv(h, w2)\ny = Add(second, x)\noutput y\n}\n"},
  {.name = "images", .looser = 300, .rank = 4, .least = {1, 32, 3, 3}, .best = {2, 32, 16, 15}, .most = {3, 32, 17, 16}, .text =
   "network {\ninput x: float32[N,32,H,W]\nconst w1: float32[64,32,3,3] = random(1)\nconst b1: float32[64] = random(2)\n"
   "const w2: float32[32,64,3,3] = random(3)\nconst b2: float32[32] = random(4)\na = Conv(x, w1, b1) {pads=[1,1,1,1]}\nh = Relu(a)\n"
   "second = Conv(h, w2, b2) {pads=[1,1,1,1]}\ns = Add(second, x)\ny = Relu(s)\noutput y\n}\n"},
};
enum { NETWORKS = sizeof networks / sizeof networks[0], IMAGES = 2 };
static const char *const kernels[NETWORKS] = {"cuda_cublaslt_matmul_f32", "cuda_cublaslt_conv_f32", "cuda_cudnn_conv_tf32"};
static const char *const libraries[NETWORKS] = {"cuBLASLt", "cuBLASLt", "cuDNN"};
static const char *const variables[NETWORKS] = {"INGOT_CUBLASLT", "INGOT_CUBLASLT", "INGOT_CUDNN"};

static char heard[4000]; /* warnings */
static void hear(void *user, ingot_severity severity, const char *text) {
  (void)user, (void)severity;
  strncat(heard, text, sizeof heard - strlen(heard) - 1);
}
static const ingot_env listening = {.log = hear, .log_level = INGOT_LOG_WARNING};

static bool has_library[NETWORKS];

/* An engine all of whose products or convolutions are the library's. */
static ingot_engine *build(const device_network *n) {
  ingot_engine *e = NULL, *loaded = NULL;
  void *data;
  size_t size, changed = 0;
  const unsigned precision = n == &networks[IMAGES] ? INGOT_PRECISION_TF32 : 0;
  if (device_network_build(NULL, n, "cuda", precision, 0, &e) != INGOT_OK) fail_msg("%s: %s", n->name, ingot_last_error());
  ingot__step before[64];
  assert_true(e->network->n_node <= 64);
  memcpy(before, e->step, e->network->n_node * sizeof *before);
  for (size_t i = 0; i < e->network->n_node; i++) {
    const ingot__node *node = e->network->node[i];
    ingot__step *step = &e->step[i];
    if (!node || (node->op != INGOT__OP_MatMul && node->op != INGOT__OP_Conv)) continue;
    const ingot__kernel *k = e->backend->find(kernels[n - networks]);
    assert_string_equal(step->kernel->functions->pack_format, k->functions->pack_format);
    step->kernel = k;
    step->code = NULL, step->code_size = 0, step->n_other = 0;
    changed++;
  }
  assert_int_equal(changed, 2);
  assert_int_equal(ingot_engine_serialize(e, &data, &size), INGOT_OK);
  memcpy(e->step, before, e->network->n_node * sizeof *before);
  if (ingot_engine_load_memory(NULL, data, size, &loaded) != INGOT_OK) fail_msg("%s: %s", n->name, ingot_last_error());
  ingot_blob_free(e, data, size);
  ingot_engine_destroy(e);
  return loaded;
}

static ingot_engine *truth_of(const device_network *n) {
  ingot_engine *truth = NULL;
  if (device_network_build(NULL, n, NULL, 0, 0, &truth) != INGOT_OK) fail_msg("%s: %s", n->name, ingot_last_error());
  return truth;
}

static device_network_job job_of(const device_network *n, ingot_engine *engine, ingot_engine *truth) {
  return (device_network_job){.network = n, .engine = engine, .truth = truth, .inputs = 3, .tolerance = 1e-5 * (n->looser ? n->looser : 1)};
}

static void check(const device_network *n, ingot_engine *engine) {
  device_network_job j = job_of(n, engine, truth_of(n));
  device_network_work(&j);
  if (*j.words) fail_msg("%s: %s", n->name, j.words);
  ingot_engine_destroy(j.truth);
}

static void threads(void **state) {
  (void)state;
  for (size_t i = 0; i < NETWORKS; i++) {
    if (!has_library[i]) continue;
    const device_network_job j = job_of(&networks[i], build(&networks[i]), truth_of(&networks[i]));
    device_network_on_threads(&j);
    ingot_engine_destroy(j.engine);
    ingot_engine_destroy(j.truth);
  }
}

/* Each device has a handle and plans of its own. */
static void two_devices(void **state) {
  (void)state;
  if (ingot_device_count("cuda") < 2) skip();
  for (size_t i = 0; i < NETWORKS; i++) {
    ingot_engine *first = build(&networks[i]), *second = NULL;
    void *data;
    size_t size;
    assert_int_equal(ingot_engine_serialize(first, &data, &size), INGOT_OK);
    if (ingot_engine_load_memory_on(NULL, data, size, "cuda:1", &second) != INGOT_OK) fail_msg("%s", ingot_last_error());
    ingot_blob_free(first, data, size);
    check(&networks[i], first);
    check(&networks[i], second);
    ingot_engine_destroy(second);
    check(&networks[i], first);
    ingot_engine_destroy(first);
  }
}

/* ---- Without the library */

static const char *engine_path(size_t i) {
  static char path[200];
  const char *folder = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/ingot_libraries_%ld_%zu.ingot", folder && *folder ? folder : "/tmp", (long)getpid(), i);
  return path;
}

/* Runs a part of this program where the environment is as `settings` says. */
static void elsewhere(const char *settings, const char *part, const char *path, size_t network) {
  char command[4096], self[2048];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0);
  self[n] = '\0';
  snprintf(command, sizeof command, "env %s '%s' %s '%s' %zu", settings, self, part, path, network);
  assert_int_equal(system(command), 0);
}

static void save(ingot_engine *e, const char *path) {
  if (ingot_engine_save(e, path) != INGOT_OK) fail_msg("%s", ingot_last_error());
}

static void missing(void **state) {
  (void)state;
  for (size_t i = 0; i < NETWORKS; i++) {
    char settings[200];
    if (!has_library[i]) continue;
    ingot_engine *e = build(&networks[i]);
    const char *path = engine_path(i);
    save(e, path);
    ingot_engine_destroy(e);
    static const char *const ways[] = {"none", "", "/nowhere/library.so"};
    for (size_t k = 0; k < sizeof ways / sizeof ways[0]; k++) {
      snprintf(settings, sizeof settings, "%s=%s", variables[i], ways[k]);
      elsewhere(settings, "replaced", path, i);
    }
    snprintf(settings, sizeof settings, "%s=none INGOT_TEST_NO_NVRTC=1", variables[i]);
    elsewhere(settings, "refused", path, i);
    if (!testing_real_gpu())
      elsewhere("INGOT_EMULATED_CUBLASLT_FAIL=cublasLtCreate:1 INGOT_EMULATED_CUDNN_FAIL=cudnnCreate:1001", "replaced", path, i);
    unlink(path);
  }
}

/* By kernels of ours, in this process. */
static int replaced(const char *path, const device_network *n) {
  ingot_engine *e = NULL;
  if (ingot_engine_load(&listening, path, &e) != INGOT_OK) return fprintf(stderr, "%s\n", ingot_last_error()), 1;
  char said[100];
  snprintf(said, sizeof said, "built with %s, which isn't here", libraries[n - networks]);
  if (!strstr(heard, said) || !strstr(heard, "the place of 2 of its kernels") || strstr(heard, "this is"))
    return fprintf(stderr, "heard: %s\n", heard), 1;
  for (size_t i = 0; i < e->network->n_node; i++)
    if (e->network->node[i] && e->step[i].kernel && e->step[i].kernel->functions->library) return fprintf(stderr, "a kernel is the library's\n"), 1;
  device_network_job j = job_of(n, e, NULL);
  if (device_network_build(NULL, n, NULL, 0, 0, &j.truth) != INGOT_OK) return 1;
  device_network_work(&j);
  if (*j.words) fprintf(stderr, "%s\n", j.words);
  ingot_engine_destroy(j.truth);
  ingot_engine_destroy(e);
  return *j.words != 0;
}

/* Nor can kernels be compiled. */
static int refused(const char *path, const device_network *n) {
  ingot_engine *e = NULL;
  char said[200];
  snprintf(said, sizeof said, "was built for kernel %s of %s, which isn't here (%s turns it off)", kernels[n - networks], libraries[n - networks],
           variables[n - networks]);
  if (ingot_engine_load(&listening, path, &e) == INGOT_OK) return fprintf(stderr, "was loaded\n"), 1;
  const char *words = ingot_last_error();
  if (strstr(words, said) && strstr(words, "NVRTC")) return 0;
  return fprintf(stderr, "%s\n", words), 1;
}

/* ---- Errors */

static void failing_calls(void **state) {
  (void)state;
  if (testing_real_gpu()) skip();
  const device_network *n = &networks[0];
  ingot_engine *e = build(n);
  ingot_context *context = NULL;
  assert_int_equal(ingot_context_create(e, NULL, &context), INGOT_OK);
  setenv("INGOT_EMULATED_CUBLASLT_FAIL", "cublasLtMatmul:13", 1);
  assert_int_equal(device_network_run(e, context, n, 0), INGOT_E_DEVICE);
  if (!strstr(ingot_last_error(), " (MatMul): cuBLASLt 130000: ")) fail_msg("%s", ingot_last_error());
  assert_non_null(strstr(ingot_last_error(), "cublasLtMatmul: the function failed to launch on the GPU (status 13)"));
  setenv("INGOT_EMULATED_CUBLASLT_FAIL", "cublasLtMatmul:3", 1);
  assert_int_equal(device_network_run(e, context, n, 0), INGOT_E_MEMORY);
  setenv("INGOT_EMULATED_CUBLASLT_FAIL", "", 1);
  assert_int_equal(device_network_run(e, context, n, 0), INGOT_OK); /* what was begun to be recorded is over */
  ingot_context_destroy(context);
  check(n, e);
  ingot_engine_destroy(e);
  setenv("INGOT_EMULATED_CUBLASLT_FAIL", "cublasLtMatmulAlgoGetHeuristic:15", 1); /* also while it is built: what it says is remembered */
  e = build(n);
  assert_int_equal(ingot_context_create(e, NULL, &context), INGOT_OK);
  assert_int_equal(device_network_run(e, context, n, 0), INGOT_E_UNSUPPORTED);
  assert_non_null(strstr(ingot_last_error(), "cuBLASLt has nothing for these shapes"));
  setenv("INGOT_EMULATED_CUBLASLT_FAIL", "", 1);
  ingot_context_destroy(context);
  ingot_engine_destroy(e);
}

static void failing_graphs(void **state) {
  (void)state;
  static const char *const calls[] = {"cudnnBackendExecute", "cudnnBackendCreateDescriptor", "cudnnBackendSetAttribute", "cudnnBackendFinalize"};
  if (testing_real_gpu()) skip();
  const device_network *n = &networks[IMAGES];
  ingot_engine *e = build(n);
  ingot_context *context = NULL;
  assert_int_equal(ingot_context_create(e, NULL, &context), INGOT_OK);
  assert_int_equal(device_network_run(e, context, n, 1), INGOT_OK);
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    char fail[100], said[100];
    snprintf(fail, sizeof fail, "%s:5000", calls[i]);
    snprintf(said, sizeof said, "cuDNN 90000: %s: CUDNN_STATUS_EXECUTION_FAILED (status 5000)", calls[i]);
    setenv("INGOT_EMULATED_CUDNN_FAIL", fail, 1);
    assert_int_equal(device_network_run(e, context, n, 1), INGOT_E_DEVICE);
    if (!strstr(ingot_last_error(), said) || !strstr(ingot_last_error(), "(Conv)")) fail_msg("%s", ingot_last_error());
  }
  setenv("INGOT_EMULATED_CUDNN_FAIL", "", 1);
  assert_int_equal(device_network_run(e, context, n, 1), INGOT_OK);
  ingot_context_destroy(context);
  check(n, e);
  ingot_engine_destroy(e);
}

/* ---- Building with times: the emulated library is tens of times as fast as an emulated kernel, whose tiles aren't full. */

static ingot_engine *build_timed(const char *cache, unsigned tactics) {
  static const char text[] = "network {\ninput x: float32[33,9]\nconst w: float32[9,33] = random(1)\ny = MatMul(x, w)\noutput y\n}\n";
  ingot__network *network;
  ingot_config *config;
  ingot_engine *e = NULL;
  assert_int_equal(ingot__network_parse(NULL, text, sizeof text - 1, NULL, &network), INGOT_OK);
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_budget(config, 100), INGOT_OK);
  assert_int_equal(ingot_config_set_timing_cache(config, cache), INGOT_OK);
  assert_int_equal(ingot_config_set_device(config, "cuda"), INGOT_OK);
  assert_int_equal(ingot_config_set_precision(config, 0), INGOT_OK);
  assert_int_equal(ingot_config_set_tactic_sources(config, tactics), INGOT_OK);
  assert_int_not_equal(ingot_config_set_tactic_sources(config, 1u << 20), INGOT_OK);
  if (ingot_build(network, config, &e) != INGOT_OK) fail_msg("%s", ingot_last_error());
  ingot_config_destroy(config);
  ingot__network_free(network);
  return e;
}

static int number_after(const char *json, const char *key) {
  const char *at = strstr(json, key);
  if (!at) fail_msg("no %s in %s", key, json);
  return atoi(at + strlen(key));
}

static const ingot__step *product_of(const ingot_engine *e) {
  for (size_t i = 0; i < e->network->n_node; i++)
    if (e->network->node[i] && e->network->node[i]->op == INGOT__OP_MatMul) return &e->step[i];
  return NULL;
}

/* Loads and runs the engine of build_timed. */
static int run_timed(const char *path) {
  static float x[33 * 9];
  ingot_engine *e = NULL;
  ingot_context *context = NULL;
  if (ingot_engine_load(&listening, path, &e) != INGOT_OK) return fprintf(stderr, "%s\n", ingot_last_error()), 1;
  int failed = ingot_context_create(e, NULL, &context) != INGOT_OK || ingot_context_set_address(context, "x", x) != INGOT_OK ||
               ingot_context_run(context) != INGOT_OK;
  if (failed) fprintf(stderr, "%s\n", ingot_last_error());
  if (context) ingot_context_destroy(context);
  ingot_engine_destroy(e);
  return failed;
}

/* The code of the one beside it is in the file: nothing is compiled. */
static int stood_in(const char *path) { return run_timed(path) || !strstr(heard, "built with cuBLASLt, which isn't here"); }

static void timed(void **state) {
  (void)state;
  if (testing_real_gpu()) skip();
  const char *path = engine_path(0);
  char cache[250];
  snprintf(cache, sizeof cache, "%s.cache", path);
  ingot_engine *e = build_timed(cache, INGOT_TACTIC_CUBLAS_LT);
  const ingot__step *step = product_of(e);
  assert_string_equal(step->kernel->name, "cuda_cublaslt_matmul_f32");
  assert_int_equal(step->n_other, 1); /* one of ours beside it, and its code */
  assert_null(step->other[0].kernel->functions->library);
  assert_true(step->other[0].code_size > 0 && step->other[0].packed == step->packed);
  assert_non_null(strstr(ingot_engine_report(e), "cuda_cublaslt_matmul_f32"));
  const int all = number_after(ingot_engine_report(e), "\"timed\":");
  assert_true(all > 1);
  char *json;
  size_t size;
  assert_int_equal(ingot_engine_inspect(e, &json, &size), INGOT_OK);
  assert_true(strstr(json, "\"cuda_cublaslt_matmul_f32\"") && strstr(json, "\"stand_in\""));
  ingot_blob_free(e, json, size);
  save(e, path);
  ingot_engine_destroy(e);
  elsewhere("INGOT_CUBLASLT=none INGOT_TEST_NO_NVRTC=1", "stood_in", path, 0);
  setenv("INGOT_EMULATED_CUBLASLT_FAIL", "cublasLtMatmulAlgoGetHeuristic:15", 1); /* it has nothing for the shape: the one beside it runs */
  assert_int_equal(run_timed(path), 0);
  setenv("INGOT_EMULATED_CUBLASLT_FAIL", "cublasLtMatmul:13", 1); /* that is an error */
  assert_int_equal(run_timed(path), 1);
  setenv("INGOT_EMULATED_CUBLASLT_FAIL", "", 1);
  unlink(path);

  e = build_timed(cache, INGOT_TACTIC_CUBLAS_LT);
  assert_int_equal(number_after(ingot_engine_report(e), "\"timed\":"), 0);
  assert_int_equal(number_after(ingot_engine_report(e), "\"from_cache\":"), all);
  ingot_engine_destroy(e);
  setenv("INGOT_EMULATED_CUBLASLT_VERSION", "130100", 1);
  e = build_timed(cache, INGOT_TACTIC_CUBLAS_LT);
  assert_int_equal(number_after(ingot_engine_report(e), "\"timed\":"), 1); /* the library's alone */
  assert_int_equal(number_after(ingot_engine_report(e), "\"from_cache\":"), all - 1);
  ingot_engine_destroy(e);
  e = build_timed(cache, 0);
  assert_null(strstr(ingot_engine_report(e), "cublaslt"));
  assert_null(product_of(e)->kernel->functions->library);
  ingot_engine_destroy(e);
  unlink(cache);
}

int main(int argc, char **argv) {
  if (getenv("INGOT_TEST_NO_NVRTC")) setenv("INGOT_CACHE", "", 1);
  if (!testing_gpu()) return 77;
  setenv("INGOT_EMULATED_DEVICES", "2", 1);
  if (getenv("INGOT_TEST_NO_NVRTC")) setenv("INGOT_NVRTC", "/nowhere/libnvrtc.so", 1);
  if (argc == 4) {
    const device_network *n = &networks[atoi(argv[3])];
    return !strcmp(argv[1], "replaced") ? replaced(argv[2], n) : !strcmp(argv[1], "refused") ? refused(argv[2], n) : stood_in(argv[2]);
  }
  ingot_device *device;
  if (ingot_device_create(NULL, "cuda", &device) != INGOT_OK) return fprintf(stderr, "%s\n", ingot_last_error()), 1;
  bool any = false;
  for (size_t i = 0; i < NETWORKS; i++) any |= has_library[i] = ingot__cuda_backend.available(ingot__cuda_backend.find(kernels[i]));
  ingot_device_destroy(device);
  if (!any) return fprintf(stderr, "skipped: neither cuBLASLt nor cuDNN is here\n"), 77;
  const struct CMUnitTest tests[] = {cmocka_unit_test(threads), cmocka_unit_test(two_devices), cmocka_unit_test(missing),
                                     cmocka_unit_test(failing_calls), cmocka_unit_test(failing_graphs), cmocka_unit_test(timed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
