/* Strided copies of any element size. */
#include "ops/call.h"
#include <string.h>

void ingot__view_copy(const ingot__view *to, const ingot__view *from) {
  size_t size = ingot__dtype_size(from->dtype);
  int64_t count = ingot__view_count(from);
  if (!count) return;
  if (size == 0 || (to->dense && from->dense && to->layout == from->layout)) { /* 4-bit types are always dense */
    size_t bytes;
    if (size) memcpy(to->data, from->data, (size_t)count * size);
    else if (ingot__dtype_bytes(from->dtype, (size_t)count, &bytes)) memcpy(to->data, from->data, bytes);
    return;
  }
  int rank = from->rank;
  if (rank == 0) {
    memcpy(to->data, from->data, size);
    return;
  }
  int64_t at[INGOT_MAX_RANK] = {0}, inner = from->dim[rank - 1];
  char *t = to->data;
  const char *f = from->data;
  int64_t step_t = to->stride[rank - 1] * (int64_t)size, step_f = from->stride[rank - 1] * (int64_t)size;
  for (;;) {
    for (int64_t i = 0; i < inner; i++) memcpy(t + i * step_t, f + i * step_f, size);
    int d = rank - 2;
    for (; d >= 0; d--) {
      t += to->stride[d] * (int64_t)size;
      f += from->stride[d] * (int64_t)size;
      if (++at[d] < from->dim[d]) break;
      t -= to->stride[d] * from->dim[d] * (int64_t)size;
      f -= from->stride[d] * from->dim[d] * (int64_t)size;
      at[d] = 0;
    }
    if (d < 0) return;
  }
}
