/* Depthwise convolutions of windows up to 3x3, down columns of outputs (depthwise/columns.cu); the rows differ in a thread's channels. */
#include <string.h>
#include "backend/cuda/kernels/depthwise/call.h"
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/depthwise/columns.h"

enum { THREADS = 128, STRIP = 4, MOST_ROWS = 32 };

static bool read(const ingot__call *call, ingot__cuda_dw *d, int wide) {
  if (!ingot__cuda_dw_read(call, d) || d->channels % wide) return false;
  for (int i = 0; i < 2; i++)
    if (d->window.kernel[i] > 3 || d->window.dilation[i] != 1 || d->window.stride[i] > 2) return false;
  return d->window.kernel[0] >= d->window.stride[0];
}

static void define(const ingot__call *call, ingot__text *text, int wide) {
  ingot__cuda_dw d;
  if (!read(call, &d, wide)) return;
  const ingot__window *w = &d.window;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "KH", w->kernel[0]);
  ingot__cuda_define(text, "KW", w->kernel[1]);
  ingot__cuda_define(text, "STRIDE_Y", w->stride[0]);
  ingot__cuda_define(text, "STRIDE_X", w->stride[1]);
  ingot__cuda_define(text, "WIDE", wide);
  const int64_t act = INGOT__ATTRS(call, Conv)->act; /* some take registers that three blocks haven't, so do floats, and strides of 1 by 2 */
  const bool large = ingot__cuda_act_is_long(act) || call->in[0].dtype == INGOT_FLOAT32 || w->stride[0] != w->stride[1];
  ingot__cuda_define(text, "BLOCKS", wide != 4 ? 4 : large ? 2 : 3);
  ingot__cuda_define(text, "ACT", act);
}

/* Memory's time, and a little more than the general kernel's least. */
static double cost(const ingot__call *call) {
  return 2e-6 + ingot__cuda_bytes(call) / 3e12;
}

/* `wide` elements at once from an address, along pixels, lines and images. */
static bool in_vectors(const void *data, size_t bytes, size_t size, int64_t image, int64_t line, int64_t pixel) {
  return (((uint64_t)(uintptr_t)data | (uint64_t)(image | line | pixel) * size) & (bytes - 1)) == 0;
}

static ingot_status run_wide(const ingot__call *call, int wide) {
  const ingot__view *x = &call->in[0], *y = &call->out[0], *r = &call->in[3];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  ingot__cuda_dw d;
  if (!read(call, &d, wide)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  if (ingot__view_count(y) == 0) return INGOT_OK;
  const int last = x->rank - 1;
  const bool image = x->rank == 4;
  const int64_t oh = image ? y->dim[2] : 1, ow = y->dim[last], h = image ? x->dim[2] : 1, w = x->dim[last];
  if (oh > INT32_MAX / 2048 || ow > INT32_MAX / 2048 || h > INT32_MAX / 2 || w > INT32_MAX / 2)
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  depthwise_columns_params p = {
    .in = x->data, .bias = ingot__has_in(call, 2) ? call->in[2].data : NULL, .weights = call->packed, .out = y->data,
    .in_image = x->stride[0], .in_line = image ? x->stride[2] : 0, .in_pixel = x->stride[last],
    .out_image = y->stride[0], .out_line = image ? y->stride[2] : 0, .out_pixel = y->stride[last],
    .height = (int32_t)h, .width = (int32_t)w, .out_height = (int32_t)oh, .out_width = (int32_t)ow, .padded = (int32_t)d.padded,
    .pad_y = (int32_t)d.window.begin[0], .pad_x = (int32_t)d.window.begin[1], .act_alpha = attrs->act_alpha, .act_beta = attrs->act_beta};
  const size_t bytes = (size_t)wide * d.size;
  bool vector = true;
  if (w > INT32_MAX / (x->stride[last] ? x->stride[last] : 1)) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  if (ingot__has_in(call, 3)) {
    p.residual = r->data;
    p.residual_image = r->stride[0], p.residual_line = image ? r->stride[2] : 0, p.residual_pixel = r->stride[last];
    vector = in_vectors(p.residual, bytes, d.size, p.residual_image, p.residual_line, p.residual_pixel);
  }
  vector = vector && in_vectors(p.in, bytes, d.size, p.in_image, p.in_line, p.in_pixel) &&
           in_vectors(p.out, bytes, d.size, p.out_image, p.out_line, p.out_pixel);
  /* Columns are as long as leaves every multiprocessor 1,000 threads. */
  const ingot__cuda_info *info = ingot__cuda_info_get();
  const int64_t vectors = d.channels / wide, strips = ingot__divide_up(ow, STRIP), enough = (int64_t)(info->sms > 0 ? info->sms : 108) * 1024;
  int64_t rows = MOST_ROWS;
  while (rows > 1 && vectors * strips * ingot__divide_up(oh, rows) * y->dim[0] < enough) rows /= 2;
  const int64_t chunks = ingot__divide_up(oh, rows), image_threads = vectors * strips * chunks;
  p.rows = (int32_t)rows;
  p.vectors = ingot__divisor(vectors), p.strips = ingot__divisor(strips), p.chunks = ingot__divisor(chunks);
  if (strips * chunks > INT32_MAX / vectors) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  const int64_t most = INT32_MAX / image_threads; /* images in a launch */
  for (int64_t first = 0; first < y->dim[0]; first += most) {
    const int64_t images = y->dim[0] - first < most ? y->dim[0] - first : most;
    depthwise_columns_params part = p;
    part.in = (const char *)p.in + first * p.in_image * (int64_t)d.size;
    part.out = (char *)p.out + first * p.out_image * (int64_t)d.size;
    if (p.residual) part.residual = (const char *)p.residual + first * p.residual_image * (int64_t)d.size;
    part.threads = (uint32_t)(image_threads * images);
    ingot__cuda_grid grid = {.x = (unsigned)ingot__divide_up(image_threads * images, THREADS), .threads = THREADS, .early = true};
    INGOT_TRY(ingot__cuda_launch(call, vector ? "depthwise_columns" : "depthwise_columns_narrow", &grid, &part, sizeof part));
  }
  return INGOT_OK;
}

#define COLUMNS(wide) \
  static bool supports_##wide(const ingot__call *call) { \
    ingot__cuda_dw d; \
    return read(call, &d, wide); \
  } \
  static void define_##wide(const ingot__call *call, ingot__text *text) { define(call, text, wide); } \
  static ingot_status run_##wide(const ingot__call *call) { return run_wide(call, wide); } \
  const ingot__kernel_functions ingot__cuda_depthwise_columns_##wide = { \
    .supports = supports_##wide, .cost = cost, .pack_size = ingot__cuda_dw_pack_size, .pack = ingot__cuda_dw_pack, \
    .pack_format = "depthwise", .packs_inputs = 1u << 1, .run = run_##wide, .source = "depthwise/columns.cu", .define = define_##wide};
COLUMNS(4)
COLUMNS(2)
