/* Parameters of Col2Im and MaxUnpool, over up to FOLD_AXES axes. Col2Im: x is [batch][channel][tap][block], dense. */
#ifndef INGOT_CUDA_FOLD_H
#define INGOT_CUDA_FOLD_H
enum { FOLD_AXES = 6 };
typedef struct fold_params {
  const void *x;
  const int64_t *indices;    /* MaxUnpool: places in an output of `dim` */
  void *y;
  int64_t items;             /* elements of y; MaxUnpool: of x */
  int32_t axes, rank;
  int64_t blocks, taps;      /* of an image */
  int64_t image[FOLD_AXES], block[FOLD_AXES], count[FOLD_AXES], stride[FOLD_AXES], dilation[FOLD_AXES], begin[FOLD_AXES];
  int64_t dim[8], out_dim[8], out_stride[8], total;
} fold_params;
#endif
