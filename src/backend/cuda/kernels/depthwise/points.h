/* Parameters of depthwise/points.cu. Comes after divide.h and depthwise/tensors.h. */
typedef struct depthwise_points_params {
  depthwise_tensors t;
  int32_t stride_y, stride_x, dilation_y, dilation_x;
  uint32_t threads;                         /* that have work */
  divisor vectors, columns, lines;          /* of channels, of an output's line, of an output */
} depthwise_points_params;
