/* The host's side of space.h: from views to the fewest dims that several tensors are walked through in step. */
#ifndef INGOT_BACKEND_CUDA_KERNELS_WALK_H
#define INGOT_BACKEND_CUDA_KERNELS_WALK_H
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/space.h"

enum { INGOT__WALK_RANK = 2 * INGOT_MAX_RANK, INGOT__WALK_TENSORS = 16 };
typedef struct ingot__walk {
  int rank, n;                                              /* dims; tensors */
  int64_t dim[INGOT__WALK_RANK];
  int64_t stride[INGOT__WALK_TENSORS][INGOT__WALK_RANK];    /* in elements; 0 where broadcast */
  char *data[INGOT__WALK_TENSORS];
  int64_t size[INGOT__WALK_TENSORS];                        /* bytes of an element */
} ingot__walk;

/* The dims of a view, whose strides are those of tensor 0. */
void ingot__walk_start(ingot__walk *walk, const ingot__view *view);
/* A further tensor, broadcast to the dims; axis >= 0: a vector that lies along that one. */
void ingot__walk_add(ingot__walk *walk, const ingot__view *view, int axis);
/* Dims sorted by tensor 0's strides, largest first; those of 1 go, and neighbours that all tensors pass through evenly become one. A walk
 * over nothing has rank 1 and a dim of 0, one over a single element a dim of 1. */
void ingot__walk_join(ingot__walk *walk);
int64_t ingot__walk_count(const ingot__walk *walk);
/* The dims for a kernel; false when they are more than it takes. */
bool ingot__walk_dims(const ingot__walk *walk, space_dims *dims);
space_divisor ingot__walk_divisor(int64_t dim);
/* Runs `launch` on the walk, or where its items are too many for a kernel's 32 bits, on its parts. */
ingot_status ingot__walk_launch(const ingot__walk *walk, ingot_status (*launch)(const ingot__walk *part, void *user), void *user);
#endif
