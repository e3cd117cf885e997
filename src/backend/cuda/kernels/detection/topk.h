/* Parameters of TopK. A line is what is selected from: n elements, `step` apart. Items are 64 bits: a key that sorts as the element, and the
 * complement of its place, so that the greatest item is the first of the best. */
#ifndef INGOT_CUDA_TOPK_H
#define INGOT_CUDA_TOPK_H
typedef struct topk_params {
  const void *x;
  void *values;              /* or NULL */
  int64_t *indices;          /* or NULL */
  int64_t n, inner, k;       /* line l of x begins at l / inner * n * inner + l % inner; step is inner */
  const uint64_t *from;      /* [line][count] items of the step before; NULL: x */
  uint64_t *to;              /* [line][chunks][keep] items; NULL: the results */
  int64_t count;             /* items of a line */
  int32_t chunks, width, keep; /* of a line; items of a chunk, a power of two; that are kept of each */
  int32_t largest;
  int64_t padded;            /* sorting whole lines: items of a line, a power of two */
  int64_t run, stride;       /* and a step of it: length of the runs that become sorted, distance of what is compared */
} topk_params;
#endif
