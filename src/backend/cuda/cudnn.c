/* Convolutions by cuDNN: the library, a handle for each device, plans for the convolutions that it has met, which live as long as the device is open,
 * for recorded work may need what is theirs. An engine keeps nothing of the library's. */
#include "backend/cuda/cudnn.h"
#include "backend/cuda/device.h"
#include "backend/cuda/vendor.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MOST_WORKSPACE ((size_t)64 << 20) /* bytes */

static ingot__cudnn_functions dnn;
static ingot__vendor vendor;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* cuDNN ends the process where it wants cuBLASLt, of its version of CUDA, and doesn't find it by its name: it does once the library is open, from
 * wherever. INGOT_CUBLASLT may turn off our own use of it, not this. */
static bool has_cublaslt(void *library, size_t cuda) {
  const char *path = getenv("INGOT_CUBLASLT");
  const bool off = path && (!*path || !strcmp(path, "none"));
  char name[40];
  snprintf(name, sizeof name, "libcublasLt.so.%zu", cuda);
  if (dlsym(library, "cublasLtGetVersion") || dlopen(name, RTLD_NOW | RTLD_LOCAL)) return true; /* the first: an emulated one, of both */
  const char *const names[] = {name, NULL};
  const ingot__search search = {.variable = off ? "" : "INGOT_CUBLASLT", .names = names, .wheel = "cublas"};
  return ingot__search_open(&search) && dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

static void open_library(void) {
  static const char *const names[] = {"libcudnn.so.9", NULL};
  static const ingot__search search = {.variable = "INGOT_CUDNN", .names = names, .wheel = "cudnn"};
  void *library = ingot__vendor_open(&vendor, &search);
  if (!library) return;
#define INGOT_CUDNN(result, name, parameters) \
  dnn.name = (result (*) parameters)ingot__search_symbol(library, #name, vendor.problem, sizeof vendor.problem);
#include "backend/cuda/cudnn.def"
#undef INGOT_CUDNN
  if (*vendor.problem) return;
  const size_t cuda = dnn.cudnnGetCudartVersion();
  if (!ingot__vendor_suits_driver(&vendor, cuda)) return;
  vendor.there = has_cublaslt(library, cuda / 1000);
  if (!vendor.there) snprintf(vendor.problem, sizeof vendor.problem, "it needs libcublasLt.so.%zu, which isn't found", cuda / 1000);
}

typedef struct ingot__cudnn_state {
  cudnn_handle handle;         /* NULL: it couldn't be made */
  pthread_mutex_t lock;        /* of the handle, whose stream is set for each call, and of the plans */
  ingot__cudnn_plan *plans;
} state;

static state *state_of(ingot__device *device) {
  pthread_mutex_lock(&device->lock);
  state *s = device->cudnn;
  if (!s && (s = ingot__calloc(&device->heap, 1, sizeof *s))) {
    pthread_mutex_init(&s->lock, NULL);
    if (ingot__cuda_enter(device, NULL) != INGOT_OK || dnn.cudnnCreate(&s->handle)) s->handle = NULL;
    device->cudnn = s;
  }
  pthread_mutex_unlock(&device->lock);
  return s;
}

void ingot__cudnn_leave(ingot__device *device) {
  state *s = device->cudnn;
  if (!s) return;
  const bool entered = ingot__cuda_enter(device, NULL) == INGOT_OK;
  for (ingot__cudnn_plan *p = s->plans, *next; p; p = next) {
    next = p->next;
    if (entered) ingot__cudnn_plan_free(&dnn, p);
    ingot__free(&device->heap, p, sizeof *p);
  }
  if (s->handle && entered) dnn.cudnnDestroy(s->handle);
  pthread_mutex_destroy(&s->lock);
  ingot__free(&device->heap, s, sizeof *s);
  device->cudnn = NULL;
}

static bool works(ingot__device *device) {
  const state *s = state_of(device);
  return s && s->handle;
}

static size_t version(const char **why) {
  pthread_once(&once, open_library);
  return ingot__vendor_version(&vendor, works, dnn.cudnnGetVersion, why);
}
const ingot__library ingot__cudnn = {.name = "cuDNN", .source = INGOT_TACTIC_CUDNN, .version = version};

static ingot_status failed(ingot__diag *diag, const ingot__node *node, const char *function, int status) {
  const char *words = dnn.cudnnGetErrorString(status);
  return INGOT__FAIL_NODE(diag, status == CUDNN_NO_MEMORY ? INGOT_E_MEMORY : INGOT_E_DEVICE, node, "cuDNN %zu: %s: %s (status %d)",
                          dnn.cudnnGetVersion(), function, words ? words : "unknown error", status);
}

/* The plan of a convolution, made when it is first asked for; under the state's lock. What the library doesn't support has a plan that is none. */
static ingot_status plan_for(ingot__device *device, state *s, const ingot__cudnn_conv *conv, ingot__diag *diag, const ingot__node *node,
                             const ingot__cudnn_plan **out) {
  const uint64_t hash = XXH3_64bits(conv, sizeof *conv);
  for (const ingot__cudnn_plan *p = s->plans; p; p = p->next)
    if (p->hash == hash && !memcmp(&p->of, conv, sizeof *conv)) return *out = p, INGOT_OK;
  ingot__cudnn_plan *made = ingot__calloc(&device->heap, 1, sizeof *made);
  if (!made) return ingot__no_memory(diag);
  const char *function = "";
  ingot_status status = ingot__cuda_enter(device, diag);
  int error = 0;
  memcpy(&made->of, conv, sizeof *conv);
  made->hash = hash;
  if (status == INGOT_OK) error = ingot__cudnn_plan_make(&dnn, s->handle, MOST_WORKSPACE, made, &function);
  const bool unsupported = error >= CUDNN_NOT_SUPPORTED && error < CUDNN_NOT_SUPPORTED + 1000;
  if (unsupported) ingot__cudnn_plan_free(&dnn, made);
  if (status == INGOT_OK && error && !unsupported) status = failed(diag, node, function, error);
  if (status != INGOT_OK) {
    ingot__cudnn_plan_free(&dnn, made);
    ingot__free(&device->heap, made, sizeof *made);
    return status;
  }
  made->next = s->plans;
  s->plans = made;
  *out = made;
  return INGOT_OK;
}

static bool empty(const ingot__cudnn_conv *c) { return !c->out_dim[0] || !c->out_dim[1] || !c->out_dim[2] || !c->out_dim[3]; }

size_t ingot__cudnn_workspace(const ingot__call *call, const ingot__cudnn_conv *conv) {
  if (empty(conv) || version(NULL) == 0) return 0;
  ingot__device *device = ingot__cuda_hold(call);
  if (!device) return 0;
  state *s = state_of(device);
  const ingot__cudnn_plan *plan = NULL;
  ingot_status status = s && s->handle ? INGOT_OK : INGOT_E_DEVICE;
  if (status == INGOT_OK) {
    pthread_mutex_lock(&s->lock);
    status = plan_for(device, s, conv, NULL, NULL, &plan);
    pthread_mutex_unlock(&s->lock);
  }
  const size_t size = status == INGOT_OK && plan->plan ? plan->workspace : SIZE_MAX;
  ingot__cuda_close(device);
  return size;
}

/* The operands' addresses for one run. */
static int make_pack(const ingot__call *call, const ingot__cudnn_conv *c, const ingot__cudnn_operands *o, cudnn_descriptor pack,
                     const char **function) {
  int64_t id[5] = {INGOT__CUDNN_X, INGOT__CUDNN_W, INGOT__CUDNN_OUT}, n = 3;
  const void *data[5] = {o->x, o->w, o->out};
  const void *workspace = call->workspace;
  if (c->has_residual) id[n] = INGOT__CUDNN_RESIDUAL, data[n++] = o->residual;
  if (c->has_bias) id[n] = INGOT__CUDNN_BIAS, data[n++] = o->bias;
  *function = "cudnnBackendSetAttribute";
  int status = dnn.cudnnBackendSetAttribute(pack, CUDNN_PACK_POINTERS, CUDNN_T_POINTER, n, data);
  if (!status) status = dnn.cudnnBackendSetAttribute(pack, CUDNN_PACK_IDS, CUDNN_T_INT64, n, id);
  if (!status) status = dnn.cudnnBackendSetAttribute(pack, CUDNN_PACK_WORKSPACE, CUDNN_T_POINTER, 1, &workspace);
  if (status) return status;
  *function = "cudnnBackendFinalize";
  return dnn.cudnnBackendFinalize(pack);
}

static ingot_status execute(const ingot__call *call, state *s, const ingot__cudnn_conv *c, const ingot__cudnn_operands *o,
                            const ingot__cudnn_plan *plan) {
  const ingot__cuda_queue *q = call->queue;
  const char *function = "cudnnBackendCreateDescriptor";
  cudnn_descriptor pack = NULL;
  INGOT_TRY(ingot__cuda_enter(q->device, call->diag));
  int status = dnn.cudnnBackendCreateDescriptor(CUDNN_PACK, &pack);
  if (!status) status = make_pack(call, c, o, pack, &function);
  if (!status) {
    function = "cudnnSetStream";
    status = dnn.cudnnSetStream(s->handle, q->stream);
  }
  if (!status) {
    function = "cudnnBackendExecute";
    ingot__cuda_range_begin(call->node ? call->node->name : function);
    status = dnn.cudnnBackendExecute(s->handle, plan->plan, pack);
    ingot__cuda_range_end();
  }
  if (pack) dnn.cudnnBackendDestroyDescriptor(pack);
  return status ? failed(call->diag, call->node, function, status) : INGOT_OK;
}

ingot_status ingot__cudnn_run(const ingot__call *call, const ingot__cudnn_conv *conv, const ingot__cudnn_operands *operands) {
  const ingot__cuda_queue *q = call->queue;
  if (empty(conv)) return INGOT_OK;
  pthread_once(&once, open_library);
  state *s = vendor.there ? state_of(q->device) : NULL;
  if (!s || !s->handle) return INGOT__FAIL_CALL(call, INGOT_E_DEVICE, "its kernel calls cuDNN: %s", ingot__vendor_problem(&vendor));
  const ingot__cudnn_plan *plan = NULL;
  pthread_mutex_lock(&s->lock);
  ingot_status status = plan_for(q->device, s, conv, call->diag, call->node, &plan);
  if (status == INGOT_OK && (!plan->plan || plan->workspace > (call->workspace ? call->workspace_size : 0)))
    status = INGOT__FAIL_CALL(call, INGOT_E_DEVICE, "cuDNN %zu has no engine for this convolution", dnn.cudnnGetVersion());
  if (status == INGOT_OK) status = execute(call, s, conv, operands, plan);
  pthread_mutex_unlock(&s->lock);
  return status;
}
