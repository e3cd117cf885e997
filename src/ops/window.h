/* Sliding windows over one to three spatial dims: what Conv, ConvTranspose and the pools share. Attributes are read and checked, output
 * dims and pads computed, and for the references a window's elements are gathered for a row of outputs at a time. */
#ifndef INGOT_OPS_WINDOW_H
#define INGOT_OPS_WINDOW_H
#include "ops/ints.h"
#include "ops/rows.h"

enum { INGOT__WINDOW_DIMS = 3 };
typedef enum ingot__auto_pad { INGOT__PAD_GIVEN = 0, INGOT__PAD_VALID, INGOT__PAD_SAME_UPPER, INGOT__PAD_SAME_LOWER } ingot__auto_pad;
typedef struct ingot__window {
  int n;                                /* spatial dims */
  ingot__auto_pad auto_pad;             /* SAME: begin and end follow from the input, see ingot__window_pads */
  int64_t kernel[INGOT__WINDOW_DIMS], stride[INGOT__WINDOW_DIMS], dilation[INGOT__WINDOW_DIMS];
  int64_t begin[INGOT__WINDOW_DIMS], end[INGOT__WINDOW_DIMS];
} ingot__window;

/* The attributes of these names; `dilations` may have none in the operator. */
typedef struct ingot__window_attrs {
  const char *auto_pad;
  ingot__ints kernel_shape, strides, pads, dilations;
} ingot__window_attrs;
#define INGOT__WINDOW_ATTRS(a) ((ingot__window_attrs){(a)->auto_pad, (a)->kernel_shape, (a)->strides, (a)->pads, (a)->dilations})

/* Reads and checks for n spatial dims. `weights`: the kernel's dims as the weights have them, kernel_shape must agree where it is given;
 * NULL: kernel_shape is required. A kernel dim that is not known is -1. */
ingot_status ingot__window_read(ingot__diag *diag, const ingot__node *node, const ingot__window_attrs *attrs, int n, const ingot__dim *weights,
                                ingot__window *window);
/* The output's dim i for an input's. INGOT_E_SHAPE when the window is larger than the padded input. */
ingot_status ingot__window_out(ingot__infer *infer, const ingot__window *window, int i, bool ceil_mode, ingot__dim in, ingot__dim *out);
/* Computes begin and end for SAME, given the input's spatial dims; nothing to do otherwise. */
void ingot__window_pads(ingot__window *window, const int64_t *in);
/* Turns it into one of three spatial dims by leading dims of 1. */
void ingot__window_3d(ingot__window *window);

/* ---- A row of up to INGOT__ROW outputs (flattened spatial dims) and, for one tap of the window, the input elements under it. */
typedef struct ingot__gather {
  ingot__window window;                 /* of three dims */
  int64_t in[3], out[3];
  size_t n;                             /* outputs in the row */
  int n_piece, n_segment;
  struct { int64_t d, h, w; int32_t n, to; } piece[INGOT__ROW];   /* outputs that lie in one line */
  struct { int64_t from; int32_t n, to; } segment[INGOT__ROW];    /* input elements of the present tap; step is the window's stride */
} ingot__gather;
/* `in` and `out` are the window->n spatial dims. */
void ingot__gather_init(ingot__gather *g, const ingot__window *window, const int64_t *in, const int64_t *out);
void ingot__gather_row(ingot__gather *g, int64_t first, size_t n);
/* False when the tap lies in the padding for all outputs. */
bool ingot__gather_tap(ingot__gather *g, int64_t kd, int64_t kh, int64_t kw);
/* Loads the tap's elements out of the plane that begins at index `plane`; `fill` where it is padding and up to a multiple of 8. */
void ingot__gather_load(const ingot__gather *g, ingot_dtype dtype, const void *data, int64_t plane, double fill, double *row);
#endif
