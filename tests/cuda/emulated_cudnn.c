/* cuDNN's graphs on the emulated GPU: INGOT_CUDNN=libcuda_emulated.so. A descriptor is a list of attributes; a graph is a convolution and what is
 * done to its result one by one. The heuristics propose engines that mustn't be taken before one that may. Environment, for tests:
 *   INGOT_EMULATED_CUDNN_FAIL=NAME:STATUS  this function returns this status
 *   INGOT_EMULATED_CUDNN_ENGINES=0         no engine that may be taken */
#include "emulated_driver.h"
#include "emulated_memory.h"
#include "emulated_numbers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, NOT_INITIALIZED = 1001, BAD_PARAM = 2000, NOT_SUPPORTED = 3000, NO_MEMORY = 4003, EXECUTION_FAILED = 5000 };
enum { POINTWISE = 0, CONVOLUTION = 1, ENGINE = 2, CONFIG = 3, HEURISTICS = 4, PLAN = 5, OP_CONVOLUTION = 10, OP_POINTWISE = 13, GRAPH = 15,
       PACK = 16, TENSOR = 17 };
enum { ATTRIBUTES = 12, LONGEST = 64, WORKSPACE = 512, OPERANDS = 5, ADD = 0, RELU = 100 };

typedef struct attribute { int name, type; int64_t count; unsigned char bytes[LONGEST]; } attribute;
typedef struct descriptor {
  int kind, finalized, n;
  int engine;                /* of configurations and engines: which; see notes_of */
  struct descriptor *graph;  /* of heuristics' results and plans */
  attribute attribute[ATTRIBUTES];
} descriptor;
typedef struct handle { void *context, *stream; } handle;

static int made_to_fail(const char *name) {
  const char *text = getenv("INGOT_EMULATED_CUDNN_FAIL");
  size_t n = strlen(name);
  return text && !strncmp(text, name, n) && text[n] == ':' ? atoi(text + n + 1) : SUCCESS;
}
#define FAILS(name) do { int status_ = made_to_fail(name); if (status_) return status_; } while (0)

API size_t cudnnGetVersion(void) { return 90000; }
API size_t cudnnGetCudartVersion(void) { return 13000; }
API const char *cudnnGetErrorString(int status) { return status == EXECUTION_FAILED ? "CUDNN_STATUS_EXECUTION_FAILED" : "CUDNN_STATUS_BAD_PARAM"; }

int cuCtxGetCurrent(void **context);
static int is_good(const handle *h) {
  void *now = NULL;
  return h && cuCtxGetCurrent(&now) == CUDA_OK && now && now == h->context;
}
API int cudnnCreate(handle **out) {
  void *now = NULL;
  FAILS("cudnnCreate");
  if (emulated_enter(CONTEXT)) return NOT_INITIALIZED;
  emulated_leave(CUDA_OK);
  *out = calloc(1, sizeof **out);
  if (!*out || cuCtxGetCurrent(&now)) return NOT_INITIALIZED;
  (*out)->context = now;
  return SUCCESS;
}
API int cudnnDestroy(handle *h) {
  free(h);
  return SUCCESS;
}
API int cudnnSetStream(handle *h, void *stream) {
  if (!is_good(h)) return NOT_INITIALIZED;
  h->stream = stream;
  return SUCCESS;
}

/* ---- Descriptors */
API int cudnnBackendCreateDescriptor(int kind, descriptor **out) {
  FAILS("cudnnBackendCreateDescriptor");
  *out = calloc(1, sizeof **out);
  if (*out) (*out)->kind = kind;
  return *out ? SUCCESS : NO_MEMORY;
}
API int cudnnBackendDestroyDescriptor(descriptor *d) {
  d->kind = -1; /* who uses it still is told */
  free(d);
  return SUCCESS;
}
static size_t size_of(int type) { return type == 2 ? 1 : type == 3 || type == 5 || type == 6 || type == 15 || type == 0 ? 8 : 4; }
API int cudnnBackendSetAttribute(descriptor *d, int name, int type, int64_t count, const void *values) {
  FAILS("cudnnBackendSetAttribute");
  const size_t size = size_of(type) * (size_t)count;
  if (d->finalized || d->n == ATTRIBUTES || count < 1 || size > LONGEST) return BAD_PARAM;
  attribute *a = &d->attribute[d->n++];
  a->name = name, a->type = type, a->count = count;
  memcpy(a->bytes, values, size);
  return SUCCESS;
}
/* The values of an attribute of this type and at least `count` of them; NULL: it hasn't been set so. */
static const void *get(const descriptor *d, int name, int type, int64_t count) {
  for (int i = 0; i < d->n; i++)
    if (d->attribute[i].name == name) return d->attribute[i].type == type && d->attribute[i].count >= count ? d->attribute[i].bytes : NULL;
  return NULL;
}
static int64_t count_of(const descriptor *d, int name) {
  for (int i = 0; i < d->n; i++)
    if (d->attribute[i].name == name) return d->attribute[i].count;
  return 0;
}
static const descriptor *part(const descriptor *d, int name, int kind) {
  const void *p = get(d, name, 15, 1);
  const descriptor *found = p ? *(const descriptor *const *)p : NULL;
  return found && found->kind == kind && (found->finalized || kind == CONFIG) ? found : NULL;
}

/* A tensor as the convolution needs it. */
typedef struct operand { int type; bool is_virtual; int64_t id, align, dim[4], stride[4]; } operand;
static bool read_tensor(const descriptor *d, operand *t) {
  const void *type = d ? get(d, 901, 1, 1) : NULL, *dim = d ? get(d, 902, 3, 4) : NULL, *stride = d ? get(d, 903, 3, 4) : NULL;
  const void *id = d ? get(d, 906, 3, 1) : NULL, *align = d ? get(d, 900, 3, 1) : NULL, *is_virtual = d ? get(d, 907, 2, 1) : NULL;
  if (!type || !dim || !stride || !id || !align) return false;
  *t = (operand){.type = *(const int *)type, .id = *(const int64_t *)id, .align = *(const int64_t *)align};
  t->is_virtual = is_virtual && *(const bool *)is_virtual;
  memcpy(t->dim, dim, sizeof t->dim), memcpy(t->stride, stride, sizeof t->stride);
  for (int i = 0; i < 4; i++)
    if (t->dim[i] < 1) return false;
  return t->type == 0 || t->type == 2 || t->type == 9;
}
static bool same_dims(const operand *a, const operand *b) { return !memcmp(a->dim, b->dim, sizeof a->dim); }

/* What a graph computes. */
typedef struct job {
  operand x, w, other[2], out;
  int64_t before[2], step[2], dilation[2];
  int adds;
  bool relu, tf32;
  const void *x_data, *w_data, *other_data[2];
  void *out_data, *workspace;
  size_t workspace_size;
} job;

static bool read_convolution(const descriptor *op, job *j) {
  const descriptor *c = op->kind == OP_CONVOLUTION ? part(op, 702, CONVOLUTION) : NULL;
  const void *type = c ? get(c, 100, 1, 1) : NULL, *mode = c ? get(c, 101, 7, 1) : NULL, *dims = c ? get(c, 106, 3, 1) : NULL;
  const void *dilation = c ? get(c, 102, 3, 2) : NULL, *step = c ? get(c, 103, 3, 2) : NULL, *after = c ? get(c, 104, 3, 2) : NULL;
  const void *before = c ? get(c, 105, 3, 2) : NULL, *alpha = get(op, 700, 4, 1), *beta = get(op, 701, 4, 1);
  if (!type || !mode || !dims || !dilation || !step || !after || !before || !alpha || !beta) return false;
  if (*(const int *)type || *(const int *)mode != 1) return false;
  if (*(const float *)alpha != 1 || *(const float *)beta != 0 || *(const int64_t *)dims != 2) return false;
  memcpy(j->before, before, sizeof j->before), memcpy(j->step, step, sizeof j->step), memcpy(j->dilation, dilation, sizeof j->dilation);
  if (!read_tensor(part(op, 704, TENSOR), &j->x) || !read_tensor(part(op, 703, TENSOR), &j->w)) return false;
  if (!read_tensor(part(op, 705, TENSOR), &j->out)) return false;
  if (j->x.dim[1] != j->w.dim[1] || j->out.dim[0] != j->x.dim[0] || j->out.dim[1] != j->w.dim[0] || j->x.type != j->w.type) return false;
  for (int i = 0; i < 2; i++) {
    const int64_t reach = (j->w.dim[2 + i] - 1) * j->dilation[i] + 1, whole = j->x.dim[2 + i] + j->before[i] + ((const int64_t *)after)[i];
    if (whole < reach || j->out.dim[2 + i] != (whole - reach) / j->step[i] + 1) return false;
  }
  return true;
}

static bool read_graph(const descriptor *g, job *j) {
  const int64_t n = count_of(g, 801);
  const descriptor *const *op = get(g, 801, 15, 1);
  memset(j, 0, sizeof *j);
  if (!op || n < 1 || n > 4 || !get(g, 800, 0, 1) || !read_convolution(op[0], j)) return false;
  for (int64_t i = 1; i < n; i++) {
    const descriptor *p = op[i]->kind == OP_POINTWISE && op[i]->finalized ? part(op[i], 750, POINTWISE) : NULL;
    const void *mode = p ? get(p, 0, 14, 1) : NULL, *type = p ? get(p, 1, 1, 1) : NULL;
    operand from, to;
    if (!mode || !type || *(const int *)type || j->relu || !read_tensor(part(op[i], 751, TENSOR), &from)) return false;
    if (!read_tensor(part(op[i], 753, TENSOR), &to)) return false;
    if (from.id != j->out.id || !from.is_virtual || !same_dims(&from, &to) || to.id == from.id) return false;
    if (*(const int *)mode == RELU) j->relu = true;
    else if (*(const int *)mode != ADD || j->adds == 2 || !read_tensor(part(op[i], 752, TENSOR), &j->other[j->adds++])) return false;
    j->out = to;
  }
  for (int i = 0; i < j->adds; i++) {
    const int64_t row[4] = {1, j->out.dim[1], 1, 1};
    if (!same_dims(&j->other[i], &j->out) && memcmp(j->other[i].dim, row, sizeof row)) return false;
  }
  return !j->out.is_virtual && j->out.type == j->x.type;
}

/* Engines: 0 compiles at run time, 1 sums in halves, 2 may be taken. All use tensor cores. */
static int notes_of(int engine, bool numerical, int *notes) {
  if (!numerical) return engine == 0 ? notes[0] = 0, 1 : 0;
  if (engine == 1) return notes[0] = 0, notes[1] = 2, 2;
  return notes[0] = 0, 1;
}
static int engines(void) {
  const char *text = getenv("INGOT_EMULATED_CUDNN_ENGINES");
  return text && *text == '0' ? 2 : 3;
}

API int cudnnBackendFinalize(descriptor *d) {
  FAILS("cudnnBackendFinalize");
  job j;
  operand t;
  if (d->finalized) return BAD_PARAM;
  if (d->kind == TENSOR && !read_tensor(d, &t)) return BAD_PARAM;
  if (d->kind == GRAPH && !read_graph(d, &j)) return NOT_SUPPORTED;
  if (d->kind == HEURISTICS) {
    const void *mode = get(d, 200, 8, 1);
    d->graph = (descriptor *)(uintptr_t)part(d, 201, GRAPH);
    if (!d->graph || !mode || *(const int *)mode != 3) return BAD_PARAM;
  }
  if (d->kind == PLAN) {
    const descriptor *config = part(d, 401, CONFIG);
    if (!config || !config->graph || !get(d, 400, 0, 1)) return BAD_PARAM;
    d->graph = config->graph, d->engine = config->engine;
  }
  d->finalized = 1;
  return SUCCESS;
}

static size_t workspace_of(const descriptor *plan) {
  job j;
  return read_graph(plan->graph, &j) && j.w.dim[2] * j.w.dim[3] > 1 ? WORKSPACE : 0;
}

API int cudnnBackendGetAttribute(descriptor *d, int name, int type, int64_t room, int64_t *count, void *values) {
  FAILS("cudnnBackendGetAttribute");
  if (d->kind == HEURISTICS && name == 202 && type == 15 && d->finalized) {
    *count = 0;
    for (int i = 0; i < engines() && i < room; i++, ++*count) {
      descriptor *config = ((descriptor **)values)[i];
      if (config->kind != CONFIG) return BAD_PARAM;
      config->graph = d->graph, config->engine = i;
    }
  } else if (d->kind == CONFIG && name == 300 && type == 15 && room == 1 && (*(descriptor **)values)->kind == ENGINE) {
    (*(descriptor **)values)->engine = d->engine;
    *count = 1;
  } else if (d->kind == ENGINE && ((name == 1303 && type == 11) || (name == 1305 && type == 19)) && room >= 2) {
    *count = notes_of(d->engine, name == 1303, values);
  } else if (d->kind == PLAN && name == 402 && type == 3 && d->finalized) {
    *(int64_t *)values = (int64_t)workspace_of(d);
    *count = 1;
  } else {
    return BAD_PARAM;
  }
  return SUCCESS;
}

/* ---- Running */
static int64_t place(const operand *t, int64_t n, int64_t c, int64_t y, int64_t x) {
  return n * t->stride[0] + c * t->stride[1] + y * t->stride[2] + x * t->stride[3];
}
static float sum_of(const job *j, int64_t n, int64_t c, int64_t y, int64_t x) {
  float sum = 0;
  for (int64_t r = 0; r < j->w.dim[2]; r++)
    for (int64_t s = 0; s < j->w.dim[3]; s++) {
      const int64_t at_y = y * j->step[0] + r * j->dilation[0] - j->before[0], at_x = x * j->step[1] + s * j->dilation[1] - j->before[1];
      if (at_y < 0 || at_y >= j->x.dim[2] || at_x < 0 || at_x >= j->x.dim[3]) continue;
      for (int64_t k = 0; k < j->w.dim[1]; k++) {
        const float a = emulated_get(j->x.type, j->x_data, place(&j->x, n, k, at_y, at_x));
        const float b = emulated_get(j->w.type, j->w_data, place(&j->w, c, k, r, s));
        sum += j->tf32 ? emulated_tf32(a) * emulated_tf32(b) : a * b;
      }
    }
  return sum;
}
static void convolve(const void *params) {
  const job *j = params;
  const operand *out = &j->out;
  memset(j->workspace, 0xee, j->workspace_size);
  for (int64_t n = 0; n < out->dim[0]; n++)
    for (int64_t c = 0; c < out->dim[1]; c++)
      for (int64_t y = 0; y < out->dim[2]; y++)
        for (int64_t x = 0; x < out->dim[3]; x++) {
          float sum = sum_of(j, n, c, y, x);
          for (int i = 0; i < j->adds; i++) {
            const bool row = j->other[i].dim[0] == 1 && j->other[i].dim[2] == 1 && j->other[i].dim[3] == 1 && !same_dims(&j->other[i], out);
            sum += emulated_get(j->other[i].type, j->other_data[i], row ? c * j->other[i].stride[1] : place(&j->other[i], n, c, y, x));
          }
          emulated_put(out->type, j->out_data, place(out, n, c, y, x), j->relu && sum < 0 ? 0 : sum);
        }
}

static void *data_of(const descriptor *pack, const operand *t) {
  const int64_t n = count_of(pack, 1000), *id = get(pack, 1000, 3, 1);
  void *const *data = get(pack, 1001, 6, n);
  for (int64_t i = 0; id && data && i < n; i++)
    if (id[i] == t->id) return (uintptr_t)data[i] % (uintptr_t)t->align || emulated_memory_holds(data[i], 1) != 1 ? NULL : data[i];
  return NULL;
}
API int cudnnBackendExecute(handle *h, const descriptor *plan, const descriptor *pack) {
  static emulated_thread *self;
  job j;
  FAILS("cudnnBackendExecute");
  if (!is_good(h) || plan->kind != PLAN || !plan->finalized || pack->kind != PACK || !pack->finalized) return BAD_PARAM;
  if (!read_graph(plan->graph, &j)) return BAD_PARAM;
  j.x_data = data_of(pack, &j.x), j.w_data = data_of(pack, &j.w), j.out_data = data_of(pack, &j.out);
  if (!j.x_data || !j.w_data || !j.out_data) return BAD_PARAM;
  for (int i = 0; i < j.adds; i++)
    if (!(j.other_data[i] = data_of(pack, &j.other[i]))) return BAD_PARAM;
  void *const *workspace = get(pack, 1003, 6, 1);
  j.workspace_size = workspace_of(plan), j.workspace = workspace ? *workspace : NULL;
  if (j.workspace_size && emulated_memory_holds(j.workspace, j.workspace_size) != 1) return BAD_PARAM;
  j.tf32 = j.x.type == 0;
  if (emulated_enter(CONTEXT)) return EXECUTION_FAILED;
  emulated_launch launch = {.kernel = convolve, .grid = {1, 1, 1}, .block = {1, 1, 1}, .self = &self};
  return emulated_leave(emulated_put_launch(h->stream, &launch, "cudnnBackendExecute", &j, sizeof j)) ? EXECUTION_FAILED : SUCCESS;
}
