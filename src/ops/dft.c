/* DFT and STFT: shapes, and what transforms they are. DFT(x, length, axis): the last dim is 1 (real) or 2 (complex). STFT(signal, step, window,
 * length): frames of a signal, times a window. */
#include "ops/ints.h"
#include "ops/move.h"

#define FFT_REAL double
static inline double fft_load(const ingot__view *v, size_t i) {
  return v->dtype == INGOT_FLOAT64 ? ((const double *)v->data)[i] : ingot__get_double(v->dtype, v->data, i);
}
static inline void fft_store(const ingot__view *v, size_t i, double x) { ingot__set_double(v->dtype, v->data, i, x); }
#include "ops/fft.inc"

static bool real_type(ingot_dtype t) { return t == INGOT_FLOAT32 || t == INGOT_FLOAT64 || t == INGOT_FLOAT16 || t == INGOT_BFLOAT16; }

static ingot__dim half_of(ingot__infer *f, ingot__dim n) { return ingot__element_do(f, INGOT__EL_ADD, ingot__element_do(f, INGOT__EL_DIV, n, 2), 1); }

/* A whole number that must be at least 1, or unknown. */
static ingot_status length_input(ingot__infer *f, size_t i, const char *what, ingot__dim *out) {
  ingot_dtype t = f->in[i]->dtype;
  int64_t number;
  size_t n;
  if (t != INGOT_INT64 && t != INGOT_INT32) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "%s must be int32 or int64", what);
  if (ingot__type_count(f->in[i], &n) && n != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%s has %zu elements", what, n);
  *out = ingot__ints_get(f, i, 0);
  if (ingot__element_number(f, *out, &number) && number < 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%s is %lld", what, (long long)number);
  return INGOT_OK;
}

ingot_status ingot__infer_DFT(ingot__infer *f) {
  const ingot__attrs_DFT *a = f->attrs;
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 2, -1, &unknown));
  const ingot__type *x = f->in[0];
  if (!real_type(x->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  ingot__dim length = INGOT__DIM_UNKNOWN;
  bool given = ingot__infer_has(f, 1), to_real = a->inverse && a->onesided;
  if (given) INGOT_TRY(length_input(f, 1, "the length", &length));
  if (unknown) return INGOT_OK;
  ingot__type *y = &f->out[0];
  *y = *x;
  ingot__dim *parts = &y->dim[x->rank - 1];
  if (*parts >= 0 && *parts != 1 && *parts != 2) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "its last dim is %lld, not 1 or 2", (long long)*parts);
  *parts = to_real ? 1 : 2;
  int64_t number = -2;
  int axis;
  if (ingot__infer_has(f, 2) && f->in[2]->dtype != INGOT_INT64 && f->in[2]->dtype != INGOT_INT32) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the axis must be int64");
  }
  if (ingot__infer_has(f, 2) && !ingot__ints_number(f, 2, 0, &number)) {
    for (int i = 0; i < x->rank - 1; i++) y->dim[i] = INGOT__DIM_UNKNOWN;
    return INGOT_OK;
  }
  INGOT_TRY(ingot__infer_axis(f, number, x->rank, &axis));
  if (axis == x->rank - 1) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "the axis is that of the complex parts");
  ingot__dim n = x->dim[axis];
  if (!given && to_real) n = ingot__element_do(f, INGOT__EL_MUL, ingot__element_do(f, INGOT__EL_SUB, n, 1), 2);
  if (given) n = length;
  if (ingot__element_number(f, n, &number) && number < 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the length is %lld", (long long)number);
  y->dim[axis] = a->onesided && !a->inverse ? half_of(f, n) : n;
  return INGOT_OK;
}

ingot_status ingot__infer_STFT(ingot__infer *f) {
  const ingot__attrs_STFT *a = f->attrs;
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 2, 3, &unknown));
  const ingot__type *x = f->in[0];
  if (!real_type(x->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  if (!ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "the frame step is missing");
  ingot__dim step, length = INGOT__DIM_UNKNOWN, frames = INGOT__DIM_UNKNOWN;
  INGOT_TRY(length_input(f, 1, "the frame step", &step));
  bool window = ingot__infer_has(f, 2);
  if (window && (f->in[2]->dtype != x->dtype || (f->in[2]->rank >= 0 && f->in[2]->rank != 1))) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the window must be a vector of the signal's type");
  }
  if (ingot__infer_has(f, 3)) INGOT_TRY(length_input(f, 3, "the frame length", &length));
  if (window && f->in[2]->rank == 1) INGOT_TRY(ingot__dim_merge(f, length, f->in[2]->dim[0], "window and frame length", &length));
  f->out[0] = (ingot__type){.dtype = x->dtype, .rank = 4, .dim = {INGOT__DIM_UNKNOWN, INGOT__DIM_UNKNOWN, INGOT__DIM_UNKNOWN, 2}};
  if (unknown) return INGOT_OK;
  if (x->rank == 3 && x->dim[2] >= 0 && x->dim[2] != 1 && x->dim[2] != 2) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the signal's last dim is %lld, not 1 or 2", (long long)x->dim[2]);
  }
  if (!window && !ingot__infer_has(f, 3)) length = x->dim[1];
  int64_t have, want;
  if (ingot__element_number(f, x->dim[1], &have) && ingot__element_number(f, length, &want)) {
    if (want < 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the frame length is %lld", (long long)want);
    if (have < want) frames = 0;
  }
  if (frames != 0) {
    frames = ingot__element_do(f, INGOT__EL_DIV, ingot__element_do(f, INGOT__EL_SUB, x->dim[1], length), step);
    frames = ingot__element_do(f, INGOT__EL_ADD, frames, 1);
  }
  f->out[0].dim[0] = x->dim[0], f->out[0].dim[1] = frames;
  f->out[0].dim[2] = a->onesided ? half_of(f, length) : length;
  return INGOT_OK;
}

static size_t product(const ingot__view *v, int from, int to) {
  size_t n = 1;
  for (int i = from; i < to; i++) n *= (size_t)v->dim[i];
  return n;
}

/* The axis of a DFT; -1: not known before there is data, or wrong. */
static int axis_of(const ingot__call *call) {
  int64_t axis = -2, rank = call->in[0].rank;
  if (ingot__has_in(call, 2)) {
    if (!call->in[2].data) return -1;
    axis = ingot__get_int(call->in[2].dtype, call->in[2].data, 0);
  }
  if (axis < 0) axis += rank;
  return axis < 0 || axis >= rank - 1 ? -1 : (int)axis;
}

bool ingot__fft_bounds(const ingot__call *call, size_t *n, size_t *count) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  if (call->node->op == INGOT__OP_STFT) {
    if (y->rank != 4) return false;
    *n = (size_t)y->dim[2];
    if (INGOT__ATTRS(call, STFT)->onesided) *n = 2 * *n;
    *count = (size_t)(y->dim[0] * y->dim[1]);
    return true;
  }
  const ingot__attrs_DFT *a = INGOT__ATTRS(call, DFT);
  int axis = axis_of(call);
  bool half = a->onesided && !a->inverse;
  if (y->rank != x->rank || x->rank < 2) return false;
  *n = 0, *count = 1;
  for (int i = 0; i + 1 < y->rank; i++) {
    size_t here = half ? 2 * (size_t)y->dim[i] : (size_t)y->dim[i];
    if ((axis < 0 || axis == i) && here > *n) *n = here;
    if (axis != i) *count *= (size_t)y->dim[i];
  }
  return true;
}

static ingot_status describe_stft(const ingot__call *call, ingot__fft *f) {
  const ingot__view *x = &call->in[0];
  bool onesided = INGOT__ATTRS(call, STFT)->onesided != 0;
  int64_t step = ingot__get_int(call->in[1].dtype, call->in[1].data, 0), length = x->dim[1];
  if (ingot__has_in(call, 3)) length = ingot__get_int(call->in[3].dtype, call->in[3].data, 0);
  else if (ingot__has_in(call, 2)) length = call->in[2].dim[0];
  if (step < 1 || length < 1) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the frame step is %lld, the length %lld", (long long)step, (long long)length);
  }
  int64_t bins = onesided ? length / 2 + 1 : length, frames = x->dim[1] < length ? 0 : (x->dim[1] - length) / step + 1;
  INGOT_TRY(ingot__check_out(call, 0, 4, (int64_t[]){x->dim[0], frames, bins, 2}));
  size_t parts = x->rank == 3 ? (size_t)x->dim[2] : 1;
  *f = (ingot__fft){.n = (size_t)length, .count = (size_t)(x->dim[0] * frames), .per = frames ? (size_t)frames : 1, .in_parts = (int)parts};
  f->in_outer = (size_t)x->dim[1] * parts, f->in_inner = (size_t)step * parts, f->in_step = parts, f->in_len = f->n;
  f->out_len = (size_t)bins, f->out_step = 2, f->out_inner = 2 * f->out_len, f->out_outer = f->per * f->out_inner;
  f->window = ingot__has_in(call, 2) ? &call->in[2] : NULL;
  return INGOT_OK;
}

ingot_status ingot__fft_describe(const ingot__call *call, ingot__fft *f) {
  if (call->node->op == INGOT__OP_STFT) return describe_stft(call, f);
  const ingot__attrs_DFT *a = INGOT__ATTRS(call, DFT);
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  int axis = axis_of(call);
  if (axis < 0) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "its axis is outside the signal's");
  int64_t n = x->dim[axis];
  bool to_real = a->inverse && a->onesided;
  if (ingot__has_in(call, 1)) n = ingot__get_int(call->in[1].dtype, call->in[1].data, 0);
  else if (to_real) n = 2 * (n - 1);
  if (n < 1) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the length is %lld", (long long)n);
  int64_t dim[INGOT_MAX_RANK];
  memcpy(dim, x->dim, sizeof dim);
  dim[axis] = a->onesided && !a->inverse ? n / 2 + 1 : n, dim[x->rank - 1] = to_real ? 1 : 2;
  INGOT_TRY(ingot__check_out(call, 0, x->rank, dim));
  size_t inner = product(x, axis + 1, x->rank - 1), parts = (size_t)x->dim[x->rank - 1], out_parts = to_real ? 1 : 2;
  *f = (ingot__fft){.n = (size_t)n, .count = product(x, 0, axis) * inner, .per = inner, .in_parts = (int)parts, .inverse = a->inverse != 0,
                    .to_real = to_real};
  f->in_inner = parts, f->in_step = inner * parts, f->in_outer = (size_t)x->dim[axis] * f->in_step;
  f->out_inner = out_parts, f->out_step = inner * out_parts, f->out_len = (size_t)y->dim[axis], f->out_outer = f->out_len * f->out_step;
  f->in_len = x->dim[axis] < n ? (size_t)x->dim[axis] : (size_t)n;
  return INGOT_OK;
}

size_t ingot__workspace_DFT(const ingot__call *call) { return fft_workspace(call); }
size_t ingot__workspace_STFT(const ingot__call *call) { return fft_workspace(call); }
ingot_status ingot__ref_DFT(const ingot__call *call) { return fft_run(call); }
ingot_status ingot__ref_STFT(const ingot__call *call) { return fft_run(call); }
