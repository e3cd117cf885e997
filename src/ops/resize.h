/* What the parts of Resize share: its attributes parsed, and for each axis where each output element lies in the input. */
#ifndef INGOT_OPS_RESIZE_H
#define INGOT_OPS_RESIZE_H
#include "ops/ops.h"

typedef enum ingot__resize_mode { INGOT__RESIZE_NEAREST, INGOT__RESIZE_LINEAR, INGOT__RESIZE_CUBIC } ingot__resize_mode;
typedef enum ingot__resize_coordinates {
  INGOT__RESIZE_HALF_PIXEL, INGOT__RESIZE_HALF_PIXEL_SYMMETRIC, INGOT__RESIZE_PYTORCH_HALF_PIXEL, INGOT__RESIZE_ALIGN_CORNERS,
  INGOT__RESIZE_ASYMMETRIC, INGOT__RESIZE_TF_CROP
} ingot__resize_coordinates;
typedef enum ingot__resize_nearest {
  INGOT__RESIZE_PREFER_FLOOR, INGOT__RESIZE_PREFER_CEIL, INGOT__RESIZE_FLOOR, INGOT__RESIZE_CEIL
} ingot__resize_nearest;

typedef struct ingot__resize_axis {
  int64_t in, out;
  double scale;        /* > 0 */
  double start, end;   /* region of interest, in parts of the input */
  bool same;           /* output elements are the input's */
} ingot__resize_axis;

typedef struct ingot__resize {
  ingot__resize_mode mode;
  ingot__resize_coordinates coordinates;
  ingot__resize_nearest nearest;
  bool antialias, exclude_outside;
  double cubic_a;
  int rank;
  ingot__resize_axis axis[INGOT_MAX_RANK];
} ingot__resize;

/* Strings to numbers; NULL, or what is wrong with an attribute. */
const char *ingot__resize_attrs(const ingot__attrs_Resize *attrs, ingot__resize *r);
/* For a call: attributes and axes. With data missing (when asking), *guess = true and axes are taken as not `same`. INGOT_E_SHAPE when
 * scales or sizes don't fit the output. */
ingot_status ingot__resize_setup(const ingot__call *call, ingot__resize *r, bool *guess);

/* Most taps that an output element of this axis has, out * this is the number of weights. */
int64_t ingot__resize_taps(const ingot__resize *r, int axis);
/* Linear and cubic: first[i] is the first input element of output element i, -1 where it lies outside and gets the extrapolation value;
 * its weights are weight[i * taps ..], zero past the last. first + taps never passes the input's end. */
void ingot__resize_table(const ingot__resize *r, int axis, int32_t *first, float *weight);
/* Nearest: the input element of each output element, or -1. */
void ingot__resize_nearest_table(const ingot__resize *r, int axis, int32_t *index);
#endif
