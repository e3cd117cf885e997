/* A convolution of one to four channels, read from its call, and the parameters of a launch: what the kernels of this folder share. */
#ifndef INGOT_BACKEND_CUDA_CONV_FIRST_SHAPE_H
#define INGOT_BACKEND_CUDA_CONV_FIRST_SHAPE_H
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/conv_first/conv_first.h"
#include "ops/window.h"

typedef struct ingot__first_shape {
  ingot__window window;
  int64_t c, oc, taps; /* channels; taps of the window */
  size_t size;         /* of an element */
} ingot__first_shape;
/* False for what none of the kernels takes. */
bool ingot__first_read(const ingot__call *call, ingot__first_shape *s);
/* The tiles of all images. */
int64_t ingot__first_tiles(const ingot__call *call, int tile_y, int tile_x);
/* `side`: channels that a thread stores at once. INGOT_E_LIMIT for images that are too large. */
ingot_status ingot__first_params(const ingot__call *call, const ingot__first_shape *s, int tile_y, int tile_x, int side, conv_first_params *p);
#endif
