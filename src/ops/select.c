/* Selections whose size is known only when they have run: Compress takes the slices that a condition marks, Unique the different ones. */
#include "ops/ints.h"
#include "ops/move.h"

/* ---- Compress */

ingot_status ingot__infer_Compress(ingot__infer *f) {
  const ingot__attrs_Compress *a = INGOT__ATTRS(f, Compress);
  bool unknown, unknown_condition;
  int axis = 0;
  size_t n, count = 0;
  INGOT_TRY(ingot__infer_rank(f, 0, 1, -1, &unknown));
  INGOT_TRY(ingot__infer_rank(f, 1, 1, 1, &unknown_condition));
  const ingot__type *in = f->in[0];
  if (f->in[1]->dtype != INGOT_BOOL) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the condition is %s, not bool", ingot_dtype_name(f->in[1]->dtype));
  ingot__dim kept = INGOT__DIM_UNKNOWN;
  const ingot__view *condition = f->data[1];
  bool whole = a->axis == INGOT__NO_INT;
  if (!unknown && !whole) INGOT_TRY(ingot__infer_axis(f, a->axis, in->rank, &axis));
  ingot__dim length = unknown ? INGOT__DIM_UNKNOWN : whole ? ingot__dims_product(f, in, 0, in->rank) : in->dim[axis];
  if (condition && condition->data && ingot__type_count(f->in[1], &n) && ingot__dim_is_number(length)) {
    for (size_t i = 0; i < n && (int64_t)i < length; i++) count += ((const uint8_t *)condition->data)[i] != 0;
    kept = (int64_t)count;
  }
  ingot__type_unknown(&f->out[0], in->dtype);
  if (unknown && !whole) return INGOT_OK;
  if (whole) f->out[0] = (ingot__type){.dtype = in->dtype, .rank = 1};
  else f->out[0] = *in;
  f->out[0].dim[axis] = kept;
  return INGOT_OK;
}

ingot_status ingot__ref_Compress(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *condition = &call->in[1];
  const uint8_t *marked = condition->data;
  int64_t a = INGOT__ATTRS(call, Compress)->axis, dim[INGOT_MAX_RANK];
  bool whole = a == INGOT__NO_INT;
  int axis = (int)(whole ? 0 : a < 0 ? a + in->rank : a);
  size_t size = ingot__move_size(in->dtype), outer = 1, run, length = whole ? (size_t)ingot__view_count(in) : (size_t)in->dim[axis], count = 0;
  if (!size) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "elements of type %s", ingot_dtype_name(in->dtype));
  run = size;
  for (int i = 0; !whole && i < in->rank; i++) {
    if (i < axis) outer *= (size_t)in->dim[i];
    if (i > axis) run *= (size_t)in->dim[i];
    dim[i] = in->dim[i];
  }
  size_t n = (size_t)ingot__view_count(condition);
  if (n > length) n = length; /* what is beyond selects nothing, as ONNX Runtime has it */
  for (size_t i = 0; i < n; i++) count += marked[i] != 0;
  dim[axis] = (int64_t)count;
  INGOT_TRY(ingot__set_out(call, 0, whole ? 1 : in->rank, dim));
  char *to = call->out[0].data;
  for (size_t o = 0; o < outer; o++)
    for (size_t i = 0; i < n; i++)
      if (marked[i]) memcpy(to, (const char *)in->data + (o * length + i) * run, run), to += run;
  return INGOT_OK;
}

/* ---- Unique: values or slices along an axis, ascending or in the order they are met; where each is met first, which one each of the
 * input's is, and how often each occurs. Slices are ordered by their first differing element. */

ingot_status ingot__infer_Unique(ingot__infer *f) {
  const ingot__attrs_Unique *a = INGOT__ATTRS(f, Unique);
  bool unknown;
  int axis = 0;
  INGOT_TRY(ingot__infer_rank(f, 0, 0, -1, &unknown));
  const ingot__type *in = f->in[0];
  if (ingot__move_size(in->dtype) == 0) return INGOT__FAIL_INFER(f, INGOT_E_UNSUPPORTED, "elements of type %s", ingot_dtype_name(in->dtype));
  bool whole = a->axis == INGOT__NO_INT;
  for (size_t i = 1; i < f->n_out; i++) f->out[i] = (ingot__type){.dtype = INGOT_INT64, .rank = 1, .dim = {INGOT__DIM_UNKNOWN}};
  ingot__type_unknown(&f->out[0], in->dtype);
  if (!unknown && !whole) INGOT_TRY(ingot__infer_axis(f, a->axis, in->rank, &axis));
  if (whole) f->out[0] = (ingot__type){.dtype = in->dtype, .rank = 1, .dim = {INGOT__DIM_UNKNOWN}};
  if (unknown) return INGOT_OK;
  if (f->n_out > 2) f->out[2].dim[0] = whole ? ingot__dims_product(f, in, 0, in->rank) : in->dim[axis];
  if (whole) return INGOT_OK;
  f->out[0] = *in;
  f->out[0].dim[axis] = INGOT__DIM_UNKNOWN;
  return INGOT_OK;
}

typedef struct slices {
  const ingot__view *in;
  size_t length, outer, inner; /* the input is outer x length x inner elements */
} slices;

static int order(double a, double b) { /* NaN last, and equal to itself as NumPy's unique has it */
  if (a != a || b != b) return (a != a) - (b != b);
  return (a > b) - (a < b);
}

static int compare_element(const ingot__view *v, size_t i, size_t k) {
  switch (v->dtype) {
  case INGOT_STRING: return ingot__string_compare(((const ingot_string *)v->data)[i], ((const ingot_string *)v->data)[k]);
  case INGOT_INT64: { int64_t a = ((const int64_t *)v->data)[i], b = ((const int64_t *)v->data)[k]; return (a > b) - (a < b); }
  case INGOT_UINT64: { uint64_t a = ((const uint64_t *)v->data)[i], b = ((const uint64_t *)v->data)[k]; return (a > b) - (a < b); }
  case INGOT_BOOL: return (((const uint8_t *)v->data)[i] != 0) - (((const uint8_t *)v->data)[k] != 0);
  case INGOT_COMPLEX64:
  case INGOT_COMPLEX128: {
    ingot_dtype part = v->dtype == INGOT_COMPLEX64 ? INGOT_FLOAT32 : INGOT_FLOAT64;
    int c = order(ingot__get_double(part, v->data, 2 * i), ingot__get_double(part, v->data, 2 * k));
    return c ? c : order(ingot__get_double(part, v->data, 2 * i + 1), ingot__get_double(part, v->data, 2 * k + 1));
  }
  default: return order(ingot__get_double(v->dtype, v->data, i), ingot__get_double(v->dtype, v->data, k));
  }
}

static int compare(const slices *s, int64_t a, int64_t b) {
  for (size_t o = 0; o < s->outer; o++)
    for (size_t i = 0; i < s->inner; i++) {
      int c = compare_element(s->in, (o * s->length + (size_t)a) * s->inner + i, (o * s->length + (size_t)b) * s->inner + i);
      if (c) return c;
    }
  return 0;
}

/* Stable bottom-up merge sort of slice numbers; returns where the result is. */
static int64_t *sort(const slices *s, int64_t *a, int64_t *b, size_t n) {
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t i = 0; i < n; i += 2 * width) {
      size_t middle = i + width < n ? i + width : n, end = i + 2 * width < n ? i + 2 * width : n, l = i, r = middle;
      for (size_t k = i; k < end; k++) b[k] = l < middle && (r >= end || compare(s, a[l], a[r]) <= 0) ? a[l++] : a[r++];
    }
    int64_t *t = a;
    a = b, b = t;
  }
  return a;
}

static size_t slice_count(const ingot__call *call, int *axis) {
  const ingot__view *in = &call->in[0];
  int64_t a = INGOT__ATTRS(call, Unique)->axis;
  *axis = (int)(a == INGOT__NO_INT ? 0 : a < 0 ? a + in->rank : a);
  return a == INGOT__NO_INT ? (size_t)ingot__view_count(in) : (size_t)in->dim[*axis];
}

size_t ingot__workspace_Unique(const ingot__call *call) {
  int axis;
  size_t bytes;
  return ingot__mul(slice_count(call, &axis), 4 * sizeof(int64_t), &bytes) ? bytes : SIZE_MAX;
}

ingot_status ingot__ref_Unique(const ingot__call *call) {
  const ingot__attrs_Unique *a = INGOT__ATTRS(call, Unique);
  const ingot__view *in = &call->in[0];
  bool whole = a->axis == INGOT__NO_INT;
  int axis;
  size_t n = slice_count(call, &axis), size = ingot__move_size(in->dtype), count = 0;
  if (call->workspace_size < ingot__workspace_Unique(call)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "the workspace is too small");
  slices s = {.in = in, .length = n, .outer = 1, .inner = 1};
  for (int i = 0; !whole && i < in->rank; i++) {
    if (i < axis) s.outer *= (size_t)in->dim[i];
    if (i > axis) s.inner *= (size_t)in->dim[i];
  }
  /* sorted[]: slices in order; first[u]: where value u is met first; which[i]: the value of slice i; rank[u]: its number in the output. */
  int64_t *work = call->workspace, *first = work + 2 * n, *which = work + 3 * n;
  for (size_t i = 0; i < n; i++) work[i] = (int64_t)i;
  int64_t *sorted = sort(&s, work, work + n, n), *rank = sorted == work ? work + n : work;
  for (size_t i = 0; i < n; i++) {
    if (i == 0 || compare(&s, sorted[i - 1], sorted[i]) != 0) first[count++] = sorted[i]; /* stable: the first of equals comes first */
    which[sorted[i]] = (int64_t)count - 1;
  }
  for (size_t u = 0; u < count; u++) rank[u] = (int64_t)u;
  if (!a->sorted) { /* by the place where they are met: count through the slices */
    int64_t next = 0;
    for (size_t i = 0; i < n; i++)
      if (first[which[i]] == (int64_t)i) rank[which[i]] = next++;
  }
  int64_t dim[INGOT_MAX_RANK] = {(int64_t)count}, m = (int64_t)count, all = (int64_t)n;
  for (int i = 0; !whole && i < in->rank; i++) dim[i] = i == axis ? (int64_t)count : in->dim[i];
  if (ingot__has_out(call, 0)) {
    INGOT_TRY(ingot__set_out(call, 0, whole ? 1 : in->rank, dim));
    size_t run = s.inner * size;
    for (size_t o = 0; o < s.outer; o++)
      for (size_t u = 0; run > 0 && u < count; u++)
        memcpy((char *)call->out[0].data + (o * count + (size_t)rank[u]) * run, (const char *)in->data + (o * n + (size_t)first[u]) * run, run);
  }
  if (ingot__has_out(call, 1)) {
    INGOT_TRY(ingot__set_out(call, 1, 1, &m));
    for (size_t u = 0; u < count; u++) ((int64_t *)call->out[1].data)[rank[u]] = first[u];
  }
  if (ingot__has_out(call, 2)) {
    INGOT_TRY(ingot__set_out(call, 2, 1, &all));
    for (size_t i = 0; i < n; i++) ((int64_t *)call->out[2].data)[i] = rank[which[i]];
  }
  if (ingot__has_out(call, 3)) {
    INGOT_TRY(ingot__set_out(call, 3, 1, &m));
    int64_t *counts = call->out[3].data;
    for (size_t u = 0; u < count; u++) counts[u] = 0;
    for (size_t i = 0; i < n; i++) counts[rank[which[i]]]++;
  }
  return INGOT_OK;
}
