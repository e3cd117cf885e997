/* Depthwise convolutions of small maps, a thread an output (depthwise/points.cu); the rows differ in a thread's channels. */
#include "backend/cuda/kernels/depthwise/call.h"
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/depthwise/points.h"

enum { MOST_WORDS = 160 /* registers that weights and pixels may take */ };

static int64_t words(const ingot__cuda_dw *d, int wide) { return d->taps * wide * (int64_t)(4 + d->size) / 4; }

static bool read(const ingot__call *call, ingot__cuda_dw *d, int wide) {
  return ingot__cuda_dw_read(call, d) && d->channels % wide == 0 && words(d, wide) <= MOST_WORDS;
}

static void define(const ingot__call *call, ingot__text *text, int wide) {
  ingot__cuda_dw d;
  if (!read(call, &d, wide)) return;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "KH", d.window.kernel[0]);
  ingot__cuda_define(text, "KW", d.window.kernel[1]);
  ingot__cuda_define(text, "WIDE", wide);
  ingot__cuda_define(text, "BLOCKS", words(&d, wide) <= 40 ? 6 : words(&d, wide) <= 80 ? 4 : 2);
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, Conv)->act);
}

/* Pixels come out of the first-level cache as often as there are taps. The rates of this folder's rows are MobileNetV2's on an H200. */
static double cost(const ingot__call *call, int wide) {
  ingot__cuda_dw d;
  if (!read(call, &d, wide)) return 1e9;
  const double loads = (double)ingot__view_count(&call->out[0]) * (double)d.taps * (double)(d.size + 4);
  return 1e-6 + ingot__cuda_bytes(call) / 3e12 + loads / 22e12;
}

static ingot_status run(const ingot__call *call, int wide) {
  ingot__cuda_dw d;
  depthwise_points_params p = {0};
  if (!read(call, &d, wide)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  INGOT_TRY(ingot__cuda_dw_tensors(call, &d, &p.t));
  const size_t bytes = (size_t)wide * d.size;
  const bool vector = ingot__cuda_dw_aligned(&p.t, &d, bytes) && ingot__cuda_dw_residual_aligned(&p.t, &d, bytes);
  const int64_t vectors = d.channels / wide, columns = p.t.out_width, lines = p.t.out_height;
  if (columns * lines > INT32_MAX / vectors) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  const int64_t image_threads = vectors * columns * lines;
  p.stride_y = (int32_t)d.window.stride[0], p.stride_x = (int32_t)d.window.stride[1];
  p.dilation_y = (int32_t)d.window.dilation[0], p.dilation_x = (int32_t)d.window.dilation[1];
  p.vectors = ingot__divisor(vectors), p.columns = ingot__divisor(columns), p.lines = ingot__divisor(lines);
  return ingot__cuda_dw_launch(call, &d, vector ? "depthwise_points" : "depthwise_points_narrow", &p.t, &p.threads, image_threads, INT32_MAX, &p,
                               sizeof p);
}

#define POINTS(wide) \
  static bool supports_##wide(const ingot__call *call) { \
    ingot__cuda_dw d; \
    return read(call, &d, wide); \
  } \
  static double cost_##wide(const ingot__call *call) { return cost(call, wide); } \
  static void define_##wide(const ingot__call *call, ingot__text *text) { define(call, text, wide); } \
  static ingot_status run_##wide(const ingot__call *call) { return run(call, wide); } \
  const ingot__kernel_functions ingot__cuda_depthwise_points_##wide = { \
    .supports = supports_##wide, .cost = cost_##wide, .pack_size = ingot__cuda_dw_pack_size, .pack = ingot__cuda_dw_pack, \
    .pack_format = "depthwise", .packs_inputs = 1u << 1, .run = run_##wide, .source = "depthwise/points.cu", .define = define_##wide};
POINTS(4)
POINTS(2)
