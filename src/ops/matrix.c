/* Square matrices: EyeLike makes ones on a diagonal, Det a determinant (Gaussian elimination with the largest pivot of the column). */
#include "ops/ints.h"
#include "ops/move.h"
#include <math.h>

ingot_status ingot__infer_EyeLike(ingot__infer *f) {
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 2, 2, &unknown));
  int64_t dtype = INGOT__ATTRS(f, EyeLike)->dtype;
  f->out[0] = *f->in[0];
  if (dtype != INGOT__NO_INT) {
    if (dtype < 1 || dtype >= INGOT__DTYPE_COUNT) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "dtype is %lld", (long long)dtype);
    f->out[0].dtype = (ingot_dtype)dtype;
  }
  ingot_dtype t = f->out[0].dtype;
  if (t == INGOT_UNDEFINED) return INGOT_OK;
  if (!ingot__dtype_is_float(t) && !ingot__dtype_is_int(t) && t != INGOT_BOOL) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "makes no %s", ingot_dtype_name(t));
  }
  return ingot__dtype_size(t) ? INGOT_OK : INGOT__FAIL_INFER(f, INGOT_E_UNSUPPORTED, "makes no %s", ingot_dtype_name(t));
}

ingot_status ingot__ref_EyeLike(const ingot__call *call) {
  const ingot__view *out = &call->out[0];
  int64_t k = INGOT__ATTRS(call, EyeLike)->k, rows = out->dim[0], columns = out->dim[1];
  if (ingot__view_count(out) == 0) return INGOT_OK;
  memset(out->data, 0, (size_t)ingot__view_count(out) * ingot__dtype_size(out->dtype));
  if (k < -rows || k > columns) return INGOT_OK;
  for (int64_t i = k < 0 ? -k : 0; i < rows && i + k < columns; i++) {
    if (out->dtype == INGOT_BOOL) ((uint8_t *)out->data)[i * columns + i + k] = 1;
    else ingot__set_double(out->dtype, out->data, (size_t)(i * columns + i + k), 1);
  }
  return INGOT_OK;
}

ingot_status ingot__infer_Det(ingot__infer *f) {
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 2, -1, &unknown));
  const ingot__type *in = f->in[0];
  bool real = in->dtype == INGOT_FLOAT32 || in->dtype == INGOT_FLOAT64 || in->dtype == INGOT_FLOAT16 || in->dtype == INGOT_BFLOAT16;
  if (!real) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(in->dtype));
  if (unknown) return INGOT_OK;
  ingot__dim d;
  INGOT_TRY(ingot__dim_merge(f, in->dim[in->rank - 2], in->dim[in->rank - 1], "rows and columns", &d));
  f->out[0] = *in;
  f->out[0].rank = (int8_t)(in->rank - 2);
  return INGOT_OK;
}

size_t ingot__workspace_Det(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  size_t n = (size_t)in->dim[in->rank - 1], bytes;
  return ingot__mul(n, n, &bytes) && ingot__mul(bytes, sizeof(double), &bytes) ? bytes : SIZE_MAX;
}

static double determinant(double *a, size_t n) {
  double det = 1;
  for (size_t c = 0; c < n; c++) {
    size_t best = c;
    for (size_t r = c + 1; r < n; r++)
      if (fabs(a[r * n + c]) > fabs(a[best * n + c])) best = r;
    double pivot = a[best * n + c];
    if (pivot == 0) return 0;
    det *= best == c ? pivot : -pivot;
    for (size_t k = c; best != c && k < n; k++) {
      double t = a[c * n + k];
      a[c * n + k] = a[best * n + k], a[best * n + k] = t;
    }
    for (size_t r = c + 1; r < n; r++) {
      double factor = a[r * n + c] / pivot;
      for (size_t k = c + 1; k < n; k++) a[r * n + k] -= factor * a[c * n + k];
    }
  }
  return det;
}

ingot_status ingot__ref_Det(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  size_t n = (size_t)in->dim[in->rank - 1], matrices = (size_t)ingot__view_count(out);
  double *a = call->workspace;
  if ((size_t)in->dim[in->rank - 2] != n) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "matrices of %lld x %zu", (long long)in->dim[in->rank - 2], n);
  if (call->workspace_size < ingot__workspace_Det(call)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "the workspace is too small");
  for (size_t m = 0; m < matrices; m++) {
    for (size_t i = 0; i < n * n; i++) a[i] = ingot__get_double(in->dtype, in->data, m * n * n + i);
    ingot__set_double(out->dtype, out->data, m, determinant(a, n));
  }
  return INGOT_OK;
}
