/* LRN, local response normalisation across channels: a thread for each element; neighbours come out of the caches. define() says TYPE. */
#include "space.cuh"
#include "norm/lrn.h"
#include "rows.cuh"
typedef TYPE T;
#ifdef WIDE
DEVICE number power(number x, number y) { return pow(x, y); }
#else
DEVICE number power(number x, number y) { return powf(x, y); }
#endif

KERNEL(elements, lrn_params, 256, 2) {
  uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
  grid_launch();
  if (index >= p.dims.items) return;
  int64_t at[3];
  space_offsets<3>(p.dims, p.stride, index, at);
  int c = (int)at[2], low = c - p.before < 0 ? -c : -p.before, high = c + p.after >= p.channels ? p.channels - 1 - c : p.after;
  const T *in = static_cast<const T *>(p.in) + at[1];
  grid_wait();
  number sum = 0;
  for (int k = low; k <= high; k++) {
    number x = widened(in[k * p.step]);
    sum += x * x;
  }
  number y = widened(in[0]) / power(p.bias + p.alpha * sum, p.beta);
  static_cast<T *>(p.out)[at[0]] = narrowed<T>(y);
}
