/* For kernels that work along some axes of a tensor: its dims parted into those that are kept and those that are gone over for each kept
 * index, joined where they are neighbours in memory, outermost first. The last kept dim, cut into blocks, is the inner one: a kernel is given
 * `width` neighbouring results at a time where it is contiguous. */
#ifndef INGOT_BACKEND_CPU_KERNELS_REDUCE_LINES_H
#define INGOT_BACKEND_CPU_KERNELS_REDUCE_LINES_H
#include "backend/cpu/kernel.h"

enum { LINES_WIDTH = 256 };
typedef struct ingot__axes { int rank; int64_t dim[INGOT_MAX_RANK], in[INGOT_MAX_RANK], out[INGOT_MAX_RANK]; int64_t count; } ingot__axes;
typedef struct ingot__lines {
  ingot__axes kept, gone;
  bool rows;             /* what is gone over ends with a contiguous dim: one line at a time */
  bool gathered;         /* rows all the same, but `width` of them at a time: see ingot__lines_gather */
  int64_t width;         /* else: results side by side in memory that are computed at once, at most LINES_WIDTH; 1 when they are not */
  int64_t blocks;        /* blocks of the last kept dim; units = outer * blocks */
  int64_t units;
} ingot__lines;
typedef struct ingot__line { int64_t in, out, width; } ingot__line; /* a unit: element offsets of its first result; results in it */

/* `gone`: bit i for axis i of `in`. out has the same rank (then its strides of gone axes are used if their dims are not 1), or lacks the gone
 * axes. */
void ingot__lines_set(ingot__lines *lines, const ingot__view *in, const ingot__view *out, unsigned gone);
/* Where there are rows of at most `most` elements, makes units of up to LINES_GATHER rows along the last kept dim, for kernels that transpose
 * such a block rather than work on short rows. */
enum { LINES_GATHER = 64 };
void ingot__lines_gather(ingot__lines *lines, int64_t most);
/* Narrows the blocks until `threads` have some each, down to 16 results. */
void ingot__lines_narrow(ingot__lines *lines, int threads);
ingot__line ingot__lines_at(const ingot__lines *lines, int64_t unit);
#endif
