/* Parameters of AffineGrid, over two or three axes; tensors are dense. */
#ifndef INGOT_CUDA_AFFINE_GRID_H
#define INGOT_CUDA_AFFINE_GRID_H
typedef struct affine_grid_params {
  const void *theta;         /* [batch][axes][axes + 1] */
  void *y;                   /* [batch][dims][axes] */
  int64_t items, positions, dim[3]; /* items: positions of all batch elements */
  int32_t corners;
} affine_grid_params;
#endif
