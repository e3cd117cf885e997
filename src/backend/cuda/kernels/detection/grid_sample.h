/* Parameters of GridSample. Axes beyond AXES are not there; strides are in elements. */
#ifndef INGOT_CUDA_GRID_SAMPLE_H
#define INGOT_CUDA_GRID_SAMPLE_H
enum { SAMPLE_MOST_AXES = 3 };
typedef struct grid_sample_params {
  const void *x, *grid;
  void *y;
  int64_t batches, channels, groups, positions; /* groups: of channels, a thread each */
  int64_t in_dim[SAMPLE_MOST_AXES], out_dim[SAMPLE_MOST_AXES];
  int64_t x_batch, x_channel, x_axis[SAMPLE_MOST_AXES];
  int64_t y_batch, y_channel, y_axis[SAMPLE_MOST_AXES];
  int64_t grid_batch, grid_axis[SAMPLE_MOST_AXES], grid_number;
} grid_sample_params;
#endif
