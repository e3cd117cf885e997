/* Parameters of depthwise/columns.cu. Strides in elements. Comes after divide.h. */
typedef struct depthwise_columns_params {
  const void *in, *bias, *residual;         /* NULL for none */
  const float *weights;                     /* by tap, of all channels, filled up to `padded` */
  void *out;
  int64_t in_image, in_line, in_pixel, out_image, out_line, out_pixel, residual_image, residual_line, residual_pixel;
  int32_t height, width, out_height, out_width, padded, pad_y, pad_x;
  int32_t rows;                             /* of outputs that a thread goes down */
  uint32_t threads;                         /* that have work */
  divisor vectors, strips, chunks;          /* of channels, along a row, down an image */
  float act_alpha, act_beta;
} depthwise_columns_params;
