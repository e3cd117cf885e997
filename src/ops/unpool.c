/* MaxUnpool: puts values back where MaxPool found them, zeros elsewhere. Indices count over the whole output as its window gives it; an output
 * shape that is asked for may be larger, and then has that in its first corner (as ONNX's tests have it). */
#include "ops/ints.h"
#include "ops/move.h"
#include "ops/window.h"

static ingot__window_attrs window_attrs(const ingot__attrs_MaxUnpool *a) {
  return (ingot__window_attrs){"NOTSET", a->kernel_shape, a->strides, a->pads, (ingot__ints){0}};
}

/* (in - 1) * stride + kernel - pads */
static ingot__dim opened(const ingot__infer *f, const ingot__window *w, int i, ingot__dim in) {
  ingot__dim d = ingot__element_do(f, INGOT__EL_MUL, in, w->stride[i]);
  return ingot__element_do(f, INGOT__EL_ADD, d, ingot__element(f, w->kernel[i] - w->stride[i] - w->begin[i] - w->end[i]));
}

ingot_status ingot__infer_MaxUnpool(ingot__infer *f) {
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 3, 2 + INGOT__WINDOW_DIMS, &unknown));
  const ingot__type *x = f->in[0];
  bool real = x->dtype == INGOT_FLOAT32 || x->dtype == INGOT_FLOAT64 || x->dtype == INGOT_FLOAT16 || x->dtype == INGOT_BFLOAT16;
  if (!real) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  if (!ingot__infer_has(f, 1) || f->in[1]->dtype != INGOT_INT64) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "indices must be int64");
  if (unknown) return INGOT_OK;
  ingot__window w;
  ingot__window_attrs attrs = window_attrs(INGOT__ATTRS(f, MaxUnpool));
  INGOT_TRY(ingot__window_read(f->diag, f->node, &attrs, x->rank - 2, NULL, &w));
  const ingot__type *index = f->in[1];
  ingot__dim d;
  if (index->rank >= 0 && index->rank != x->rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "indices have rank %d, values %d", index->rank, x->rank);
  for (int i = 0; i < index->rank; i++) INGOT_TRY(ingot__dim_merge(f, index->dim[i], x->dim[i], "indices and values", &d));
  f->out[0] = *x;
  size_t n;
  if (ingot__infer_has(f, 2)) {
    if (!ingot__dtype_is_int(f->in[2]->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "output_shape is no integer");
    if (ingot__ints_count(f, 2, &n) && n != (size_t)x->rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "output_shape has %zu numbers", n);
  }
  for (int i = 0; i < x->rank; i++) {
    int64_t number;
    f->out[0].dim[i] = ingot__infer_has(f, 2) ? ingot__ints_get(f, 2, (size_t)i) : i < 2 ? x->dim[i] : opened(f, &w, i - 2, x->dim[i]);
    if (ingot__element_number(f, f->out[0].dim[i], &number) && number < 0) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "an output of %lld", (long long)number);
    }
  }
  return INGOT_OK;
}

ingot_status ingot__ref_MaxUnpool(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *index = &call->in[1], *out = &call->out[0];
  ingot__window w;
  ingot__window_attrs attrs = window_attrs(INGOT__ATTRS(call, MaxUnpool));
  INGOT_TRY(ingot__window_read(call->diag, call->node, &attrs, x->rank - 2, NULL, &w));
  ingot__infer numbers = {.node = call->node};
  int64_t dim[INGOT_MAX_RANK], total = 1, n = ingot__view_count(x);
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  if (ingot__view_count(index) != n) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "indices aren't as many as values");
  for (int i = 0; i < x->rank; i++) {
    dim[i] = i < 2 ? x->dim[i] : opened(&numbers, &w, i - 2, x->dim[i]);
    if (dim[i] < 0 || __builtin_mul_overflow(total, dim[i], &total)) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "dim %d of the output is %lld", i, (long long)dim[i]);
    }
  }
  if (ingot__view_count(out) > 0) memset(out->data, 0, (size_t)ingot__view_count(out) * size);
  for (int64_t k = 0; k < n; k++) {
    int64_t at = ((const int64_t *)index->data)[k], to = 0;
    if (at < 0 || at >= total) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "index %lld is outside the %lld elements", (long long)at, (long long)total);
    }
    bool inside = true;
    for (int i = x->rank - 1; i >= 0; i--) {
      int64_t p = at % dim[i];
      at /= dim[i];
      inside = inside && p < out->dim[i];
      to += p * out->stride[i];
    }
    if (inside) memcpy((char *)out->data + (size_t)to * size, (const char *)x->data + (size_t)k * size, size);
  }
  return INGOT_OK;
}
