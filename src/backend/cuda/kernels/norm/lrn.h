/* Parameters of LRN: elements in the order of the output. */
#pragma once
typedef struct lrn_params {
  const void *in;
  void *out;
  space_dims dims;
  int64_t stride[3 * SPACE_RANK];      /* of the output, the input, the channels' numbers */
  int64_t step;                        /* between channels of the input */
  int32_t channels, before, after;
  float alpha, beta, bias;             /* alpha: divided by the window's size */
} lrn_params;
