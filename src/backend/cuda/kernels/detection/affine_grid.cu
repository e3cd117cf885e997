/* AffineGrid: a thread a position. Defined before: TYPE; AXES 2 or 3. */
#include "ingot.cuh"
#include "detection/affine_grid.h"

KERNEL(affine_grid, affine_grid_params, 256, 1) {
  grid_wait();
  grid_launch();
  const int64_t index = (int64_t)blockIdx.x * 256 + threadIdx.x;
  if (index >= p.items) return;
  const TYPE *theta = static_cast<const TYPE *>(p.theta) + index / p.positions * (AXES * (AXES + 1));
  TYPE *y = static_cast<TYPE *>(p.y) + index * AXES;
  int64_t position = index % p.positions;
  float x[AXES + 1]; /* x, y(, z), 1: the last axis first */
#pragma unroll
  for (int i = AXES - 1; i >= 0; i--) {
    const float length = (float)p.dim[i], k = (float)(position % p.dim[i]);
    position /= p.dim[i];
    x[AXES - 1 - i] = p.corners ? (p.dim[i] > 1 ? 2 * k / (length - 1) - 1 : -1) : (2 * k + 1) / length - 1;
  }
  x[AXES] = 1;
#pragma unroll
  for (int i = 0; i < AXES; i++) {
    float sum = 0;
#pragma unroll
    for (int k = 0; k <= AXES; k++) sum += x[k] * to_float(theta[i * (AXES + 1) + k]);
    y[i] = from_float<TYPE>(sum);
  }
}
