/* Parameters of what is written without being read, or nearly so. */
#pragma once
typedef struct fill_params {
  void *out;
  const void *in;                        /* OneHot: indices; Trilu: the matrices */
  const void *values;                    /* OneHot: off and on */
  space_dims dims;
  int64_t stride[4 * SPACE_RANK];        /* of the output, of the input, and of two positions (rows and columns; that along an axis) */
  int64_t base[2];                       /* of the positions */
  uint64_t bits;                         /* an element */
  int64_t k;                             /* the diagonal; the depth */
  int64_t start, step;                   /* Range of integers */
  double start_real, step_real;
} fill_params;
