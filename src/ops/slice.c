/* Slice: a range with a step along each of some axes. */
#include "ops/ints.h"
#include "ops/move.h"

/* Start and number of elements that start:end:step takes out of dim elements: NumPy's rules, but that, going backwards, a start before the
 * first element is the first (ONNX clamps it so), where there is one. */
static int64_t take(int64_t dim, int64_t start, int64_t end, int64_t step, int64_t *first) {
  *first = 0;
  if (dim == 0) return 0;
  if (start < 0) start += dim;
  if (end < 0) end += dim;
  if (step > 0) {
    start = start < 0 ? 0 : start > dim ? dim : start;
    end = end < 0 ? 0 : end > dim ? dim : end;
    *first = start;
    return end > start ? (end - start - 1) / step + 1 : 0;
  }
  start = start < 0 ? 0 : start >= dim ? dim - 1 : start;
  end = end < 0 ? -1 : end >= dim ? dim - 1 : end;
  *first = start;
  return start <= end ? 0 : step == INT64_MIN ? 1 : (start - end - 1) / -step + 1;
}

enum { TO_END = 1 << 30 }; /* ends from here on mean 'all the rest': exporters write INT32_MAX or INT64_MAX */

/* dim + back, which is 0 where the dim is too short for it; a last element is taken to be there. */
static ingot__dim from_end(const ingot__infer *f, ingot__dim dim, int64_t back) {
  ingot__dim at = ingot__element_do(f, INGOT__EL_ADD, dim, back);
  return back == -1 ? at : ingot__element_do(f, INGOT__EL_MAX, at, 0);
}

/* The same where numbers are missing. A start or an end that is an expression is taken to lie within the dim, as programs mean it; the
 * run decides with numbers. */
static ingot__dim take_dim(const ingot__infer *f, ingot__dim dim, ingot__dim start, ingot__dim end, int64_t step) {
  int64_t s, e, first, d;
  bool sn = ingot__element_number(f, start, &s), en = ingot__element_number(f, end, &e);
  if (sn && en && ingot__element_number(f, dim, &d)) return take(d, s, e, step, &first);
  if (dim == INGOT__DIM_UNKNOWN || start == INGOT__DIM_UNKNOWN || end == INGOT__DIM_UNKNOWN) {
    /* Still certain: everything. */
    return step == 1 && sn && en && s == 0 && e >= TO_END ? dim : INGOT__DIM_UNKNOWN;
  }
  if (step < 0) {
    if (!sn || !en || step < -TO_END || (s != -1 && s < TO_END) || e > -TO_END) return INGOT__DIM_UNKNOWN;
    return ingot__element_do(f, INGOT__EL_DIV, ingot__element_do(f, INGOT__EL_ADD, dim, ingot__element(f, -step - 1)), -step);
  }
  if (sn && en && s >= 0 && e >= 0 && e <= s) return 0;
  if (sn && s < 0) start = s <= -TO_END ? 0 : from_end(f, dim, s);
  if (en) {
    if (e >= TO_END) end = dim;
    else if (e < 0) end = from_end(f, dim, e);
    else end = ingot__element_do(f, INGOT__EL_MIN, dim, end);
  }
  ingot__dim n = ingot__element_do(f, INGOT__EL_SUB, end, start);
  if (step > 1) n = ingot__element_do(f, INGOT__EL_DIV, ingot__element_do(f, INGOT__EL_ADD, n, step - 1), step);
  return ingot__element_number(f, n, &d) && d < 0 ? 0 : n;
}

ingot_status ingot__infer_Slice(ingot__infer *f) {
  for (size_t i = 0; i < 3; i++)
    if (!ingot__infer_has(f, i)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "data, starts and ends are needed");
  const ingot__type *in = f->in[0];
  ingot__type *out = &f->out[0];
  *out = *in;
  if (in->rank < 0) return INGOT_OK;
  size_t n = 0;
  int axis[INGOT_MAX_RANK], n_axes = -1;
  bool unknown = !ingot__ints_count(f, 1, &n);
  if (ingot__infer_has(f, 3)) {
    bool unknown_axes;
    INGOT_TRY(ingot__ints_axes(f, 3, in->rank, axis, &n_axes, &unknown_axes));
    unknown = unknown || unknown_axes;
  } else if (!unknown) {
    if (n > (size_t)in->rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%zu starts are given for rank %d", n, in->rank);
    n_axes = (int)n;
    for (int i = 0; i < n_axes; i++) axis[i] = i;
  }
  if (unknown) {
    for (int i = 0; i < in->rank; i++) out->dim[i] = INGOT__DIM_UNKNOWN;
    return INGOT_OK;
  }
  for (size_t i = 1; i < 5; i++) {
    size_t k;
    if (ingot__ints_count(f, i, &k) && k != (size_t)n_axes) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "starts, ends, axes and steps differ in length");
    }
  }
  bool numbers = true;
  int64_t first[INGOT_MAX_RANK] = {0}, stride[INGOT_MAX_RANK];
  for (int i = 0; i < in->rank; i++) stride[i] = 1;
  for (int k = 0; k < n_axes; k++) {
    int a = axis[k];
    int64_t step = 1, s, e;
    ingot__dim start = ingot__ints_get(f, 1, (size_t)k), end = ingot__ints_get(f, 2, (size_t)k);
    if (ingot__infer_has(f, 4) && !ingot__ints_number(f, 4, (size_t)k, &step)) {
      out->dim[a] = INGOT__DIM_UNKNOWN;
      numbers = false;
      continue;
    }
    if (step == 0) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "the step of axis %d is 0", a);
    out->dim[a] = take_dim(f, in->dim[a], start, end, step);
    if (ingot__element_number(f, start, &s) && ingot__element_number(f, end, &e) && ingot__dim_is_number(in->dim[a])) {
      take(in->dim[a], s, e, step, &first[a]);
      stride[a] = step;
    } else {
      numbers = false;
    }
  }
  size_t total, count;
  if (!numbers || !ingot__known_count(f, 0, &count) || !ingot__type_count(out, &total)) return INGOT_OK;
  ingot__dim *known = ingot__infer_known(f, 0, total);
  if (!known) return INGOT_OK;
  ingot__move m = {.rank = in->rank};
  int64_t from = 1, to = 1, at = 0;
  for (int i = in->rank - 1; i >= 0; i--) {
    m.dim[i] = out->dim[i], m.to[i] = to, m.from[i] = out->dim[i] > 1 ? from * stride[i] : 0;
    at += first[i] * from;
    from *= in->dim[i], to *= out->dim[i];
  }
  if (total) ingot__move_run(&m, sizeof *known, known, f->known[0] + at);
  f->out_known[0] = known;
  return INGOT_OK;
}

ingot_status ingot__ref_Slice(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  ingot__view *out = &call->out[0];
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  int64_t first[INGOT_MAX_RANK] = {0}, stride[INGOT_MAX_RANK], dim[INGOT_MAX_RANK], n = ingot__view_count(&call->in[1]);
  for (int i = 0; i < in->rank; i++) stride[i] = 1, dim[i] = in->dim[i];
  for (size_t i = 1; i < 5; i++) {
    if (ingot__has_in(call, i) && ingot__view_count(&call->in[i]) != n) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "starts, ends, axes and steps differ in length");
    }
  }
  for (int64_t k = 0; k < n; k++) {
    int64_t a = ingot__has_in(call, 3) ? ingot__get_int(call->in[3].dtype, call->in[3].data, (size_t)k) : k;
    int64_t step = ingot__has_in(call, 4) ? ingot__get_int(call->in[4].dtype, call->in[4].data, (size_t)k) : 1;
    if (a < -in->rank || a >= in->rank) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "axis %lld is outside rank %d", (long long)a, in->rank);
    if (a < 0) a += in->rank;
    if (step == 0) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the step of axis %lld is 0", (long long)a);
    dim[a] = take(in->dim[a], ingot__get_int(call->in[1].dtype, call->in[1].data, (size_t)k),
                  ingot__get_int(call->in[2].dtype, call->in[2].data, (size_t)k), step, &first[a]);
    stride[a] = step;
  }
  INGOT_TRY(ingot__check_out(call, 0, in->rank, dim));
  if (ingot__view_count(out) == 0) return INGOT_OK;
  ingot__move m = {.rank = in->rank};
  int64_t from = 1, to = 1, at = 0;
  for (int i = in->rank - 1; i >= 0; i--) {
    m.dim[i] = dim[i], m.to[i] = to, m.from[i] = dim[i] > 1 ? from * stride[i] : 0;
    at += first[i] * from;
    from *= in->dim[i], to *= dim[i];
  }
  ingot__move_run(&m, size, out->data, (const char *)in->data + at * (int64_t)size);
  return INGOT_OK;
}
