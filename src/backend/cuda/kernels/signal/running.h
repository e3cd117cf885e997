/* Parameters of CumSum and CumProd: lines of n elements, `inner` apart. */
#ifndef INGOT_CUDA_RUNNING_H
#define INGOT_CUDA_RUNNING_H
typedef struct running_params {
  const void *x;
  void *y;
  int64_t lines, n, inner;
  int32_t exclusive, reverse;
} running_params;
#endif
