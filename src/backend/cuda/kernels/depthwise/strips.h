/* Parameters of depthwise/columns.cu and lines.cu, whose threads have strips of outputs side by side. Comes after divide.h and
 * depthwise/tensors.h. */
typedef struct depthwise_strips_params {
  depthwise_tensors t;
  int32_t rows;                             /* of outputs that a thread goes down */
  uint32_t threads;                         /* that have work */
  divisor vectors, strips, chunks;          /* of channels, along a row, down an image */
  uint32_t in_image, in_line, in_pixel, out_image, out_line, out_pixel, residual_image, residual_line, residual_pixel; /* strides in bytes */
} depthwise_strips_params;
