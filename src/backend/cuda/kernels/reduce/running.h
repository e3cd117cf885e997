/* Parameters of CumSum and CumProd. */
#pragma once
typedef struct running_params {
  const void *in;
  void *out;
  space_dims kept;                       /* rows, or columns */
  int64_t stride[2 * SPACE_RANK];        /* of the kept dims: the input's, the output's */
  int64_t step[2];                       /* along the axis, from where it begins */
  int32_t length;
} running_params;
