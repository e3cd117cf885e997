/* Views: strides of the two layouts. */
#include "ops/call.h"

bool ingot__view_set(ingot__view *view, ingot_dtype dtype, int rank, const int64_t *dim, ingot__layout layout) {
  if (rank < 0 || rank > INGOT_MAX_RANK) return false;
  view->dtype = dtype;
  view->kind = INGOT__TENSOR;
  view->rank = (uint8_t)rank;
  view->layout = (uint8_t)(layout == INGOT__CHANNELS_LAST && rank >= 3 ? INGOT__CHANNELS_LAST : INGOT__PLAIN);
  view->dense = true;
  /* Empty dims count as one, so that strides of empty tensors are sane and the check below covers them. */
  int64_t stride = 1;
  for (int k = rank - 1; k >= 0; k--) {
    int i = k;
    if (view->layout == INGOT__CHANNELS_LAST) i = k == rank - 1 ? 1 : k == 0 ? 0 : k + 1; /* from innermost: C, then last spatial .. first, N */
    if (dim[i] < 0) return false;
    view->dim[i] = dim[i];
    view->stride[i] = stride;
    if (__builtin_mul_overflow(stride, dim[i] ? dim[i] : 1, &stride)) return false;
  }
  int64_t bytes;
  return !__builtin_mul_overflow(stride, (int64_t)16, &bytes); /* 16: the widest element */
}
