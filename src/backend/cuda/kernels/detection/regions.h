/* Parameters of RoiAlign and MaxRoiPool: features of regions of images. */
#ifndef INGOT_CUDA_REGIONS_H
#define INGOT_CUDA_REGIONS_H
typedef struct regions_params {
  const void *x, *rois, *images; /* images: one number for each region, of `wide` or 32 bits; MaxRoiPool has it in its rois */
  void *y;
  int64_t count, channels, bins_y, bins_x, length[2], batches; /* length: height and width of the images */
  int64_t x_batch, x_channel, x_axis[2], y_region, y_channel, y_axis[2];
  int64_t samples;           /* along each axis of a bin; 0: as many as it has pixels */
  double scale;
  int32_t wide, half_pixel;
} regions_params;
#endif
