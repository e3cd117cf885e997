/* Operators that give the same elements another shape: Identity, Reshape, Flatten, Squeeze, Unsqueeze. Their reference is a copy; planners
 * make views of them. */
#include "ops/ints.h"
#include "ops/objects.h"

static ingot_status same_elements(ingot__infer *f) {
  if (f->known[0]) f->out_known[0] = f->known[0];
  return INGOT_OK;
}

ingot_status ingot__infer_Identity(ingot__infer *f) {
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  f->out[0] = *f->in[0];
  return same_elements(f);
}
ingot_status ingot__ref_Identity(const ingot__call *call) {
  if (ingot__is_tensor(&call->in[0])) return ingot__move_all(call);
  return ingot__out_object(call, 0, ingot__view_to_object(call, &call->in[0]));
}

/* What is left for the -1: all the input's elements over those of the other dims. Equal symbols cancel one by one first, so that the
 * quotient is plain where it can be. */
static ingot__dim remaining(const ingot__infer *f, const ingot__type *in, const ingot__type *out, int hole) {
  if (in->rank < 0) return INGOT__DIM_UNKNOWN;
  bool used[INGOT_MAX_RANK] = {0};
  ingot__dim have = 1, taken = 1;
  for (int i = 0; i < out->rank; i++) {
    if (i == hole) continue;
    bool cancelled = false;
    for (int j = 0; j < in->rank && !cancelled; j++) {
      if (used[j] || in->dim[j] != out->dim[i] || in->dim[j] == INGOT__DIM_UNKNOWN || in->dim[j] == 0) continue;
      used[j] = cancelled = true;
    }
    if (!cancelled) taken = ingot__element_do(f, INGOT__EL_MUL, taken, out->dim[i]);
  }
  for (int j = 0; j < in->rank; j++)
    if (!used[j]) have = ingot__element_do(f, INGOT__EL_MUL, have, in->dim[j]);
  return ingot__element_do(f, INGOT__EL_DIV, have, taken);
}

ingot_status ingot__infer_Reshape(ingot__infer *f) {
  if (!ingot__infer_has(f, 0) || !ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "data and shape are needed");
  const ingot__type *in = f->in[0];
  bool allow_zero = ((const ingot__attrs_Reshape *)f->attrs)->allowzero != 0;
  ingot__type *out = &f->out[0];
  size_t n;
  if (!ingot__dtype_is_int(f->in[1]->dtype)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the shape is %s, not integers", ingot_dtype_name(f->in[1]->dtype));
  }
  if (!ingot__ints_count(f, 1, &n)) {
    ingot__type_unknown(out, in->dtype);
    return INGOT_OK;
  }
  if (n > INGOT_MAX_RANK) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "rank %zu is asked for; the most is %d", n, INGOT_MAX_RANK);
  *out = (ingot__type){.dtype = in->dtype, .rank = (int8_t)n};
  int hole = -1;
  bool numbers = true;
  for (int k = 0; k < (int)n; k++) {
    ingot__dim d = ingot__ints_get(f, 1, (size_t)k);
    int64_t number;
    if (ingot__element_number(f, d, &number)) {
      if (number < -1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the shape asked for has %lld at %d", (long long)number, k);
      if (number == -1) {
        if (hole >= 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the shape asked for has -1 twice, at %d and %d", hole, k);
        hole = k;
        continue;
      }
      if (number == 0 && !allow_zero) {
        if (in->rank >= 0 && k >= in->rank) {
          return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "0 at %d copies a dim that the input of rank %d hasn't got", k, in->rank);
        }
        d = in->rank >= 0 ? in->dim[k] : INGOT__DIM_UNKNOWN;
      } else {
        d = number;
      }
    } /* an expression counts as not 0: where a run makes it 0, that run copies the dim */
    out->dim[k] = d;
    numbers = numbers && ingot__dim_is_number(d);
  }
  size_t total, others = 1;
  if (numbers && ingot__type_count(in, &total)) {
    for (int k = 0; k < (int)n; k++)
      if (k != hole && !ingot__mul(others, (size_t)out->dim[k], &others)) {
        return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "the shape asked for has too many elements");
      }
    if (hole >= 0) {
      if (others == 0 && total == 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "-1 stands for any number here: other dims are 0");
      if (others == 0 || total % others != 0) {
        return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%zu elements don't divide by the %zu of the dims that are given", total, others);
      }
      if (total / others > INT64_MAX) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "the input has too many elements");
      out->dim[hole] = (int64_t)(total / others);
    } else if (total != others) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%zu elements can't take a shape of %zu", total, others);
    }
  } else if (hole >= 0) {
    int64_t number; /* a negative quotient is of dims that can't be: left to when they have numbers */
    out->dim[hole] = remaining(f, in, out, hole);
    if (ingot__element_number(f, out->dim[hole], &number) && number < 0) out->dim[hole] = INGOT__DIM_UNKNOWN;
  }
  return same_elements(f);
}
ingot_status ingot__ref_Reshape(const ingot__call *call) { return ingot__move_all(call); }

ingot_status ingot__infer_Flatten(ingot__infer *f) {
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  const ingot__type *in = f->in[0];
  int64_t axis = ((const ingot__attrs_Flatten *)f->attrs)->axis;
  f->out[0] = (ingot__type){.dtype = in->dtype, .rank = 2, .dim = {INGOT__DIM_UNKNOWN, INGOT__DIM_UNKNOWN}};
  if (in->rank < 0) return INGOT_OK;
  if (axis < -in->rank || axis > in->rank) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "axis %lld is outside %d..%d", (long long)axis, -in->rank, in->rank);
  }
  int at = (int)(axis < 0 ? axis + in->rank : axis);
  f->out[0].dim[0] = ingot__dims_product(f, in, 0, at);
  f->out[0].dim[1] = ingot__dims_product(f, in, at, in->rank);
  return same_elements(f);
}
ingot_status ingot__ref_Flatten(const ingot__call *call) { return ingot__move_all(call); }

ingot_status ingot__infer_Squeeze(ingot__infer *f) {
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  const ingot__type *in = f->in[0];
  ingot__type *out = &f->out[0];
  ingot__type_unknown(out, in->dtype);
  if (in->rank < 0) return INGOT_OK;
  bool drop[INGOT_MAX_RANK] = {0};
  if (ingot__infer_has(f, 1)) {
    int axis[INGOT_MAX_RANK], n;
    bool unknown;
    INGOT_TRY(ingot__ints_axes(f, 1, in->rank, axis, &n, &unknown));
    if (unknown) return INGOT_OK;
    for (int k = 0; k < n; k++) {
      ingot__dim d = in->dim[axis[k]];
      if (ingot__dim_is_number(d) && d != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "dim %d is %lld, not 1", axis[k], (long long)d);
      drop[axis[k]] = true;
    }
  } else {
    for (int i = 0; i < in->rank; i++) {
      if (!ingot__dim_is_number(in->dim[i])) return INGOT_OK; /* it may turn out as 1 */
      drop[i] = in->dim[i] == 1;
    }
  }
  out->rank = 0;
  for (int i = 0; i < in->rank; i++)
    if (!drop[i]) out->dim[out->rank++] = in->dim[i];
  return same_elements(f);
}
ingot_status ingot__ref_Squeeze(const ingot__call *call) { return ingot__move_all(call); }

ingot_status ingot__infer_Unsqueeze(ingot__infer *f) {
  if (!ingot__infer_has(f, 0) || !ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "data and axes are needed");
  const ingot__type *in = f->in[0];
  ingot__type *out = &f->out[0];
  ingot__type_unknown(out, in->dtype);
  size_t count;
  if (in->rank < 0 || !ingot__ints_count(f, 1, &count)) return INGOT_OK;
  if (count > (size_t)(INGOT_MAX_RANK - in->rank)) {
    return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "%zu more dims make a rank over %d", count, INGOT_MAX_RANK);
  }
  int rank = in->rank + (int)count, axis[INGOT_MAX_RANK], n;
  bool unknown, added[INGOT_MAX_RANK] = {0};
  INGOT_TRY(ingot__ints_axes(f, 1, rank, axis, &n, &unknown));
  out->rank = (int8_t)rank;
  for (int k = 0; k < n; k++) added[axis[k]] = true;
  for (int i = 0, j = 0; i < rank; i++) out->dim[i] = unknown ? INGOT__DIM_UNKNOWN : added[i] ? 1 : in->dim[j++];
  return same_elements(f);
}
ingot_status ingot__ref_Unsqueeze(const ingot__call *call) { return ingot__move_all(call); }
