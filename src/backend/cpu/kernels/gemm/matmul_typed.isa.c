/* MatMul of doubles and integers (which wrap): tiles of up to 6 rows and a panel of columns as wide as the registers allow. A panel of B is
 * packed first, except where B has few rows of A to meet and can be read as it lies. */
#include "backend/cpu/kernels/gemm/matmul.h"
#include "backend/cpu/kernels/lanes.inc"
#include "backend/cpu/kernels/template.h"

#if defined(__AVX512F__)
enum { VECTORS = 4 };
#else
enum { VECTORS = 2 };
#endif
enum { ROWS = 6, BYTES = sizeof(vec), PANEL = VECTORS * BYTES }; /* of a vector, and of a panel's row */

typedef struct job {
  const ingot__call *call;
  ingot__matmul g;
  size_t size, width, panels, panel_bytes; /* of an element; columns of a panel; panels of a matrix; bytes of a packed one */
  bool in_place;
  void (*panel)(const struct job *j, const ingot__matmul_at *at, size_t panel, size_t begin, size_t end, void *space);
} job;

#define TYPED(N, T) \
  typedef T wide_##N __attribute__((vector_size(BYTES))); \
  typedef T loose_##N __attribute__((vector_size(BYTES), aligned(sizeof(T)), may_alias)); \
  LANES_INLINE void tile_##N(const size_t rows, const T *a, size_t a_m, size_t a_k, const T *b, size_t b_k, size_t k, T (*to)[PANEL / sizeof(T)]) { \
    enum { W = BYTES / sizeof(T) }; \
    wide_##N acc[ROWS][VECTORS]; \
    for (size_t r = 0; r < rows; r++) \
      for (size_t v = 0; v < VECTORS; v++) acc[r][v] = (wide_##N){0}; \
    for (size_t i = 0; i < k; i++, a += a_k, b += b_k) { \
      wide_##N x[VECTORS]; \
      for (size_t v = 0; v < VECTORS; v++) x[v] = *(const loose_##N *)(const void *)(b + v * W); \
      for (size_t r = 0; r < rows; r++) \
        for (size_t v = 0; v < VECTORS; v++) acc[r][v] += a[r * a_m] * x[v]; \
    } \
    for (size_t r = 0; r < rows; r++) \
      for (size_t v = 0; v < VECTORS; v++) *(loose_##N *)(void *)&to[r][v * W] = acc[r][v]; \
  } \
  /* Rows [begin, end) of a panel. */ \
  static void panel_##N(const job *j, const ingot__matmul_at *at, size_t panel, size_t begin, size_t end, void *space) { \
    enum { WIDTH = PANEL / sizeof(T) }; \
    const ingot__matmul *g = &j->g; \
    const size_t first = panel * WIDTH, n = g->n - first < WIDTH ? g->n - first : WIDTH; \
    const T *b = (const T *)j->call->in[1].data + at->b + first * g->b_n; \
    size_t b_k = g->b_k; \
    if (!j->in_place || n < WIDTH) { \
      T *packed = space; \
      if (g->b_n == 1) \
        for (size_t i = 0; i < g->k; i++) memcpy(packed + i * WIDTH, b + i * g->b_k, n * sizeof(T)); \
      else \
        for (size_t c = 0; c < n; c++) \
          for (size_t i = 0; i < g->k; i++) packed[i * WIDTH + c] = b[i * g->b_k + c * g->b_n]; \
      for (size_t i = 0; n < WIDTH && i < g->k; i++) memset(packed + i * WIDTH + n, 0, (WIDTH - n) * sizeof(T)); \
      b = packed, b_k = WIDTH; \
    } \
    for (size_t row = begin; row < end; row += ROWS) { \
      const T *a = (const T *)j->call->in[0].data + at->a + row * g->a_m; \
      T *c = (T *)j->call->out[0].data + at->c + row * g->c_m + first, out[ROWS][WIDTH]; \
      const size_t rows = end - row < ROWS ? end - row : ROWS; \
      switch (rows) { \
      case 1: tile_##N(1, a, g->a_m, g->a_k, b, b_k, g->k, out); break; \
      case 2: tile_##N(2, a, g->a_m, g->a_k, b, b_k, g->k, out); break; \
      case 3: tile_##N(3, a, g->a_m, g->a_k, b, b_k, g->k, out); break; \
      case 4: tile_##N(4, a, g->a_m, g->a_k, b, b_k, g->k, out); break; \
      case 5: tile_##N(5, a, g->a_m, g->a_k, b, b_k, g->k, out); break; \
      default: tile_##N(ROWS, a, g->a_m, g->a_k, b, b_k, g->k, out); \
      } \
      for (size_t r = 0; r < rows; r++) memcpy(c + r * g->c_m, out[r], n * sizeof(T)); \
    } \
  }
TYPED(f64, double)
TYPED(u32, uint32_t)
TYPED(u64, uint64_t)

static void work(void *arg, int thread, int threads) {
  const job *j = arg;
  const size_t panels = j->g.batches * j->panels;
  void *space = (char *)j->call->workspace + (size_t)thread * j->panel_bytes;
  size_t begin = 0, end = j->g.m, first = 0, last = panels;
  if (panels >= (size_t)threads) ingot__share(panels, 1, thread, threads, &first, &last);
  else ingot__share(j->g.m, ROWS, thread, threads, &begin, &end);
  if (begin == end) return;
  for (size_t u = first; u < last; u++) {
    const ingot__matmul_at at = ingot__matmul_place(&j->g, u / j->panels);
    j->panel(j, &at, u % j->panels, begin, end, space);
  }
}

static bool prepare(const ingot__call *call, job *j) {
  *j = (job){.call = call};
  if (!ingot__has_in(call, 0)) return false;
  switch (call->in[0].dtype) {
  case INGOT_FLOAT64: j->panel = panel_f64; break;
  case INGOT_INT32: case INGOT_UINT32: j->panel = panel_u32; break;
  case INGOT_INT64: case INGOT_UINT64: j->panel = panel_u64; break;
  default: return false;
  }
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(call, MatMul);
  if (attrs->alpha != 1 || attrs->act != INGOT__ACT_NONE || !ingot__matmul_get(call, call->in[0].dtype, false, &j->g)) return false;
  if (j->g.bias || j->g.residual) return false;
  j->size = ingot__dtype_size(call->in[0].dtype);
  j->width = PANEL / j->size;
  j->panels = (j->g.n + j->width - 1) / j->width;
  j->in_place = j->g.b_n == 1 && j->g.m <= ROWS;
  return ingot__mul(j->g.k, PANEL, &j->panel_bytes);
}

static bool supports(const ingot__call *call) {
  job j;
  return prepare(call, &j);
}
static size_t workspace(const ingot__call *call) {
  job j;
  size_t bytes;
  if (!prepare(call, &j)) return 0;
  return ingot__mul(j.panel_bytes, call->threads > 1 ? (size_t)call->threads : 1, &bytes) ? bytes : SIZE_MAX;
}
static ingot_status run(const ingot__call *call) {
  job j;
  if (!prepare(call, &j)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a product that this kernel doesn't take");
  if (j.g.m > 0 && j.g.batches > 0) ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}

const ingot__kernel_functions INGOT__KERNEL(matmul_typed) = {.supports = supports, .workspace = workspace, .run = run};
