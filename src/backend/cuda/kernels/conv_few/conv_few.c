/* Convolutions of single pixels to at most eight channels (conv_few/conv_few.cu), limited by reading the input: into either layout, which saves
 * networks that end so the way from one to the other. Packed ("few"): eight rows of the input's channels, filled up with zeros. */
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/product/conv.h"
#include "backend/cuda/kernels/conv_few/conv_few.h"
#include <string.h>

enum { THREADS = 128, BLOCK_PIXELS = THREADS / 32 * 64, OUTPUTS = 8, STEP = 64 /* as in conv_few.cu */ };

static bool supports(const ingot__call *call) {
  if (!ingot__conv_takes(call) || !ingot__conv_has_points(call) || INGOT__ATTRS(call, Conv)->group != 1) return false;
  const ingot__view *w = &call->in[1];
  return w->rank <= 4 && ingot__dtype_size(w->dtype) == 2 && !ingot__has_in(call, 3) && w->dim[0] <= OUTPUTS && w->dim[1] % 8 == 0;
}

static int64_t padded(const ingot__call *call) { return ingot__divide_up(call->in[1].dim[1], STEP) * STEP; }
static size_t pack_size(const ingot__call *call) { return supports(call) ? (size_t)(OUTPUTS * padded(call)) * 2 : 0; }

static void pack(const ingot__call *call, void *packed) {
  const ingot__view *w = &call->in[1];
  const size_t row = (size_t)w->dim[1] * 2;
  if (!supports(call)) return;
  memset(packed, 0, pack_size(call));
  for (int64_t n = 0; n < w->dim[0]; n++) memcpy((char *)packed + n * padded(call) * 2, (const char *)w->data + (size_t)n * row, row);
}

static void define(const ingot__call *call, ingot__text *text) {
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, Conv)->act);
}

static double cost(const ingot__call *call) { return 1.8e-6 + ingot__cuda_bytes(call) / 3.5e12; }

static ingot_status run(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  if (ingot__view_count(y) == 0) return INGOT_OK;
  const int last = y->rank - 1;
  const bool image = y->rank == 4;
  const int64_t height = image ? y->dim[2] : 1, width = y->dim[last], images = y->dim[0];
  if (width > INT32_MAX || height > INT32_MAX / width || images > (INT32_MAX - BLOCK_PIXELS) / (height * width))
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  const conv_few_params p = {
    .in = x->data, .weights = call->packed, .bias = ingot__has_in(call, 2) ? call->in[2].data : NULL, .out = y->data,
    .in_image = x->stride[0], .in_line = image ? x->stride[2] : 0, .in_pixel = x->stride[last],
    .out_image = y->stride[0], .out_line = image ? y->stride[2] : 0, .out_pixel = y->stride[last], .out_channel = y->stride[1],
    .width = ingot__divisor(width), .height = ingot__divisor(height), .pixels = (uint32_t)(images * height * width),
    .channels = (int32_t)x->dim[1], .padded = (int32_t)padded(call), .outputs = (int32_t)y->dim[1],
    .act_alpha = attrs->act_alpha, .act_beta = attrs->act_beta};
  const int64_t strides[] = {p.in_image, p.in_line, p.in_pixel};
  const bool vector = ingot__product_align(x->data, 2, strides, 3) == 16;
  const ingot__cuda_grid grid = {.x = (unsigned)ingot__divide_up(p.pixels, BLOCK_PIXELS), .threads = THREADS, .early = true};
  return ingot__cuda_launch(call, vector ? "conv_few" : "conv_few_narrow", &grid, &p, sizeof p);
}

#define FUNCTIONS \
  {.supports = supports, .cost = cost, .pack_size = pack_size, .pack = pack, .pack_format = "few", .packs_inputs = 1u << 1, .run = run, \
   .source = "conv_few/conv_few.cu", .define = define}
const ingot__kernel_functions ingot__cuda_conv_few = FUNCTIONS, ingot__cuda_conv_few_to_plain = FUNCTIONS;
