/* Parameters of the elementwise kernels: the inputs first, then the outputs. */
#pragma once
enum { ELEMENTWISE_TENSORS = 14 };
typedef struct elementwise_params {
  space_dims dims;                    /* of items: vectors, or elements */
  uint32_t tail;                      /* elements behind the last vector, where everything is dense */
  uint32_t splat;                     /* bit k: tensor k has one element for all of a vector */
  void *data[ELEMENTWISE_TENSORS];
  int64_t stride[ELEMENTWISE_TENSORS * SPACE_RANK]; /* of items */
} elementwise_params;
