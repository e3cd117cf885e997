/* Parameters of Softmax, LogSoftmax and LpNormalization. */
#pragma once
typedef struct softmax_params {
  const void *in;
  void *out;
  space_dims kept;                     /* rows, or columns */
  int64_t stride[2 * SPACE_RANK];      /* of the kept dims: the input's, the output's */
  int64_t step[2];                     /* along the axis */
  int32_t length, lanes;               /* elements along the axis; threads of a row */
} softmax_params;
