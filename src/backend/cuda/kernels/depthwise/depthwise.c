/* Depthwise convolutions of one and two dimensions (depthwise/depthwise.cu). Packed ("depthwise"): weights as floats, by tap, channels filled
 * up to whole vectors of 8. */
#include <string.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/depthwise/depthwise.h"
#include "ops/window.h"

enum { THREADS = 256, STRIP = 4, MOST_ROWS = 8, MOST_VECTORS = 8 };

typedef struct depthwise {
  ingot__window window;                /* of two dims */
  int64_t channels, padded, taps;
  size_t size;
} depthwise;

static bool read(const ingot__call *call, depthwise *d) {
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  const int rank = x->rank;
  if (!ingot__cuda_is_float(x->dtype) || w->dtype != x->dtype || y->dtype != x->dtype || !w->constant) return false;
  if ((rank != 3 && rank != 4) || w->rank != rank || y->rank != rank || ingot__has_in(call, 4) || attrs->act > INGOT__ACT_MISH) return false;
  if (w->dim[1] != 1 || w->dim[0] != attrs->group || attrs->group < 2 || attrs->group > INT32_MAX / 16) return false;
  for (size_t i = 2; i < 4; i++)
    if (ingot__has_in(call, i) && (call->in[i].dtype != x->dtype || call->in[i].rank != (i == 2 ? 1 : rank))) return false;
  const ingot__window_attrs window_attrs = INGOT__WINDOW_ATTRS(attrs);
  ingot__window window;
  if (ingot__window_read(NULL, call->node, &window_attrs, rank - 2, &w->dim[2], &window) != INGOT_OK) return false;
  ingot__window_pads(&window, &x->dim[2]);
  ingot__window_3d(&window);
  *d = (depthwise){.channels = w->dim[0], .padded = ingot__divide_up(w->dim[0], 8) * 8, .size = ingot__dtype_size(x->dtype)};
  d->window.n = 2;
  for (int i = 0; i < 2; i++) {
    d->window.kernel[i] = window.kernel[i + 1], d->window.stride[i] = window.stride[i + 1], d->window.dilation[i] = window.dilation[i + 1];
    d->window.begin[i] = window.begin[i + 1];
    if (window.kernel[i + 1] < 1 || window.kernel[i + 1] > 32 || window.stride[i + 1] > 1024 || window.dilation[i + 1] > 1024) return false;
  }
  d->taps = d->window.kernel[0] * d->window.kernel[1];
  return d->taps <= 121 && (STRIP - 1) * d->window.stride[1] + (d->window.kernel[1] - 1) * d->window.dilation[1] < 96;
}

static bool supports(const ingot__call *call) {
  depthwise d;
  return read(call, &d);
}

static size_t pack_size(const ingot__call *call) {
  depthwise d;
  return read(call, &d) ? (size_t)(d.taps * d.padded) * sizeof(float) : 0;
}

static void pack(const ingot__call *call, void *packed) {
  depthwise d;
  float *to = packed;
  if (!read(call, &d)) return;
  for (int64_t tap = 0; tap < d.taps; tap++)
    for (int64_t c = 0; c < d.padded; c++)
      *to++ = c < d.channels ? (float)ingot__get_double(call->in[1].dtype, call->in[1].data, (size_t)(c * d.taps + tap)) : 0;
}

static void define(const ingot__call *call, ingot__text *text) {
  depthwise d;
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
  depthwise d;
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
  depthwise d;
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
  .supports = supports, .cost = cost, .pack_size = pack_size, .pack = pack, .pack_format = "depthwise", .packs_inputs = 1u << 1, .run = run,
  .source = "depthwise/depthwise.cu", .define = define};
