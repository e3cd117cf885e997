/* RoiAlign's geometry: where the samples of a region lie, one axis at a time; its reference and its kernels share it. */
#ifndef INGOT_OPS_ROI_H
#define INGOT_OPS_ROI_H
#include "ops/ops.h"

typedef struct ingot__roi_axis {
  double start, bin, step; /* sample i of bin p lies at start + p * bin + (i + 1/2) * step */
  int64_t samples;         /* in a bin, also those outside the image, which count as zeros in the mean */
  int64_t length;          /* of the image */
} ingot__roi_axis;
/* The samples [*from, *to) of bin p that lie in the image (no further than a pixel outside). */
void ingot__roi_bin(const ingot__roi_axis *axis, int64_t p, int64_t *from, int64_t *to);
/* Sample i of bin p: the elements low and low + 1 (or low alone) and the weight of the latter. */
void ingot__roi_sample(const ingot__roi_axis *axis, int64_t p, int64_t i, int64_t *low, int64_t *high, double *part);
/* The axes (vertical, horizontal) of region r; false when its image isn't one of X's. */
bool ingot__roi_axes(const ingot__call *call, int64_t r, ingot__roi_axis axis[2], int64_t *image);
/* Whether it takes maxima; false from *known: the mode is unknown. */
bool ingot__roi_is_max(const ingot__attrs_RoiAlign *attrs, bool *known);
#endif
