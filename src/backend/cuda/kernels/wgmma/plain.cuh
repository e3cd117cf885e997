/* The plain way to a product, for sizes, strides and addresses that the copy engine doesn't take: a thread an output, whatever the strides. */
#pragma once
#include "wgmma/finish.cuh"

KERNEL(product_plain, ingot__product, 256, 1) {
  grid_wait();
  grid_launch();
  const int64_t count = p.m * p.n * p.batch[0] * p.batch[1];
  const ELEMENT *a = static_cast<const ELEMENT *>(p.a_data), *b = static_cast<const ELEMENT *>(p.b_data);
  for (int64_t i = blockIdx.x * (int64_t)256 + threadIdx.x; i < count; i += gridDim.x * (int64_t)256) {
    int64_t rest = i;
    const int32_t n = (int32_t)(rest % p.n);
    rest /= p.n;
    const int64_t m = rest % p.m;
    rest /= p.m;
    const int64_t batch0 = rest % p.batch[0], batch1 = rest / p.batch[0];
    const int64_t x = m % p.out_x, y = m / p.out_x % p.out_y, image = m / p.out_x / p.out_y;
    const ELEMENT *from = a + image * p.a_image + batch0 * p.a_batch[0] + batch1 * p.a_batch[1];
    const ELEMENT *weight = b + n * p.b_n + batch0 * p.b_batch[0] + batch1 * p.b_batch[1];
    float sum = 0;
#pragma unroll 1
    for (int32_t tap = 0; tap < p.taps_y * p.taps_x; tap++) {
      const int64_t at_y = y * p.step_y - p.pad_y + tap / p.taps_x * p.grow_y, at_x = x * p.step_x - p.pad_x + tap % p.taps_x * p.grow_x;
      if (at_y < 0 || at_y >= p.in_y || at_x < 0 || at_x >= p.in_x) continue;
      const ELEMENT *pixel = from + at_y * p.a_y + at_x * p.a_x, *w = weight + tap * (int64_t)p.tap_k * p.b_k;
      for (int32_t k = 0; k < p.channels; k++) sum += to_float(pixel[k * p.a_k]) * to_float(w[k * p.b_k]);
    }
    sum = p.alpha * sum + bias_of(p, n);
    if (p.has_residual)
      sum += to_float(static_cast<const ELEMENT *>(p.residual_data)[image * p.residual_image + y * p.residual_line + x * p.residual_pixel +
                                                              batch0 * p.residual_batch[0] + batch1 * p.residual_batch[1] + n]);
    const int64_t to = image * p.out_image + y * p.out_line + x * p.out_pixel + batch0 * p.out_batch[0] + batch1 * p.out_batch[1] + n;
    static_cast<ELEMENT *>(p.out_data)[to] = from_float<ELEMENT>(finish_act(p, sum));
  }
}
