/* Depthwise convolutions of windows to 7 wide, line by line (depthwise/lines.cu); the rows differ in a thread's outputs. What columns take
 * (depthwise/columns.c) is left to them. */
#include "backend/cuda/kernels/depthwise/call.h"

enum { WIDE = 4, MOST_WIDTH = 7 };

/* Pixels of a row that a strip reaches over. There are registers for 16 of halves and 14 of floats, and for 8 in three blocks. */
static int64_t reach(const ingot__cuda_dw *d, int strip) {
  return (strip - 1) * d->window.stride[1] + (d->window.kernel[1] - 1) * d->window.dilation[1] + 1;
}

static bool read(const ingot__call *call, ingot__cuda_dw *d, int strip) {
  if (!ingot__cuda_dw_read(call, d) || d->channels % WIDE || ingot__cuda_dw_suits_columns(d)) return false;
  return d->window.kernel[1] <= MOST_WIDTH && reach(d, strip) <= (d->size == 2 ? 16 : 14);
}

static void define(const ingot__call *call, ingot__text *text, int strip) {
  ingot__cuda_dw d;
  if (!read(call, &d, strip)) return;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define_window(text, &d.window);
  ingot__cuda_define(text, "WIDE", WIDE);
  ingot__cuda_define(text, "STRIP", strip);
  ingot__cuda_define(text, "BLOCKS", d.size == 2 && reach(&d, strip) <= 8 ? 3 : 2);
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, Conv)->act);
}

#define LINES(strip) \
  static bool supports_##strip(const ingot__call *call) { \
    ingot__cuda_dw d; \
    return read(call, &d, strip); \
  } \
  static void define_##strip(const ingot__call *call, ingot__text *text) { define(call, text, strip); } \
  static ingot_status run_##strip(const ingot__call *call) { \
    ingot__cuda_dw d; \
    if (!read(call, &d, strip)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take"); \
    return ingot__cuda_dw_run_strips(call, &d, WIDE, strip, 1, "depthwise_lines", "depthwise_lines_narrow"); \
  } \
  const ingot__kernel_functions ingot__cuda_depthwise_lines_##strip = { \
    .supports = supports_##strip, .cost = ingot__cuda_dw_strips_cost, .pack_size = ingot__cuda_dw_pack_size, .pack = ingot__cuda_dw_pack, \
    .pack_format = "depthwise", .packs_inputs = 1u << 1, .run = run_##strip, .source = "depthwise/lines.cu", .define = define_##strip};
LINES(8)
LINES(4)
