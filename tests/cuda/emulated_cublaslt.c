/* cuBLASLt on the emulated GPU: INGOT_CUBLASLT=libcuda_emulated.so. Descriptors are checked as far as the real library's are, and more: an
 * algorithm is good for the product alone that it was asked for, pointers are aligned as was said then, and the workspace is written to. Products
 * run in the order of their stream, as launches do. Environment, for tests:
 *   INGOT_EMULATED_CUBLASLT_VERSION=130000    its version
 *   INGOT_EMULATED_CUBLASLT_FAIL=NAME:STATUS  this function returns this status */
#include "emulated_driver.h"
#include "emulated_memory.h"
#include "emulated_numbers.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, ALLOC_FAILED = 3, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15, NOT_INITIALIZED = 1 };
enum { R_32F = 0, R_16F = 2, R_16BF = 14, COMPUTE_32F = 68, COMPUTE_TF32 = 77, RELU = 2, BIAS = 4, GELU = 32, DEFAULT = 1 };
enum { MATMUL = 0x6d61746d, LAYOUT = 0x6c61796f, PREFERENCE = 0x70726566, ALGORITHM = 0x616c676f, WORKSPACE = 1024, LONG = 64 };

typedef struct handle { int alive; void *context; } handle; /* it is of one device: calls come in its context */
typedef struct product_desc { int magic, compute, transposed[2]; unsigned epilogue; const void *bias; } product_desc;
typedef struct layout { int magic, type, batches; uint64_t rows, columns; int64_t leading, batch; } layout;
typedef struct preference { int magic; uint64_t workspace; unsigned align[4]; } preference;
typedef struct algorithm { int magic; unsigned align[5]; uint64_t problem, workspace; } algorithm;
typedef struct result { uint64_t algorithm[8]; size_t workspace; int status; float waves; int reserved[4]; } result;
_Static_assert(sizeof(algorithm) <= 64 && sizeof(result) == 96, "as the binary interface has them");

static int made_to_fail(const char *name) {
  const char *text = getenv("INGOT_EMULATED_CUBLASLT_FAIL");
  size_t n = strlen(name);
  return text && !strncmp(text, name, n) && text[n] == ':' ? atoi(text + n + 1) : SUCCESS;
}

API size_t cublasLtGetVersion(void) {
  const char *text = getenv("INGOT_EMULATED_CUBLASLT_VERSION");
  return text && *text ? strtoul(text, NULL, 10) : 130000;
}
API size_t cublasLtGetCudartVersion(void) { return 13000; }
API const char *cublasLtGetStatusString(int status) {
  if (status == SUCCESS) return "success";
  return status == EXECUTION_FAILED ? "the function failed to launch on the GPU" : "an unsupported value or parameter";
}

int cuCtxGetCurrent(void **context);
static int is_good(const handle *h) {
  void *now = NULL;
  return h && h->alive && cuCtxGetCurrent(&now) == CUDA_OK && now && now == h->context;
}

API int cublasLtCreate(handle **out) {
  int status = made_to_fail("cublasLtCreate");
  if (status) return status;
  if (emulated_enter(CONTEXT)) return NOT_INITIALIZED;
  *out = calloc(1, sizeof **out);
  emulated_leave(CUDA_OK);
  if (!*out) return ALLOC_FAILED;
  (*out)->alive = 1;
  return cuCtxGetCurrent(&(*out)->context) ? NOT_INITIALIZED : SUCCESS;
}
API int cublasLtDestroy(handle *h) {
  if (!h || !h->alive) abort();
  h->alive = 0;
  free(h);
  return SUCCESS;
}

/* ---- Descriptors */
API int cublasLtMatmulDescInit_internal(product_desc *d, size_t size, int compute, int scale) {
  if (size < 256) return ALLOC_FAILED;
  if (scale != R_32F || (compute != COMPUTE_32F && compute != COMPUTE_TF32)) return INVALID_VALUE;
  memset(d, 0, size);
  *d = (product_desc){.magic = MATMUL, .compute = compute, .epilogue = DEFAULT};
  return SUCCESS;
}
API int cublasLtMatmulDescSetAttribute(product_desc *d, int attribute, const void *value, size_t size) {
  if (d->magic != MATMUL) abort();
  if (attribute == 8 && size == sizeof d->bias) memcpy(&d->bias, value, size);
  else if ((attribute == 3 || attribute == 4) && size == sizeof(int)) memcpy(&d->transposed[attribute - 3], value, size);
  else if (attribute == 7 && size == sizeof d->epilogue) memcpy(&d->epilogue, value, size);
  else return INVALID_VALUE;
  return SUCCESS;
}
API int cublasLtMatrixLayoutInit_internal(layout *m, size_t size, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  if (size < 112) return ALLOC_FAILED;
  if (type != R_32F && type != R_16F && type != R_16BF) return INVALID_VALUE;
  memset(m, 0, size);
  *m = (layout){.magic = LAYOUT, .type = type, .batches = 1, .rows = rows, .columns = columns, .leading = leading};
  return SUCCESS;
}
API int cublasLtMatrixLayoutSetAttribute(layout *m, int attribute, const void *value, size_t size) {
  if (m->magic != LAYOUT) abort();
  if (attribute == 5 && size == sizeof m->batches) memcpy(&m->batches, value, size);
  else if (attribute == 6 && size == sizeof m->batch) memcpy(&m->batch, value, size);
  else return INVALID_VALUE;
  return SUCCESS;
}
API int cublasLtMatmulPreferenceInit_internal(preference *p, size_t size) {
  if (size < 96) return ALLOC_FAILED;
  memset(p, 0, size);
  *p = (preference){.magic = PREFERENCE, .align = {256, 256, 256, 256}};
  return SUCCESS;
}
API int cublasLtMatmulPreferenceSetAttribute(preference *p, int attribute, const void *value, size_t size) {
  if (p->magic != PREFERENCE) abort();
  if (attribute == 1 && size == sizeof p->workspace) memcpy(&p->workspace, value, size);
  else if (attribute >= 5 && attribute <= 8 && size == sizeof(unsigned)) memcpy(&p->align[attribute - 5], value, size);
  else return INVALID_VALUE;
  return SUCCESS;
}

/* ---- A product, in the library's terms: D = act(alpha op(A) op(B) + beta C + bias), columns one after the other. */
typedef struct problem { product_desc product; layout a, b, c, d; } problem;

static int sane(const layout *m, uint64_t rows, uint64_t columns, const layout *d) {
  return m->magic == LAYOUT && m->type == d->type && m->batches == d->batches && m->rows == rows && m->columns == columns && rows > 0 &&
         columns > 0 && m->leading >= (int64_t)rows;
}
static int read_problem(problem *p, const product_desc *product, const layout *a, const layout *b, const layout *c, const layout *d) {
  memset(p, 0, sizeof *p);
  if (product->magic != MATMUL || d->magic != LAYOUT) return INVALID_VALUE;
  const int ta = product->transposed[0], tb = product->transposed[1];
  const uint64_t m = d->rows, n = d->columns, k = ta ? a->rows : a->columns;
  if (!sane(d, m, n, d) || !sane(c, m, n, d) || !sane(a, ta ? k : m, ta ? m : k, d) || !sane(b, tb ? n : k, tb ? k : n, d)) return INVALID_VALUE;
  if (product->compute == COMPUTE_TF32 && d->type != R_32F) return NOT_SUPPORTED;
  if (product->epilogue != DEFAULT && (product->epilogue & ~(unsigned)(RELU | BIAS | GELU))) return NOT_SUPPORTED;
  if (product->epilogue & BIAS && !product->bias) return INVALID_VALUE;
  p->product.compute = product->compute, p->product.epilogue = product->epilogue;
  memcpy(p->product.transposed, product->transposed, sizeof product->transposed);
  memcpy(&p->a, a, sizeof *a), memcpy(&p->b, b, sizeof *b), memcpy(&p->c, c, sizeof *c), memcpy(&p->d, d, sizeof *d);
  return SUCCESS;
}
static uint64_t number_of(const problem *p) { /* FNV-1a: every byte counts, and all are set */
  uint64_t h = 14695981039346656037u;
  for (size_t i = 0; i < sizeof *p; i++) h = (h ^ ((const unsigned char *)p)[i]) * 1099511628211u;
  return h;
}
static unsigned align_of(const void *p) { return (unsigned)((uintptr_t)p & -(uintptr_t)p); }

API int cublasLtMatmulAlgoGetHeuristic(const handle *h, const product_desc *product, const layout *a, const layout *b, const layout *c,
                                       const layout *d, const preference *wish, int wanted, result *results, int *found) {
  int status = made_to_fail("cublasLtMatmulAlgoGetHeuristic");
  *found = 0;
  if (status) return status;
  problem p;
  if (!is_good(h) || wish->magic != PREFERENCE || wanted < 1) return NOT_INITIALIZED;
  if ((status = read_problem(&p, product, a, b, c, d))) return status;
  const uint64_t k = p.product.transposed[0] ? a->rows : a->columns;
  algorithm chosen = {.magic = ALGORITHM, .problem = number_of(&p), .workspace = k >= LONG && wish->workspace >= WORKSPACE ? WORKSPACE : 0};
  memcpy(chosen.align, wish->align, sizeof wish->align);
  chosen.align[4] = p.product.epilogue & BIAS ? align_of(product->bias) : 1;
  int given = 0;
  if (wanted > 1) results[given++] = (result){.status = NOT_SUPPORTED}; /* a first one that isn't to be taken */
  results[given] = (result){.workspace = chosen.workspace, .waves = 1};
  memcpy(results[given++].algorithm, &chosen, sizeof chosen);
  *found = given;
  return SUCCESS;
}

typedef struct job {
  problem p;
  const void *a, *b, *c, *bias;
  void *d, *workspace;
  size_t workspace_size;
  float alpha, beta;
} job;

static void multiply(const void *params) {
  const job *j = params;
  const layout *a = &j->p.a, *b = &j->p.b, *c = &j->p.c, *d = &j->p.d;
  const int ta = j->p.product.transposed[0], tb = j->p.product.transposed[1], type = d->type, tf32 = j->p.product.compute == COMPUTE_TF32;
  const unsigned epilogue = j->p.product.epilogue == DEFAULT ? 0 : j->p.product.epilogue;
  const int64_t k = (int64_t)(ta ? a->rows : a->columns);
  memset(j->workspace, 0xee, j->workspace_size);
  for (int64_t batch = 0; batch < d->batches; batch++)
    for (int64_t column = 0; column < (int64_t)d->columns; column++)
      for (int64_t row = 0; row < (int64_t)d->rows; row++) {
        float sum = 0;
        for (int64_t i = 0; i < k; i++) {
          float x = emulated_get(type, j->a, batch * a->batch + (ta ? row * a->leading + i : i * a->leading + row));
          float y = emulated_get(type, j->b, batch * b->batch + (tb ? i * b->leading + column : column * b->leading + i));
          sum += tf32 ? emulated_tf32(x) * emulated_tf32(y) : x * y;
        }
        sum *= j->alpha;
        if (j->beta != 0) sum += j->beta * emulated_get(type, j->c, batch * c->batch + column * c->leading + row);
        if (epilogue & BIAS) sum += emulated_get(type, j->bias, row);
        if (epilogue & RELU && sum < 0) sum = 0;
        if (epilogue & GELU) sum = 0.5f * sum * (1 + tanhf(0.7978845608f * (sum + 0.044715f * sum * sum * sum)));
        emulated_put(type, j->d, batch * d->batch + column * d->leading + row, sum);
      }
}

API int cublasLtMatmul(const handle *h, const product_desc *product, const float *alpha, const void *a, const layout *al, const void *b,
                       const layout *bl, const float *beta, const void *c, const layout *cl, void *d, const layout *dl, const algorithm *chosen,
                       void *workspace, size_t workspace_size, void *stream) {
  static emulated_thread *self;
  int status = made_to_fail("cublasLtMatmul");
  job j = {.a = a, .b = b, .c = c, .d = d, .bias = product->bias, .workspace = workspace, .alpha = *alpha, .beta = *beta};
  if (status) return status;
  if (!is_good(h) || !a || !b || !c || !d) return INVALID_VALUE;
  if ((status = read_problem(&j.p, product, al, bl, cl, dl))) return status;
  if (chosen->magic != ALGORITHM || chosen->problem != number_of(&j.p) || workspace_size < chosen->workspace) return INVALID_VALUE;
  if (workspace_size && emulated_memory_holds(workspace, workspace_size) != 1) return INVALID_VALUE;
  const void *const memory[5] = {a, b, c, d, product->bias};
  for (int i = 0; i < (j.p.product.epilogue & BIAS && j.p.product.epilogue != DEFAULT ? 5 : 4); i++)
    if ((uintptr_t)memory[i] % chosen->align[i]) return INVALID_VALUE;
  j.workspace_size = chosen->workspace;
  if (emulated_enter(CONTEXT)) return EXECUTION_FAILED;
  emulated_launch launch = {.kernel = multiply, .grid = {1, 1, 1}, .block = {1, 1, 1}, .self = &self};
  return emulated_leave(emulated_put_launch(stream, &launch, "cublasLtMatmul", &j, sizeof j)) ? EXECUTION_FAILED : SUCCESS;
}
