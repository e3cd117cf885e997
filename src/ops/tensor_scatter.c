/* TensorScatter: a cache with new rows written along one axis from a given index on, one index for each batch element; they may wrap around
 * ("circular"). */
#include "ops/ints.h"

static bool is_circular(const char *mode) { return strcmp(mode, "circular") == 0; }

ingot_status ingot__infer_TensorScatter(ingot__infer *infer) {
  const ingot__attrs_TensorScatter *attrs = INGOT__ATTRS(infer, TensorScatter);
  bool unknown, update_unknown;
  int axis;
  INGOT_TRY(ingot__infer_rank(infer, 0, 2, -1, &unknown));
  INGOT_TRY(ingot__infer_rank(infer, 1, 2, -1, &update_unknown));
  const ingot__type *cache = infer->in[0], *update = infer->in[1];
  if (update->dtype != cache->dtype || ingot__dtype_size(cache->dtype) == 0) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "takes a cache and an update of one type, not of strings or 4-bit numbers");
  }
  if (!is_circular(attrs->mode) && strcmp(attrs->mode, "linear") != 0) {
    return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "the mode '%.40s'", attrs->mode);
  }
  infer->out[0] = *cache;
  if (unknown) return INGOT_OK;
  INGOT_TRY(ingot__infer_axis(infer, attrs->axis, cache->rank, &axis));
  if (axis == 0) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "can't write along the batch's axis");
  if (!update_unknown) {
    bool fits = update->rank == cache->rank;
    for (int i = 0; fits && i < cache->rank; i++) {
      ingot__dim have = update->dim[i], want = cache->dim[i];
      fits = have < 0 || want < 0 || have == want || (i == axis && have < want);
    }
    if (!fits) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the update does not fit into the cache");
  }
  if (!ingot__infer_has(infer, 2)) return INGOT_OK;
  const ingot__type *at = infer->in[2];
  if (at->kind != INGOT__TENSOR || at->dtype != INGOT_INT64 || (at->rank >= 0 && at->rank != 1)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the indices must be a vector of int64");
  }
  bool one_each = at->rank < 0 || at->dim[0] < 0 || cache->dim[0] < 0 || at->dim[0] == cache->dim[0];
  return one_each ? INGOT_OK : INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the indices must be one for each batch element");
}

ingot_status ingot__ref_TensorScatter(const ingot__call *call) {
  const ingot__attrs_TensorScatter *attrs = INGOT__ATTRS(call, TensorScatter);
  const ingot__view *cache = &call->in[0], *update = &call->in[1];
  int axis = (int)(attrs->axis < 0 ? attrs->axis + cache->rank : attrs->axis);
  size_t size = ingot__dtype_size(cache->dtype), row = size, outer = 1;
  for (int i = axis + 1; i < cache->rank; i++) row *= (size_t)cache->dim[i];
  for (int i = 1; i < axis; i++) outer *= (size_t)cache->dim[i];
  const int64_t length = cache->dim[axis], count = update->dim[axis];
  const size_t whole = row * (size_t)length;
  if (ingot__view_count(cache) == 0) return INGOT_OK;
  memcpy(call->out[0].data, cache->data, whole * outer * (size_t)cache->dim[0]);
  for (int64_t b = 0; b < cache->dim[0]; b++) {
    int64_t at = ingot__has_in(call, 2) ? ingot__get_int(INGOT_INT64, call->in[2].data, (size_t)b) : 0;
    if (is_circular(attrs->mode)) at = (at % length + length) % length;
    else if (at < 0 || at > length - count) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "%lld rows from %lld on are outside the cache's %lld", (long long)count, (long long)at,
                              (long long)length);
    }
    const size_t first = (size_t)(count < length - at ? count : length - at); /* up to the end; the others go to the beginning */
    for (size_t o = 0; o < outer; o++) {
      char *to = (char *)call->out[0].data + ((size_t)b * outer + o) * whole;
      const char *from = (const char *)update->data + ((size_t)b * outer + o) * row * (size_t)count;
      if (first) memcpy(to + (size_t)at * row, from, first * row);
      if ((size_t)count > first) memcpy(to, from + first * row, ((size_t)count - first) * row);
    }
  }
  return INGOT_OK;
}
