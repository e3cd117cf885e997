/* OneHot, Trilu, EyeLike, ConstantOfShape and Range: a thread for each element of the output. define() says SIZE of elements and for some
 * TYPE (OneHot: of indices; Range: of elements) and UPPER. */
#include "space.cuh"
#include "move/fill.h"
#include "move/element.cuh"

/* The output's element, the input's, and two positions; false: there is none for this thread. */
DEVICE bool place(const fill_params &p, int64_t *at) {
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  if (index >= p.dims.items) return false;
  space_offsets<4>(p.dims, p.stride, index, at);
  at[2] += p.base[0], at[3] += p.base[1];
  grid_wait();
  return true;
}

#if KIND == 0 /* OneHot */
#ifdef REAL_INDEX
DEVICE int64_t number(float x) { return x != x ? 0 : (int64_t)x; }
#else
template <typename U> DEVICE int64_t number(U x) { return (int64_t)x; }
#endif
KERNEL(fill, fill_params, 256, 2) {
  int64_t at[4];
  if (!place(p, at)) return;
  int64_t i = number(static_cast<const TYPE *>(p.in)[at[1]]);
  if (i < 0) i += p.k;
  static_cast<element *>(p.out)[at[0]] = static_cast<const element *>(p.values)[i == at[2]];
}
#elif KIND == 1 /* Trilu */
KERNEL(fill, fill_params, 256, 2) {
  int64_t at[4];
  if (!place(p, at)) return;
  int64_t edge = at[2] + p.k;
  bool kept = UPPER ? at[3] >= edge : at[3] <= edge;
  static_cast<element *>(p.out)[at[0]] = kept ? static_cast<const element *>(p.in)[at[1]] : (element)0;
}
#elif KIND == 2 /* EyeLike */
KERNEL(fill, fill_params, 256, 2) {
  int64_t at[4];
  if (place(p, at)) static_cast<element *>(p.out)[at[0]] = at[3] == at[2] + p.k ? (element)p.bits : (element)0;
}
#elif KIND == 3 /* ConstantOfShape */
KERNEL(fill, fill_params, 256, 2) {
  int64_t at[4];
  if (place(p, at)) static_cast<element *>(p.out)[at[0]] = (element)p.bits;
}
#else /* Range */
#ifdef REAL
DEVICE TYPE at_position(const fill_params &p, int64_t i) { return (TYPE)(p.start_real + (double)i * p.step_real); }
#else
DEVICE TYPE at_position(const fill_params &p, int64_t i) { return (TYPE)(p.start + i * p.step); }
#endif
KERNEL(fill, fill_params, 256, 2) {
  int64_t at[4];
  if (place(p, at)) static_cast<TYPE *>(p.out)[at[0]] = at_position(p, at[2]);
}
#endif
