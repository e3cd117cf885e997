/* CumSum of floats, doubles and integers: along an axis whose elements aren't neighbours for a block of neighbours at once, else line by line.
 * Floats are added up as doubles. */
#include "backend/cpu/kernels/template.h"
#include "backend/cpu/kernels/vector_math.inc"
#include "base/dtype.h"

enum { WIDTH = 256, GRAIN = 65536 };

typedef struct job {
  ingot_dtype dtype;
  const void *from;
  void *to;
  int64_t outer, n, inner, blocks; /* blocks of at most WIDTH of the inner elements */
  bool exclusive, reverse;
} job;

#define RUNNING(N, T, A) \
  static void line_##N(const job *j, const T *x, T *y) { \
    A sum = 0; \
    int64_t n = j->n, step = j->reverse ? -1 : 1; \
    if (j->reverse) x += n - 1, y += n - 1; \
    for (int64_t i = 0; i < n; i++, x += step, y += step) { \
      A now = sum + (A)*x; \
      *y = (T)(j->exclusive ? sum : now); \
      sum = now; \
    } \
  } \
  static void block_##N(const job *j, const T *x, T *y, int64_t w) { \
    A sum[WIDTH]; \
    int64_t step = j->reverse ? -j->inner : j->inner; \
    if (j->reverse) x += (j->n - 1) * j->inner, y += (j->n - 1) * j->inner; \
    for (int64_t k = 0; k < w; k++) sum[k] = 0; \
    for (int64_t i = 0; i < j->n; i++, x += step, y += step) { \
      if (j->exclusive) \
        for (int64_t k = 0; k < w; k++) { \
          A now = sum[k] + (A)x[k]; \
          y[k] = (T)sum[k], sum[k] = now; \
        } \
      else \
        for (int64_t k = 0; k < w; k++) sum[k] += (A)x[k], y[k] = (T)sum[k]; \
    } \
  } \
  static void unit_##N(const job *j, int64_t u) { \
    int64_t first = u % j->blocks * WIDTH, w = j->inner - first < WIDTH ? j->inner - first : WIDTH; \
    const T *x = (const T *)j->from + u / j->blocks * j->n * j->inner + first; \
    T *y = (T *)j->to + u / j->blocks * j->n * j->inner + first; \
    if (j->inner == 1) line_##N(j, x, y); \
    else block_##N(j, x, y, w); \
  }
RUNNING(f32, float, double)
RUNNING(f64, double, double)
RUNNING(u32, uint32_t, uint32_t)
RUNNING(u64, uint64_t, uint64_t)

static void work(void *arg, int thread, int threads) {
  const job *j = arg;
  size_t begin, end;
  ingot__share((size_t)(j->outer * j->blocks), 1, thread, threads, &begin, &end);
  for (int64_t u = (int64_t)begin; u < (int64_t)end; u++) {
    switch (j->dtype) {
    case INGOT_FLOAT32: unit_f32(j, u); break;
    case INGOT_FLOAT64: unit_f64(j, u); break;
    case INGOT_INT32: case INGOT_UINT32: unit_u32(j, u); break;
    default: unit_u64(j, u); break;
    }
  }
}

static bool supports(const ingot__call *call) {
  if (!call->node || call->node->op != INGOT__OP_CumSum || !ingot__has_in(call, 1) || !ingot__has_out(call, 0)) return false;
  const ingot__view *x = &call->in[0], *axis = &call->in[1];
  switch (x->dtype) {
  case INGOT_FLOAT32: case INGOT_FLOAT64: case INGOT_INT32: case INGOT_UINT32: case INGOT_INT64: case INGOT_UINT64: break;
  default: return false;
  }
  return call->out[0].dtype == x->dtype && ingot__view_count(axis) == 1;
}

static ingot_status run(const ingot__call *call) {
  const ingot__attrs_CumSum *a = INGOT__ATTRS(call, CumSum);
  const ingot__view *x = &call->in[0];
  int64_t axis = ingot__get_int(call->in[1].dtype, call->in[1].data, 0);
  job j = {.dtype = x->dtype, .from = x->data, .to = call->out[0].data, .outer = 1, .n = 1, .inner = 1, .exclusive = a->exclusive != 0,
           .reverse = a->reverse != 0};
  if (axis < -x->rank || axis >= x->rank) {
    return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "axis %lld is outside %d..%d", (long long)axis, -x->rank, x->rank - 1);
  }
  if (axis < 0) axis += x->rank;
  for (int i = 0; i < x->rank; i++) *(i < axis ? &j.outer : i == axis ? &j.n : &j.inner) *= x->dim[i];
  j.blocks = (j.inner + WIDTH - 1) / WIDTH;
  if (j.outer * j.n * j.inner == 0) return INGOT_OK;
  if (j.outer * j.n * j.inner < GRAIN) work(&j, 0, 1);
  else ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}

const ingot__kernel_functions INGOT__KERNEL(running) = {.supports = supports, .run = run};
