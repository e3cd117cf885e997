/* RotaryEmbedding: a thread a pair of features, or one of those that stay as they are, of a head. Defined before: TYPE. */
#include "ingot.cuh"
#include "attention/rotary.h"

KERNEL(rotary, rotary_params, 256, 1) {
  grid_wait();
  grid_launch();
  const int64_t each = p.width - p.half; /* threads of a head */
  int64_t index = (int64_t)blockIdx.x * 256 + threadIdx.x;
  if (index >= p.batch * p.length * p.heads * each) return;
  const int64_t i = index % each, head = index / each % p.heads, row = index / each / p.heads, batch = row / p.length, position = row % p.length;
  const int64_t at = batch * p.heads * p.length * p.width + head * p.head_step + position * p.row_step;
  const TYPE *x = static_cast<const TYPE *>(p.x) + at;
  TYPE *y = static_cast<TYPE *>(p.y) + at;
  if (i >= p.half) {
    y[i + p.half] = x[i + p.half];
    return;
  }
  int64_t angle = p.shared ? position : row;
  if (p.positions) {
    angle = p.wide ? static_cast<const int64_t *>(p.positions)[row] : static_cast<const int32_t *>(p.positions)[row];
    angle = angle < 0 ? 0 : angle >= p.rows ? p.rows - 1 : angle; /* outside is an error that nobody can be told here */
  }
  const float c = to_float(static_cast<const TYPE *>(p.cosines)[angle * p.half + i]),
      s = to_float(static_cast<const TYPE *>(p.sines)[angle * p.half + i]);
  const int64_t first = p.side_by_side ? 2 * i : i, second = p.side_by_side ? first + 1 : i + p.half;
  const float a = to_float(x[first]), b = to_float(x[second]);
  y[first] = from_float<TYPE>(c * a - s * b);
  y[second] = from_float<TYPE>(s * a + c * b);
}
