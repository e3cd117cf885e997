/* The emulated driver keeps to CUDA's rules: streams run when they are waited for, graphs play again, wrong launches and images are
 * refused, memory ends, and calls fail when they are told to. */
#include "emulated_testing.h"

static const char *const text = "#include \"ingot.cuh\"\n"
                                "struct adding { int *to; int n; };\n"
                                "KERNEL(add, adding, 64, 1) { atomicAdd(p.to + threadIdx.x, p.n); }\n"
                                "struct big { int *to; int n[2000]; };\n"
                                "KERNEL(too_big, big, 64, 1) { *p.to = p.n[0]; }\n";
static void *module;
typedef struct adding { uint64_t to; int n; } adding;
static int first_of(uint64_t memory) {
  int x;
  OK(cuMemcpyDtoH_v2(&x, memory, sizeof x));
  return x;
}
static uint64_t zeros(void) {
  int zero[64] = {0};
  return gpu_new(sizeof zero, zero);
}

static void streams_are_waited_for(void **state) {
  (void)state;
  adding params = {zeros(), 3};
  void *stream, *other, *event;
  int got = -1, *pinned;
  OK(cuStreamCreate(&stream, 1));
  OK(cuStreamCreate(&other, 1));
  OK(cuEventCreate(&event, 0));
  OK(cuMemHostAlloc((void **)&pinned, 256, 1));
  *pinned = -1;
  OK(gpu_launch_in(module, "add", 1, 64, 0, 0, &params, stream));
  params.n = 100; /* the launch has its own copy */
  assert_int_equal(first_of(params.to), 0); /* the default stream doesn't wait for such ones */
  OK(cuMemcpyAsync((uintptr_t)pinned, params.to, 4, stream));
  assert_int_equal(*pinned, -1);
  OK(cuStreamSynchronize(stream));
  assert_int_equal(*pinned, 3);
  assert_int_equal(first_of(params.to), 3);
  OK(gpu_launch_in(module, "add", 1, 64, 0, 0, &params, stream));
  OK(cuMemcpyAsync((uintptr_t)&got, params.to, 4, stream)); /* memory that isn't pinned is there at once */
  assert_int_equal(got, 103);
  got = 7;
  OK(cuMemcpyAsync(params.to, (uintptr_t)&got, 4, stream)); /* and is taken at once */
  got = 8;
  OK(cuStreamSynchronize(stream));
  assert_int_equal(first_of(params.to), 7);
  *pinned = 9;
  OK(cuMemcpyAsync(params.to, (uintptr_t)pinned, 4, stream)); /* pinned memory isn't */
  *pinned = 10;
  OK(cuStreamSynchronize(stream));
  assert_int_equal(first_of(params.to), 10);
  /* Another stream's work, by an event. */
  OK(cuMemsetD8Async(params.to, 0, 256, stream));
  OK(gpu_launch_in(module, "add", 1, 64, 0, 0, &params, stream));
  OK(cuEventRecord(event, stream));
  OK(gpu_launch_in(module, "add", 1, 64, 0, 0, &params, stream));
  OK(cuStreamWaitEvent(other, event, 0));
  OK(cuMemcpyAsync((uintptr_t)pinned, params.to, 4, other));
  OK(cuStreamSynchronize(other));
  assert_int_equal(*pinned, 100); /* the second launch isn't needed for it */
  OK(cuStreamSynchronize(stream));
  assert_int_equal(first_of(params.to), 200);
  OK(cuEventDestroy_v2(event));
  OK(cuStreamDestroy_v2(stream));
  OK(cuStreamDestroy_v2(other));
  assert_int_equal(cuStreamSynchronize(other), 400);
  OK(cuMemFreeHost(pinned));
  OK(cuMemFree_v2(params.to));
}

static void events_have_times(void **state) {
  (void)state;
  adding params = {zeros(), 1};
  void *stream, *from, *to;
  float milliseconds = -1;
  OK(cuStreamCreate(&stream, 1));
  OK(cuEventCreate(&from, 0));
  OK(cuEventCreate(&to, 0));
  OK(cuEventRecord(from, stream));
  for (int i = 0; i < 100; i++) OK(gpu_launch_in(module, "add", 10, 64, 0, 0, &params, stream));
  OK(cuEventRecord(to, stream));
  assert_int_equal(cuEventElapsedTime(&milliseconds, from, to), 600);
  OK(cuEventSynchronize(to));
  OK(cuEventElapsedTime(&milliseconds, from, to));
  assert_true(milliseconds > 0 && milliseconds < 60000);
  OK(cuEventRecord(to, stream));
  assert_int_equal(cuEventQuery(to), 600);
  OK(cuEventQuery(to));
  assert_int_equal(first_of(params.to), 1000);
  OK(cuEventDestroy_v2(from));
  OK(cuEventDestroy_v2(to));
  OK(cuStreamDestroy_v2(stream));
  OK(cuMemFree_v2(params.to));
}

static void called(void *user) { ++*(int *)user; }
static void graphs_play_again(void **state) {
  (void)state;
  adding params = {zeros(), 5};
  void *stream, *other, *fork, *join, *graph, *exec;
  int calls = 0;
  OK(cuStreamCreate(&stream, 1));
  OK(cuStreamCreate(&other, 1));
  OK(cuEventCreate(&fork, 0));
  OK(cuEventCreate(&join, 0));
  OK(cuStreamBeginCapture_v2(stream, 2));
  OK(cuMemsetD8Async(params.to, 0, 256, stream));
  OK(cuEventRecord(fork, stream));
  OK(cuStreamWaitEvent(other, fork, 0)); /* the other's work becomes part of the graph */
  OK(gpu_launch_in(module, "add", 2, 64, 0, 0, &params, other));
  OK(cuEventRecord(join, other));
  OK(cuStreamWaitEvent(stream, join, 0));
  OK(gpu_launch_in(module, "add", 1, 64, 0, 0, &params, stream));
  OK(cuLaunchHostFunc(stream, called, &calls));
  assert_int_equal(cuStreamSynchronize(stream), 900);
  assert_int_equal(cuStreamEndCapture(other, &exec), 903);
  OK(cuStreamEndCapture(stream, &graph));
  assert_int_equal(cuStreamEndCapture(stream, &exec), 903);
  assert_null(exec);
  OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(cuGraphDestroy(graph));
  OK(cuGraphLaunch(exec, stream));
  OK(cuStreamSynchronize(stream));
  assert_int_equal(first_of(params.to), 15);
  assert_int_equal(calls, 1);
  OK(cuGraphExecDestroy(exec));
  OK(cuMemsetD8Async(params.to, 0, 256, NULL));
  calls = 0;
  OK(cuStreamBeginCapture_v2(stream, 0)); /* not relaxed */
  uint64_t memory;
  assert_int_equal(cuMemAlloc_v2(&memory, 16), 900);
  assert_int_equal(cuMemcpyDtoH_v2(&memory, params.to, 4), 906);
  OK(cuStreamEndCapture(stream, &graph));
  OK(cuGraphDestroy(graph));

  OK(cuStreamBeginCapture_v2(stream, 2));
  OK(gpu_launch_in(module, "add", 2, 64, 0, 0, &params, stream));
  OK(cuLaunchHostFunc(stream, called, &calls));
  OK(cuStreamEndCapture(stream, &graph));
  OK(cuStreamSynchronize(stream));
  assert_int_equal(first_of(params.to), 0);
  OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(cuGraphDestroy(graph));
  for (int i = 1; i < 4; i++) {
    OK(cuGraphLaunch(exec, stream));
    OK(cuStreamSynchronize(stream));
    assert_int_equal(first_of(params.to), 10 * i);
    assert_int_equal(calls, i);
  }
  OK(cuGraphExecDestroy(exec));
  OK(cuEventDestroy_v2(fork));
  OK(cuEventDestroy_v2(join));
  OK(cuStreamDestroy_v2(other));
  OK(cuStreamDestroy_v2(stream));
  OK(cuMemFree_v2(params.to));
}

static int launch(const char *name, unsigned x, unsigned y, unsigned threads, unsigned shared, bool allowed) {
  void *function;
  static int nothing[4096];
  void *list[] = {nothing};
  gpu_launch l = {{x, y, 1}, {threads, 1, 1}, shared, NULL, NULL, 0};
  OK(cuModuleGetFunction(&function, module, name));
  if (allowed) OK(cuFuncSetAttribute(function, 8, (int)shared));
  return cuLaunchKernelEx(&l, function, list, NULL);
}
static void wrong_launches_are_refused(void **state) {
  (void)state;
  void *function;
  int value;
  assert_int_equal(launch("add", 0, 1, 64, 0, false), 1);
  assert_int_equal(launch("add", 1, 65536, 64, 0, false), 1);
  assert_int_equal(launch("add", 1, 1, 0, 0, false), 1);
  assert_int_equal(launch("add", 1, 1, 2048, 0, false), 1);
  assert_int_equal(launch("add", 1, 1, 96, 0, false), 701); /* its launch bounds are 64 */
  assert_int_equal(launch("add", 1, 1, 64, (48 << 10) + 1, false), 1);
  assert_int_equal(launch("too_big", 1, 1, 64, 0, false), 1); /* parameters of 8 KB */
  OK(cuModuleGetFunction(&function, module, "add"));
  OK(cuFuncGetAttribute(&value, 0, function));
  assert_int_equal(value, 64);
  assert_int_equal(cuFuncSetAttribute(function, 8, (227 << 10) + 1), 1);
  OK(cuFuncSetAttribute(function, 8, 227 << 10));
  assert_int_equal(cuModuleGetFunction(&function, module, "none"), 500);
  assert_int_equal(cuModuleLoadData(&function, "not an image, but long enough to be looked at as one, which takes 64 bytes"), 200);
  OK(cuCtxSetCurrent(NULL));
  assert_int_equal(cuStreamSynchronize(NULL), 201);
  OK(cuCtxSetCurrent(gpu_context));
}

static void other_architectures_are_refused(void **state) {
  (void)state;
  static const struct { const char *code, *device; int error; } cases[] = {
    {"sm_80", "80", 0}, {"sm_80", "89", 0}, {"sm_89", "80", 209}, {"sm_80", "90", 209}, {"sm_90a", "90", 0}, {"sm_90a", "100", 209},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char *cubin = gpu_compile(text, cases[i].code, true);
    assert_non_null(cubin);
    void *loaded;
    setenv("INGOT_EMULATED_ARCH", cases[i].device, 1);
    int major, minor;
    OK(cuDeviceGetAttribute(&major, 75, 0));
    OK(cuDeviceGetAttribute(&minor, 76, 0));
    assert_int_equal(major * 10 + minor, atoi(cases[i].device));
    assert_int_equal(cuModuleLoadData(&loaded, cubin), cases[i].error);
    if (!cases[i].error) OK(cuModuleUnload(loaded));
    free(cubin);
  }
  unsetenv("INGOT_EMULATED_ARCH");
  assert_null(gpu_compile("KERNEL(", "sm_80", false));
}

static void memory_ends(void **state) {
  (void)state;
  size_t left, total;
  uint64_t p, q;
  int type = 0, on_host;
  setenv("INGOT_EMULATED_MEMORY", "1000000", 1);
  OK(cuMemGetInfo_v2(&left, &total));
  assert_int_equal(total, 1000000);
  assert_int_equal(left, total);
  OK(cuMemAlloc_v2(&p, 600000));
  assert_int_equal(p % 256, 0);
  assert_int_equal(cuMemAlloc_v2(&q, 600000), 2);
  OK(cuMemAlloc_v2(&q, 400000));
  OK(cuMemGetInfo_v2(&left, &total));
  assert_int_equal(left, 0);
  OK(cuPointerGetAttribute(&type, 2, p + 599999));
  assert_int_equal(type, 2);
  assert_int_equal(cuPointerGetAttribute(&type, 2, p + 600000), 1);
  assert_int_equal(cuPointerGetAttribute(&type, 2, (uintptr_t)&on_host), 1);
  assert_int_equal(cuMemcpyDtoH_v2(&on_host, p + 599997, 4), 1);
  assert_int_equal(first_of(p), -1); /* fresh memory: a NaN in every type */
  OK(cuMemFree_v2(p));
  assert_int_equal(cuMemFree_v2(p), 1);
  OK(cuMemFree_v2(q));
  unsetenv("INGOT_EMULATED_MEMORY");
}

static void calls_fail_as_told(void **state) {
  (void)state;
  uint64_t p;
  const char *words;
  setenv("INGOT_EMULATED_FAIL", "3", 1);
  OK(cuMemAlloc_v2(&p, 4));
  OK(cuMemsetD8Async(p, 1, 4, NULL));
  assert_int_equal(cuStreamSynchronize(NULL), 999);
  OK(cuStreamSynchronize(NULL));
  OK(cuMemFree_v2(p));
  OK(cuGetErrorString(999, &words));
  assert_string_equal(words, "unknown error");
  unsetenv("INGOT_EMULATED_FAIL");
}

static void leave_open(void *user) {
  (void)user;
  uint64_t p;
  if (cuMemAlloc_v2(&p, 4) || cuModuleUnload(module) || cuDevicePrimaryCtxRelease_v2(0)) return;
}
static void leaks_are_found(void **state) {
  (void)state;
  gpu_dies(leave_open, NULL, "closed with 1 allocations, 0 streams, 0 events, 0 graphs, 0 modules alive");
}

int main(void) {
  int skip = gpu_open();
  if (skip) return skip;
  module = gpu_load(text);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(streams_are_waited_for),
    cmocka_unit_test(events_have_times),
    cmocka_unit_test(graphs_play_again),
    cmocka_unit_test(wrong_launches_are_refused),
    cmocka_unit_test(other_architectures_are_refused),
    cmocka_unit_test(memory_ends),
    cmocka_unit_test(calls_fail_as_told),
    cmocka_unit_test(leaks_are_found),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  OK(cuModuleUnload(module));
  OK(cuDevicePrimaryCtxRelease_v2(0));
  return failed;
}
