#pragma once
#include "attention/attention.cuh"

/* What blocks found in parts of the keys, joined: a warp a row. */
KERNEL(attention_join, attention_params, 128, 1) {
  grid_wait();
  grid_launch();
  const int row = (int)(blockIdx.x % (unsigned)p.tiles) * 4 + (int)threadIdx.x / 32;
  unsigned index = blockIdx.x / (unsigned)p.tiles;
  if (row >= p.rows) return;
  const int64_t from = ((int64_t)index * p.rows + row) * p.splits;
  int64_t o = row_offset(p, p.o, row);
  for (int i = p.lead - 1; i >= 0; i--) o += index % (unsigned)p.dim[i] * p.o.lead[i], index /= (unsigned)p.dim[i];
  float most = -infinity(), sum = 0;
  for (int s = 0; s < p.splits; s++) most = fmaxf(most, p.sums[(from + s) * 2]);
  const float base = most == -infinity() ? 0 : most;
  for (int s = 0; s < p.splits; s++) sum += p.sums[(from + s) * 2 + 1] * exp2_fast(p.sums[(from + s) * 2] - base);
  const float by = share_of(sum);
  for (int c = threadIdx.x % 32; c < p.width; c += 32) {
    float x = 0;
    for (int s = 0; s < p.splits; s++) x += p.partial[(from + s) * (p.chunks * WIDTH) + c] * exp2_fast(p.sums[(from + s) * 2] - base);
    static_cast<TYPE *>(p.o.data)[o + c * p.o.column] = from_float<TYPE>(x * by);
  }
}
