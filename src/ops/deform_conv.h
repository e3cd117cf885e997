/* DeformConv's geometry, which its reference and its kernels share. */
#ifndef INGOT_OPS_DEFORM_CONV_H
#define INGOT_OPS_DEFORM_CONV_H
#include "ops/window.h"

typedef struct ingot__deform {
  ingot__window window;           /* n: spatial dims */
  int64_t groups, offset_groups;
  int64_t cg, mg;                 /* input and output channels of a group */
  int64_t co;                     /* input channels of an offset group */
  int64_t taps, in_plane, out_plane;
} ingot__deform;
ingot_status ingot__deform_setup(const ingot__call *call, ingot__deform *d);
/* Where tap t of the output at position p (flattened) reads, before its offset: one number an axis. */
void ingot__deform_base(const ingot__deform *d, const int64_t *out_dim, int64_t p, int64_t t, int64_t at[INGOT__WINDOW_DIMS]);
/* The elements around a position, with their weights; those outside are left out. Returns how many: at most 8. */
int ingot__deform_corners(const ingot__deform *d, const int64_t *in_dim, const double at[INGOT__WINDOW_DIMS], int64_t offset[8], double weight[8]);
#endif
