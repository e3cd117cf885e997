/* Parameters of conv_few/conv_few.cu. Strides in elements. Comes after divide.h. */
typedef struct conv_few_params {
  const void *in, *weights, *bias;          /* weights: `padded` of each of eight outputs, zeros where there is none; bias may be missing */
  void *out;
  int64_t in_image, in_line, in_pixel, out_image, out_line, out_pixel, out_channel;
  divisor width, height;                    /* of images */
  uint32_t pixels;                          /* of all images */
  int32_t channels, padded, outputs;
  float act_alpha, act_beta;
} conv_few_params;
