/* Walking up to five tensors of one (broadcast) shape in step: dims that lie together in all of them are merged, the innermost is left to
 * the caller as a run with a stride for each tensor, the others are counted without divisions.
 *
 *   ingot__steps s;
 *   ingot__steps_init(&s, out->rank, out->dim);
 *   ingot__steps_add(&s, out);
 *   ingot__steps_add(&s, in);
 *   if (ingot__steps_start(&s)) do { ... s.run elements from s.at[k] with s.step[k] ... } while (ingot__steps_next(&s)); */
#ifndef INGOT_OPS_STEPS_H
#define INGOT_OPS_STEPS_H
#include "ops/call.h"

enum { INGOT__STEPS_MAX = 5 };
typedef struct ingot__steps {
  int rank, n;
  int64_t dim[INGOT_MAX_RANK], count[INGOT_MAX_RANK];
  int64_t stride[INGOT__STEPS_MAX][INGOT_MAX_RANK];
  /* For the caller: */
  size_t run;                         /* elements of this run */
  int64_t at[INGOT__STEPS_MAX];       /* index of each tensor's first element */
  int64_t step[INGOT__STEPS_MAX];     /* from one element to the next */
} ingot__steps;

void ingot__steps_init(ingot__steps *s, int rank, const int64_t *dim);
/* A tensor whose dims, aligned to the right, are those of the walk or 1. */
void ingot__steps_add(ingot__steps *s, const ingot__view *view);
/* A tensor by its strides, one a dim of the walk. */
void ingot__steps_add_strides(ingot__steps *s, const int64_t *stride);
/* False when there is no element at all. */
bool ingot__steps_start(ingot__steps *s);
bool ingot__steps_next(ingot__steps *s);
#endif
