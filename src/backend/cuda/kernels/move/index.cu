/* Gather, GatherElements, GatherND: gather_*, items of the output from where indices say; an index outside is taken to be the nearest one
 * inside. ScatterElements, ScatterND: copy_* of the data, then scatter_* of the updates, or combine, which adds (or..) them one by one;
 * updates outside are left out. define() says SIZE of elements, INDEX (type), and for combine TYPE and REDUCTION (1 add, 2 mul, 3 max, 4 min). */
#include "space.cuh"
#include "move/index.h"
#include "move/element.cuh"

DEVICE int64_t number_at(const index_params &p, int64_t at, int i) {
  int64_t x = static_cast<const INDEX *>(p.index)[at + i * p.step];
  return x < 0 ? x + p.dim[i] : x;
}

template <typename U> DEVICE void gather(const index_params &p) {
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  if (index >= p.dims.items) return;
  int64_t at[3];
  space_offsets<3>(p.dims, p.stride, index, at);
  grid_wait();
  for (int i = 0; i < p.numbers; i++) {
    int64_t x = number_at(p, at[2], i);
    x = x < 0 ? 0 : x >= p.dim[i] ? p.dim[i] - 1 : x;
    at[1] += x * p.jump[i];
  }
  static_cast<U *>(p.to)[at[0]] = static_cast<const U *>(p.from)[at[1]];
}

/* Where update `index` goes; false: outside. */
DEVICE bool target(const index_params &p, uint32_t index, int64_t *at) {
  space_offsets<3>(p.dims, p.stride, index, at);
  bool inside = true;
  for (int i = 0; i < p.numbers; i++) {
    int64_t x = number_at(p, at[2], i);
    inside = inside && x >= 0 && x < p.dim[i];
    at[0] += x * p.jump[i];
  }
  return inside;
}

template <typename U> DEVICE void scatter(const index_params &p) {
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  grid_wait();
  int64_t at[3];
  if (index < p.dims.items && target(p, index, at)) static_cast<U *>(p.to)[at[0]] = static_cast<const U *>(p.from)[at[1]];
}

template <typename U> DEVICE void copy(const index_params &p) {
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  if (index >= p.dims.items) return;
  int64_t at[2];
  space_offsets<2>(p.dims, p.stride, index, at);
  grid_wait();
  static_cast<U *>(p.to)[at[0]] = static_cast<const U *>(p.from)[at[1]];
}

#ifdef SCATTERS
KERNEL(copy_elements, index_params, 256, 2) { copy<element>(p); }
KERNEL(copy_16, index_params, 256, 2) { copy<word4>(p); }
#ifndef REDUCTION
KERNEL(scatter_elements, index_params, 256, 2) { scatter<element>(p); }
KERNEL(scatter_16, index_params, 256, 2) { scatter<word4>(p); }
#endif
#else
KERNEL(gather_elements, index_params, 256, 2) { gather<element>(p); }
KERNEL(gather_4, index_params, 256, 2) { gather<uint32_t>(p); }
KERNEL(gather_16, index_params, 256, 2) { gather<word4>(p); }
#endif

#ifdef REDUCTION
template <typename F> DEVICE F joined(F a, F b) { /* real numbers; NaN in the update is the result of max and min */
  return REDUCTION == 1 ? a + b : REDUCTION == 2 ? a * b : REDUCTION == 3 ? (b > a || b != b ? b : a) : (b < a || b != b ? b : a);
}
template <typename I, typename U> DEVICE I joined_whole(I a, I b) {
  return REDUCTION == 1 ? (I)((U)a + (U)b) : REDUCTION == 2 ? (I)((U)a * (U)b) : REDUCTION == 3 ? (b > a ? b : a) : (b < a ? b : a);
}
DEVICE float combined(float a, float b) { return joined(a, b); }
DEVICE double combined(double a, double b) { return joined(a, b); }
DEVICE half combined(half a, half b) { return from_float<half>(joined(to_float(a), to_float(b))); }
DEVICE bfloat combined(bfloat a, bfloat b) { return from_float<bfloat>(joined(to_float(a), to_float(b))); }
DEVICE int8_t combined(int8_t a, int8_t b) { return joined_whole<int8_t, uint32_t>(a, b); }
DEVICE int16_t combined(int16_t a, int16_t b) { return joined_whole<int16_t, uint32_t>(a, b); }
DEVICE int32_t combined(int32_t a, int32_t b) { return joined_whole<int32_t, uint32_t>(a, b); }
DEVICE int64_t combined(int64_t a, int64_t b) { return joined_whole<int64_t, uint64_t>(a, b); }
#ifdef IS_BOOL
DEVICE uint8_t combined(uint8_t a, uint8_t b) { return REDUCTION == 1 || REDUCTION == 3 ? a | (b != 0) : a & (b != 0); }
#else
DEVICE uint8_t combined(uint8_t a, uint8_t b) { return joined_whole<uint8_t, uint32_t>(a, b); }
#endif
DEVICE uint16_t combined(uint16_t a, uint16_t b) { return joined_whole<uint16_t, uint32_t>(a, b); }
DEVICE uint32_t combined(uint32_t a, uint32_t b) { return joined_whole<uint32_t, uint32_t>(a, b); }
DEVICE uint64_t combined(uint64_t a, uint64_t b) { return joined_whole<uint64_t, uint64_t>(a, b); }

/* Words of 8 bytes, or of the 4 that the element lies in. */
#if SIZE == 8
DEVICE void combine_at(TYPE *to, TYPE update) {
  unsigned long long *word = reinterpret_cast<unsigned long long *>(to), old = *word;
  for (;;) {
    union { unsigned long long bits; TYPE x; } now = {old};
    now.x = combined(now.x, update);
    unsigned long long seen = atomicCAS(word, old, now.bits);
    if (seen == old) return;
    old = seen;
  }
}
#else
DEVICE void combine_at(TYPE *to, TYPE update) {
  uint64_t address = reinterpret_cast<uint64_t>(to);
  uint32_t shift = (uint32_t)(address & 3) * 8, mask = ~0u >> (32 - 8 * SIZE);
  uint32_t *word = reinterpret_cast<uint32_t *>(address & ~(uint64_t)3), old = *word;
  for (;;) {
    union { uint32_t bits; TYPE x; } now = {old >> shift & mask};
    now.x = combined(now.x, update);
    uint32_t seen = atomicCAS(word, old, (old & ~(mask << shift)) | (now.bits & mask) << shift);
    if (seen == old) return;
    old = seen;
  }
}
#endif

KERNEL(combine, index_params, 256, 2) {
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  grid_wait();
  int64_t at[3];
  if (index < p.dims.items && target(p, index, at)) combine_at(static_cast<TYPE *>(p.to) + at[0], static_cast<const TYPE *>(p.from)[at[1]]);
}
#endif
