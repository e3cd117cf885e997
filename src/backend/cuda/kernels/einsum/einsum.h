/* Parameters of Einsum: loops of the result's dims that both operands have (batch), that the first has (rows) or the second (columns), and of
 * what is summed over (depth), with the strides of the operands and the result. One operand: the second is absent. */
#ifndef INGOT_CUDA_EINSUM_H
#define INGOT_CUDA_EINSUM_H
enum { EINSUM_LOOPS = 8 };
typedef struct einsum_loops {
  int32_t n;
  int64_t items, dim[EINSUM_LOOPS], a[EINSUM_LOOPS], b[EINSUM_LOOPS], y[EINSUM_LOOPS];
} einsum_loops;
typedef struct einsum_params {
  const void *a, *b;         /* b: NULL for one operand */
  void *y;
  einsum_loops batch, rows, columns, depth;
  int64_t row_tiles, column_tiles;
} einsum_params;
#endif
