/* Writing by index: ScatterElements, ScatterND, with the reductions add, mul, max, min. Indices are checked before anything is written
 * at them. */
#include "ops/ints.h"
#include "ops/move.h"
#include <math.h>

typedef enum reduction { REDUCE_NONE, REDUCE_ADD, REDUCE_MUL, REDUCE_MAX, REDUCE_MIN, REDUCE_BAD } reduction;

static reduction parse(const char *text) {
  static const char *const names[] = {"none", "add", "mul", "max", "min"};
  for (int i = 0; i < REDUCE_BAD; i++)
    if (strcmp(text, names[i]) == 0) return (reduction)i;
  return REDUCE_BAD;
}

#define REDUCE(name, T, add) \
  static void name(reduction r, void *to, const void *from, size_t n) { \
    T *a = to; \
    const T *b = from; \
    for (size_t i = 0; i < n; i++) { \
      switch (r) { \
      case REDUCE_ADD: a[i] = (T)(add); break; \
      case REDUCE_MUL: a[i] = (T)(a[i] * b[i]); break; \
      case REDUCE_MAX: a[i] = b[i] > a[i] || b[i] != b[i] ? b[i] : a[i]; break; \
      default: a[i] = b[i] < a[i] || b[i] != b[i] ? b[i] : a[i]; break; \
      } \
    } \
  }
REDUCE(reduce_f32, float, a[i] + b[i])
REDUCE(reduce_f64, double, a[i] + b[i])
/* Signed integers wrap around, which only unsigned arithmetic defines. */
#define REDUCE_INT(name, T, U) \
  static void name(reduction r, void *to, const void *from, size_t n) { \
    T *a = to; \
    const T *b = from; \
    for (size_t i = 0; i < n; i++) { \
      switch (r) { \
      case REDUCE_ADD: a[i] = (T)((U)a[i] + (U)b[i]); break; \
      case REDUCE_MUL: a[i] = (T)((U)a[i] * (U)b[i]); break; \
      case REDUCE_MAX: a[i] = b[i] > a[i] ? b[i] : a[i]; break; \
      default: a[i] = b[i] < a[i] ? b[i] : a[i]; break; \
      } \
    } \
  }
REDUCE_INT(reduce_i64, int64_t, uint64_t)
REDUCE_INT(reduce_u64, uint64_t, uint64_t)
REDUCE_INT(reduce_i32, int32_t, uint32_t)
REDUCE_INT(reduce_u32, uint32_t, uint32_t)
REDUCE_INT(reduce_i16, int16_t, uint32_t)
REDUCE_INT(reduce_u16, uint16_t, uint32_t)
REDUCE_INT(reduce_i8, int8_t, uint32_t)
REDUCE_INT(reduce_u8, uint8_t, uint32_t)

/* False for types that have no arithmetic here. */
static bool reduce(ingot_dtype dtype, reduction r, void *to, const void *from, size_t n) {
  switch (dtype) {
  case INGOT_FLOAT32: reduce_f32(r, to, from, n); return true;
  case INGOT_FLOAT64: reduce_f64(r, to, from, n); return true;
  case INGOT_INT64: reduce_i64(r, to, from, n); return true;
  case INGOT_UINT64: reduce_u64(r, to, from, n); return true;
  case INGOT_INT32: reduce_i32(r, to, from, n); return true;
  case INGOT_UINT32: reduce_u32(r, to, from, n); return true;
  case INGOT_INT16: reduce_i16(r, to, from, n); return true;
  case INGOT_UINT16: reduce_u16(r, to, from, n); return true;
  case INGOT_INT8: reduce_i8(r, to, from, n); return true;
  case INGOT_UINT8: reduce_u8(r, to, from, n); return true;
  case INGOT_BOOL: /* or, and */
    for (size_t i = 0; i < n; i++) {
      uint8_t *a = (uint8_t *)to + i;
      uint8_t b = ((const uint8_t *)from)[i] != 0;
      *a = r == REDUCE_ADD || r == REDUCE_MAX ? *a | b : *a & b;
    }
    return true;
  case INGOT_FLOAT16:
  case INGOT_BFLOAT16:
    for (size_t i = 0; i < n; i++) {
      float a = (float)ingot__get_double(dtype, to, i), b = (float)ingot__get_double(dtype, from, i);
      reduce_f32(r, &a, &b, 1);
      ingot__set_double(dtype, to, i, a);
    }
    return true;
  default: return false;
  }
}

static ingot_status infer_scatter(ingot__infer *f, const char *text) {
  for (size_t i = 0; i < 3; i++)
    if (!ingot__infer_has(f, i)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "data, indices and updates are needed");
  ingot_dtype index = f->in[1]->dtype;
  if (index != INGOT_INT64 && index != INGOT_INT32) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "indices are %s, not int32 or int64", ingot_dtype_name(index));
  }
  if (f->in[2]->dtype != f->in[0]->dtype) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "data is %s, updates are %s", ingot_dtype_name(f->in[0]->dtype), ingot_dtype_name(f->in[2]->dtype));
  }
  reduction r = parse(text);
  if (r == REDUCE_BAD) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "reduction is '%s', not none, add, mul, max or min", text);
  if (r != REDUCE_NONE && !reduce(f->in[0]->dtype, r, NULL, NULL, 0)) {
    return INGOT__FAIL_INFER(f, INGOT_E_UNSUPPORTED, "reduction %s of %s", text, ingot_dtype_name(f->in[0]->dtype));
  }
  f->out[0] = *f->in[0];
  return INGOT_OK;
}

/* Runs fn over the indices with known elements or with data: at(user, k) is index k. */
typedef struct job {
  const int64_t *dim;        /* of data */
  int rank;
  const int64_t *index_dim;
  int index_rank, axis;
  size_t size;
  char *to;
  const char *updates;
  ingot_dtype dtype;
  reduction r;
  bool (*at)(const void *user, size_t k, int64_t *index);
  const void *user;
} job;

typedef enum outcome { DONE, NOT_KNOWN, OUTSIDE } outcome;

static void write_run(const job *j, size_t offset, size_t update, size_t n) {
  if (j->r == REDUCE_NONE) memcpy(j->to + offset * j->size, j->updates + update * j->size, n * j->size);
  else reduce(j->dtype, j->r, j->to + offset * j->size, j->updates + update * j->size, n);
}

static outcome scatter_elements(const job *j, int64_t *bad) {
  int64_t at[INGOT_MAX_RANK] = {0}, stride[INGOT_MAX_RANK], s = 1, base = 0, index;
  size_t n = 1;
  for (int i = j->rank - 1; i >= 0; i--) stride[i] = s, s *= j->dim[i], n *= (size_t)j->index_dim[i];
  for (size_t k = 0; k < n; k++) {
    if (!j->at(j->user, k, &index)) return NOT_KNOWN;
    *bad = index;
    if (index < 0) index += j->dim[j->axis];
    if (index < 0 || index >= j->dim[j->axis]) return OUTSIDE;
    write_run(j, (size_t)(base + index * stride[j->axis]), k, 1);
    for (int d = j->rank - 1; d >= 0; d--) {
      int64_t step = d == j->axis ? 0 : stride[d];
      base += step;
      if (++at[d] < j->index_dim[d]) break;
      base -= step * at[d];
      at[d] = 0;
    }
  }
  return DONE;
}

static outcome scatter_nd(const job *j, int64_t *bad) {
  int64_t stride[INGOT_MAX_RANK], s = 1, index;
  int width = (int)j->index_dim[j->index_rank - 1];
  size_t tuples = 1, run = 1;
  for (int i = j->rank - 1; i >= 0; i--) stride[i] = s, s *= j->dim[i];
  for (int i = 0; i < j->index_rank - 1; i++) tuples *= (size_t)j->index_dim[i];
  for (int i = width; i < j->rank; i++) run *= (size_t)j->dim[i];
  for (size_t t = 0; t < tuples; t++) {
    int64_t offset = 0;
    for (int d = 0; d < width; d++) {
      if (!j->at(j->user, t * (size_t)width + (size_t)d, &index)) return NOT_KNOWN;
      *bad = index;
      if (index < 0) index += j->dim[d];
      if (index < 0 || index >= j->dim[d]) return OUTSIDE;
      offset += index * stride[d];
    }
    write_run(j, (size_t)offset, t * run, run);
  }
  return DONE;
}

static bool known_at(const void *user, size_t k, int64_t *index) { return ingot__ints_number(user, 1, k, index); }
static bool data_at(const void *user, size_t k, int64_t *index) {
  const ingot__view *v = user;
  *index = v->dtype == INGOT_INT64 ? ((const int64_t *)v->data)[k] : ((const int32_t *)v->data)[k];
  return true;
}

/* Elements that follow where data, indices and updates are all known. */
static ingot_status known_scatter(ingot__infer *f, int axis, reduction r, outcome (*run)(const job *, int64_t *)) {
  size_t n, indices, updates;
  if (r != REDUCE_NONE || !ingot__known_count(f, 0, &n) || !ingot__known_count(f, 1, &indices) || !ingot__known_count(f, 2, &updates)) {
    return INGOT_OK;
  }
  ingot__dim *known = ingot__infer_known(f, 0, n);
  if (!known) return INGOT_OK;
  f->out_known[0] = NULL; /* until all are written */
  if (n) memcpy(known, f->known[0], n * sizeof *known);
  job j = {.dim = f->in[0]->dim, .rank = f->in[0]->rank, .index_dim = f->in[1]->dim, .index_rank = f->in[1]->rank, .axis = axis,
           .size = sizeof *known, .to = (char *)known, .updates = (const char *)f->known[2], .at = known_at, .user = f};
  int64_t bad;
  switch (run(&j, &bad)) {
  case DONE: f->out_known[0] = known; return INGOT_OK;
  case NOT_KNOWN: return INGOT_OK;
  default: return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "index %lld is outside the data", (long long)bad);
  }
}

/* Elements of four bytes without a reduction, a row of indices at a time: what pooling of regions over levels of a pyramid ends with. */
static outcome scatter_rows(const job *j, const ingot__view *index, int64_t *bad) {
  int64_t at[INGOT_MAX_RANK] = {0}, stride[INGOT_MAX_RANK], s = 1, base = 0;
  int last = j->rank - 1;
  for (int i = last; i >= 0; i--) stride[i] = s, s *= j->dim[i];
  const int64_t n = j->index_dim[last], limit = j->dim[j->axis], step = stride[j->axis], along = j->axis == last ? 0 : 1;
  const int64_t *from = index->data;
  const uint32_t *updates = (const uint32_t *)(const void *)j->updates;
  uint32_t *to = (uint32_t *)(void *)j->to;
  for (int i = 0; i < j->rank; i++)
    if (j->index_dim[i] == 0) return DONE;
  for (;;) {
    for (int64_t k = 0; k < n; k++) {
      int64_t x = from[k] < 0 ? from[k] + limit : from[k];
      if ((uint64_t)x >= (uint64_t)limit) return *bad = from[k], OUTSIDE;
      to[base + x * step + k * along] = updates[k];
    }
    from += n, updates += n;
    int d = last - 1;
    for (; d >= 0; d--) {
      int64_t move = d == j->axis ? 0 : stride[d];
      base += move;
      if (++at[d] < j->index_dim[d]) break;
      base -= move * at[d];
      at[d] = 0;
    }
    if (d < 0) return DONE;
  }
}

static ingot_status reference(const ingot__call *call, int axis, reduction r, outcome (*run)(const job *, int64_t *)) {
  const ingot__view *in = &call->in[0], *index = &call->in[1];
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  INGOT_TRY(ingot__move_all(call));
  job j = {.dim = in->dim, .rank = in->rank, .index_dim = index->dim, .index_rank = index->rank, .axis = axis, .size = size,
           .to = call->out[0].data, .updates = call->in[2].data, .dtype = in->dtype, .r = r, .at = data_at, .user = index};
  int64_t bad;
  bool rows = run == scatter_elements && r == REDUCE_NONE && size == 4 && index->dtype == INGOT_INT64 && in->rank > 0;
  if ((rows ? scatter_rows(&j, index, &bad) : run(&j, &bad)) == DONE) return INGOT_OK;
  return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "index %lld is outside the data", (long long)bad);
}

ingot_status ingot__infer_ScatterElements(ingot__infer *f) {
  const ingot__attrs_ScatterElements *a = f->attrs;
  INGOT_TRY(infer_scatter(f, a->reduction));
  const ingot__type *in = f->in[0], *index = f->in[1], *updates = f->in[2];
  int axis;
  if (in->rank < 0 || index->rank < 0 || updates->rank < 0) return INGOT_OK;
  INGOT_TRY(ingot__infer_axis(f, a->axis, in->rank, &axis));
  if (index->rank != in->rank || updates->rank != in->rank) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "data, indices and updates have ranks %d, %d, %d", in->rank, index->rank, updates->rank);
  }
  for (int i = 0; i < in->rank; i++) {
    ingot__dim d;
    INGOT_TRY(ingot__dim_merge(f, index->dim[i], updates->dim[i], "indices and updates", &d));
    if (i != axis && ingot__dim_is_number(in->dim[i]) && ingot__dim_is_number(d) && d > in->dim[i]) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "dim %d of indices is %lld, of data %lld", i, (long long)d, (long long)in->dim[i]);
    }
  }
  return known_scatter(f, axis, parse(a->reduction), scatter_elements);
}

ingot_status ingot__ref_ScatterElements(const ingot__call *call) {
  const ingot__attrs_ScatterElements *a = INGOT__ATTRS(call, ScatterElements);
  return reference(call, (int)(a->axis < 0 ? a->axis + call->in[0].rank : a->axis), parse(a->reduction), scatter_elements);
}

ingot_status ingot__infer_ScatterND(ingot__infer *f) {
  const ingot__attrs_ScatterND *a = f->attrs;
  INGOT_TRY(infer_scatter(f, a->reduction));
  const ingot__type *in = f->in[0], *index = f->in[1], *updates = f->in[2];
  if (in->rank < 0 || index->rank < 0 || updates->rank < 0) return INGOT_OK;
  if (in->rank < 1 || index->rank < 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "data and indices need a rank of at least 1");
  ingot__dim last = index->dim[index->rank - 1];
  if (!ingot__dim_is_number(last)) return INGOT_OK;
  if (last < 1 || last > in->rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "indices of %lld numbers don't fit rank %d", (long long)last, in->rank);
  int rank = index->rank - 1 + in->rank - (int)last;
  if (updates->rank != rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "updates have rank %d where %d is needed", updates->rank, rank);
  for (int i = 0; i < rank; i++) {
    ingot__dim want = i < index->rank - 1 ? index->dim[i] : in->dim[i - (index->rank - 1) + (int)last], d;
    INGOT_TRY(ingot__dim_merge(f, want, updates->dim[i], "updates", &d));
  }
  return known_scatter(f, 0, parse(a->reduction), scatter_nd);
}

ingot_status ingot__ref_ScatterND(const ingot__call *call) {
  return reference(call, 0, parse(INGOT__ATTRS(call, ScatterND)->reduction), scatter_nd);
}
