/* TopK: the k largest (or smallest) along an axis, best first, the lower index first among equals; NaN counts as larger than all. A heap of
 * the k best so far, the worst of them on top, then sorted in place: O(n log k). */
#include "ops/ints.h"
#include "ops/move.h"
#include <math.h>

ingot_status ingot__infer_TopK(ingot__infer *infer) {
  const ingot__attrs_TopK *a = INGOT__ATTRS(infer, TopK);
  bool unknown;
  int axis;
  size_t count;
  int64_t k;
  INGOT_TRY(ingot__infer_rank(infer, 0, 1, -1, &unknown));
  const ingot__type *x = infer->in[0];
  if (!ingot__dtype_is_float(x->dtype) && !ingot__dtype_is_int(x->dtype)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  }
  if (infer->n_out > 1) infer->out[1] = infer->out[0], infer->out[1].dtype = INGOT_INT64;
  if (unknown) return INGOT_OK;
  INGOT_TRY(ingot__infer_axis(infer, a->axis, x->rank, &axis));
  infer->out[0] = *x;
  if (ingot__ints_count(infer, 1, &count) && count != 1) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "k must be one number");
  infer->out[0].dim[axis] = ingot__ints_get(infer, 1, 0);
  if (ingot__ints_number(infer, 1, 0, &k)) {
    if (k < 0 || (x->dim[axis] >= 0 && k > x->dim[axis])) {
      return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "k is %lld, the axis has %lld elements", (long long)k, (long long)x->dim[axis]);
    }
  }
  if (infer->n_out > 1) infer->out[1] = infer->out[0], infer->out[1].dtype = INGOT_INT64;
  return INGOT_OK;
}

typedef struct item { int64_t index, whole; double real; } item;

static int64_t axis_of(const ingot__call *call) {
  int64_t axis = INGOT__ATTRS(call, TopK)->axis;
  return axis < 0 ? axis + call->in[0].rank : axis;
}

size_t ingot__workspace_TopK(const ingot__call *call) {
  size_t bytes, n = (size_t)call->in[0].dim[axis_of(call)];
  return ingot__mul(n, sizeof(item), &bytes) ? bytes : SIZE_MAX;
}

/* Whether a comes before b in the result. */
static bool before(const item *a, const item *b, bool largest) {
  bool na = isnan(a->real), nb = isnan(b->real);
  if (na != nb) return largest ? na : nb;
  if (a->real != b->real && !na) return largest ? a->real > b->real : a->real < b->real;
  if (a->whole != b->whole) return largest ? a->whole > b->whole : a->whole < b->whole;
  return a->index < b->index;
}

/* Restores the heap below `i`: each is after (worse than) its children. */
static void sift(item *heap, size_t n, size_t i, bool largest) {
  item moved = heap[i];
  for (size_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && before(&heap[child], &heap[child + 1], largest)) child++;
    if (!before(&moved, &heap[child], largest)) break;
    heap[i] = heap[child];
  }
  heap[i] = moved;
}

ingot_status ingot__ref_TopK(const ingot__call *call) {
  const ingot__attrs_TopK *a = INGOT__ATTRS(call, TopK);
  const ingot__view *x = &call->in[0];
  int64_t axis = axis_of(call), outer = 1, n = 1, inner = 1, dim[INGOT_MAX_RANK];
  if (ingot__view_count(&call->in[1]) != 1) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "k must be one number");
  int64_t k = ingot__get_int(call->in[1].dtype, call->in[1].data, 0);
  for (int i = 0; i < x->rank; i++) {
    *(i < axis ? &outer : i == axis ? &n : &inner) *= x->dim[i];
    dim[i] = i == axis ? k : x->dim[i];
  }
  if (k < 0 || k > n) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "k is %lld, the axis has %lld elements", (long long)k, (long long)n);
  for (size_t i = 0; i < call->n_out; i++) {
    if (!ingot__has_out(call, i)) continue;
    INGOT_TRY(ingot__set_out(call, i, x->rank, dim));
  }
  if (k == 0) return INGOT_OK;
  bool real = ingot__dtype_is_float(x->dtype), largest = a->largest != 0;
  item *heap = (item *)call->workspace;
  if (call->workspace_size < (size_t)k * sizeof(item)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has too little workspace");
  for (int64_t o = 0; o < outer; o++)
    for (int64_t in = 0; in < inner; in++) {
      size_t size = 0;
      for (int64_t i = 0; i < n; i++) {
        size_t e = (size_t)(o * n * inner + i * inner + in);
        if (size == (size_t)k && x->dtype == INGOT_FLOAT32) { /* most elements of most tensors end here */
          const float *f = (const float *)x->data;
          float limit = (float)heap[0].real;
          if (largest) while (i < n && f[e] <= limit) i++, e += (size_t)inner;
          else while (i < n && f[e] >= limit) i++, e += (size_t)inner;
          if (i == n) break;
        }
        item v = {.index = i};
        if (real) v.real = ingot__get_double(x->dtype, x->data, e);
        else if (x->dtype == INGOT_UINT64) v.whole = (int64_t)(((const uint64_t *)x->data)[e] ^ (uint64_t)1 << 63);
        else v.whole = ingot__get_int(x->dtype, x->data, e);
        if (size < (size_t)k) {
          heap[size++] = v;
          if (size == (size_t)k)
            for (size_t h = size / 2; h-- > 0;) sift(heap, size, h, largest);
        } else if (before(&v, &heap[0], largest)) {
          heap[0] = v;
          sift(heap, size, 0, largest);
        }
      }
      for (size_t last = size; last-- > 1;) { /* the worst goes to the end */
        item worst = heap[0];
        heap[0] = heap[last];
        heap[last] = worst;
        sift(heap, last, 0, largest);
      }
      for (int64_t i = 0; i < k; i++) {
        size_t from = (size_t)(o * n * inner + heap[i].index * inner + in), to = (size_t)(o * k * inner + i * inner + in);
        size_t width = ingot__dtype_size(x->dtype);
        if (ingot__has_out(call, 0)) memcpy((char *)call->out[0].data + to * width, (const char *)x->data + from * width, width);
        if (ingot__has_out(call, 1)) ((int64_t *)call->out[1].data)[to] = heap[i].index;
      }
    }
  return INGOT_OK;
}
