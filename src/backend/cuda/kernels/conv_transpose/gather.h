/* Parameters of conv_transpose/gather.cu: three spatial dims, z y x. Strides in elements. */
typedef struct gather_params {
  const void *in, *weights, *bias, *residual; /* weights as the node has them: C, M / group, z, y, x */
  void *out;
  int64_t in_image, in_place[3], out_image, out_place[3], residual_image, residual_place[3];
  int64_t images;
  int32_t in_dim[3], out_dim[3], kernel[3], stride[3], dilation[3], pad[3];
  int32_t groups, channels, out_channels;     /* channels of a group */
  float act_alpha, act_beta;
} gather_params;
