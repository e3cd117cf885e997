/* Pad: constant, reflect, edge and wrap; negative pads crop. */
#include "ops/ints.h"
#include "ops/move.h"

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP, PAD_BAD } pad_mode;

static pad_mode parse(const char *text) {
  static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
  for (int i = 0; i < PAD_BAD; i++)
    if (strcmp(text, names[i]) == 0) return (pad_mode)i;
  return PAD_BAD;
}

/* The element of 0..n-1 that stands at i, which may lie outside. */
static int64_t source(pad_mode mode, int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  if (mode == PAD_EDGE || n == 1) return i < 0 ? 0 : n - 1;
  int64_t period = mode == PAD_WRAP ? n : 2 * (n - 1);
  i %= period;
  if (i < 0) i += period;
  return i < n ? i : period - i;
}

/* out = pad of in, `size` bytes an element; begin may be negative. */
static void pad(const int64_t *in, const int64_t *out, int rank, const int64_t *begin, pad_mode mode, size_t size, const void *from, void *to,
                const void *value) {
  int64_t low[INGOT_MAX_RANK], n[INGOT_MAX_RANK], first[INGOT_MAX_RANK], stride[INGOT_MAX_RANK], total = 1;
  /* What is left of the input after cropping: n elements from low, that stand at first in the output. */
  for (int i = rank - 1; i >= 0; i--) {
    stride[i] = i == rank - 1 ? 1 : stride[i + 1] * in[i + 1];
    low[i] = begin[i] < 0 ? -begin[i] : 0;
    first[i] = begin[i] < 0 ? 0 : begin[i];
    n[i] = in[i] - low[i];
    if (n[i] > out[i] - first[i]) n[i] = out[i] - first[i];
    total *= out[i];
  }
  if (total == 0) return;
  if (rank == 0) {
    memcpy(to, from, size);
    return;
  }
  if (mode == PAD_CONSTANT) {
    ingot__move_fill(to, (size_t)total, size, value);
    ingot__move m = {.rank = rank};
    int64_t t = 1, to_at = 0, from_at = 0;
    for (int i = rank - 1; i >= 0; i--) {
      m.dim[i] = n[i], m.to[i] = t, m.from[i] = stride[i];
      to_at += first[i] * t, from_at += low[i] * stride[i];
      t *= out[i];
      if (n[i] <= 0) return;
    }
    ingot__move_run(&m, size, (char *)to + to_at * (int64_t)size, (const char *)from + from_at * (int64_t)size);
    return;
  }
  int last = rank - 1;
  int64_t at[INGOT_MAX_RANK] = {0};
  char *t = to;
  for (;;) {
    int64_t offset = low[last];
    for (int i = 0; i < last; i++) offset += (low[i] + source(mode, at[i] - first[i], n[i])) * stride[i];
    const char *row = (const char *)from + offset * (int64_t)size;
    for (int64_t i = 0; i < out[last];) {
      int64_t j = i - first[last];
      if (j == 0) {
        memcpy(t, row, (size_t)n[last] * size);
        i += n[last], t += (size_t)n[last] * size;
      } else {
        memcpy(t, row + source(mode, j, n[last]) * (int64_t)size, size);
        i++, t += size;
      }
    }
    int i = last - 1;
    for (; i >= 0; i--) {
      if (++at[i] < out[i]) break;
      at[i] = 0;
    }
    if (i < 0) return;
  }
}

ingot_status ingot__infer_Pad(ingot__infer *f) {
  if (!ingot__infer_has(f, 0) || !ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "data and pads are needed");
  const ingot__type *in = f->in[0];
  const char *text = ((const ingot__attrs_Pad *)f->attrs)->mode;
  pad_mode mode = parse(text);
  if (mode == PAD_BAD) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "mode is '%s', not constant, reflect, edge or wrap", text);
  if (ingot__infer_has(f, 2) && f->in[2]->dtype != in->dtype) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "data is %s, the value %s", ingot_dtype_name(in->dtype), ingot_dtype_name(f->in[2]->dtype));
  }
  ingot__type *out = &f->out[0];
  *out = *in;
  if (in->rank < 0) return INGOT_OK;
  int axis[INGOT_MAX_RANK], n = in->rank;
  bool unknown = false;
  for (int i = 0; i < n; i++) axis[i] = i;
  if (ingot__infer_has(f, 3)) INGOT_TRY(ingot__ints_axes(f, 3, in->rank, axis, &n, &unknown));
  if (unknown) {
    for (int i = 0; i < in->rank; i++) out->dim[i] = INGOT__DIM_UNKNOWN;
    return INGOT_OK;
  }
  size_t count;
  if (ingot__ints_count(f, 1, &count) && count != 2 * (size_t)n) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%zu pads are given for %d axes: two each are needed", count, n);
  }
  bool numbers = true;
  int64_t begins[INGOT_MAX_RANK] = {0};
  for (int k = 0; k < n; k++) {
    ingot__dim begin = ingot__ints_get(f, 1, (size_t)k), end = ingot__ints_get(f, 1, (size_t)(n + k));
    int64_t b = 0, e = 0, size;
    bool bn = ingot__element_number(f, begin, &b), en = ingot__element_number(f, end, &e);
    ingot__dim *d = &out->dim[axis[k]];
    numbers = numbers && bn && en;
    begins[axis[k]] = b;
    int64_t left;
    if (bn && en && ingot__dim_is_number(*d)) {
      left = *d + (b < 0 && b > -INT32_MAX ? b : 0) + (e < 0 && e > -INT32_MAX ? e : 0);
      if (left < 0 || b <= -INT32_MAX || e <= -INT32_MAX) {
        return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "axis %d of %lld can't be cropped by %lld and %lld", axis[k], (long long)*d,
                                 (long long)b, (long long)e);
      }
      if (mode != PAD_CONSTANT && left == 0 && (b > 0 || e > 0)) {
        return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "axis %d has nothing to pad with by mode %s", axis[k], text);
      }
    }
    *d = ingot__element_do(f, INGOT__EL_ADD, ingot__element_do(f, INGOT__EL_ADD, *d, begin), end);
    if (bn && en && ingot__element_number(f, *d, &size) && size < 0) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "axis %d becomes %lld long", axis[k], (long long)size);
    }
  }
  size_t total;
  ingot__dim *known;
  if (numbers && ingot__known_count(f, 0, &count) && ingot__type_count(out, &total) && (known = ingot__infer_known(f, 0, total))) {
    ingot__dim value = mode == PAD_CONSTANT && ingot__infer_has(f, 2) ? ingot__ints_get(f, 2, 0) : 0;
    pad(in->dim, out->dim, in->rank, begins, mode, sizeof *known, f->known[0], known, &value);
    f->out_known[0] = known;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Pad(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *pads = &call->in[1], *axes = ingot__has_in(call, 3) ? &call->in[3] : NULL;
  pad_mode mode = parse(INGOT__ATTRS(call, Pad)->mode);
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  int64_t n = axes ? ingot__view_count(axes) : in->rank, begin[INGOT_MAX_RANK] = {0}, dim[INGOT_MAX_RANK];
  if (ingot__view_count(pads) != 2 * n) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "pads doesn't hold two numbers for each axis");
  for (int i = 0; i < in->rank; i++) dim[i] = in->dim[i];
  for (int64_t k = 0; k < n; k++) {
    int64_t a = axes ? ingot__get_int(axes->dtype, axes->data, (size_t)k) : k, b = ingot__get_int(pads->dtype, pads->data, (size_t)k);
    int64_t e = ingot__get_int(pads->dtype, pads->data, (size_t)(n + k)), limit = INT64_MAX / 8;
    if (a < 0) a += in->rank;
    if (a < 0 || a >= in->rank) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "an axis is outside rank %d", in->rank);
    if (b > limit || b < -limit || e > limit || e < -limit) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "a pad is too large");
    int64_t left = in->dim[a] + (b < 0 ? b : 0) + (e < 0 ? e : 0);
    if (left < 0 || (mode != PAD_CONSTANT && left == 0 && (b > 0 || e > 0))) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "axis %lld of %lld can't be padded by %lld and %lld", (long long)a, (long long)in->dim[a],
                              (long long)b, (long long)e);
    }
    begin[a] = b;
    dim[a] = in->dim[a] + b + e;
  }
  INGOT_TRY(ingot__check_out(call, 0, in->rank, dim));
  if (ingot__has_in(call, 2) && ingot__view_count(&call->in[2]) != 1) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the value to pad with is not one");
  }
  static const uint64_t zero[2] = {0, 0};
  pad(in->dim, dim, in->rank, begin, mode, size, in->data, call->out[0].data, ingot__has_in(call, 2) ? call->in[2].data : zero);
  return INGOT_OK;
}
