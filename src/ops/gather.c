/* Reading by index: Gather, GatherElements, GatherND. Indices are data: the reference checks each before it reads. */
#include "ops/ints.h"
#include "ops/move.h"

static bool is_index(ingot_dtype dtype) { return dtype == INGOT_INT64 || dtype == INGOT_INT32; }
static inline int64_t index_at(const ingot__view *v, size_t i) {
  return v->dtype == INGOT_INT64 ? ((const int64_t *)v->data)[i] : ((const int32_t *)v->data)[i];
}
static ingot_status index_fail(const ingot__call *call, int64_t index, int64_t dim) {
  return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "index %lld is outside %lld..%lld", (long long)index, (long long)-dim, (long long)dim - 1);
}
static ingot_status check_inputs(ingot__infer *f) {
  if (!ingot__infer_has(f, 0) || !ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "data and indices are needed");
  if (!is_index(f->in[1]->dtype)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "indices are %s, not int32 or int64", ingot_dtype_name(f->in[1]->dtype));
  }
  return INGOT_OK;
}

static ingot_status known_gather(ingot__infer *f, int axis) {
  const ingot__type *in = f->in[0];
  size_t total, n, n_index, outer = 1, inner = 1;
  if (!f->known[0] || !ingot__type_count(in, &n) || !ingot__type_count(f->in[1], &n_index) || !ingot__type_count(&f->out[0], &total)) {
    return INGOT_OK;
  }
  if (total > INGOT__MAX_KNOWN) return INGOT_OK;
  for (int i = 0; i < axis; i++) outer *= (size_t)in->dim[i];
  for (int i = axis + 1; i < in->rank; i++) inner *= (size_t)in->dim[i];
  ingot__dim *known = ingot__infer_known(f, 0, total);
  if (!known) return INGOT_OK;
  f->out_known[0] = NULL; /* until all are found */
  for (size_t k = 0; k < n_index; k++) {
    int64_t index;
    if (!ingot__ints_number(f, 1, k, &index)) return INGOT_OK;
    if (index < 0) index += in->dim[axis];
    if (index < 0 || index >= in->dim[axis]) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "index %lld is outside the %lld elements of dim %d", (long long)index,
                               (long long)in->dim[axis], axis);
    }
    for (size_t o = 0; o < outer; o++)
      for (size_t i = 0; i < inner; i++)
        known[(o * n_index + k) * inner + i] = f->known[0][(o * (size_t)in->dim[axis] + (size_t)index) * inner + i];
  }
  f->out_known[0] = known;
  return INGOT_OK;
}

ingot_status ingot__infer_Gather(ingot__infer *f) {
  INGOT_TRY(check_inputs(f));
  const ingot__type *in = f->in[0], *index = f->in[1];
  ingot__type *out = &f->out[0];
  int axis;
  ingot__type_unknown(out, in->dtype);
  if (in->rank < 0 || index->rank < 0) return INGOT_OK;
  if (in->rank == 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "data is a scalar");
  INGOT_TRY(ingot__infer_axis(f, ((const ingot__attrs_Gather *)f->attrs)->axis, in->rank, &axis));
  if (in->rank - 1 + index->rank > INGOT_MAX_RANK) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "the result has a rank over %d", INGOT_MAX_RANK);
  out->rank = 0;
  for (int i = 0; i < axis; i++) out->dim[out->rank++] = in->dim[i];
  for (int i = 0; i < index->rank; i++) out->dim[out->rank++] = index->dim[i];
  for (int i = axis + 1; i < in->rank; i++) out->dim[out->rank++] = in->dim[i];
  return known_gather(f, axis);
}

ingot_status ingot__ref_Gather(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *index = &call->in[1];
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  int64_t a = INGOT__ATTRS(call, Gather)->axis;
  int axis = (int)(a < 0 ? a + in->rank : a);
  size_t outer = 1, run = size, n = (size_t)ingot__view_count(index), dim = (size_t)in->dim[axis];
  for (int i = 0; i < axis; i++) outer *= (size_t)in->dim[i];
  for (int i = axis + 1; i < in->rank; i++) run *= (size_t)in->dim[i];
  const char *from = in->data;
  char *to = call->out[0].data;
  for (size_t o = 0; o < outer; o++, from += dim * run) {
    for (size_t k = 0; k < n; k++, to += run) {
      int64_t i = index_at(index, k), j = i < 0 ? i + (int64_t)dim : i;
      if (j < 0 || j >= (int64_t)dim) return index_fail(call, i, (int64_t)dim);
      if (run == 4) memcpy(to, from + (size_t)j * 4, 4);
      else if (run > 0) memcpy(to, from + (size_t)j * run, run);
    }
  }
  return INGOT_OK;
}

ingot_status ingot__infer_GatherElements(ingot__infer *f) {
  INGOT_TRY(check_inputs(f));
  const ingot__type *in = f->in[0], *index = f->in[1];
  int axis;
  f->out[0] = *index;
  f->out[0].dtype = in->dtype;
  if (in->rank < 0 || index->rank < 0) return INGOT_OK;
  if (in->rank != index->rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "data has rank %d, indices %d", in->rank, index->rank);
  INGOT_TRY(ingot__infer_axis(f, ((const ingot__attrs_GatherElements *)f->attrs)->axis, in->rank, &axis));
  for (int i = 0; i < in->rank; i++) {
    if (i != axis && ingot__dim_is_number(in->dim[i]) && ingot__dim_is_number(index->dim[i]) && index->dim[i] > in->dim[i]) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "dim %d of indices is %lld, of data %lld", i, (long long)index->dim[i], (long long)in->dim[i]);
    }
  }
  return INGOT_OK;
}

/* A row of results out of the data's elements of `size` bytes at index * stride + k * step. Returns the first k whose index is outside. */
static inline __attribute__((always_inline)) int64_t gather_row(char *to, const char *from, const size_t size, const ingot__view *index, size_t first,
                                                                int64_t n, int64_t dim, int64_t stride, int64_t step) {
  for (int64_t k = 0; k < n; k++, to += size) {
    int64_t j = index_at(index, first + (size_t)k);
    j += j < 0 ? dim : 0;
    if (j < 0 || j >= dim) return k;
    memcpy(to, from + (size_t)(j * stride + k * step) * size, size);
  }
  return n;
}

ingot_status ingot__ref_GatherElements(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *index = &call->in[1];
  int last = in->rank - 1;
  size_t size, n = (size_t)ingot__view_count(index);
  INGOT_TRY(ingot__move_check(call, 0, &size));
  if (n == 0) return INGOT_OK;
  int64_t a = INGOT__ATTRS(call, GatherElements)->axis;
  int axis = (int)(a < 0 ? a + in->rank : a);
  int64_t at[INGOT_MAX_RANK] = {0}, base = 0; /* base: the element of data at `at`, but for the axis */
  int64_t run = index->dim[last], dim = in->dim[axis], stride = in->stride[axis], step = axis == last ? 0 : in->stride[last];
  for (size_t k = 0; k < n; k += (size_t)run) {
    const char *from = (const char *)in->data + (size_t)base * size;
    char *to = (char *)call->out[0].data + k * size;
    int64_t done;
    switch (size) { /* a size that is known makes each copy one instruction */
    case 1: done = gather_row(to, from, 1, index, k, run, dim, stride, step); break;
    case 2: done = gather_row(to, from, 2, index, k, run, dim, stride, step); break;
    case 4: done = gather_row(to, from, 4, index, k, run, dim, stride, step); break;
    case 8: done = gather_row(to, from, 8, index, k, run, dim, stride, step); break;
    default: done = gather_row(to, from, size, index, k, run, dim, stride, step);
    }
    if (done < run) return index_fail(call, index_at(index, k + (size_t)done), dim);
    for (int d = last - 1; d >= 0; d--) {
      int64_t next = d == axis ? 0 : in->stride[d];
      base += next;
      if (++at[d] < index->dim[d]) break;
      base -= next * at[d];
      at[d] = 0;
    }
  }
  return INGOT_OK;
}

ingot_status ingot__infer_GatherND(ingot__infer *f) {
  INGOT_TRY(check_inputs(f));
  const ingot__type *in = f->in[0], *index = f->in[1];
  int64_t batch = ((const ingot__attrs_GatherND *)f->attrs)->batch_dims;
  ingot__type *out = &f->out[0];
  ingot__type_unknown(out, in->dtype);
  if (in->rank < 0 || index->rank < 0) return INGOT_OK;
  if (in->rank < 1 || index->rank < 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "data and indices need a rank of at least 1");
  if (batch < 0 || batch >= in->rank || batch >= index->rank) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "batch_dims is %lld for ranks %d and %d", (long long)batch, in->rank, index->rank);
  }
  ingot__dim last = index->dim[index->rank - 1];
  if (!ingot__dim_is_number(last)) return INGOT_OK;
  if (last < 1 || last > in->rank - batch) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "indices of %lld numbers don't fit data of rank %d", (long long)last, in->rank);
  }
  int rank = index->rank - 1 + in->rank - (int)batch - (int)last;
  if (rank > INGOT_MAX_RANK) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "the result has a rank over %d", INGOT_MAX_RANK);
  out->rank = 0;
  for (int i = 0; i < index->rank - 1; i++) {
    ingot__dim d = index->dim[i];
    if (i < batch) INGOT_TRY(ingot__dim_merge(f, in->dim[i], index->dim[i], "batch dims", &d));
    out->dim[out->rank++] = d;
  }
  for (int i = (int)(batch + last); i < in->rank; i++) out->dim[out->rank++] = in->dim[i];
  return INGOT_OK;
}

ingot_status ingot__ref_GatherND(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *index = &call->in[1];
  int batch = (int)INGOT__ATTRS(call, GatherND)->batch_dims, k = (int)index->dim[index->rank - 1];
  size_t size, batches = 1, tuples = 1;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  for (int i = 0; i < batch; i++) batches *= (size_t)in->dim[i];
  for (int i = batch; i < index->rank - 1; i++) tuples *= (size_t)index->dim[i];
  size_t run = size, block = size;
  for (int i = batch; i < in->rank; i++) block *= (size_t)in->dim[i];
  for (int i = batch + k; i < in->rank; i++) run *= (size_t)in->dim[i];
  const char *from = in->data;
  char *to = call->out[0].data;
  size_t at = 0;
  for (size_t b = 0; b < batches; b++, from += block) {
    for (size_t t = 0; t < tuples; t++, to += run) {
      int64_t offset = 0;
      for (int d = batch; d < batch + k; d++) {
        int64_t i = index_at(index, at++), j = i < 0 ? i + in->dim[d] : i;
        if (j < 0 || j >= in->dim[d]) return index_fail(call, i, in->dim[d]);
        offset += j * in->stride[d];
      }
      if (run > 0) memcpy(to, from + (size_t)offset * size, run);
    }
  }
  return INGOT_OK;
}
