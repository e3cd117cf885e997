/* Pad: each item of the output from its place in the input. Items of 16 bytes lie along a dim that isn't padded. define() says SIZE. */
#include "space.cuh"
#include "move/pad.h"
#include "move/element.cuh"
enum { CONSTANT, REFLECT, EDGE, WRAP };

/* The element of 0..n-1 that stands at i, which lies outside. */
DEVICE int64_t source(int mode, int64_t i, int64_t n) {
  if (mode == EDGE || n == 1) return i < 0 ? 0 : n - 1;
  int64_t period = mode == WRAP ? n : 2 * (n - 1);
  i %= period;
  if (i < 0) i += period;
  return i < n ? i : period - i;
}

template <typename U> DEVICE U filled(element x) { return (U)x; }
template <> __device__ __forceinline__ word4 filled<word4>(element x) {
  uint64_t w = x;
  for (int i = SIZE * 8; i < 64; i *= 2) w |= w << i;
  return word4{(uint32_t)w, (uint32_t)(w >> 32), (uint32_t)w, (uint32_t)(w >> 32)};
}

template <typename U> DEVICE void pad(const pad_params &p) {
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  if (index >= p.dims.items) return;
  int64_t to = 0, from = 0;
  bool inside = true;
  for (int d = p.dims.rank - 1; d >= 0; d--) {
    uint32_t rest = d ? divide(index, p.dims.dim[d]) : 0;
    int64_t i = index - rest * p.dims.dim[d].dim;
    index = rest;
    to += i * p.stride[d];
    if (p.padded >> d & 1) {
      i -= p.first[d];
      if (i < 0 || i >= p.size[d]) {
        if (p.mode == CONSTANT) inside = false;
        else i = source(p.mode, i, p.size[d]);
      }
    }
    from += i * p.stride[SPACE_RANK + d];
  }
  grid_wait();
  U x;
  if (inside) x = static_cast<const U *>(p.in)[from];
  else x = filled<U>(p.value ? *static_cast<const element *>(p.value) : (element)0);
  static_cast<U *>(p.out)[to] = x;
}
KERNEL(pad_elements, pad_params, 256, 2) { pad<element>(p); }
KERNEL(pad_16, pad_params, 256, 2) { pad<word4>(p); }
