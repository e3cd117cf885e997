/* Col2Im: a thread an element of the image, which sums what the blocks over it have there. MaxUnpool: a thread a value, which goes to its
 * place in an output that was cleared. Defined before: TYPE. */
#include "ingot.cuh"
#include "vision/fold.h"

KERNEL(col2im, fold_params, 256, 1) {
  grid_wait();
  grid_launch();
  const int64_t index = (int64_t)blockIdx.x * 256 + threadIdx.x;
  if (index >= p.items) return;
  int64_t at[FOLD_AXES], plane = index;
  for (int i = p.axes - 1; i >= 0; i--) at[i] = plane % p.image[i] + p.begin[i], plane /= p.image[i];
  const TYPE *x = static_cast<const TYPE *>(p.x) + plane * p.taps * p.blocks;
  float sum = 0;
  for (int64_t t = 0; t < p.taps; t++) {
    int64_t rest = t, block = 0, step = 1;
    bool there = true;
    for (int i = p.axes - 1; i >= 0; i--) {
      const int64_t from = at[i] - rest % p.block[i] * p.dilation[i], b = from / p.stride[i];
      rest /= p.block[i];
      there = there && from >= 0 && from % p.stride[i] == 0 && b < p.count[i];
      block += b * step, step *= p.count[i];
    }
    if (there) sum += to_float(x[t * p.blocks + block]);
  }
  static_cast<TYPE *>(p.y)[index] = from_float<TYPE>(sum);
}

KERNEL(max_unpool, fold_params, 256, 1) {
  grid_wait();
  grid_launch();
  const int64_t index = (int64_t)blockIdx.x * 256 + threadIdx.x;
  if (index >= p.items) return;
  int64_t at = p.indices[index], to = 0;
  if (at < 0 || at >= p.total) return; /* an error that nobody can be told here */
  for (int i = p.rank - 1; i >= 0; i--) {
    const int64_t k = at % p.dim[i];
    at /= p.dim[i];
    if (k >= p.out_dim[i]) return;
    to += k * p.out_stride[i];
  }
  static_cast<TYPE *>(p.y)[to] = static_cast<const TYPE *>(p.x)[index];
}
