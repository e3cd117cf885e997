/* Parameters of Det: `count` matrices of n x n, dense; work has room for them in float, [count][n][n]. */
#ifndef INGOT_CUDA_DET_H
#define INGOT_CUDA_DET_H
typedef struct det_params {
  const void *x;
  void *y;
  float *work;
  int64_t n;
} det_params;
#endif
