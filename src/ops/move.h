/* Moving elements of any type, by their size: the strided copy that Transpose, Slice, Concat, Expand, Tile and others are made of. */
#ifndef INGOT_OPS_MOVE_H
#define INGOT_OPS_MOVE_H
#include "ops/ops.h"

enum { INGOT__MOVE_RANK = 2 * INGOT_MAX_RANK };
typedef struct ingot__move {
  int rank;
  int64_t dim[INGOT__MOVE_RANK];
  int64_t to[INGOT__MOVE_RANK], from[INGOT__MOVE_RANK]; /* strides in elements; any sign; `from` may be 0 (broadcast) */
} ingot__move;
/* Copies dim[0] x dim[1] x .. elements of `size` bytes. Source and destination don't overlap. */
void ingot__move_run(const ingot__move *move, size_t size, void *to, const void *from);
/* Appends a dim. */
static inline void ingot__move_add(ingot__move *m, int64_t dim, int64_t to, int64_t from) {
  m->dim[m->rank] = dim, m->to[m->rank] = to, m->from[m->rank++] = from;
}

/* Bytes of one element; 0 for types of less than a byte. */
static inline size_t ingot__move_size(ingot_dtype dtype) { return ingot__dtype_size(dtype); }
/* *size = bytes of in[i]'s elements, INGOT_E_UNSUPPORTED for 4-bit types, INGOT_E_TYPE when out[0] has another type. */
ingot_status ingot__move_check(const ingot__call *call, size_t i, size_t *size);
/* The whole of in[0] to out[0], the same elements in the same order. */
ingot_status ingot__move_all(const ingot__call *call);
/* Writes n elements of `size` bytes, each a copy of *value. */
void ingot__move_fill(void *to, size_t n, size_t size, const void *value);
/* Gives output i these dims where it hasn't got them and memory: call->resize, or INGOT_E_SHAPE where there is none. */
ingot_status ingot__set_out(const ingot__call *call, size_t i, int rank, const int64_t *dim);
/* INGOT_E_SHAPE unless out[i] has these dims: what a reference checks before it writes where data-valued inputs decide the shape. */
ingot_status ingot__check_out(const ingot__call *call, size_t i, int rank, const int64_t *dim);
#endif
