/* Tensors out of positions: NonZero, OneHot, Trilu. */
#include "ops/ints.h"
#include "ops/move.h"

/* ---- NonZero: the positions of elements that aren't zero, one a column. */

ingot_status ingot__infer_NonZero(ingot__infer *f) {
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  const ingot__type *in = f->in[0];
  ingot__type *out = &f->out[0];
  if (!ingot__dtype_size(in->dtype)) {
    return INGOT__FAIL_INFER(f, INGOT_E_UNSUPPORTED, "NonZero of %s", ingot_dtype_name(in->dtype));
  }
  *out = (ingot__type){.dtype = INGOT_INT64, .rank = 2, .dim = {INGOT__DIM_UNKNOWN, INGOT__DIM_UNKNOWN}};
  if (in->rank < 0) return INGOT_OK;
  out->dim[0] = in->rank;
  size_t n, count = 0;
  if (!ingot__known_count(f, 0, &n) || n > INGOT__MAX_KNOWN) return INGOT_OK;
  int64_t number;
  for (size_t i = 0; i < n; i++) {
    if (!ingot__element_number(f, f->known[0][i], &number)) return INGOT_OK;
    count += number != 0;
  }
  out->dim[1] = (int64_t)count;
  ingot__dim *known = ingot__infer_known(f, 0, count * (size_t)in->rank);
  if (!known) return INGOT_OK;
  f->out_known[0] = known;
  size_t column = 0;
  for (size_t i = 0; i < n; i++) {
    if (!ingot__element_number(f, f->known[0][i], &number) || number == 0) continue;
    size_t rest = i;
    for (int d = in->rank - 1; d >= 0; d--) {
      known[(size_t)d * count + column] = (int64_t)(rest % (size_t)in->dim[d]);
      rest /= (size_t)in->dim[d];
    }
    column++;
  }
  return INGOT_OK;
}

static bool is_zero(const ingot__view *v, size_t i, size_t size) {
  const uint8_t *p = (const uint8_t *)v->data + i * size;
  if (ingot__dtype_is_float(v->dtype)) return ingot__get_double(v->dtype, v->data, i) == 0; /* -0 is zero, NaN is not */
  for (size_t k = 0; k < size; k++)
    if (p[k]) return false;
  return true;
}

/* The first element from i on that isn't zero, or n. The usual types are looked through quickly: of floats any bit but the sign counts. */
#define NEXT(T, mask) \
  do { \
    const T *p = (const T *)v->data; \
    while (i < n && !(p[i] & (T)(mask))) i++; \
    return i; \
  } while (0)
static size_t next_hit(const ingot__view *v, size_t i, size_t n, size_t size) {
  switch (v->dtype) {
  case INGOT_BOOL: case INGOT_INT8: case INGOT_UINT8:
    for (uint64_t eight; i + 8 <= n; i += 8) {
      memcpy(&eight, (const char *)v->data + i, 8);
      if (eight) break;
    }
    NEXT(uint8_t, UINT8_MAX);
  case INGOT_FLOAT32: NEXT(uint32_t, INT32_MAX);
  case INGOT_FLOAT64: NEXT(uint64_t, INT64_MAX);
  case INGOT_INT32: case INGOT_UINT32: NEXT(uint32_t, UINT32_MAX);
  case INGOT_INT64: case INGOT_UINT64: NEXT(uint64_t, UINT64_MAX);
  default:
    while (i < n && is_zero(v, i, size)) i++;
    return i;
  }
}

ingot_status ingot__ref_NonZero(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  size_t size = ingot__move_size(in->dtype), n = (size_t)ingot__view_count(in), count = 0, column = 0;
  for (size_t i = 0; (i = next_hit(in, i, n, size)) < n; i++) count++;
  INGOT_TRY(ingot__set_out(call, 0, 2, (int64_t[]){in->rank, (int64_t)count}));
  int64_t *to = call->out[0].data;
  for (size_t i = 0; (i = next_hit(in, i, n, size)) < n && column < count; i++, column++) {
    size_t rest = i;
    for (int d = in->rank - 1; d >= 0; d--) {
      to[(size_t)d * count + column] = (int64_t)(rest % (size_t)in->dim[d]);
      rest /= (size_t)in->dim[d];
    }
  }
  return INGOT_OK;
}

/* ---- OneHot: indices, depth, (off, on) values. */

ingot_status ingot__infer_OneHot(ingot__infer *f) {
  for (size_t i = 0; i < 3; i++)
    if (!ingot__infer_has(f, i)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "indices, depth and values are needed");
  const ingot__type *in = f->in[0];
  ingot__type *out = &f->out[0];
  size_t n;
  if (ingot__type_count(f->in[1], &n) && n != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "depth must be one number");
  if (ingot__type_count(f->in[2], &n) && n != 2) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "values must be two: off and on");
  ingot__type_unknown(out, f->in[2]->dtype);
  if (in->rank < 0) return INGOT_OK;
  if (in->rank == INGOT_MAX_RANK) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "the result has a rank over %d", INGOT_MAX_RANK);
  int axis;
  INGOT_TRY(ingot__infer_axis(f, ((const ingot__attrs_OneHot *)f->attrs)->axis, in->rank + 1, &axis));
  out->rank = (int8_t)(in->rank + 1);
  int64_t depth;
  ingot__dim d = INGOT__DIM_UNKNOWN;
  if (f->data[1] && f->data[1]->data) d = ingot__get_int(f->data[1]->dtype, f->data[1]->data, 0);
  else if (ingot__dtype_is_int(f->in[1]->dtype) && f->known[1]) d = f->known[1][0];
  if (ingot__element_number(f, d, &depth) && depth < 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "depth is %lld", (long long)depth);
  for (int i = 0, j = 0; i < out->rank; i++) out->dim[i] = i == axis ? d : in->dim[j++];
  return INGOT_OK;
}

ingot_status ingot__ref_OneHot(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *values = &call->in[2];
  ingot__view *out = &call->out[0];
  size_t size = ingot__move_size(values->dtype), outer = 1, inner = 1;
  if (!size) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "values of %s", ingot_dtype_name(values->dtype));
  int64_t a = INGOT__ATTRS(call, OneHot)->axis, depth = ingot__get_int(call->in[1].dtype, call->in[1].data, 0);
  int axis = (int)(a < 0 ? a + in->rank + 1 : a);
  if (depth < 1 || out->dim[axis] != depth) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "depth is %lld", (long long)depth);
  for (int i = 0; i < axis; i++) outer *= (size_t)in->dim[i];
  for (int i = axis; i < in->rank; i++) inner *= (size_t)in->dim[i];
  ingot__move_fill(out->data, (size_t)ingot__view_count(out), size, values->data);
  const char *on = (const char *)values->data + size;
  for (size_t o = 0; o < outer; o++) {
    for (size_t i = 0; i < inner; i++) {
      int64_t index = ingot__get_int(in->dtype, in->data, o * inner + i);
      if (index < 0) index += depth;
      if (index < 0 || index >= depth) continue; /* all off */
      memcpy((char *)out->data + ((o * (size_t)depth + (size_t)index) * inner + i) * size, on, size);
    }
  }
  return INGOT_OK;
}

/* ---- Trilu: the upper or lower triangle of matrices, zeros elsewhere. */

ingot_status ingot__infer_Trilu(ingot__infer *f) {
  bool unknown = false;
  size_t n;
  INGOT_TRY(ingot__infer_rank(f, 0, 2, -1, &unknown));
  if (ingot__infer_has(f, 1) && ingot__type_count(f->in[1], &n) && n != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "k must be one number");
  f->out[0] = *f->in[0];
  return INGOT_OK;
}

ingot_status ingot__ref_Trilu(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  int64_t k = ingot__has_in(call, 1) ? ingot__get_int(call->in[1].dtype, call->in[1].data, 0) : 0;
  bool upper = INGOT__ATTRS(call, Trilu)->upper != 0;
  int64_t rows = in->dim[in->rank - 2], columns = in->dim[in->rank - 1];
  k = k > columns ? columns : k < -rows ? -rows : k;
  size_t matrices = 1, row = (size_t)columns * size;
  for (int i = 0; i < in->rank - 2; i++) matrices *= (size_t)in->dim[i];
  const char *from = in->data;
  char *to = call->out[0].data;
  for (size_t m = 0; row > 0 && m < matrices; m++) {
    for (int64_t i = 0; i < rows; i++, from += row, to += row) {
      int64_t edge = i + k + (upper ? 0 : 1); /* kept: from here on (upper), before here (lower) */
      size_t split = (size_t)(edge < 0 ? 0 : edge > columns ? columns : edge) * size;
      if (upper) {
        memset(to, 0, split);
        memmove(to + split, from + split, row - split);
      } else {
        memmove(to, from, split);
        memset(to + split, 0, row - split);
      }
    }
  }
  return INGOT_OK;
}
