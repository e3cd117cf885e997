/* For tests of the emulated GPU itself: the driver's functions by their names, code compiled out of a text, launches. */
#ifndef EMULATED_TESTING_H
#define EMULATED_TESTING_H
#include "testing.h"
#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

typedef struct gpu_launch { /* CUlaunchConfig */
  unsigned grid[3], block[3], shared;
  void *stream;
  const void *attributes;
  unsigned n_attributes;
} gpu_launch;
typedef struct gpu_attribute { int id, pad; union { char bytes[64]; unsigned dim[3]; int flag; } value; } gpu_attribute; /* CUlaunchAttribute */

#define GPU_FUNCTIONS(X) \
  X(cuInit, (unsigned)) X(cuDeviceGetCount, (int *)) X(cuDeviceGet, (int *, int)) X(cuDeviceGetAttribute, (int *, int, int)) \
  X(cuDevicePrimaryCtxRetain, (void **, int)) X(cuDevicePrimaryCtxRelease_v2, (int)) X(cuCtxSetCurrent, (void *)) \
  X(cuMemAlloc_v2, (uint64_t *, size_t)) X(cuMemFree_v2, (uint64_t)) X(cuMemGetInfo_v2, (size_t *, size_t *)) \
  X(cuMemHostAlloc, (void **, size_t, unsigned)) X(cuMemFreeHost, (void *)) X(cuMemcpyHtoD_v2, (uint64_t, const void *, size_t)) \
  X(cuMemcpyDtoH_v2, (void *, uint64_t, size_t)) X(cuMemcpyAsync, (uint64_t, uint64_t, size_t, void *)) \
  X(cuMemsetD8Async, (uint64_t, unsigned char, size_t, void *)) X(cuPointerGetAttribute, (void *, int, uint64_t)) \
  X(cuStreamCreate, (void **, unsigned)) X(cuStreamDestroy_v2, (void *)) X(cuStreamSynchronize, (void *)) \
  X(cuStreamWaitEvent, (void *, void *, unsigned)) X(cuStreamBeginCapture_v2, (void *, int)) X(cuStreamEndCapture, (void *, void **)) \
  X(cuGraphInstantiateWithFlags, (void **, void *, unsigned long long)) X(cuGraphLaunch, (void *, void *)) X(cuGraphDestroy, (void *)) \
  X(cuGraphExecDestroy, (void *)) X(cuEventCreate, (void **, unsigned)) X(cuEventDestroy_v2, (void *)) X(cuEventRecord, (void *, void *)) \
  X(cuEventSynchronize, (void *)) X(cuEventQuery, (void *)) X(cuEventElapsedTime, (float *, void *, void *)) \
  X(cuModuleLoadData, (void **, const void *)) X(cuModuleUnload, (void *)) X(cuModuleGetFunction, (void **, void *, const char *)) \
  X(cuFuncSetAttribute, (void *, int, int)) X(cuFuncGetAttribute, (int *, int, void *)) \
  X(cuLaunchKernelEx, (const gpu_launch *, void *, void **, void **)) X(cuGetErrorString, (int, const char **)) \
  X(cuLaunchHostFunc, (void *, void (*)(void *), void *)) \
  X(cuTensorMapEncodeTiled, (void *, int, uint32_t, void *, const uint64_t *, const uint64_t *, const uint32_t *, const uint32_t *, int, int, \
                             int, int)) \
  X(cuTensorMapEncodeIm2col, (void *, int, uint32_t, void *, const uint64_t *, const uint64_t *, const int *, const int *, uint32_t, uint32_t, \
                              const uint32_t *, int, int, int, int)) \
  X(nvrtcCreateProgram, (void **, const char *, const char *, int, const char *const *, const char *const *)) \
  X(nvrtcCompileProgram, (void *, int, const char *const *)) X(nvrtcGetCUBINSize, (void *, size_t *)) X(nvrtcGetCUBIN, (void *, char *)) \
  X(nvrtcGetProgramLogSize, (void *, size_t *)) X(nvrtcGetProgramLog, (void *, char *)) X(nvrtcDestroyProgram, (void **))
#define GPU_DECLARE(name, parameters) static int (*name) parameters;
GPU_FUNCTIONS(GPU_DECLARE)
#define OK(call) assert_int_equal((call), 0)

static void *gpu_context;
/* Opens the driver and a context; 77 (skipped) without a C++ compiler, or where the emulation wasn't built. */
static inline int gpu_open(void) {
#ifdef INGOT_EMULATED_DRIVER
  if (system("${CXX:-c++} --version > /dev/null 2>&1")) return 77;
  void *library = dlopen(INGOT_EMULATED_DRIVER, RTLD_NOW | RTLD_LOCAL);
  if (!library) fprintf(stderr, "%s\n", dlerror());
  assert_non_null(library);
#define GPU_FIND(name, parameters) name = (int (*) parameters)dlsym(library, #name); assert_non_null(name);
  GPU_FUNCTIONS(GPU_FIND)
  int device;
  OK(cuInit(0));
  OK(cuDeviceGet(&device, 0));
  OK(cuDevicePrimaryCtxRetain(&gpu_context, device));
  OK(cuCtxSetCurrent(gpu_context));
  return 0;
#else
  return 77;
#endif
}

/* Compiles; on success a cubin to be freed, else NULL and the log is printed when `loud`. */
static inline char *gpu_compile(const char *text, const char *arch, bool loud) {
  void *program;
  static const char *const names[] = {"ingot.cuh", "types.cuh", "warp.cuh", "act.cuh"};
  char *texts[4], *cubin = NULL;
  for (int i = 0; i < 4; i++) {
    char path[1024];
    snprintf(path, sizeof path, "%s/src/backend/cuda/kernels/%s", INGOT_SOURCE_DIR, names[i]);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    texts[i] = calloc(1, 1 << 16);
    assert_true(fread(texts[i], 1, (1 << 16) - 1, f) > 0);
    fclose(f);
  }
  char option[64];
  snprintf(option, sizeof option, "--gpu-architecture=%s", arch);
  const char *options[] = {option, "-std=c++17", "-DGIVEN=41"};
  OK(nvrtcCreateProgram(&program, text, "test.cu", 4, (const char *const *)texts, names));
  int error = nvrtcCompileProgram(program, 3, options);
  size_t size;
  if (!error) {
    OK(nvrtcGetCUBINSize(program, &size));
    cubin = malloc(size);
    OK(nvrtcGetCUBIN(program, cubin));
  } else {
    assert_int_equal(error, 6);
    OK(nvrtcGetProgramLogSize(program, &size));
    char *log = malloc(size);
    OK(nvrtcGetProgramLog(program, log));
    assert_true(strlen(log) == size - 1 && strstr(log, "test.cu"));
    if (loud) fprintf(stderr, "%s\n", log);
    free(log);
  }
  OK(nvrtcDestroyProgram(&program));
  for (int i = 0; i < 4; i++) free(texts[i]);
  return cubin;
}
static inline void *gpu_load(const char *text) {
  void *module;
  char *cubin = gpu_compile(text, "sm_90a", true);
  assert_non_null(cubin);
  OK(cuModuleLoadData(&module, cubin));
  free(cubin);
  return module;
}
static inline void *gpu_load_file(const char *name) {
  char path[1024], *text = calloc(1, 1 << 18);
  snprintf(path, sizeof path, "%s/tests/cuda/%s", INGOT_SOURCE_DIR, name);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
  fclose(f);
  void *module = gpu_load(text);
  free(text);
  return module;
}

static inline uint64_t gpu_new(size_t size, const void *from) {
  uint64_t p;
  OK(cuMemAlloc_v2(&p, size));
  if (from) OK(cuMemcpyHtoD_v2(p, from, size));
  return p;
}
/* Launches by name in the default stream; cluster 0: none. */
static inline int gpu_launch_in(void *module, const char *name, unsigned blocks, unsigned threads, unsigned shared, unsigned cluster,
                                const void *params, void *stream) {
  void *function, *list[] = {(void *)params};
  gpu_attribute attribute = {.id = 4, .value.dim = {cluster, 1, 1}};
  gpu_launch launch = {{blocks, 1, 1}, {threads, 1, 1}, shared, stream, &attribute, cluster ? 1 : 0};
  OK(cuModuleGetFunction(&function, module, name));
  if (shared > 48 << 10) OK(cuFuncSetAttribute(function, 8, (int)shared));
  return cuLaunchKernelEx(&launch, function, list, NULL);
}
static inline void gpu_run(void *module, const char *name, unsigned blocks, unsigned threads, unsigned shared, const void *params) {
  OK(gpu_launch_in(module, name, blocks, threads, shared, 0, params, NULL));
  OK(cuStreamSynchronize(NULL));
}

/* What function(user) writes to stderr before the signal that must end it; it runs in a child. ThreadSanitizer would end it first, for what is
 * said in the signal's handler takes memory. */
static inline void gpu_dies(void (*function)(void *), void *user, const char *words) {
#ifdef __SANITIZE_THREAD__
  (void)function, (void)user, (void)words;
  skip();
#endif
  int pipes[2], status;
  char text[16384] = "";
  assert_int_equal(pipe(pipes), 0);
  pid_t child = fork();
  if (!child) {
    dup2(pipes[1], 2);
    close(pipes[0]), close(pipes[1]);
    signal(SIGSEGV, SIG_DFL); /* not cmocka's */
    cuInit(0);                /* the driver's */
    alarm(60);
    function(user);
    _exit(0);
  }
  close(pipes[1]);
  size_t n = 0;
  for (ssize_t got; n < sizeof text - 1 && (got = read(pipes[0], text + n, sizeof text - 1 - n)) > 0;) n += (size_t)got;
  close(pipes[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  if (!WIFSIGNALED(status) || !strstr(text, words)) fail_msg("status %x, expected \"%s\" in: %s", (unsigned)status, words, text);
}
#endif
