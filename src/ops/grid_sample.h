/* Where a sampling position lies: the elements around it along one axis and their weights. What GridSample's reference and kernels share. */
#ifndef INGOT_OPS_GRID_SAMPLE_H
#define INGOT_OPS_GRID_SAMPLE_H
#include "ops/ops.h"

typedef enum ingot__grid_mode { INGOT__GRID_NEAREST, INGOT__GRID_LINEAR, INGOT__GRID_CUBIC } ingot__grid_mode;
typedef enum ingot__grid_padding { INGOT__GRID_ZEROS, INGOT__GRID_BORDER, INGOT__GRID_REFLECTION } ingot__grid_padding;
typedef struct ingot__grid {
  ingot__grid_mode mode;
  ingot__grid_padding padding;
  bool align_corners;
  bool wide; /* positions are computed in double; else in float, as frameworks do, so that ties fall as theirs */
} ingot__grid;

/* False when a string is none of ONNX's (the old names bilinear and bicubic count). */
bool ingot__grid_read(const ingot__attrs_GridSample *attrs, ingot__grid *grid);
/* Taps along an axis: 1, 2 or 4. */
static inline int ingot__grid_taps(const ingot__grid *grid) {
  return grid->mode == INGOT__GRID_NEAREST ? 1 : grid->mode == INGOT__GRID_LINEAR ? 2 : 4;
}
/* The elements at[] of an axis of `length` that the normalised position g falls on; those outside have the index -1 and the weight 0. */
void ingot__grid_axis(const ingot__grid *grid, double g, int64_t length, int64_t at[4], double weight[4]);
#endif
