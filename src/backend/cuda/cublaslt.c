/* Products by cuBLASLt: the library, a handle for each device, the algorithms that were chosen.
 *
 * Matrices of ours have their rows one after the other, the library's their columns: what it multiplies is the transposed product, B^T A^T, so that
 * its first operand is our B, its rows are our n, and its bias, one number a row, is ours of each column. An engine keeps nothing of the library's:
 * an algorithm belongs to a version of it and a device, and is asked for anew where an engine runs. */
#include "backend/cuda/cublaslt.h"
#include "backend/cuda/device.h"
#include "backend/cuda/vendor.h"
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define MOST_WORKSPACE ((size_t)32 << 20) /* bytes: what NVIDIA advises for sm_90 */
enum { PLANS = 512, PROBES = 8, ASKED = 4, MOST_ALIGN = 16 };

static struct {
#define INGOT_CUBLASLT(result, name, parameters) result (*name) parameters;
#include "backend/cuda/cublaslt.def"
#undef INGOT_CUBLASLT
} lt;
static ingot__vendor vendor;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- The library */

static void open_library(void) {
  static const char *const names[] = {"libcublasLt.so.13", "libcublasLt.so.12", NULL};
  const ingot__cuda_driver *d = ingot__cuda_driver_get(NULL);
  const ingot__search search = {.variable = "INGOT_CUBLASLT", .names = d && d->version < 13000 ? names + 1 : names, .wheel = "cublas"};
  void *library = ingot__vendor_open(&vendor, &search);
  if (!library) return;
#define INGOT_CUBLASLT(result, name, parameters) \
  lt.name = (result (*) parameters)ingot__search_symbol(library, #name, vendor.problem, sizeof vendor.problem);
#include "backend/cuda/cublaslt.def"
#undef INGOT_CUBLASLT
  vendor.there = !*vendor.problem && ingot__vendor_suits_driver(&vendor, lt.cublasLtGetCudartVersion());
}

/* ---- What a device keeps. Plans are in a table of fixed size: where it is full, the oldest of those that collide goes. */

typedef struct key {
  int64_t m, n, k, batches;
  int64_t a_row, b_row, out_row, residual_row, a_batch, b_batch, out_batch, residual_batch;
  uint64_t limit;                /* of the workspace */
  int32_t type, tf32, a_transposed, b_transposed, epilogue, adds;
  int32_t align[5];              /* of a, b, out, residual, bias; bytes */
  int32_t zero;
} key;
typedef struct plan {
  key key;
  uint64_t hash;                 /* 0: a free place */
  cublaslt_algorithm algorithm;
  size_t workspace;
  int status;                    /* not CUBLAS_SUCCESS: there is no algorithm */
} plan;
typedef struct ingot__cublaslt_state {
  cublaslt_handle handle;        /* NULL: it couldn't be made */
  plan plan[PLANS];
} state;

static state *state_of(ingot__device *device) {
  pthread_mutex_lock(&device->lock);
  state *s = device->cublaslt;
  if (!s && (s = ingot__calloc(&device->heap, 1, sizeof *s))) {
    if (ingot__cuda_enter(device, NULL) != INGOT_OK || lt.cublasLtCreate(&s->handle)) s->handle = NULL;
    device->cublaslt = s;
  }
  pthread_mutex_unlock(&device->lock);
  return s;
}

void ingot__cublaslt_leave(ingot__device *device) {
  state *s = device->cublaslt;
  if (!s) return;
  if (s->handle && ingot__cuda_enter(device, NULL) == INGOT_OK) lt.cublasLtDestroy(s->handle);
  ingot__free(&device->heap, s, sizeof *s);
  device->cublaslt = NULL;
}

static bool works(ingot__device *device) {
  const state *s = state_of(device);
  return s && s->handle;
}

static size_t version(const char **why) {
  pthread_once(&once, open_library);
  return ingot__vendor_version(&vendor, works, lt.cublasLtGetVersion, why);
}
const ingot__library ingot__cublaslt = {.name = "cuBLASLt", .source = INGOT_TACTIC_CUBLAS_LT, .version = version};

/* ---- Descriptors */

typedef struct descriptors { cublaslt_descriptor product, a, b, residual, out; } descriptors;
typedef struct asker { ingot__diag *diag; const ingot__node *node; } asker;

static ingot_status failed(const asker *who, const char *function, int status) {
  const char *words = lt.cublasLtGetStatusString(status);
  return INGOT__FAIL_NODE(who->diag, status == CUBLAS_ALLOC_FAILED ? INGOT_E_MEMORY : INGOT_E_DEVICE, who->node, "cuBLASLt %zu: %s: %s (status %d)",
                          lt.cublasLtGetVersion(), function, words ? words : "unknown error", status);
}
#define LT_TRY(who, function, ...) \
  do { \
    int lt_status = lt.function(__VA_ARGS__); \
    if (lt_status) return failed((who), #function, lt_status); \
  } while (0)

static int type_of(ingot_dtype t) { return t == INGOT_FLOAT16 ? CUDA_R_16F : t == INGOT_BFLOAT16 ? CUDA_R_16BF : CUDA_R_32F; }

static int epilogue_of(const ingot__cublaslt_product *p) {
  const int act = p->act == INGOT__ACT_RELU ? CUBLASLT_EPILOGUE_RELU : p->act == INGOT__ACT_GELU_TANH ? CUBLASLT_EPILOGUE_GELU : 0;
  const int all = act | (p->has_bias ? CUBLASLT_EPILOGUE_BIAS : 0);
  return all ? all : CUBLASLT_EPILOGUE_DEFAULT;
}

/* A matrix of the library's: `rows` side by side. From one column to the next is at least that, also where there is one alone. */
static ingot_status lay_out(const asker *who, cublaslt_descriptor *d, const ingot__cublaslt_product *p, int64_t rows, int64_t columns,
                            int64_t leading, int64_t batch) {
  const int32_t batches = (int32_t)p->batches;
  LT_TRY(who, cublasLtMatrixLayoutInit_internal, d, sizeof *d, type_of(p->dtype), (uint64_t)rows, (uint64_t)columns, leading > rows ? leading : rows);
  if (batches == 1) return INGOT_OK;
  LT_TRY(who, cublasLtMatrixLayoutSetAttribute, d, CUBLASLT_LAYOUT_BATCHES, &batches, sizeof batches);
  LT_TRY(who, cublasLtMatrixLayoutSetAttribute, d, CUBLASLT_LAYOUT_BATCH_STRIDE, &batch, sizeof batch);
  return INGOT_OK;
}

static ingot_status describe(const asker *who, const ingot__cublaslt_product *p, const void *bias, descriptors *d) {
  const int transposed = CUBLAS_OP_T, compute = p->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  const uint32_t epilogue = (uint32_t)epilogue_of(p);
  LT_TRY(who, cublasLtMatmulDescInit_internal, &d->product, sizeof d->product, compute, CUDA_R_32F);
  if (p->b_transposed) LT_TRY(who, cublasLtMatmulDescSetAttribute, &d->product, CUBLASLT_DESC_TRANSA, &transposed, sizeof transposed);
  if (p->a_transposed) LT_TRY(who, cublasLtMatmulDescSetAttribute, &d->product, CUBLASLT_DESC_TRANSB, &transposed, sizeof transposed);
  LT_TRY(who, cublasLtMatmulDescSetAttribute, &d->product, CUBLASLT_DESC_EPILOGUE, &epilogue, sizeof epilogue);
  if (p->has_bias) LT_TRY(who, cublasLtMatmulDescSetAttribute, &d->product, CUBLASLT_DESC_BIAS, &bias, sizeof bias);
  INGOT_TRY(lay_out(who, &d->b, p, p->b_transposed ? p->k : p->n, p->b_transposed ? p->n : p->k, p->b_row, p->b_batch));
  INGOT_TRY(lay_out(who, &d->a, p, p->a_transposed ? p->m : p->k, p->a_transposed ? p->k : p->m, p->a_row, p->a_batch));
  INGOT_TRY(lay_out(who, &d->out, p, p->n, p->m, p->out_row, p->out_batch));
  if (!p->has_residual) d->residual = d->out;
  else INGOT_TRY(lay_out(who, &d->residual, p, p->n, p->m, p->residual_row, p->residual_batch));
  return INGOT_OK;
}

/* ---- Algorithms */

/* A power of two, in bytes, that all places of an operand are multiples of, at most 16. What isn't there yet is taken to be aligned, as memory of
 * ours is. */
static int32_t align_of(const ingot__cublaslt_product *p, const void *data, const int64_t *outer) {
  uint64_t bits = (uint64_t)(uintptr_t)data | MOST_ALIGN;
  for (int i = 0; outer && i < p->outer_rank; i++) bits |= (uint64_t)outer[i] * ingot__dtype_size(p->dtype);
  return (int32_t)(bits & -bits);
}

static key key_of(const ingot__cublaslt_product *p, size_t limit) {
  key k;
  memset(&k, 0, sizeof k); /* it is compared as bytes */
  k.m = p->m, k.n = p->n, k.k = p->k, k.batches = p->batches;
  k.a_row = p->a_row, k.b_row = p->b_row, k.out_row = p->out_row, k.a_batch = p->a_batch, k.b_batch = p->b_batch, k.out_batch = p->out_batch;
  k.limit = limit;
  k.type = type_of(p->dtype), k.tf32 = p->tf32, k.a_transposed = p->a_transposed, k.b_transposed = p->b_transposed;
  k.epilogue = epilogue_of(p), k.adds = p->has_residual;
  k.align[0] = align_of(p, p->a, p->a_outer), k.align[1] = align_of(p, p->b, p->b_outer), k.align[2] = align_of(p, p->out, p->out_outer);
  k.align[3] = k.align[2], k.align[4] = MOST_ALIGN;
  if (p->has_residual) {
    k.residual_row = p->residual_row, k.residual_batch = p->residual_batch;
    k.align[3] = align_of(p, p->residual, p->residual_outer);
  }
  if (p->has_bias) k.align[4] = align_of(p, p->bias, NULL);
  return k;
}

static ingot_status prefer(const asker *who, const key *k, cublaslt_descriptor *preference) {
  static const int which[4] = {CUBLASLT_PREFERENCE_ALIGN_B, CUBLASLT_PREFERENCE_ALIGN_A, CUBLASLT_PREFERENCE_ALIGN_D, CUBLASLT_PREFERENCE_ALIGN_C};
  LT_TRY(who, cublasLtMatmulPreferenceInit_internal, preference, sizeof *preference);
  LT_TRY(who, cublasLtMatmulPreferenceSetAttribute, preference, CUBLASLT_PREFERENCE_WORKSPACE, &k->limit, sizeof k->limit);
  for (int i = 0; i < 4; i++)
    LT_TRY(who, cublasLtMatmulPreferenceSetAttribute, preference, which[i], &k->align[i], sizeof k->align[i]);
  return INGOT_OK;
}

/* Asks the library. That it has none is no error. */
static ingot_status choose(const asker *who, ingot__device *device, state *s, const ingot__cublaslt_product *p, plan *chosen) {
  descriptors d;
  cublaslt_descriptor preference;
  cublaslt_result result[ASKED];
  int found = 0;
  memset(result, 0, sizeof result);
  INGOT_TRY(ingot__cuda_enter(device, who->diag));
  INGOT_TRY(describe(who, p, (void *)(uintptr_t)chosen->key.align[4], &d)); /* of the bias only its alignment counts here */
  INGOT_TRY(prefer(who, &chosen->key, &preference));
  int status = lt.cublasLtMatmulAlgoGetHeuristic(s->handle, &d.product, &d.b, &d.a, &d.residual, &d.out, &preference, ASKED, result, &found);
  if (status && status != CUBLAS_NOT_SUPPORTED) return failed(who, "cublasLtMatmulAlgoGetHeuristic", status);
  chosen->status = CUBLAS_NOT_SUPPORTED;
  for (int i = 0; i < found && !status; i++) {
    if (result[i].status || result[i].workspace > chosen->key.limit) continue;
    chosen->status = CUBLAS_SUCCESS;
    chosen->algorithm = result[i].algorithm;
    chosen->workspace = result[i].workspace;
    break;
  }
  return INGOT_OK;
}

/* The place of a plan, or of one that goes for it; under the device's lock. */
static plan *place_of(state *s, const plan *of) {
  plan *first = &s->plan[of->hash % PLANS];
  for (size_t i = 0; i < PROBES; i++) {
    plan *at = &s->plan[(of->hash + i) % PLANS];
    if (!at->hash || (at->hash == of->hash && !memcmp(&at->key, &of->key, sizeof at->key))) return at;
  }
  return first;
}

static ingot_status plan_for(const asker *who, ingot__device *device, state *s, const ingot__cublaslt_product *p, size_t limit, plan *out) {
  *out = (plan){.key = key_of(p, limit)};
  out->hash = XXH3_64bits(&out->key, sizeof out->key) | 1;
  pthread_mutex_lock(&device->lock);
  const plan *known = place_of(s, out);
  const bool found = known->hash == out->hash && !memcmp(&known->key, &out->key, sizeof out->key);
  if (found) *out = *known;
  pthread_mutex_unlock(&device->lock);
  if (found) return INGOT_OK;
  INGOT_TRY(choose(who, device, s, p, out));
  pthread_mutex_lock(&device->lock);
  *place_of(s, out) = *out;
  pthread_mutex_unlock(&device->lock);
  return INGOT_OK;
}

static bool empty(const ingot__cublaslt_product *p) {
  int64_t all = p->m && p->n && p->batches;
  for (int i = 0; i < p->outer_rank; i++) all = all && p->outer[i];
  return !all;
}

size_t ingot__cublaslt_workspace(const ingot__call *call, const ingot__cublaslt_product *p) {
  if (empty(p) || p->k == 0 || version(NULL) == 0) return 0;
  if (p->m > INT32_MAX || p->n > INT32_MAX || p->k > INT32_MAX || p->batches > INT32_MAX) return SIZE_MAX;
  ingot__device *device = ingot__cuda_hold(call);
  if (!device) return 0;
  state *s = state_of(device);
  plan chosen = {.status = CUBLAS_NOT_SUPPORTED};
  const asker who = {0};
  ingot_status status = s && s->handle ? plan_for(&who, device, s, p, MOST_WORKSPACE, &chosen) : INGOT_E_DEVICE;
  ingot__cuda_close(device);
  return status == INGOT_OK && chosen.status == CUBLAS_SUCCESS ? chosen.workspace : SIZE_MAX;
}

/* ---- Running */

/* A sum of no products, where nothing is added to it. */
static ingot_status clear(const ingot__call *call, const ingot__cublaslt_product *p, void *out) {
  const size_t size = ingot__dtype_size(p->dtype);
  for (int64_t b = 0; b < p->batches; b++)
    for (int64_t i = 0; i < p->m; i++)
      INGOT_TRY(ingot__cuda_clear(call, (char *)out + (size_t)(b * p->out_batch + i * p->out_row) * size, (size_t)p->n * size));
  return INGOT_OK;
}

static ingot_status multiply(const asker *who, const ingot__call *call, const state *s, const ingot__cublaslt_product *p, descriptors *d,
                             const plan *chosen, const int64_t at[4]) {
  const ingot__cuda_queue *q = call->queue;
  const int64_t size = (int64_t)ingot__dtype_size(p->dtype);
  const char *a = (const char *)p->a + at[0] * size, *b = (const char *)p->b + at[1] * size;
  char *out = (char *)p->out + at[2] * size;
  if (p->k == 0) return clear(call, p, out);
  const void *residual = p->has_residual ? (const char *)p->residual + at[3] * size : out;
  const float beta = p->has_residual ? 1 : 0;
  ingot__cuda_range_begin(call->node ? call->node->name : "cublasLtMatmul");
  int status = lt.cublasLtMatmul(s->handle, &d->product, &p->alpha, b, &d->b, a, &d->a, &beta, residual, &d->residual, out, &d->out,
                                 &chosen->algorithm, call->workspace, chosen->workspace, q->stream);
  ingot__cuda_range_end();
  return status ? failed(who, "cublasLtMatmul", status) : INGOT_OK;
}

static ingot_status multiply_all(const asker *who, const ingot__call *call, const state *s, const ingot__cublaslt_product *p, descriptors *d,
                                 const plan *chosen) {
  int64_t at[INGOT__CUBLASLT_OUTER] = {0};
  for (;;) {
    int64_t offset[4] = {0};
    for (int i = 0; i < p->outer_rank; i++) {
      offset[0] += at[i] * p->a_outer[i], offset[1] += at[i] * p->b_outer[i];
      offset[2] += at[i] * p->out_outer[i], offset[3] += at[i] * p->residual_outer[i];
    }
    INGOT_TRY(multiply(who, call, s, p, d, chosen, offset));
    int i = p->outer_rank - 1;
    while (i >= 0 && ++at[i] == p->outer[i]) at[i--] = 0;
    if (i < 0) return INGOT_OK;
  }
}

ingot_status ingot__cublaslt_run(const ingot__call *call, const ingot__cublaslt_product *p) {
  const asker who = {call->diag, call->node};
  const ingot__cuda_queue *q = call->queue;
  const size_t room = call->workspace ? call->workspace_size : 0;
  descriptors d;
  plan chosen = {0};
  if (empty(p)) return INGOT_OK;
  pthread_once(&once, open_library);
  state *s = vendor.there ? state_of(q->device) : NULL;
  if (!s || !s->handle) return INGOT__FAIL_CALL(call, INGOT_E_DEVICE, "its kernel calls cuBLASLt: %s", ingot__vendor_problem(&vendor));
  if (p->m > INT32_MAX || p->n > INT32_MAX || p->k > INT32_MAX || p->batches > INT32_MAX)
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "a matrix is too large for this kernel");
  if (p->k > 0) {
    INGOT_TRY(plan_for(&who, q->device, s, p, MOST_WORKSPACE, &chosen));
    if (chosen.status == CUBLAS_SUCCESS && chosen.workspace > room) INGOT_TRY(plan_for(&who, q->device, s, p, room, &chosen));
    if (chosen.status != CUBLAS_SUCCESS) return failed(&who, "cublasLtMatmulAlgoGetHeuristic finds no algorithm", chosen.status);
    INGOT_TRY(describe(&who, p, p->bias, &d));
  }
  INGOT_TRY(ingot__cuda_enter(q->device, call->diag));
  return multiply_all(&who, call, s, p, &d, &chosen);
}
