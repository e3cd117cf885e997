/* Reductions of integers and doubles over any axes of any layout, ArgMax and ArgMin of them, and products of floats: along contiguous lines, or
 * for a block of neighbouring results at once, in plain loops that the compiler vectorises. Integers wrap; products of floats are of doubles. */
#include "backend/cpu/kernels/lanes.inc"
#include "backend/cpu/kernels/reduce/lines.h"
#include "backend/cpu/kernels/template.h"
#include "backend/cpu/kernels/vector_math.inc"

enum { GRAIN = 65536, CHAINS = 16 };
typedef enum kind { SUM, MEAN, MAXIMUM, MINIMUM, PRODUCT, ABSOLUTE, SQUARE, BEST, WORST } kind; /* BEST, WORST: ArgMax, ArgMin */

typedef struct job {
  ingot__lines lines;
  kind kind;
  bool last; /* the last of equal elements, for ArgMax */
  ingot_dtype dtype;
  const void *from;
  void *to;
} job;

static bool kind_of(const ingot__call *call, kind *k) {
  switch (call->node->op) {
  case INGOT__OP_ReduceSum: *k = SUM; return true;
  case INGOT__OP_ReduceMean: *k = MEAN; return true;
  case INGOT__OP_ReduceMax: *k = MAXIMUM; return true;
  case INGOT__OP_ReduceMin: *k = MINIMUM; return true;
  case INGOT__OP_ReduceProd: *k = PRODUCT; return true;
  case INGOT__OP_ReduceL1: *k = ABSOLUTE; return true;
  case INGOT__OP_ReduceSumSquare: *k = SQUARE; return true;
  case INGOT__OP_ArgMax: *k = BEST; return true;
  case INGOT__OP_ArgMin: *k = WORST; return true;
  default: return false;
  }
}

/* Steps through all but the last of the gone dims; false at the end. */
static bool next(const ingot__axes *g, int dims, int64_t *index, int64_t *at) {
  for (int d = dims - 1; d >= 0; d--) {
    *at += g->in[d];
    if (++index[d] < g->dim[d]) return true;
    *at -= g->in[d] * g->dim[d];
    index[d] = 0;
  }
  return false;
}

/* A line of doubles, which compilers keep scalar where it is written as the others are; extremes are NaN if there is one. */
#if defined(__AVX__)
enum { DOUBLES = sizeof(vec) / sizeof(double) };
typedef double wide __attribute__((vector_size(DOUBLES * 8)));
typedef double wide_unaligned __attribute__((vector_size(DOUBLES * 8), aligned(8), may_alias));
typedef int64_t wide_mask __attribute__((vector_size(DOUBLES * 8)));
#define WIDE_INLINE static inline __attribute__((always_inline))
WIDE_INLINE wide wide_choose(wide_mask take, wide yes, wide no) { return (wide)((take & (wide_mask)yes) | (~take & (wide_mask)no)); }
WIDE_INLINE wide wide_step(const kind k, wide s, wide x) {
  switch (k) {
  case MAXIMUM: return wide_choose((wide_mask)(s < x) | (wide_mask)(x != x), x, s);
  case MINIMUM: return wide_choose((wide_mask)(s > x) | (wide_mask)(x != x), x, s);
  case PRODUCT: return s * x;
  case ABSOLUTE: return s + (wide)((wide_mask)x & INT64_MAX);
  case SQUARE: return s + x * x;
  default: return s + x;
  }
}
WIDE_INLINE wide wide_join(const kind k, wide s, wide x) { return wide_step(k == ABSOLUTE || k == SQUARE ? SUM : k, s, x); }
WIDE_INLINE wide wide_load(const double *p) { return *(const wide_unaligned *)(const void *)p; }
/* Goes over as many of the n elements as fill vectors; the greatest and least over all of them. Returns how many, and their result. */
WIDE_INLINE int64_t wide_line(const kind k, const double *x, int64_t n, double *result) {
  const double start = k == MAXIMUM ? -INFINITY : k == MINIMUM ? INFINITY : k == PRODUCT;
  wide acc[4];
  int64_t i = 0;
  for (int c = 0; c < 4; c++) acc[c] = start - (wide){0};
  for (; i + 4 * DOUBLES <= n; i += 4 * DOUBLES)
    for (int c = 0; c < 4; c++) acc[c] = wide_step(k, acc[c], wide_load(x + i + c * DOUBLES));
  for (; i + DOUBLES <= n; i += DOUBLES) acc[0] = wide_step(k, acc[0], wide_load(x + i));
  if ((k == MAXIMUM || k == MINIMUM) && i > 0 && i < n) acc[1] = wide_step(k, acc[1], wide_load(x + n - DOUBLES)), i = n; /* some twice */
  double lane[DOUBLES], s;
  acc[0] = wide_join(k, wide_join(k, acc[0], acc[1]), wide_join(k, acc[2], acc[3]));
  memcpy(lane, &acc[0], sizeof lane);
  s = lane[0];
  for (int c = 1; c < DOUBLES; c++) {
    if (k == MAXIMUM) s = s < lane[c] || lane[c] != lane[c] ? lane[c] : s;
    else if (k == MINIMUM) s = s > lane[c] || lane[c] != lane[c] ? lane[c] : s;
    else s = k == PRODUCT ? s * lane[c] : s + lane[c];
  }
  *result = s;
  return i;
}
#define LINE_OF_DOUBLES(k, x, n, s, i) \
  if (n >= DOUBLES) { \
    i = wide_line(k, x, n, &chain[0]); \
    s = join_f64(k, s, chain[0]); \
  } else
#else
#define LINE_OF_DOUBLES(k, x, n, s, i)
#endif

/* For elements of type T, added up in A. `LOW`, `HIGH`: below and above all others. A NaN is greater and less than any number. */
#define REDUCTIONS(N, T, A, LOW, HIGH) \
  static inline __attribute__((always_inline)) A start_##N(kind k) { return k == MAXIMUM ? (A)(LOW) : k == MINIMUM ? (A)(HIGH) : k == PRODUCT; } \
  static inline __attribute__((always_inline)) A step_##N(const kind k, A s, T x) { \
    switch (k) { \
    case MAXIMUM: return s < (A)x || x != x ? (A)x : s; \
    case MINIMUM: return s > (A)x || x != x ? (A)x : s; \
    case PRODUCT: return s * (A)x; \
    case ABSOLUTE: return s + (A)(x < 0 ? -x : x); \
    case SQUARE: return s + (A)x * (A)x; \
    default: return s + (A)x; \
    } \
  } \
  static inline __attribute__((always_inline)) A join_##N(const kind k, A s, A x) { \
    if (k == MAXIMUM || k == MINIMUM) return step_##N(k, s, (T)x); \
    return k == PRODUCT ? s * x : s + x; \
  } \
  /* Several chains, so that one addition needn't wait for the last. */ \
  static inline __attribute__((always_inline)) A line_of_##N(const kind k, const T *x, int64_t n, A s) { \
    A chain[CHAINS]; \
    int64_t i = 0; \
    WIDE_LINE(k, x, n, s, i) \
    if (n >= CHAINS) { \
      for (int c = 0; c < CHAINS; c++) chain[c] = start_##N(k); \
      for (; i + CHAINS <= n; i += CHAINS) \
        for (int c = 0; c < CHAINS; c++) chain[c] = step_##N(k, chain[c], x[i + c]); \
      for (int c = 0; c < CHAINS; c++) s = join_##N(k, s, chain[c]); \
    } \
    for (; i < n; i++) s = step_##N(k, s, x[i]); \
    return s; \
  } \
  static void lines_##N(const kind k, const job *j, const T *from, T *to) { \
    const ingot__axes *g = &j->lines.gone; \
    int64_t index[INGOT_MAX_RANK] = {0}, at = 0; \
    A s = start_##N(k); \
    do s = line_of_##N(k, from + at, g->dim[g->rank - 1], s); \
    while (next(g, g->rank - 1, index, &at)); \
    *to = (T)(k == MEAN ? s / (A)g->count : s); \
  } \
  static void blocks_##N(const kind k, const job *j, const T *restrict from, T *restrict to, int64_t w) { \
    const ingot__axes *g = &j->lines.gone; \
    int64_t index[INGOT_MAX_RANK] = {0}, at = 0, n = g->rank ? g->dim[g->rank - 1] : 1, stride = g->rank ? g->in[g->rank - 1] : 0; \
    A acc[LINES_WIDTH]; \
    for (int64_t c = 0; c < w; c++) acc[c] = start_##N(k); \
    do \
      for (int64_t i = 0; i < n; i++) { \
        const T *x = from + at + i * stride; \
        for (int64_t c = 0; c < w; c++) acc[c] = step_##N(k, acc[c], x[c]); \
      } \
    while (next(g, g->rank - 1, index, &at)); \
    for (int64_t c = 0; c < w; c++) to[c] = (T)(k == MEAN ? acc[c] / (A)g->count : acc[c]); \
  } \
  static int64_t place_##N(const job *j, const T *x, int64_t n, int64_t stride) { \
    int64_t best = 0; \
    for (int64_t i = 1; i < n; i++) { \
      T a = x[best * stride], b = x[i * stride]; \
      bool better = a != a ? j->last && b != b : b != b || (j->kind == BEST ? b > a : b < a) || (j->last && a == b); \
      best = better ? i : best; \
    } \
    return best; \
  } \
  static void unit_##N(const job *j, const ingot__line *l) { \
    const ingot__axes *g = &j->lines.gone; \
    const T *from = (const T *)j->from + l->in; \
    if (j->kind >= BEST) { \
      int64_t stride = g->rank ? g->in[0] : 0, step = l->width > 1 ? j->lines.kept.in[j->lines.kept.rank - 1] : 1; \
      for (int64_t c = 0; c < l->width; c++) ((int64_t *)j->to)[l->out + c] = place_##N(j, from + c * step, g->count, stride); \
      return; \
    } \
    T *to = (T *)j->to + l->out; \
    switch (j->kind) { \
    case MAXIMUM: if (j->lines.rows) lines_##N(MAXIMUM, j, from, to); else blocks_##N(MAXIMUM, j, from, to, l->width); return; \
    case MINIMUM: if (j->lines.rows) lines_##N(MINIMUM, j, from, to); else blocks_##N(MINIMUM, j, from, to, l->width); return; \
    case PRODUCT: if (j->lines.rows) lines_##N(PRODUCT, j, from, to); else blocks_##N(PRODUCT, j, from, to, l->width); return; \
    case ABSOLUTE: if (j->lines.rows) lines_##N(ABSOLUTE, j, from, to); else blocks_##N(ABSOLUTE, j, from, to, l->width); return; \
    case SQUARE: if (j->lines.rows) lines_##N(SQUARE, j, from, to); else blocks_##N(SQUARE, j, from, to, l->width); return; \
    case MEAN: if (j->lines.rows) lines_##N(MEAN, j, from, to); else blocks_##N(MEAN, j, from, to, l->width); return; \
    default: if (j->lines.rows) lines_##N(SUM, j, from, to); else blocks_##N(SUM, j, from, to, l->width); return; \
    } \
  }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtype-limits" /* the loops are pasted for unsigned types, too */
#endif
#define WIDE_LINE(k, x, n, s, i)
REDUCTIONS(i32, int32_t, int32_t, INT32_MIN, INT32_MAX)
REDUCTIONS(i64, int64_t, int64_t, INT64_MIN, INT64_MAX)
REDUCTIONS(u32, uint32_t, uint32_t, 0, UINT32_MAX)
REDUCTIONS(u64, uint64_t, uint64_t, 0, UINT64_MAX)
REDUCTIONS(i8, int8_t, int8_t, INT8_MIN, INT8_MAX)
REDUCTIONS(u8, uint8_t, uint8_t, 0, UINT8_MAX)
#undef WIDE_LINE
#define WIDE_LINE LINE_OF_DOUBLES
REDUCTIONS(f64, double, double, -INFINITY, INFINITY)
#undef WIDE_LINE
#define WIDE_LINE(k, x, n, s, i)
REDUCTIONS(f32, float, double, -INFINITY, INFINITY)

static void unit(const job *j, const ingot__line *l) {
  switch (j->dtype) {
  case INGOT_INT32: unit_i32(j, l); return;
  case INGOT_INT64: unit_i64(j, l); return;
  case INGOT_UINT32: unit_u32(j, l); return;
  case INGOT_UINT64: unit_u64(j, l); return;
  case INGOT_INT8: unit_i8(j, l); return;
  case INGOT_UINT8: unit_u8(j, l); return;
  case INGOT_FLOAT64: unit_f64(j, l); return;
  default: unit_f32(j, l); return;
  }
}

static void work(void *arg, int thread, int threads) {
  const job *j = arg;
  size_t begin, end;
  ingot__share((size_t)j->lines.units, 1, thread, threads, &begin, &end);
  for (size_t u = begin; u < end; u++) {
    ingot__line line = ingot__lines_at(&j->lines, (int64_t)u);
    unit(j, &line);
  }
}

/* The axes gone over as bits; false when they aren't known. */
static bool read_axes(const ingot__call *call, kind k, unsigned *gone) {
  int rank = call->in[0].rank;
  if (k >= BEST) {
    int64_t axis = call->node->op == INGOT__OP_ArgMax ? INGOT__ATTRS(call, ArgMax)->axis : INGOT__ATTRS(call, ArgMin)->axis;
    if (axis < 0) axis += rank;
    *gone = axis >= 0 && axis < rank ? 1u << axis : 0;
    return *gone != 0;
  }
  const ingot__attrs_ReduceSum *a = (const ingot__attrs_ReduceSum *)call->attrs; /* all reductions have these */
  *gone = 0;
  int64_t n = 0;
  if (ingot__has_in(call, 1)) {
    const ingot__view *axes = &call->in[1];
    if (!axes->constant || !axes->data) return false;
    n = ingot__view_count(axes);
    for (int64_t i = 0; i < n; i++) {
      int64_t axis = ingot__get_int(axes->dtype, axes->data, (size_t)i);
      if (axis < 0) axis += rank;
      if (axis < 0 || axis >= rank) return false;
      *gone |= 1u << axis;
    }
  }
  if (n == 0 && !a->noop_with_empty_axes) *gone = (1u << rank) - 1;
  return *gone != 0;
}

static bool supports(const ingot__call *call) {
  kind k;
  unsigned gone;
  if (!call->node || !ingot__has_in(call, 0) || !ingot__has_out(call, 0) || call->in[0].rank < 1 || !kind_of(call, &k)) return false;
  ingot_dtype t = call->in[0].dtype;
  if (call->out[0].dtype != (k >= BEST ? INGOT_INT64 : t)) return false;
  switch (t) {
  case INGOT_INT32: case INGOT_UINT32: if (k == MEAN) return false; break; /* the sum of a mean doesn't wrap */
  case INGOT_INT64: case INGOT_UINT64: case INGOT_FLOAT64: break;
  case INGOT_INT8: case INGOT_UINT8: if (k != MAXIMUM && k != MINIMUM && k < BEST) return false; break;
  case INGOT_FLOAT32: if (k != PRODUCT) return false; break;
  default: return false;
  }
  return read_axes(call, k, &gone) && (call->out[0].rank < 3 || call->out[0].rank == call->in[0].rank || call->out[0].layout == INGOT__PLAIN);
}

static ingot_status run(const ingot__call *call) {
  job j = {.from = call->in[0].data, .to = call->out[0].data, .dtype = call->in[0].dtype};
  unsigned gone;
  if (!kind_of(call, &j.kind) || !read_axes(call, j.kind, &gone)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "not a reduction");
  if (j.kind >= BEST)
    j.last = call->node->op == INGOT__OP_ArgMax ? INGOT__ATTRS(call, ArgMax)->select_last_index : INGOT__ATTRS(call, ArgMin)->select_last_index;
  ingot__lines_set(&j.lines, &call->in[0], &call->out[0], gone);
  if (j.lines.kept.count == 0) return INGOT_OK;
  if (j.lines.gone.count == 0) return ingot__reference(call); /* the value of an empty reduction; nothing is read */
  if (j.lines.kept.count * j.lines.gone.count < GRAIN) {
    work(&j, 0, 1);
    return INGOT_OK;
  }
  ingot__lines_narrow(&j.lines, call->threads);
  ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}

const ingot__kernel_functions INGOT__KERNEL(reduce_typed) = {.supports = supports, .run = run};
