/* Parameters of GroupNormalization's three kernels: the statistics of parts of groups, factor and shift of each image's channels, and their
 * use. */
#pragma once
typedef struct group_norm_statistics {
  const void *in;
  void *partial;                       /* {count, mean, squares} for each group and part */
  space_dims gone;                     /* a group's elements, in items */
  int64_t stride[SPACE_RANK];
  int64_t image, group;                /* strides */
  int32_t groups, parts;
} group_norm_statistics;
typedef struct group_norm_coefficients {
  const void *partial, *scale, *bias;
  float *coefficients;                 /* {mean, factor, bias, nothing} for each image and channel */
  int64_t count;                       /* images x channels */
  int32_t channels, groups, parts;
  float epsilon;
} group_norm_coefficients;
typedef struct group_norm_apply {
  const void *in;
  void *out;
  const float *coefficients;
  space_dims dims;
  int64_t stride[3 * SPACE_RANK];      /* of the output, the input, the coefficients */
  int32_t splat;                       /* an item is of one channel */
} group_norm_apply;
