/* Shapes as tensors, and tensors of a shape: Shape, Size, ConstantOfShape, Range. */
#include "ops/ints.h"
#include "ops/move.h"
#include <math.h>

static void clamp_range(const ingot__attrs_Shape *a, int rank, int *start, int *end) {
  int64_t s = a->start, e = a->end == INGOT__NO_INT ? rank : a->end;
  if (s < 0) s += rank;
  if (e < 0) e += rank;
  s = s < 0 ? 0 : s > rank ? rank : s;
  e = e < s ? s : e > rank ? rank : e;
  *start = (int)s, *end = (int)e;
}

ingot_status ingot__infer_Shape(ingot__infer *f) {
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  f->out[0] = (ingot__type){.dtype = INGOT_INT64, .rank = 1, .dim = {INGOT__DIM_UNKNOWN}};
  const ingot__type *in = f->in[0];
  if (in->rank < 0) return INGOT_OK;
  int start, end;
  clamp_range(f->attrs, in->rank, &start, &end);
  f->out[0].dim[0] = end - start;
  ingot__dim *known = ingot__infer_known(f, 0, (size_t)(end - start));
  if (known) {
    for (int i = start; i < end; i++) known[i - start] = in->dim[i];
    f->out_known[0] = known;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Shape(const ingot__call *call) {
  int start, end;
  clamp_range(call->attrs, call->in[0].rank, &start, &end);
  if (ingot__view_count(&call->out[0]) != end - start) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the output hasn't %d elements", end - start);
  if (end > start) memcpy(call->out[0].data, call->in[0].dim + start, (size_t)(end - start) * sizeof(int64_t));
  return INGOT_OK;
}

ingot_status ingot__infer_Size(ingot__infer *f) {
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  f->out[0] = (ingot__type){.dtype = INGOT_INT64, .rank = 0};
  if (f->in[0]->rank < 0) return INGOT_OK;
  ingot__dim *known = ingot__infer_known(f, 0, 1);
  if (known) {
    *known = ingot__dims_product(f, f->in[0], 0, f->in[0]->rank);
    f->out_known[0] = known;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Size(const ingot__call *call) {
  int64_t n = ingot__view_count(&call->in[0]);
  memcpy(call->out[0].data, &n, sizeof n);
  return INGOT_OK;
}

ingot_status ingot__infer_ConstantOfShape(ingot__infer *f) {
  const ingot__literal *value = &((const ingot__attrs_ConstantOfShape *)f->attrs)->value;
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "the shape is missing");
  ingot_dtype dtype = value->data ? value->dtype : INGOT_FLOAT32;
  size_t size, total;
  if (!ingot__dtype_bytes(dtype, 1, &size) || (value->data && value->bytes < size)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the value must be one number, not %s", ingot_dtype_name(dtype));
  }
  ingot__type_unknown(&f->out[0], dtype);
  INGOT_TRY(ingot__ints_shape(f, 0, &f->out[0]));
  ingot__dim *known;
  if ((ingot__dtype_is_int(dtype) || dtype == INGOT_BOOL) && ingot__type_count(&f->out[0], &total) && (known = ingot__infer_known(f, 0, total))) {
    ingot__dim element = ingot__element(f, ingot__get_int(dtype, value->data, 0));
    for (size_t i = 0; i < total; i++) known[i] = element;
    f->out_known[0] = known;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_ConstantOfShape(const ingot__call *call) {
  const ingot__literal *value = &INGOT__ATTRS(call, ConstantOfShape)->value;
  static const uint64_t zero[2] = {0, 0};
  ingot__view *out = &call->out[0];
  size_t size = ingot__move_size(out->dtype), n = (size_t)ingot__view_count(out);
  if (n == 0) return INGOT_OK; /* perhaps without memory */
  if (size <= sizeof zero && (!value->data || memcmp(value->data, zero, size) == 0)) memset(out->data, 0, n * size);
  else ingot__move_fill(out->data, n, size, value->data);
  return INGOT_OK;
}

/* Elements of start, start + delta, .. before limit; -1 where delta is 0 or the number is beyond any memory. */
static int64_t range_int(int64_t start, int64_t limit, int64_t delta) {
  if (delta == 0) return -1;
  if (delta > 0 ? limit <= start : limit >= start) return 0;
  uint64_t span = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
  uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta, n = (span - 1) / step + 1;
  return n > (uint64_t)INT64_MAX / 16 ? -1 : (int64_t)n;
}
static int64_t range_double(double start, double limit, double delta) {
  double n = ceil((limit - start) / delta);
  return !(delta != 0) || !(n < 1e17) ? -1 : n < 0 ? 0 : (int64_t)n;
}

ingot_status ingot__infer_Range(ingot__infer *f) {
  for (size_t i = 0; i < 3; i++) {
    if (!ingot__infer_has(f, i)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "start, limit and delta are needed");
    if (f->in[i]->dtype != f->in[0]->dtype) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "start, limit and delta differ in type");
    size_t n;
    if (ingot__type_count(f->in[i], &n) && n != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "start, limit and delta must be scalars");
  }
  ingot_dtype dtype = f->in[0]->dtype;
  f->out[0] = (ingot__type){.dtype = dtype, .rank = 1, .dim = {INGOT__DIM_UNKNOWN}};
  int64_t n = 0, v[3];
  if (!ingot__dtype_is_int(dtype)) {
    double d[3];
    for (size_t i = 0; i < 3; i++) {
      if (!f->data[i] || !f->data[i]->data) return INGOT_OK;
      d[i] = ingot__get_double(dtype, f->data[i]->data, 0);
    }
    n = range_double(d[0], d[1], d[2]);
  } else {
    ingot__dim e[3];
    bool numbers = true;
    for (size_t i = 0; i < 3; i++) {
      e[i] = ingot__ints_get(f, i, 0);
      numbers = ingot__element_number(f, e[i], &v[i]) && numbers;
    }
    if (!numbers) {
      int64_t step;
      if (e[0] == INGOT__DIM_UNKNOWN || e[1] == INGOT__DIM_UNKNOWN || !ingot__element_number(f, e[2], &step) || step < 1) return INGOT_OK;
      ingot__dim span = ingot__element_do(f, INGOT__EL_ADD, ingot__element_do(f, INGOT__EL_SUB, e[1], e[0]), step - 1);
      f->out[0].dim[0] = ingot__element_do(f, INGOT__EL_DIV, span, step);
      return INGOT_OK;
    }
    n = range_int(v[0], v[1], v[2]);
    ingot__dim *known = n >= 0 ? ingot__infer_known(f, 0, (size_t)n) : NULL;
    if (known) {
      for (int64_t i = 0; i < n; i++) known[i] = ingot__element(f, v[0] + i * v[2]);
      f->out_known[0] = known;
    }
  }
  if (n < 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "delta is 0, or the range is too long");
  f->out[0].dim[0] = n;
  return INGOT_OK;
}

ingot_status ingot__ref_Range(const ingot__call *call) {
  ingot__view *out = &call->out[0];
  ingot_dtype dtype = out->dtype;
  if (ingot__dtype_is_int(dtype)) {
    int64_t start = ingot__get_int(dtype, call->in[0].data, 0), delta = ingot__get_int(dtype, call->in[2].data, 0);
    int64_t n = range_int(start, ingot__get_int(dtype, call->in[1].data, 0), delta);
    INGOT_TRY(ingot__check_out(call, 0, 1, &n));
    if (dtype == INGOT_INT64) {
      for (int64_t i = 0; i < n; i++) ((int64_t *)out->data)[i] = start + i * delta;
    } else if (dtype == INGOT_INT32) {
      for (int64_t i = 0; i < n; i++) ((int32_t *)out->data)[i] = (int32_t)(start + i * delta);
    } else {
      for (int64_t i = 0; i < n; i++) ingot__set_int(dtype, out->data, (size_t)i, start + i * delta);
    }
    return INGOT_OK;
  }
  double start = ingot__get_double(dtype, call->in[0].data, 0), delta = ingot__get_double(dtype, call->in[2].data, 0);
  int64_t n = range_double(start, ingot__get_double(dtype, call->in[1].data, 0), delta);
  INGOT_TRY(ingot__check_out(call, 0, 1, &n));
  if (dtype == INGOT_FLOAT32) {
    for (int64_t i = 0; i < n; i++) ((float *)out->data)[i] = (float)(start + (double)i * delta);
  } else {
    for (int64_t i = 0; i < n; i++) ingot__set_double(dtype, out->data, (size_t)i, start + (double)i * delta);
  }
  return INGOT_OK;
}
