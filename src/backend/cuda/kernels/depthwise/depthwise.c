/* Depthwise convolutions of one and two dimensions, any window (depthwise/depthwise.cu). */
#include <string.h>
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
  const ingot__window *w = &d.window;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "KH", w->kernel[0]);
  ingot__cuda_define(text, "KW", w->kernel[1]);
  ingot__cuda_define(text, "STRIDE_Y", w->stride[0]);
  ingot__cuda_define(text, "STRIDE_X", w->stride[1]);
  ingot__cuda_define(text, "DILATION_Y", w->dilation[0]);
  ingot__cuda_define(text, "DILATION_X", w->dilation[1]);
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, Conv)->act);
}

static double cost(const ingot__call *call) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  ingot__cuda_dw d;
  if (!read(call, &d)) return 1e9;
  const double sms = info->sms > 0 ? info->sms : 108, clock = info->clock > 0 ? info->clock : 1.5e9;
  const double compute = (double)ingot__view_count(&call->out[0]) * ((double)d.taps + 6) * 2 / (sms * clock * 128);
  const double memory = ingot__cuda_bytes(call) / (sms * 24e9);
  return 2e-6 + (compute > memory ? compute : memory);
}

/* 16 bytes at once from an address, along pixels, lines and images. */
static bool in_vectors(const void *data, size_t size, int64_t image, int64_t line, int64_t pixel) {
  return (((uint64_t)(uintptr_t)data | (uint64_t)(image | line | pixel) * size) & 15) == 0;
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *y = &call->out[0], *r = &call->in[3];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  ingot__cuda_dw d;
  if (!read(call, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  if (ingot__view_count(y) == 0) return INGOT_OK;
  const int last = x->rank - 1;
  const bool image = x->rank == 4;
  const int64_t oh = image ? y->dim[2] : 1, ow = y->dim[last], h = image ? x->dim[2] : 1, w = x->dim[last];
  if (oh > INT32_MAX / 2048 || ow > INT32_MAX / 2048 || h > INT32_MAX / 2 || w > INT32_MAX / 2)
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  depthwise_params p = {
    .in = x->data, .bias = ingot__has_in(call, 2) ? call->in[2].data : NULL, .weights = call->packed, .out = y->data,
    .in_image = x->stride[0], .in_line = image ? x->stride[2] : 0, .in_pixel = x->stride[last],
    .out_image = y->stride[0], .out_line = image ? y->stride[2] : 0, .out_pixel = y->stride[last],
    .height = (int32_t)h, .width = (int32_t)w, .out_height = (int32_t)oh, .out_width = (int32_t)ow, .channels = (int32_t)d.channels,
    .padded = (int32_t)d.padded, .pad_y = (int32_t)d.window.begin[0], .pad_x = (int32_t)d.window.begin[1],
    .act_alpha = attrs->act_alpha, .act_beta = attrs->act_beta};
  if (ingot__has_in(call, 3)) {
    p.residual = r->data;
    p.residual_image = r->stride[0], p.residual_line = image ? r->stride[2] : 0, p.residual_pixel = r->stride[last];
    p.vector_residual = in_vectors(p.residual, d.size, p.residual_image, p.residual_line, p.residual_pixel);
  }
  p.vector = in_vectors(p.in, d.size, p.in_image, p.in_line, p.in_pixel) && in_vectors(p.out, d.size, p.out_image, p.out_line, p.out_pixel);
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
  for (int64_t first = 0; first < y->dim[0]; first += most) {
    const int64_t images = y->dim[0] - first < most ? y->dim[0] - first : most;
    depthwise_params part = p;
    part.in = (const char *)p.in + first * p.in_image * (int64_t)d.size;
    part.out = (char *)p.out + first * p.out_image * (int64_t)d.size;
    if (p.residual) part.residual = (const char *)p.residual + first * p.residual_image * (int64_t)d.size;
    ingot__cuda_grid grid = {.x = (unsigned)(groups * blocks_x * blocks_y * images), .threads = THREADS, .shared = (unsigned)shared, .early = true};
    INGOT_TRY(ingot__cuda_launch(call, "depthwise", &grid, &part, sizeof part));
  }
  return INGOT_OK;
}

const ingot__kernel_functions ingot__cuda_depthwise = {
  .supports = supports, .cost = cost, .pack_size = ingot__cuda_dw_pack_size, .pack = ingot__cuda_dw_pack, .pack_format = "depthwise",
      .packs_inputs = 1u << 1, .run = run,
  .source = "depthwise/depthwise.cu", .define = define};
