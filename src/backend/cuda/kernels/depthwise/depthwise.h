/* Parameters of depthwise/depthwise.cu. Strides in elements. Comes after divide.h. */
typedef struct depthwise_params {
  const void *in, *bias, *residual;         /* NULL for none */
  const float *weights;                     /* by tap, of all channels, filled up to whole vectors */
  void *out;
  int64_t in_image, in_line, in_pixel, out_image, out_line, out_pixel, residual_image, residual_line, residual_pixel;
  int32_t height, width, out_height, out_width, channels, padded, pad_y, pad_x; /* padded: channels of the weights */
  uint32_t vectors_shift, rows_shift;       /* a block's: vectors of channels, output rows; the rest of its threads are strips of a row */
  divisor groups, blocks_x, blocks_y;       /* blocks along the channels, along and across the lines of an image */
  int32_t vector, vector_residual;          /* 16 bytes may be loaded and stored at once */
  float act_alpha, act_beta;
} depthwise_params;
