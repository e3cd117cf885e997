/* ReverseSequence, TensorScatter, CenterCropPad: a thread a unit of the result, of 1 to 16 bytes. */
#include "ingot.cuh"
#include "arrange/arrange.h"

template <typename T> DEVICE void reverse(const arrange_params &p, int64_t i) {
  const int64_t unit = i % p.run, row = i / p.run, t = p.batch_first ? row % p.steps : row / p.batch, b = p.batch_first ? row / p.steps :
      row % p.batch;
  int64_t n = p.places[b];
  n = n < 0 ? 0 : n > p.steps ? p.steps : n;
  const int64_t s = t < n ? n - 1 - t : t, from = p.batch_first ? b * p.steps + s : s * p.batch + b;
  static_cast<T *>(p.to)[i] = static_cast<const T *>(p.from)[from * p.run + unit];
}
template <typename T> DEVICE void scatter(const arrange_params &p, int64_t i) {
  const int64_t unit = i % p.run, row = i / p.run, t = row % p.steps, line = row / p.steps;
  int64_t at = p.places ? p.places[line / p.outer] : 0, k;
  if (p.circular) {
    at = (at % p.steps + p.steps) % p.steps, k = t - at;
    if (k < 0) k += p.steps;
  } else {
    k = t - at;
  }
  const bool new_one = k >= 0 && k < p.count;
  static_cast<T *>(p.to)[i] = new_one ? static_cast<const T *>(p.update)[(line * p.count + k) * p.run + unit] : static_cast<const T *>(p.from)[i];
}
template <typename T> DEVICE void crop_pad(const arrange_params &p, int64_t i) {
  int64_t from = 0, to = 0;
  bool there = true;
  for (int d = p.rank - 1; d >= 0; d--) {
    const int64_t x = i % p.dim[d], y = x + p.shift[d];
    i /= p.dim[d];
    there = there && y >= 0 && y < p.in_dim[d];
    from += y * p.in_stride[d], to += x * p.out_stride[d];
  }
  T value = {};
  if (there) value = static_cast<const T *>(p.from)[from];
  static_cast<T *>(p.to)[to] = value;
}

#define ENTRY(what, type, bytes) \
  KERNEL(what##_##bytes, arrange_params, 256, 1) { \
    grid_wait(); \
    grid_launch(); \
    const int64_t i = (int64_t)blockIdx.x * 256 + threadIdx.x; \
    if (i < p.items) what<type>(p, i); \
  }
#define ENTRIES(what) ENTRY(what, uint8_t, 1) ENTRY(what, uint16_t, 2) ENTRY(what, uint32_t, 4) ENTRY(what, uint64_t, 8)
ENTRIES(reverse)
ENTRY(reverse, word4, 16)
ENTRIES(scatter)
ENTRY(scatter, word4, 16)
ENTRIES(crop_pad)
