/* Parameters of LinearAttention; all tensors are dense. */
#ifndef INGOT_CUDA_LINEAR_H
#define INGOT_CUDA_LINEAR_H
typedef struct linear_params {
  const void *q, *k, *v, *past, *decay, *beta; /* past, decay and beta may be NULL */
  void *y, *state;           /* state may be NULL */
  int64_t length;
  int32_t heads, group, d, e; /* heads of keys; of queries to one of them; features of keys and of values */
  int32_t decay_width, beta_width, tiles; /* tiles: of 32 columns of the state */
  float scale;
} linear_params;
#endif
