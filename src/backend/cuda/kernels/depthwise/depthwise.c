/* Depthwise convolutions of one and two dimensions, any window (depthwise/depthwise.cu). */
#include "backend/cuda/kernels/depthwise/call.h"
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/depthwise/depthwise.h"

enum { THREADS = 256, STRIP = 4, MOST_ROWS = 8, MOST_VECTORS = 8 };

static bool read(const ingot__call *call, ingot__cuda_dw *d) {
  if (!ingot__cuda_dw_read(call, d)) return false;
  return (STRIP - 1) * d->window.stride[1] + (d->window.kernel[1] - 1) * d->window.dilation[1] < 96;
}

static bool supports(const ingot__call *call) {
  ingot__cuda_dw d;
  return read(call, &d);
}

static void define(const ingot__call *call, ingot__text *text) {
  ingot__cuda_dw d;
  if (!read(call, &d)) return;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define_window(text, &d.window);
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, Conv)->act);
}

static double cost(const ingot__call *call) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  ingot__cuda_dw d;
  if (!read(call, &d)) return 1e9;
  const double sms = info->sms > 0 ? info->sms : 108, clock = info->clock > 0 ? info->clock : 1.5e9;
  const double compute = (double)ingot__view_count(&call->out[0]) * ((double)d.taps + 6) * 6 / (sms * clock * 128);
  const double memory = ingot__cuda_bytes(call) / (sms * 8e9);
  return 5e-6 + (compute > memory ? compute : memory);
}

static ingot_status run(const ingot__call *call) {
  ingot__cuda_dw d;
  depthwise_params p = {0};
  if (!read(call, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  INGOT_TRY(ingot__cuda_dw_tensors(call, &d, &p.t));
  p.vector = ingot__cuda_dw_aligned(&p.t, &d, 16), p.vector_residual = ingot__cuda_dw_residual_aligned(&p.t, &d, 16);
  const int64_t oh = p.t.out_height, ow = p.t.out_width, images = call->out[0].dim[0];
  /* Vectors of a block: as many side by side as there are, up to 8, unless many would be idle. Rows: up to 8. The rest: strips. */
  const int64_t vectors = ingot__divide_up(d.channels, 16 / (int64_t)d.size);
  while ((1 << p.vectors_shift) < MOST_VECTORS && (1 << p.vectors_shift) < vectors) p.vectors_shift++;
  while (p.vectors_shift > 1 && ingot__divide_up(vectors, 1 << p.vectors_shift) * (1 << p.vectors_shift) * 6 > vectors * 7) p.vectors_shift--;
  while ((1 << p.rows_shift) < MOST_ROWS && (1 << p.rows_shift) < oh) p.rows_shift++;
  const int64_t strips = THREADS >> (p.vectors_shift + p.rows_shift), groups = ingot__divide_up(vectors, 1 << p.vectors_shift);
  const int64_t blocks_x = ingot__divide_up(ow, strips * STRIP), blocks_y = ingot__divide_up(oh, 1 << p.rows_shift);
  p.groups = ingot__divisor(groups), p.blocks_x = ingot__divisor(blocks_x), p.blocks_y = ingot__divisor(blocks_y);
  const size_t shared = (size_t)(d.taps * (16 / (int64_t)d.size) << p.vectors_shift) * sizeof(float);
  if (groups * blocks_x > INT32_MAX / blocks_y) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  const int64_t most = INT32_MAX / (groups * blocks_x * blocks_y); /* images in a launch */
  for (int64_t first = 0; first < images; first += most) {
    const int64_t count = images - first < most ? images - first : most;
    depthwise_params part = p;
    part.t = ingot__cuda_dw_from(&p.t, &d, first);
    ingot__cuda_grid grid = {.x = (unsigned)(groups * blocks_x * blocks_y * count), .threads = THREADS, .shared = (unsigned)shared, .early = true};
    INGOT_TRY(ingot__cuda_launch(call, "depthwise", &grid, &part, sizeof part));
  }
  return INGOT_OK;
}

const ingot__kernel_functions ingot__cuda_depthwise = {
  .supports = supports, .cost = cost, .pack_size = ingot__cuda_dw_pack_size, .pack = ingot__cuda_dw_pack, .pack_format = "depthwise",
      .packs_inputs = 1u << 1, .run = run,
  .source = "depthwise/depthwise.cu", .define = define};
