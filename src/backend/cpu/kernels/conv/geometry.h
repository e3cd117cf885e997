/* A convolution in numbers, out of a call's views and attributes; one-dimensional ones are images of height 1. */
#ifndef INGOT_KERNELS_CONV_GEOMETRY_H
#define INGOT_KERNELS_CONV_GEOMETRY_H
#include "backend/cpu/kernel.h"

typedef struct ingot__conv {
  size_t groups, c, oc;               /* groups of c input and oc output channels each */
  size_t width;                       /* of small groups taken 16 channels at a time (see ingot__conv_merge); else 0 */
  size_t merged;                      /* groups of the node that one group here stands for (see ingot__conv_merge); else 1 */
  size_t channels;                    /* with width: of all groups */
  size_t n, h, w, oh, ow, kh, kw;
  int64_t sh, sw, dh, dw, ph, pw;     /* strides, dilations, padding above and to the left */
  size_t in_n, in_c, in_y, in_x;      /* strides of the input, in floats */
  size_t out_n, out_y, out_x;         /* of the output; channels lie side by side */
  size_t res_n, res_y, res_x;         /* of the residual; 0 without one */
  bool residual;
} ingot__conv;

/* False when the call isn't a float32 convolution of one or two dimensions with constant weights (and bias), or its residual isn't
 * of the output's shape. For Conv; in_layout is the row's, the output must be CHANNELS_LAST. */
bool ingot__conv_get(const ingot__call *call, ingot__conv *conv);
/* The same for a convolution in 8 bits (see ops.def), both sides CHANNELS_LAST; strides are in bytes then. */
bool ingot__conv_get_levels(const ingot__call *call, ingot__conv *conv);
/* Groups of fewer than 16 output channels are taken several at a time. Of 4 or 8 channels in and out: 16 channels at a time, the last time
 * perhaps fewer, whatever the groups (`width` is then 4 or 8). Others: as one group of 16 whose weights are zero between them. */
void ingot__conv_merge(ingot__conv *conv);
#endif
