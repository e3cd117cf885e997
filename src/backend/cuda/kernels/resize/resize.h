/* Parameters of Resize: tables of where output elements lie in the input along up to three axes, and the resizing by them. */
#pragma once
enum { RESIZE_AXES = 3, RESIZE_TENSORS = 2 + RESIZE_AXES };
typedef struct resize_axis {
  double scale, start, end;
  int64_t in_stride;                    /* in elements */
  int32_t in, out, taps, reach;
  int32_t *first;                       /* the first input element of each output element; -1: outside */
  float *weight;                        /* `taps` for each output element */
} resize_axis;
typedef struct resize_table {
  resize_axis axis[RESIZE_AXES];
  double cubic_a;
  int32_t axes, coordinates, nearest;   /* as ops/resize.h has them */
  int32_t antialias, exclude_outside;
} resize_table;
typedef struct resize_params {
  const void *in;
  void *out;
  space_dims dims;                      /* of the output, in items */
  int64_t stride[RESIZE_TENSORS * SPACE_RANK]; /* of the output, of the input's other axes, of each axis's position */
  int64_t base[RESIZE_AXES];            /* of the positions */
  resize_axis axis[RESIZE_AXES];        /* those that aren't there have one element */
  uint64_t outside;                     /* the extrapolation value's bits (nearest) */
  float outside_value;
  int32_t axes;
} resize_params;
