/* Parameters of kernels that put elements elsewhere, by places that tensors or attributes give. Elements are moved `unit` bytes at a time. */
#ifndef INGOT_CUDA_ARRANGE_H
#define INGOT_CUDA_ARRANGE_H
enum { ARRANGE_RANK = 8 };
typedef struct arrange_params {
  const void *from, *update; /* update: TensorScatter's */
  const int64_t *places;     /* ReverseSequence's lengths, TensorScatter's indices or NULL */
  void *to;
  int64_t items, run;        /* units of the result; units that lie together whatever happens */
  int64_t batch, outer, steps, count; /* TensorScatter: [batch][outer][steps][run], of the update [..][count][run] */
  int32_t batch_first, circular;
  int32_t rank;              /* CenterCropPad: element i of an axis is i + shift of the input's, if it is there */
  int64_t dim[ARRANGE_RANK], in_dim[ARRANGE_RANK], shift[ARRANGE_RANK], in_stride[ARRANGE_RANK], out_stride[ARRANGE_RANK];
} arrange_params;
#endif
