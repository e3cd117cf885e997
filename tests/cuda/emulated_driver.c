/* An emulated CUDA driver, to test the backend without a GPU: INGOT_CUDA_DRIVER=libcuda_emulated.so INGOT_NVRTC=the same file.
 *
 * One device, "Emulated GPU". Its "cubins" are shared objects that the same sources become as C++ (emulated_nvrtc.c), launches run their
 * threads as fibers (emulated_machine.c). Environment, for tests:
 *   INGOT_EMULATED_ARCH=90      its compute capability; 0: there is no device
 *   INGOT_EMULATED_DEVICES=1    how many of it there are, up to 8, as far as can be seen: they share their memory
 *   INGOT_EMULATED_MEMORY=N     its memory in bytes
 *   INGOT_EMULATED_FAIL=N       the N-th call from when it was set fails (those that release or only look don't count)
 *   INGOT_EMULATED_EAGER=1      work runs when it is put into a stream; otherwise when somebody waits for it, so that missing waits show
 *   INGOT_EMULATED_ORDER=backwards   blocks, warps and lanes take turns from the last to the first: missing barriers show one way or the other
 *   INGOT_EMULATED_OPEN=1       host code may touch device memory
 *   INGOT_EMULATED_LEAKS=0      a context may be closed with its memory, streams, events or modules alive
 * This file: initialisation, devices, contexts, memory, errors. */
#include "emulated_driver.h"
#include "emulated_memory.h"
#include "emulated_tensor.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool initialized;
static int retained;           /* of the devices' contexts, together */
enum { MOST_DEVICES = 8 };
static char contexts[MOST_DEVICES]; /* the address of each is its context */
static _Thread_local void *current, *pushed[16];
static _Thread_local int n_pushed;

/* ---- Entering, and failing on purpose. */
static char failing[32];       /* INGOT_EMULATED_FAIL as last seen */
static long calls, fail_at;
static bool made_to_fail(void) {
  const char *text = getenv("INGOT_EMULATED_FAIL");
  if (!text) text = "";
  if (strncmp(text, failing, sizeof failing - 1)) {
    snprintf(failing, sizeof failing, "%s", text);
    calls = 0;
    fail_at = strtol(failing, NULL, 10);
  }
  return ++calls == fail_at;
}
API long emulated_calls(void) { return calls; } /* since INGOT_EMULATED_FAIL was set */
int emulated_enter(int how) {
  pthread_mutex_lock(&lock);
  int error = CUDA_OK;
  if (!(how & BEFORE_INIT) && !initialized) error = CUDA_NOT_INITIALIZED;
  else if (how & CONTEXT && !(current && retained)) error = CUDA_INVALID_CONTEXT;
  else if (!(how & RELEASE) && made_to_fail()) error = CUDA_UNKNOWN;
  if (error) pthread_mutex_unlock(&lock);
  return error;
}
int emulated_leave(int error) {
  pthread_mutex_unlock(&lock);
  return error;
}

/* ---- Faults: what touched what, and then the end: at once for a kernel's, else as without us. */
static struct sigaction before_us;
static void fault(int signal, siginfo_t *info, void *context) {
  char where[512] = "emulated GPU: host code: ", what[256];
  bool in_kernel = emulated_where(where, sizeof where);
  if (signal != SIGSEGV) { /* only caught while kernels run */
    const char *words = signal == SIGFPE ? "divides by zero" : "an address isn't aligned for its type, or an index or a shift is too large";
    fprintf(stderr, "%s%s\n", where, words);
    abort();
  }
  const char *place = emulated_memory_describe(info->si_addr, what, sizeof what);
  if (in_kernel || place) {
    fprintf(stderr, "%stouches %p: %s\n", where, info->si_addr, place ? place : "not device memory (or the thread's stack is used up)");
    if (in_kernel) abort();
  }
  if (before_us.sa_flags & SA_SIGINFO && before_us.sa_sigaction) before_us.sa_sigaction(signal, info, context);
  else sigaction(signal, &before_us, NULL); /* the instruction faults again */
}
static const int signals[CAUGHT] = {SIGSEGV, SIGILL, SIGFPE};
void emulated_catch_faults(struct sigaction old[CAUGHT]) {
  struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  for (int i = 0; i < CAUGHT; i++) sigaction(signals[i], &action, &old[i]);
}
void emulated_leave_faults(const struct sigaction old[CAUGHT]) {
  for (int i = 0; i < CAUGHT; i++) sigaction(signals[i], &old[i], NULL);
}

API int cuInit(unsigned flags) {
  ENTER(BEFORE_INIT);
  if (flags) return emulated_leave(CUDA_INVALID_VALUE);
  if (emulated_arch() == 0) return emulated_leave(100); /* no device */
  struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK}, old;
  sigaction(SIGSEGV, &action, &old);
  if (!(old.sa_flags & SA_SIGINFO) || old.sa_sigaction != fault) before_us = old;
  initialized = true;
  return emulated_leave(CUDA_OK);
}
API int cuDriverGetVersion(int *version) {
  *version = 13000;
  return CUDA_OK;
}

/* ---- Devices. */
int emulated_arch(void) {
  const char *text = getenv("INGOT_EMULATED_ARCH");
  return text && *text ? atoi(text) : 90;
}
static int devices(void) {
  const char *text = getenv("INGOT_EMULATED_DEVICES");
  int n = text ? atoi(text) : 1;
  return n < 1 ? 1 : n > MOST_DEVICES ? MOST_DEVICES : n;
}
static bool is_device(int device) { return device >= 0 && device < devices(); }
API int cuDeviceGetCount(int *count) {
  ENTER(PLAIN);
  *count = devices();
  return emulated_leave(CUDA_OK);
}
API int cuDeviceGet(int *device, int index) {
  ENTER(PLAIN);
  *device = index;
  return emulated_leave(is_device(index) ? CUDA_OK : CUDA_INVALID_DEVICE);
}
API int cuDeviceGetName(char *name, int size, int device) {
  ENTER(PLAIN);
  snprintf(name, (size_t)size, "Emulated GPU");
  return emulated_leave(is_device(device) ? CUDA_OK : CUDA_INVALID_DEVICE);
}
API int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  ENTER(PLAIN);
  *bytes = emulated_memory_total();
  return emulated_leave(is_device(device) ? CUDA_OK : CUDA_INVALID_DEVICE);
}
API int cuDeviceGetAttribute(int *value, int attribute, int device) {
  static const struct { int id, value; } values[] = {
    {1, 1024}, {2, 1024}, {3, 1024}, {4, 64},           /* threads of a block, along x, y, z */
    {5, 2147483647}, {6, 65535}, {7, 65535},            /* blocks along x, y, z */
    {8, SHARED_DEFAULT}, {10, 32}, {12, 65536},         /* shared memory of a block; warp; registers of a block */
    {13, 1000000}, {16, MULTIPROCESSORS}, {36, 1000000}, {37, 1024}, /* kHz; multiprocessors; memory: kHz, bits */
    {38, 4 << 20}, {39, 2048}, {41, 1}, {81, 233472},   /* L2; threads of a multiprocessor; unified addresses; its shared memory */
    {82, 65536}, {97, SHARED_MOST}, {106, 32}, {111, 1024}, {120, 1}, /* registers; opt-in; blocks; reserved shared memory; clusters */
  };
  ENTER(PLAIN);
  if (!is_device(device)) return emulated_leave(CUDA_INVALID_DEVICE);
  if (attribute == 75 || attribute == 76) {
    *value = attribute == 75 ? emulated_arch() / 10 : emulated_arch() % 10;
    return emulated_leave(CUDA_OK);
  }
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    if (values[i].id != attribute) continue;
    *value = values[i].value;
    return emulated_leave(CUDA_OK);
  }
  return emulated_leave(CUDA_INVALID_VALUE);
}

/* ---- Contexts. */
API int cuDevicePrimaryCtxRetain(void **context, int device) {
  ENTER(PLAIN);
  if (!is_device(device)) return emulated_leave(CUDA_INVALID_DEVICE);
  retained++;
  *context = &contexts[device];
  return emulated_leave(CUDA_OK);
}
API int cuDevicePrimaryCtxRelease_v2(int device) {
  ENTER(RELEASE);
  if (!is_device(device) || !retained) return emulated_leave(CUDA_INVALID_VALUE);
  const char *ignore = getenv("INGOT_EMULATED_LEAKS");
  if (--retained == 0 && !(ignore && *ignore == '0')) {
    emulated_run_streams(false);
    size_t n = emulated_memory_count();
    if (n || emulated_live_streams || emulated_live_events || emulated_live_graphs || emulated_live_modules) {
      fprintf(stderr, "emulated GPU: the context is closed with %zu allocations, %d streams, %d events, %d graphs, %d modules alive\n", n,
              emulated_live_streams, emulated_live_events, emulated_live_graphs, emulated_live_modules);
      abort();
    }
  }
  return emulated_leave(CUDA_OK);
}
static bool is_context(const void *context) {
  return !context || ((const char *)context >= contexts && (const char *)context < contexts + MOST_DEVICES);
}
API int cuCtxSetCurrent(void *context) {
  ENTER(PLAIN);
  if (!is_context(context)) return emulated_leave(CUDA_INVALID_CONTEXT);
  current = context;
  return emulated_leave(CUDA_OK);
}
API int cuCtxGetCurrent(void **context) {
  ENTER(RELEASE);
  *context = current;
  return emulated_leave(CUDA_OK);
}
API int cuCtxPushCurrent_v2(void *context) {
  ENTER(PLAIN);
  if (!is_context(context) || n_pushed == 16) return emulated_leave(CUDA_INVALID_CONTEXT);
  pushed[n_pushed++] = current;
  current = context;
  return emulated_leave(CUDA_OK);
}
API int cuCtxPopCurrent_v2(void **context) {
  ENTER(RELEASE);
  if (!n_pushed) return emulated_leave(CUDA_INVALID_CONTEXT);
  if (context) *context = current;
  current = pushed[--n_pushed];
  return emulated_leave(CUDA_OK);
}
API int cuCtxGetDevice(int *device) {
  ENTER(CONTEXT | RELEASE);
  *device = (int)((char *)current - contexts);
  return emulated_leave(CUDA_OK);
}

/* ---- Memory. */
API int cuMemAlloc_v2(uint64_t *memory, size_t size) {
  ENTER(CONTEXT);
  if (!size) return emulated_leave(CUDA_INVALID_VALUE);
  if (emulated_capturing) return emulated_leave(CUDA_CAPTURE_UNSUPPORTED);
  void *p = emulated_memory_take(size);
  *memory = (uintptr_t)p;
  return emulated_leave(p ? CUDA_OK : CUDA_OUT_OF_MEMORY);
}
API int cuMemFree_v2(uint64_t memory) {
  ENTER(CONTEXT | RELEASE);
  emulated_run_streams(false); /* it waits for the device */
  return emulated_leave(!memory || emulated_memory_give((void *)(uintptr_t)memory) ? CUDA_OK : CUDA_INVALID_VALUE);
}
API int cuMemGetInfo_v2(size_t *left, size_t *total) {
  ENTER(CONTEXT);
  *total = emulated_memory_total();
  *left = *total > emulated_memory_used() ? *total - emulated_memory_used() : 0;
  return emulated_leave(CUDA_OK);
}
typedef struct pinned { struct pinned *next; void *memory; size_t size; } pinned;
static pinned *pins;
bool emulated_is_pinned(const void *memory, size_t size) {
  for (const pinned *p = pins; p; p = p->next)
    if ((const char *)memory >= (char *)p->memory && (const char *)memory + size <= (char *)p->memory + p->size) return true;
  return false;
}
API int cuMemHostAlloc(void **memory, size_t size, unsigned flags) {
  ENTER(CONTEXT);
  pinned *p = size && flags < 8 ? malloc(sizeof *p) : NULL;
  if (!p) return emulated_leave(CUDA_INVALID_VALUE);
  *p = (pinned){pins, aligned_alloc(4096, (size + 4095) / 4096 * 4096), size};
  if (!p->memory) {
    free(p);
    return emulated_leave(CUDA_OUT_OF_MEMORY);
  }
  memset(p->memory, 0xff, size);
  pins = p;
  *memory = p->memory;
  return emulated_leave(CUDA_OK);
}
API int cuMemFreeHost(void *memory) {
  ENTER(CONTEXT | RELEASE);
  emulated_run_streams(false);
  for (pinned **at = &pins; *at; at = &(*at)->next) {
    pinned *p = *at;
    if (p->memory != memory) continue;
    *at = p->next;
    free(p->memory);
    free(p);
    return emulated_leave(CUDA_OK);
  }
  return emulated_leave(CUDA_INVALID_VALUE);
}
API int cuPointerGetAttribute(void *value, int attribute, uint64_t memory) {
  const void *p = (const void *)(uintptr_t)memory;
  ENTER(CONTEXT);
  bool device = emulated_memory_holds(p, 1) == 1, host = emulated_is_pinned(p, 1);
  if (!device && !host) return emulated_leave(CUDA_INVALID_VALUE);
  if (attribute == 1) *(void **)value = &contexts[0];            /* context */
  else if (attribute == 2) *(int *)value = device ? 2 : 1;      /* type: of the device, of the host */
  else if (attribute == 3 || (attribute == 4 && host)) *(uint64_t *)value = memory; /* its address there; on the host */
  else if (attribute == 8) *(unsigned *)value = 0;              /* managed */
  else if (attribute == 9) *(int *)value = 0;                   /* number of the device */
  else return emulated_leave(CUDA_INVALID_VALUE);
  return emulated_leave(CUDA_OK);
}

/* ---- Errors. */
static const struct { int error; const char *name, *text; } errors[] = {
  {CUDA_OK, "CUDA_SUCCESS", "no error"},
  {CUDA_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
  {CUDA_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
  {CUDA_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
  {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
  {CUDA_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
  {CUDA_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
  {CUDA_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
  {CUDA_NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
  {CUDA_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
  {CUDA_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
  {CUDA_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
  {CUDA_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
  {CUDA_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
  {CUDA_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
  {CUDA_CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "the capture was not initiated in this stream"},
  {CUDA_CAPTURE_UNJOINED, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
  {CUDA_CAPTURE_IMPLICIT, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"},
  {CUDA_INVALID_CLUSTER, "CUDA_ERROR_INVALID_CLUSTER_SIZE", "invalid cluster size"},
  {CUDA_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};
API int cuGetErrorString(int error, const char **text) {
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (errors[i].error == error) return *text = errors[i].text, CUDA_OK;
  return *text = NULL, CUDA_INVALID_VALUE;
}
API int cuGetErrorName(int error, const char **text) {
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (errors[i].error == error) return *text = errors[i].name, CUDA_OK;
  return *text = NULL, CUDA_INVALID_VALUE;
}
