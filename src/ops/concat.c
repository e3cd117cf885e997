/* Joining and parting along an axis: Concat, Split. */
#include "ops/ints.h"
#include "ops/move.h"

static ingot_status known_concat(ingot__infer *f, int axis) {
  size_t total, n;
  if (!ingot__type_count(&f->out[0], &total)) return INGOT_OK;
  for (size_t i = 0; i < f->n_in; i++)
    if (!ingot__known_count(f, i, &n)) return INGOT_OK;
  ingot__dim *known = ingot__infer_known(f, 0, total);
  if (!known) return INGOT_OK;
  f->out_known[0] = known;
  size_t outer = 1, inner = 1, at = 0;
  for (int i = 0; i < axis; i++) outer *= (size_t)f->out[0].dim[i];
  for (int i = axis + 1; i < f->out[0].rank; i++) inner *= (size_t)f->out[0].dim[i];
  size_t row = inner * (size_t)f->out[0].dim[axis];
  for (size_t i = 0; i < f->n_in; i++) {
    size_t run = inner * (size_t)f->in[i]->dim[axis];
    for (size_t o = 0; o < outer && run; o++) memcpy(known + o * row + at, f->known[i] + o * run, run * sizeof *known);
    at += run;
  }
  return INGOT_OK;
}

ingot_status ingot__infer_Concat(ingot__infer *f) {
  int rank = -1, axis;
  for (size_t i = 0; i < f->n_in; i++) {
    if (!ingot__infer_has(f, i)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input %zu is missing", i);
    if (f->in[i]->dtype != f->in[0]->dtype) {
      return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "input 0 is %s, input %zu is %s", ingot_dtype_name(f->in[0]->dtype), i,
                               ingot_dtype_name(f->in[i]->dtype));
    }
    if (f->in[i]->rank < 0) continue;
    if (rank >= 0 && f->in[i]->rank != rank) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "inputs have ranks %d and %d", rank, f->in[i]->rank);
    }
    rank = f->in[i]->rank;
  }
  ingot__type *out = &f->out[0];
  ingot__type_unknown(out, f->in[0]->dtype);
  if (rank < 0) return INGOT_OK;
  INGOT_TRY(ingot__infer_axis(f, ((const ingot__attrs_Concat *)f->attrs)->axis, rank, &axis));
  out->rank = (int8_t)rank;
  for (int d = 0; d < rank; d++) {
    ingot__dim sum = 0;
    out->dim[d] = INGOT__DIM_UNKNOWN;
    for (size_t i = 0; i < f->n_in; i++) {
      ingot__dim in = f->in[i]->rank < 0 ? INGOT__DIM_UNKNOWN : f->in[i]->dim[d];
      if (d == axis) sum = ingot__element_do(f, INGOT__EL_ADD, sum, in);
      else INGOT_TRY(ingot__dim_merge(f, out->dim[d], in, "inputs", &out->dim[d]));
    }
    if (d == axis) out->dim[d] = sum;
  }
  return known_concat(f, axis);
}

ingot_status ingot__ref_Concat(const ingot__call *call) {
  ingot__view *out = &call->out[0];
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  int64_t a = INGOT__ATTRS(call, Concat)->axis;
  int axis = (int)(a < 0 ? a + out->rank : a);
  size_t outer = 1, inner = size, at = 0;
  for (int i = 0; i < axis; i++) outer *= (size_t)out->dim[i];
  for (int i = axis + 1; i < out->rank; i++) inner *= (size_t)out->dim[i];
  size_t row = inner * (size_t)out->dim[axis];
  for (size_t i = 0; i < call->n_in; i++) {
    const ingot__view *in = &call->in[i];
    size_t run = inner * (size_t)in->dim[axis];
    if (run == 0) continue;
    if (in->dtype != out->dtype || at + run > row) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "input %zu doesn't fit the output", i);
    for (size_t o = 0; o < outer; o++) memcpy((char *)out->data + o * row + at, (const char *)in->data + o * run, run);
    at += run;
  }
  return INGOT_OK;
}

/* Parts of equal size, the last one smaller where they don't divide. */
static ingot__dim equal_part(const ingot__infer *f, ingot__dim dim, size_t parts, size_t i) {
  int64_t number;
  if (ingot__element_number(f, dim, &number)) {
    int64_t chunk = number / (int64_t)parts + (number % (int64_t)parts != 0), left = number - chunk * (int64_t)i;
    return left < 0 ? 0 : left < chunk ? left : chunk;
  }
  ingot__dim n = (int64_t)parts;
  ingot__dim chunk = ingot__element_do(f, INGOT__EL_DIV, ingot__element_do(f, INGOT__EL_ADD, dim, n - 1), n);
  if (i + 1 < parts) return chunk;
  return ingot__element_do(f, INGOT__EL_SUB, dim, ingot__element_do(f, INGOT__EL_MUL, chunk, n - 1));
}

ingot_status ingot__infer_Split(ingot__infer *f) {
  const ingot__attrs_Split *a = f->attrs;
  int axis;
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  const ingot__type *in = f->in[0];
  for (size_t i = 0; i < f->n_out; i++) f->out[i] = *in;
  if (a->num_outputs && (size_t)a->num_outputs != f->n_out) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "num_outputs is %lld, but there are %zu outputs", (long long)a->num_outputs, f->n_out);
  }
  if (in->rank < 0) return INGOT_OK;
  INGOT_TRY(ingot__infer_axis(f, a->axis, in->rank, &axis));
  ingot__dim dim = in->dim[axis], sum = 0;
  bool sizes = ingot__infer_has(f, 1), numbers = true;
  size_t n;
  if (sizes && ingot__ints_count(f, 1, &n) && n != f->n_out) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%zu sizes are given for %zu outputs", n, f->n_out);
  }
  for (size_t i = 0; i < f->n_out; i++) {
    int64_t number;
    ingot__dim part = sizes ? ingot__ints_get(f, 1, i) : equal_part(f, dim, f->n_out, i);
    if (ingot__element_number(f, part, &number)) {
      if (number < 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "size %zu is %lld", i, (long long)number);
    } else {
      numbers = false;
    }
    f->out[i].dim[axis] = part;
    sum = ingot__element_do(f, INGOT__EL_ADD, sum, part);
  }
  if (numbers && sizes && ingot__dim_is_number(dim) && sum != dim) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the sizes add up to %lld, dim %d is %lld", (long long)sum, axis, (long long)dim);
  }
  if (!numbers || !ingot__known_count(f, 0, &n) || n > INGOT__MAX_KNOWN || n == 0) return INGOT_OK;
  size_t outer = 1, at = 0;
  for (int i = 0; i < axis; i++) outer *= (size_t)in->dim[i];
  size_t row = n / outer, inner = row / (size_t)dim;
  for (size_t i = 0; i < f->n_out; i++) {
    size_t run = inner * (size_t)f->out[i].dim[axis];
    ingot__dim *known = ingot__infer_known(f, i, run * outer);
    for (size_t o = 0; known && run && o < outer; o++) memcpy(known + o * run, f->known[0] + o * row + at, run * sizeof *known);
    f->out_known[i] = known;
    at += run;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Split(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  size_t size = ingot__move_size(in->dtype), outer = 1, inner;
  if (!size) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "%s can't be split", ingot_dtype_name(in->dtype));
  int64_t a = INGOT__ATTRS(call, Split)->axis, n = in->rank ? in->dim[a < 0 ? a + in->rank : a] : 0, at = 0;
  int axis = (int)(a < 0 ? a + in->rank : a);
  inner = size;
  for (int i = 0; i < axis; i++) outer *= (size_t)in->dim[i];
  for (int i = axis + 1; i < in->rank; i++) inner *= (size_t)in->dim[i];
  bool sizes = ingot__has_in(call, 1);
  int64_t parts = (int64_t)call->n_out, chunk = n / parts + (n % parts != 0);
  if (sizes && ingot__view_count(&call->in[1]) != parts) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "sizes and outputs differ in number");
  for (size_t i = 0; i < call->n_out; i++) {
    int64_t left = n - at, part = sizes ? ingot__get_int(call->in[1].dtype, call->in[1].data, i) : left < chunk ? left : chunk;
    if (part < 0 || part > left) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "size %zu is %lld, %lld are left", i, (long long)part, (long long)left);
    if (ingot__has_out(call, i)) {
      ingot__view *out = &call->out[i];
      if (out->rank != in->rank || out->dim[axis] != part) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "output %zu has another size", i);
      size_t run = inner * (size_t)part, row = inner * (size_t)n;
      for (size_t o = 0; o < outer && run; o++)
        memcpy((char *)out->data + o * run, (const char *)in->data + o * row + (size_t)at * inner, run);
    }
    at += part;
  }
  return INGOT_OK;
}
