/* Parameters of DeformConv over two axes. Strides in elements: x, offsets, mask and y may lie either way; weights are [outputs][cg][taps]. */
#ifndef INGOT_CUDA_DEFORM_CONV_H
#define INGOT_CUDA_DEFORM_CONV_H
typedef struct deform_conv_params {
  const void *x, *w, *offset, *bias, *mask; /* bias and mask may be NULL */
  void *y;
  int64_t positions, plane;  /* of all images; of one */
  int64_t x_batch, x_channel, x_axis[2], y_batch, y_channel, y_axis[2];
  int64_t offset_batch, offset_channel, offset_axis[2], mask_batch, mask_channel, mask_axis[2];
  int32_t in[2], out[2], kernel[2], stride[2], begin[2], dilation[2];
  int32_t groups, cg, mg, co, taps; /* input and output channels of a group, input channels of an offset group */
  int32_t tiles;             /* of 64 output channels in a group */
} deform_conv_params;
#endif
