/* Parameters of conv_points/conv_points.cu. Strides in elements. Comes after divide.h. */
typedef struct conv_points_params {
  const void *in, *weights, *bias, *residual; /* bias and residual may be missing */
  void *out;
  int64_t in_image, in_line, in_pixel, out_image, out_line, out_pixel, residual_image, residual_line, residual_pixel;
  divisor width, height;                      /* of images */
  uint32_t pixels, tiles;                     /* of all images; warps' tiles of them */
  int32_t outputs, groups;                    /* channels; of GROUP of them, the last one filled up */
  float act_alpha, act_beta;
} conv_points_params;
