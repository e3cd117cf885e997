/* The ten reductions: inference, and one reference for all; floats in double, integers in int64 modulo 2^64. */
#include "ops/ints.h"
#include "ops/rows.h"
#include "ops/steps.h"
#include <math.h>

static bool takes(ingot__op op, ingot_dtype t) {
  if (t == INGOT_FLOAT32 || t == INGOT_FLOAT64 || t == INGOT_FLOAT16 || t == INGOT_BFLOAT16) return true;
  if (t == INGOT_INT32 || t == INGOT_INT64 || t == INGOT_UINT32 || t == INGOT_UINT64) return op != INGOT__OP_ReduceLogSumExp;
  return (op == INGOT__OP_ReduceMax || op == INGOT__OP_ReduceMin) && (t == INGOT_INT8 || t == INGOT_UINT8 || t == INGOT_BOOL);
}

static ingot__dim reduce_known(const ingot__infer *f, ingot__op op, ingot__dim a, ingot__dim b) {
  switch (op) {
  case INGOT__OP_ReduceSum: return ingot__element_do(f, INGOT__EL_ADD, a, b);
  case INGOT__OP_ReduceProd: return ingot__element_do(f, INGOT__EL_MUL, a, b);
  case INGOT__OP_ReduceMax: return ingot__element_do(f, INGOT__EL_MAX, a, b);
  case INGOT__OP_ReduceMin: return ingot__element_do(f, INGOT__EL_MIN, a, b);
  default: return INGOT__DIM_UNKNOWN;
  }
}

/* Known elements of a vector reduced to one: how exporters take products of dims. */
static void fold(ingot__infer *infer) {
  const ingot__type *x = infer->in[0];
  if (!infer->known[0] || (x->dtype != INGOT_INT64 && x->dtype != INGOT_INT32) || x->rank != 1 || x->dim[0] < 1) return;
  ingot__dim r = infer->known[0][0], *known;
  for (int64_t i = 1; i < x->dim[0]; i++) r = reduce_known(infer, infer->node->op, r, infer->known[0][i]);
  if (reduce_known(infer, infer->node->op, 1, 1) == INGOT__DIM_UNKNOWN) return;
  if ((known = ingot__infer_known(infer, 0, 1))) known[0] = r;
}

/* All reductions have the same attribute struct but for its name. */
static ingot_status infer_reduce(ingot__infer *infer) {
  const ingot__attrs_ReduceSum *a = (const ingot__attrs_ReduceSum *)infer->attrs;
  bool unknown, unknown_axes = false;
  int axis[INGOT_MAX_RANK], n = 0;
  INGOT_TRY(ingot__infer_rank(infer, 0, 0, -1, &unknown));
  const ingot__type *x = infer->in[0];
  if (!takes(infer->node->op, x->dtype)) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  if (unknown) return INGOT_OK;
  ingot__type *out = &infer->out[0];
  *out = *x;
  if (ingot__infer_has(infer, 1)) INGOT_TRY(ingot__ints_axes(infer, 1, x->rank, axis, &n, &unknown_axes));
  if (unknown_axes) {
    size_t count;
    if (a->keepdims) {
      for (int i = 0; i < x->rank; i++) out->dim[i] = INGOT__DIM_UNKNOWN;
    } else if (ingot__ints_count(infer, 1, &count) && count > 0) {
      out->rank = (int8_t)(x->rank - (int)count);
      for (int i = 0; i < out->rank; i++) out->dim[i] = INGOT__DIM_UNKNOWN;
    } else {
      ingot__type_unknown(out, x->dtype);
    }
    return INGOT_OK;
  }
  if (n == 0 && a->noop_with_empty_axes) return INGOT_OK;
  unsigned reduced = n ? 0 : (1u << x->rank) - 1;
  for (int k = 0; k < n; k++) reduced |= 1u << axis[k];
  int rank = 0;
  for (int i = 0; i < x->rank; i++) {
    if (!(reduced >> i & 1)) out->dim[rank++] = x->dim[i];
    else if (a->keepdims) out->dim[rank++] = 1;
  }
  out->rank = (int8_t)rank;
  if (reduced) fold(infer);
  return INGOT_OK;
}

/* ---- Reference */

typedef struct sum { double r, max; int64_t i; bool any; } sum;

/* First pass of ReduceLogSumExp, so that no exponent overflows. */
static void add_max(sum *s, const double *row, size_t n) {
  for (size_t i = 0; i < n; i++) s->max = row[i] > s->max || isnan(row[i]) ? row[i] : s->max;
}

static void add(sum *s, ingot__op op, const double *row, size_t n) {
  double r = s->r;
  switch (op) {
  case INGOT__OP_ReduceSum: case INGOT__OP_ReduceMean: case INGOT__OP_ReduceLogSum: for (size_t i = 0; i < n; i++) r += row[i]; break;
  case INGOT__OP_ReduceMax: for (size_t i = 0; i < n; i++) r = row[i] > r || isnan(row[i]) ? row[i] : r; break;
  case INGOT__OP_ReduceMin: for (size_t i = 0; i < n; i++) r = row[i] < r || isnan(row[i]) ? row[i] : r; break;
  case INGOT__OP_ReduceProd: for (size_t i = 0; i < n; i++) r *= row[i]; break;
  case INGOT__OP_ReduceL1: for (size_t i = 0; i < n; i++) r += fabs(row[i]); break;
  case INGOT__OP_ReduceLogSumExp: for (size_t i = 0; i < n; i++) r += exp(row[i] - s->max); break;
  default: for (size_t i = 0; i < n; i++) r += row[i] * row[i]; break; /* ReduceL2, ReduceSumSquare */
  }
  s->r = r;
}

static void add_int(sum *s, ingot__op op, int64_t v, bool is_unsigned) {
  uint64_t a = (uint64_t)s->i, b = (uint64_t)v;
  switch (op) {
  case INGOT__OP_ReduceMax: if (!s->any || (is_unsigned ? b > a : v > s->i)) a = b; break;
  case INGOT__OP_ReduceMin: if (!s->any || (is_unsigned ? b < a : v < s->i)) a = b; break;
  case INGOT__OP_ReduceProd: a *= b; break;
  case INGOT__OP_ReduceL1: a += v < 0 && !is_unsigned ? 0 - b : b; break;
  case INGOT__OP_ReduceL2: case INGOT__OP_ReduceSumSquare: a += b * b; break;
  default: a += b; break;
  }
  s->i = (int64_t)a;
  s->any = true;
}

static double finish(const sum *s, ingot__op op, double n) {
  switch (op) {
  case INGOT__OP_ReduceMean: return s->r / n;
  case INGOT__OP_ReduceL2: return sqrt(s->r);
  case INGOT__OP_ReduceLogSum: return log(s->r);
  case INGOT__OP_ReduceLogSumExp: return isinf(s->max) ? s->max : log(s->r) + s->max;
  default: return s->r;
  }
}

static int64_t element_int(const ingot__view *v, int64_t i) {
  return v->dtype == INGOT_UINT64 ? (int64_t)((const uint64_t *)v->data)[i] : ingot__get_int(v->dtype, v->data, (size_t)i);
}

static void store_int(const ingot__view *out, int64_t at, sum *s, ingot__op op, int64_t n) {
  bool is_unsigned = out->dtype == INGOT_UINT64 || out->dtype == INGOT_UINT32;
  int64_t r = s->i;
  if (!s->any) { /* nothing to reduce: what leaves any other value as it is */
    bool low = op == INGOT__OP_ReduceMax;
    if (op == INGOT__OP_ReduceMax || op == INGOT__OP_ReduceMin) r = out->dtype == INGOT_BOOL ? !low : low ? INT64_MIN : INT64_MAX;
    if (op == INGOT__OP_ReduceMin && out->dtype == INGOT_UINT64) r = -1;
    if (low && is_unsigned) r = 0;
  }
  if (op == INGOT__OP_ReduceMean) r = n == 0 ? 0 : is_unsigned ? (int64_t)((uint64_t)r / (uint64_t)n) : r / n;
  if (op == INGOT__OP_ReduceL2) r = r > 0 ? (int64_t)sqrt((double)r) : 0; /* it may have wrapped */
  if (op == INGOT__OP_ReduceLogSum) r = r > 0 ? (int64_t)log((double)r) : 0;
  switch (out->dtype) { /* sums wrap as the type does; extremes of nothing saturate */
  case INGOT_UINT64: case INGOT_INT64: ((int64_t *)out->data)[at] = r; return;
  case INGOT_UINT32: case INGOT_INT32:
    if (s->any) ((uint32_t *)out->data)[at] = (uint32_t)r;
    else ingot__set_int(out->dtype, out->data, (size_t)at, r);
    return;
  default: ingot__set_int(out->dtype, out->data, (size_t)at, r);
  }
}

/* The reduced axes as a bit mask, from data: not trusted. */
static ingot_status read_axes(const ingot__call *call, unsigned *mask) {
  const ingot__attrs_ReduceSum *a = (const ingot__attrs_ReduceSum *)call->attrs;
  int rank = call->in[0].rank;
  unsigned all = (1u << rank) - 1;
  int64_t n = ingot__has_in(call, 1) ? ingot__view_count(&call->in[1]) : 0;
  *mask = n == 0 && !a->noop_with_empty_axes ? all : 0;
  for (int64_t k = 0; k < n; k++) {
    int64_t axis = ingot__get_int(call->in[1].dtype, call->in[1].data, (size_t)k);
    if (axis < -rank || axis >= rank) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "axis %lld is outside %d..%d", (long long)axis, -rank, rank - 1);
    *mask |= 1u << (axis < 0 ? axis + rank : axis);
  }
  int64_t count = 1;
  for (int i = 0; i < rank; i++)
    if (!(*mask >> i & 1)) count *= call->in[0].dim[i];
  if (count != ingot__view_count(&call->out[0])) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the axes do not lead to the output's shape");
  return INGOT_OK;
}

/* One output: `s` walks the reduced part of the input from element `at`. */
static void reduce_one(const ingot__call *call, ingot__op op, bool real, const ingot__steps *start, int64_t at, int64_t to, int64_t n) {
  const ingot__view *x = &call->in[0], *out = &call->out[0];
  bool is_unsigned = x->dtype == INGOT_UINT64 || x->dtype == INGOT_UINT32 || x->dtype == INGOT_UINT8;
  sum r = {.r = op == INGOT__OP_ReduceProd ? 1 : op == INGOT__OP_ReduceMax ? -INFINITY : op == INGOT__OP_ReduceMin ? INFINITY : 0,
           .max = -INFINITY, .i = op == INGOT__OP_ReduceProd};
  double row[INGOT__ROW];
  for (int pass = op == INGOT__OP_ReduceLogSumExp ? 0 : 1; pass < 2 && n > 0; pass++) {
    ingot__steps s = *start;
    do {
      for (size_t i = 0; real && i < s.run; i += INGOT__ROW) {
        size_t m = s.run - i < INGOT__ROW ? s.run - i : INGOT__ROW;
        ingot__row_load(x->dtype, x->data, at + s.at[0] + (int64_t)i * s.step[0], s.step[0], m, row);
        if (pass == 0) add_max(&r, row, m);
        else add(&r, op, row, m);
      }
      for (size_t i = 0; !real && i < s.run; i++) add_int(&r, op, element_int(x, at + s.at[0] + (int64_t)i * s.step[0]), is_unsigned);
    } while (ingot__steps_next(&s));
  }
  if (real) ingot__set_double(out->dtype, out->data, (size_t)to, finish(&r, op, (double)n));
  else store_int(out, to, &r, op, n);
}

static ingot_status reduce(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  ingot__op op = call->node->op;
  bool real = ingot__dtype_is_float(x->dtype);
  unsigned mask;
  INGOT_TRY(read_axes(call, &mask));
  /* Kept dims outside, reduced ones inside. */
  int64_t kept[INGOT_MAX_RANK], kept_stride[INGOT_MAX_RANK], gone[INGOT_MAX_RANK], gone_stride[INGOT_MAX_RANK], n = 1, to = 0;
  int n_kept = 0, n_gone = 0;
  for (int i = 0; i < x->rank; i++) {
    if (mask >> i & 1) gone[n_gone] = x->dim[i], gone_stride[n_gone++] = x->stride[i], n *= x->dim[i];
    else kept[n_kept] = x->dim[i], kept_stride[n_kept++] = x->stride[i];
  }
  ingot__steps outer, inner;
  ingot__steps_init(&inner, n_gone, gone);
  ingot__steps_add_strides(&inner, gone_stride);
  if (n > 0) ingot__steps_start(&inner);
  ingot__steps_init(&outer, n_kept, kept);
  ingot__steps_add_strides(&outer, kept_stride);
  if (!ingot__steps_start(&outer)) return INGOT_OK;
  /* With noop_with_empty_axes and no axes the operator's function still applies to every element: log, absolute value, square. */
  do {
    for (size_t i = 0; i < outer.run; i++) {
      reduce_one(call, op, real, &inner, outer.at[0] + (int64_t)i * outer.step[0], to++, n);
    }
  } while (ingot__steps_next(&outer));
  return INGOT_OK;
}

#define REDUCE(name) \
  ingot_status ingot__infer_##name(ingot__infer *infer) { return infer_reduce(infer); } \
  ingot_status ingot__ref_##name(const ingot__call *call) { return reduce(call); }
REDUCE(ReduceSum)
REDUCE(ReduceMean)
REDUCE(ReduceMax)
REDUCE(ReduceMin)
REDUCE(ReduceProd)
REDUCE(ReduceL1)
REDUCE(ReduceL2)
REDUCE(ReduceLogSum)
REDUCE(ReduceLogSumExp)
REDUCE(ReduceSumSquare)
