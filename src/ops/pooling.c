/* MaxPool, AveragePool, LpPool (the p-th root of the sum of p-th powers) and their global forms: inference and references. */
#include "ops/window.h"
#include <math.h>


static ingot_status infer_pool(ingot__infer *infer, const ingot__window_attrs *attrs, bool ceil_mode) {
  bool unknown;
  INGOT_TRY(ingot__infer_rank(infer, 0, 3, 2 + INGOT__WINDOW_DIMS, &unknown));
  const ingot__type *x = infer->in[0];
  bool small = infer->node->op == INGOT__OP_MaxPool && (x->dtype == INGOT_INT8 || x->dtype == INGOT_UINT8);
  if (!ingot__dtype_is_real(x->dtype) && !small) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  if (!unknown) {
    ingot__window window;
    INGOT_TRY(ingot__window_read(infer->diag, infer->node, attrs, x->rank - 2, NULL, &window));
    ingot__type *out = &infer->out[0];
    *out = *x;
    for (int i = 0; i < window.n; i++) INGOT_TRY(ingot__window_out(infer, &window, i, ceil_mode, x->dim[2 + i], &out->dim[2 + i]));
  }
  if (infer->n_out > 1) {
    infer->out[1] = infer->out[0];
    infer->out[1].dtype = INGOT_INT64;
  }
  return INGOT_OK;
}

ingot_status ingot__infer_MaxPool(ingot__infer *infer) {
  const ingot__attrs_MaxPool *a = INGOT__ATTRS(infer, MaxPool);
  ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(a);
  return infer_pool(infer, &attrs, a->ceil_mode != 0);
}

ingot_status ingot__infer_AveragePool(ingot__infer *infer) {
  const ingot__attrs_AveragePool *a = INGOT__ATTRS(infer, AveragePool);
  ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(a);
  return infer_pool(infer, &attrs, a->ceil_mode != 0);
}

ingot_status ingot__infer_LpPool(ingot__infer *infer) {
  const ingot__attrs_LpPool *a = INGOT__ATTRS(infer, LpPool);
  ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(a);
  if (a->p < 1) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "p is %lld", (long long)a->p);
  return infer_pool(infer, &attrs, a->ceil_mode != 0);
}

static ingot_status infer_global(ingot__infer *infer) {
  bool unknown;
  INGOT_TRY(ingot__infer_rank(infer, 0, 2, -1, &unknown));
  if (!ingot__dtype_is_real(infer->in[0]->dtype))
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(infer->in[0]->dtype));
  if (unknown) return INGOT_OK;
  infer->out[0] = *infer->in[0];
  for (int i = 2; i < infer->out[0].rank; i++) infer->out[0].dim[i] = 1;
  return INGOT_OK;
}
ingot_status ingot__infer_GlobalAveragePool(ingot__infer *infer) { return infer_global(infer); }
ingot_status ingot__infer_GlobalMaxPool(ingot__infer *infer) { return infer_global(infer); }
ingot_status ingot__infer_GlobalLpPool(ingot__infer *infer) {
  int64_t p = INGOT__ATTRS(infer, GlobalLpPool)->p;
  return p < 1 ? INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "p is %lld", (long long)p) : infer_global(infer);
}

typedef enum kind { MAXIMUM, AVERAGE, POWERS } kind;
typedef struct job {
  const ingot__call *call;
  ingot__window window;
  int64_t in_plane, out_plane;
  kind kind;
  bool include_pad, column_major;
  double p;
} job;

static double power(double x, double p) { return p == 2 ? x * x : p == 1 ? fabs(x) : pow(fabs(x), p); }
static double root(double x, double p) { return p == 2 ? sqrt(x) : p == 1 ? x : pow(x, 1 / p); }

/* Where the best tap of output `at` of the plane lies, as ONNX counts: over the whole tensor, rows or columns first. */
static int64_t index_of(const job *j, int64_t plane, int64_t at, int64_t tap) {
  const ingot__window *w = &j->window;
  const ingot__view *x = &j->call->in[0], *out = &j->call->out[0];
  int64_t position[INGOT__WINDOW_DIMS];
  for (int i = w->n - 1; i >= 0; i--) {
    int64_t o = at % out->dim[2 + i], k = tap % w->kernel[i];
    at /= out->dim[2 + i];
    tap /= w->kernel[i];
    position[i] = o * w->stride[i] - w->begin[i] + k * w->dilation[i];
  }
  int64_t index = 0;
  if (j->column_major) {
    for (int i = w->n - 1; i >= 0; i--) index = index * x->dim[2 + i] + position[i];
  } else {
    for (int i = 0; i < w->n; i++) index = index * x->dim[2 + i] + position[i];
  }
  return plane * j->in_plane + index;
}

/* Taps of the window at output o that count in an average, along one axis. */
static int64_t covered(const ingot__gather *g, int axis, int64_t o, bool include_pad) {
  const ingot__window *w = &g->window;
  int64_t low = include_pad ? -w->begin[axis] : 0, high = g->in[axis] + (include_pad ? w->end[axis] : 0), n = 0;
  int64_t at = o * w->stride[axis] - w->begin[axis];
  for (int64_t k = 0; k < w->kernel[axis]; k++, at += w->dilation[axis]) n += at >= low && at < high;
  return n;
}

static void divide(const job *j, const ingot__gather *g, double *acc) {
  for (int k = 0; k < g->n_piece; k++) {
    int64_t count = covered(g, 0, g->piece[k].d, j->include_pad) * covered(g, 1, g->piece[k].h, j->include_pad);
    for (int32_t i = 0; i < g->piece[k].n; i++) {
      int64_t n = count * covered(g, 2, g->piece[k].w + i, j->include_pad);
      acc[g->piece[k].to + i] = n ? acc[g->piece[k].to + i] / (double)n : 0;
    }
  }
}

static void compute(const job *j, ingot__gather *g, int64_t plane, int64_t first, size_t n) {
  const ingot__call *call = j->call;
  ingot_dtype t = call->in[0].dtype;
  double acc[INGOT__ROW], row[INGOT__ROW];
  int64_t best[INGOT__ROW], tap = 0;
  for (size_t i = 0; i < INGOT__ROW; i++) {
    acc[i] = j->kind == MAXIMUM ? -INFINITY : 0;
    best[i] = -1;
  }
  ingot__gather_row(g, first, n);
  for (int64_t kd = 0; kd < g->window.kernel[0]; kd++)
    for (int64_t kh = 0; kh < g->window.kernel[1]; kh++)
      for (int64_t kw = 0; kw < g->window.kernel[2]; kw++, tap++) {
        if (!ingot__gather_tap(g, kd, kh, kw)) continue;
        if (j->kind != MAXIMUM) {
          ingot__gather_load(g, t, call->in[0].data, plane * j->in_plane, 0, row);
          for (size_t i = 0; i < n; i++) acc[i] += j->kind == POWERS ? power(row[i], j->p) : row[i];
          continue;
        }
        for (int s = 0; s < g->n_segment; s++) { /* by segment, so that padding is never the maximum */
          size_t to = (size_t)g->segment[s].to, count = (size_t)g->segment[s].n;
          ingot__row_load(t, call->in[0].data, plane * j->in_plane + g->segment[s].from, g->window.stride[2], count, row);
          for (size_t i = 0; i < count; i++) {
            if (row[i] > acc[to + i] || best[to + i] < 0 || (isnan(row[i]) && !isnan(acc[to + i]))) {
              acc[to + i] = row[i];
              best[to + i] = tap;
            }
          }
        }
      }
  if (j->kind == AVERAGE) divide(j, g, acc);
  for (size_t i = 0; j->kind == POWERS && i < n; i++) acc[i] = root(acc[i], j->p);
  ingot__row_store(t, call->out[0].data, plane * j->out_plane + first, 1, n, acc);
  if (j->kind != MAXIMUM || !ingot__has_out(call, 1)) return;
  int64_t *index = (int64_t *)call->out[1].data + plane * j->out_plane + first;
  for (size_t i = 0; i < n; i++) index[i] = best[i] < 0 ? 0 : index_of(j, plane, first + (int64_t)i, best[i]);
}

static void work(void *arg, int i, int n) {
  const job *j = arg;
  const ingot__view *x = &j->call->in[0], *out = &j->call->out[0];
  ingot__gather g;
  ingot__gather_init(&g, &j->window, &x->dim[2], &out->dim[2]);
  size_t begin, end;
  ingot__share((size_t)(out->dim[0] * out->dim[1]), 1, i, n, &begin, &end);
  for (size_t plane = begin; plane < end; plane++)
    for (int64_t first = 0; first < j->out_plane; first += INGOT__ROW) {
      int64_t left = j->out_plane - first;
      compute(j, &g, (int64_t)plane, first, (size_t)(left < INGOT__ROW ? left : INGOT__ROW));
    }
}

static ingot_status run(const ingot__call *call, const ingot__window_attrs *attrs, job *j) {
  const ingot__view *x = &call->in[0], *out = &call->out[0];
  if (ingot__view_count(out) == 0) return INGOT_OK;
  j->call = call;
  j->in_plane = j->out_plane = 1;
  INGOT_TRY(ingot__window_read(call->diag, call->node, attrs, x->rank - 2, NULL, &j->window));
  ingot__window_pads(&j->window, &x->dim[2]);
  for (int i = 2; i < x->rank; i++) {
    j->in_plane *= x->dim[i];
    j->out_plane *= out->dim[i];
  }
  ingot__pool_run(call->pool, work, j);
  return INGOT_OK;
}

ingot_status ingot__ref_MaxPool(const ingot__call *call) {
  const ingot__attrs_MaxPool *a = INGOT__ATTRS(call, MaxPool);
  ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(a);
  job j = {.kind = MAXIMUM, .column_major = a->storage_order != 0};
  return run(call, &attrs, &j);
}

ingot_status ingot__ref_AveragePool(const ingot__call *call) {
  const ingot__attrs_AveragePool *a = INGOT__ATTRS(call, AveragePool);
  ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(a);
  job j = {.kind = AVERAGE, .include_pad = a->count_include_pad != 0};
  return run(call, &attrs, &j);
}

ingot_status ingot__ref_LpPool(const ingot__call *call) {
  const ingot__attrs_LpPool *a = INGOT__ATTRS(call, LpPool);
  ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(a);
  job j = {.kind = POWERS, .p = (double)a->p};
  return run(call, &attrs, &j);
}

static ingot_status global(const ingot__call *call, kind kind, double order) {
  const ingot__view *x = &call->in[0], *out = &call->out[0];
  int64_t planes = ingot__view_count(out), plane = 1;
  double row[INGOT__ROW];
  for (int i = 2; i < x->rank; i++) plane *= x->dim[i];
  for (int64_t p = 0; p < planes; p++) {
    double r = kind == MAXIMUM ? -INFINITY : 0;
    for (int64_t at = 0; at < plane; at += INGOT__ROW) {
      size_t n = (size_t)(plane - at < INGOT__ROW ? plane - at : INGOT__ROW);
      ingot__row_load(x->dtype, x->data, p * plane + at, 1, n, row);
      for (size_t i = 0; i < n; i++) {
        if (kind != MAXIMUM) r += kind == POWERS ? power(row[i], order) : row[i];
        else if (row[i] > r || isnan(row[i])) r = row[i];
      }
    }
    if (kind == AVERAGE) r /= (double)plane;
    if (kind == POWERS) r = root(r, order);
    ingot__row_store(out->dtype, out->data, p, 1, 1, &r);
  }
  return INGOT_OK;
}
ingot_status ingot__ref_GlobalAveragePool(const ingot__call *call) { return global(call, AVERAGE, 0); }
ingot_status ingot__ref_GlobalMaxPool(const ingot__call *call) { return global(call, MAXIMUM, 0); }
ingot_status ingot__ref_GlobalLpPool(const ingot__call *call) { return global(call, POWERS, (double)INGOT__ATTRS(call, GlobalLpPool)->p); }
