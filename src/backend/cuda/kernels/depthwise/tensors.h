/* The tensors of a depthwise convolution, in all its kernels' parameters. Strides in elements. */
#ifndef INGOT_CUDA_DEPTHWISE_TENSORS_H
#define INGOT_CUDA_DEPTHWISE_TENSORS_H
typedef struct depthwise_tensors {
  const void *in, *bias, *residual;         /* NULL for none */
  const float *weights;                     /* by tap, of all channels, filled up to `padded` */
  void *out;
  int64_t in_image, in_line, in_pixel, out_image, out_line, out_pixel, residual_image, residual_line, residual_pixel;
  int32_t height, width, out_height, out_width, channels, padded, pad_y, pad_x;
  float act_alpha, act_beta;
} depthwise_tensors;
#endif
