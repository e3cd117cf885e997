/* Depthwise convolutions of windows up to 3x3, down columns of outputs (depthwise/columns.cu); the rows differ in a thread's channels. */
#include "backend/cuda/kernels/depthwise/call.h"

enum { STRIP = 4, MOST_ROWS = 32 };

bool ingot__cuda_dw_suits_columns(const ingot__cuda_dw *d) {
  for (int i = 0; i < 2; i++)
    if (d->window.kernel[i] > 3 || d->window.dilation[i] != 1 || d->window.stride[i] > 2) return false;
  return d->window.kernel[0] >= d->window.stride[0];
}

static bool read(const ingot__call *call, ingot__cuda_dw *d, int wide) {
  return ingot__cuda_dw_read(call, d) && d->channels % wide == 0 && ingot__cuda_dw_suits_columns(d);
}

static void define(const ingot__call *call, ingot__text *text, int wide) {
  ingot__cuda_dw d;
  if (!read(call, &d, wide)) return;
  const ingot__window *w = &d.window;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define_window(text, w);
  ingot__cuda_define(text, "WIDE", wide);
  const int64_t act = INGOT__ATTRS(call, Conv)->act; /* some take registers that three blocks haven't, so do floats, and strides of 1 by 2 */
  const bool large = ingot__cuda_act_is_long(act) || call->in[0].dtype == INGOT_FLOAT32 || w->stride[0] != w->stride[1];
  ingot__cuda_define(text, "BLOCKS", wide != 4 ? 4 : large ? 2 : 3);
  ingot__cuda_define(text, "ACT", act);
}

static ingot_status run_wide(const ingot__call *call, int wide) {
  ingot__cuda_dw d;
  if (!read(call, &d, wide)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  return ingot__cuda_dw_run_strips(call, &d, wide, STRIP, MOST_ROWS, "depthwise_columns", "depthwise_columns_narrow");
}

#define COLUMNS(wide) \
  static bool supports_##wide(const ingot__call *call) { \
    ingot__cuda_dw d; \
    return read(call, &d, wide); \
  } \
  static void define_##wide(const ingot__call *call, ingot__text *text) { define(call, text, wide); } \
  static ingot_status run_##wide(const ingot__call *call) { return run_wide(call, wide); } \
  const ingot__kernel_functions ingot__cuda_depthwise_columns_##wide = { \
    .supports = supports_##wide, .cost = ingot__cuda_dw_strips_cost, .pack_size = ingot__cuda_dw_pack_size, .pack = ingot__cuda_dw_pack, \
    .pack_format = "depthwise", .packs_inputs = 1u << 1, .run = run_##wide, .source = "depthwise/columns.cu", .define = define_##wide};
COLUMNS(4)
COLUMNS(2)
