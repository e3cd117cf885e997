/* Parameters of RotaryEmbedding. Steps in elements; x and y are dense. */
#ifndef INGOT_CUDA_ROTARY_H
#define INGOT_CUDA_ROTARY_H
typedef struct rotary_params {
  const void *x, *cosines, *sines, *positions; /* positions: rows of the tables, or NULL: a row each */
  void *y;
  int64_t batch, heads, length, width, half;   /* half: pairs that are turned */
  int64_t head_step, row_step;                 /* from a head, from a position to the next */
  int64_t rows;                                /* of the tables; 1 batch of them may serve all (shared) */
  int32_t wide, shared, side_by_side;          /* wide: positions are 64 bits */
} rotary_params;
#endif
