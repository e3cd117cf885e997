/* Parameters of conv_first/conv_first.cu. Strides in elements. Comes after divide.h. */
typedef struct conv_first_params {
  const void *in, *weights, *bias;          /* weights: packed, see conv_first.c; bias: NULL for none */
  void *out;
  int64_t in_image, in_channel, in_line, in_pixel, out_image, out_line, out_pixel;
  int32_t height, width, out_height, out_width, out_channels, pad_y, pad_x;
  uint32_t tiles;                           /* of all images */
  divisor tiles_x, tiles_y;                 /* of an image */
  int32_t vector;                           /* a lane's channels may be stored at once */
  float act_alpha, act_beta;
} conv_first_params;
