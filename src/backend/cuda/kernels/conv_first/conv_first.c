/* Convolutions of one to four channels (conv_first/conv_first.cu), from either layout, to CHANNELS_LAST.
 *
 * Packed ("first..."): for each block's columns (16, 32 or 64), each step of four taps and each of mma()'s tiles of 8 columns, for each lane
 * (g, t) the weights of tap t, channels 0 to 3 (zeros past the last), of column g. */
#include <string.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/conv_first/conv_first.h"
#include "backend/cuda/kernels/product/weights.h"
#include "ops/window.h"

enum { WARPS = 4 };
typedef struct first {
  ingot__window window;
  int64_t c, oc, columns, blocks;      /* channels; columns of a block of weights, and how many such blocks */
  int64_t taps, steps, words;          /* words: 4 bytes, of a block of weights */
  size_t size, shared;                 /* of an element; of a block's memory with `rows` rows of pixels a warp */
} first;

static bool read(const ingot__call *call, int rows, first *d) {
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  if (!ingot__cuda_is_float(x->dtype) || w->dtype != x->dtype || y->dtype != x->dtype || !w->constant || attrs->group != 1) return false;
  if (x->rank != 4 || w->rank != 4 || y->rank != 4 || ingot__has_in(call, 3) || ingot__has_in(call, 4) || attrs->act > INGOT__ACT_MISH) return false;
  if (ingot__has_in(call, 2) && (call->in[2].dtype != x->dtype || call->in[2].rank != 1)) return false;
  *d = (first){.c = w->dim[1], .oc = w->dim[0], .taps = w->dim[2] * w->dim[3], .size = ingot__dtype_size(x->dtype)};
  if (d->c < 1 || d->c > 4 || d->oc < 1 || d->oc > INT32_MAX / 4 || w->dim[2] < 1 || w->dim[3] < 1 || w->dim[2] > 64 || w->dim[3] > 64) return false;
  const ingot__window_attrs window_attrs = INGOT__WINDOW_ATTRS(attrs);
  if (ingot__window_read(NULL, call->node, &window_attrs, 2, &w->dim[2], &d->window) != INGOT_OK) return false;
  ingot__window_pads(&d->window, &x->dim[2]);
  const ingot__window *win = &d->window;
  for (int i = 0; i < 2; i++)
    if (win->stride[i] > 64 || win->dilation[i] > 64) return false;
  d->columns = d->oc <= 16 ? 16 : d->oc <= 32 ? 32 : 64;
  d->blocks = ingot__divide_up(d->oc, d->columns);
  d->steps = ingot__divide_up(d->taps, 4);
  d->words = d->steps * d->columns / 8 * 32 * (int64_t)d->size;
  const int64_t patch_y = (WARPS * rows - 1) * win->stride[0] + (win->kernel[0] - 1) * win->dilation[0] + 1;
  const int64_t patch_x = 15 * win->stride[1] + (win->kernel[1] - 1) * win->dilation[1] + 1;
  d->shared = (size_t)(d->words * 4 + d->columns * 4 + d->steps * 16 + patch_y * patch_x * 4 * (int64_t)d->size);
  return d->shared <= 96 << 10;
}

static bool supports(const ingot__call *call, int rows, bool floats) {
  first d;
  return read(call, rows, &d) && (call->in[0].dtype == INGOT_FLOAT32) == floats;
}

static size_t pack_size(const ingot__call *call) {
  first d;
  return read(call, 1, &d) ? (size_t)(d.blocks * d.words * 4) : 0;
}

static void pack(const ingot__call *call, void *packed) {
  const ingot__view *w = &call->in[1];
  first d;
  if (!read(call, 1, &d)) return;
  const bool floats = d.size == 4;
  const int64_t tiles = d.columns / 8, side = !floats && tiles >= 4 ? 4 : 2;
  /* The order of a lane's words: 16 bits: two tiles' four channels; 32 bits: a tile's. */
  for (int64_t i = 0; i < d.blocks * d.steps * tiles * 32 * 4; i++) {
    const int64_t c = i % 4, pair = floats ? 1 : 2, tile_low = i / 4 % pair, lane = i / 4 / pair % 32;
    const int64_t tile = i / 4 / pair / 32 % (tiles / pair) * pair + tile_low;
    const int64_t step = i / (tiles * 128) % d.steps, block = i / (tiles * 128) / d.steps, g = lane / 4, tap = step * 4 + lane % 4;
    const int64_t n = block * d.columns + tile / side * (side * 8) + g / 2 * (2 * side) + tile % side * 2 + g % 2;
    const bool there = n < d.oc && tap < d.taps && c < d.c;
    ingot__put_weight(packed, i, w->data, there ? (n * d.c + c) * d.taps + tap : -1, d.size, floats);
  }
}

/* Blocks of a multiprocessor, by the registers that they need. */
static int blocks_of(const first *d, int rows) { return d->size == 4 ? 3 : rows == 4 && d->columns == 64 ? 2 : 4; }

static void define(const ingot__call *call, ingot__text *text, int rows) {
  first d;
  if (!read(call, rows, &d)) return;
  const ingot__window *w = &d.window;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "HALVES", d.size == 2);
  ingot__cuda_define(text, "CHANNELS", d.c);
  ingot__cuda_define(text, "KH", w->kernel[0]);
  ingot__cuda_define(text, "KW", w->kernel[1]);
  ingot__cuda_define(text, "STRIDE_Y", w->stride[0]);
  ingot__cuda_define(text, "STRIDE_X", w->stride[1]);
  ingot__cuda_define(text, "DILATION_Y", w->dilation[0]);
  ingot__cuda_define(text, "DILATION_X", w->dilation[1]);
  ingot__cuda_define(text, "COLUMNS", d.columns);
  ingot__cuda_define(text, "WARPS", WARPS);
  ingot__cuda_define(text, "ROWS", rows);
  ingot__cuda_define(text, "MIN_BLOCKS", blocks_of(&d, rows));
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, Conv)->act);
}

static int64_t tiles_of(const ingot__view *y, int rows) {
  return y->dim[0] * ingot__divide_up(y->dim[2], WARPS * rows) * ingot__divide_up(y->dim[3], 16);
}

static double cost(const ingot__call *call, int rows) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  first d;
  if (!read(call, rows, &d)) return 1e9;
  const double sms = info->sms > 0 ? info->sms : 108, clock = info->clock > 0 ? info->clock : 1.5e9;
  const double tiles = (double)tiles_of(&call->out[0], rows), step = WARPS * 16.0 * rows * 16 * (double)d.columns * 2 / (d.size == 2 ? 1800 : 900);
  const double waves = (double)ingot__divide_up((int64_t)tiles * d.blocks, (int64_t)sms), compute = (waves * (double)d.steps * step + 3000) / clock;
  const double memory = ingot__cuda_bytes(call) / (sms * 25e9);
  return 1e-6 + (compute > memory ? compute : memory);
}

static ingot_status run(const ingot__call *call, int rows) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  first d;
  if (!read(call, rows, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  if (ingot__view_count(y) == 0) return INGOT_OK;
  const int64_t tiles = tiles_of(y, rows);
  if (tiles > INT32_MAX / 2 || x->dim[2] > INT32_MAX / 2 || x->dim[3] > INT32_MAX / 2)
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  const int64_t side = d.size == 2 && d.columns >= 32 ? 8 : 4; /* channels of a lane side by side */
  conv_first_params p = {
    .in = x->data, .weights = call->packed, .bias = ingot__has_in(call, 2) ? call->in[2].data : NULL, .out = y->data,
    .in_image = x->stride[0], .in_channel = x->stride[1], .in_line = x->stride[2], .in_pixel = x->stride[3],
    .out_image = y->stride[0], .out_line = y->stride[2], .out_pixel = y->stride[3],
    .height = (int32_t)x->dim[2], .width = (int32_t)x->dim[3], .out_height = (int32_t)y->dim[2], .out_width = (int32_t)y->dim[3],
    .out_channels = (int32_t)d.oc, .pad_y = (int32_t)d.window.begin[0], .pad_x = (int32_t)d.window.begin[1], .tiles = (uint32_t)tiles,
    .tiles_x = ingot__divisor(ingot__divide_up(y->dim[3], 16)), .tiles_y = ingot__divisor(ingot__divide_up(y->dim[2], WARPS * rows)),
    .act_alpha = attrs->act_alpha, .act_beta = attrs->act_beta};
  const uint64_t places = (uint64_t)(uintptr_t)y->data | (uint64_t)(y->stride[0] | y->stride[2] | y->stride[3]) * d.size;
  p.vector = places % ((uint64_t)side * d.size) == 0;
  /* Blocks go over tiles as long as there are: as many as fit at once. */
  const ingot__cuda_info *info = ingot__cuda_info_get();
  int64_t at_once = (int64_t)(info->shared ? info->shared : 99 << 10) / (int64_t)(d.shared + 1024);
  at_once = (at_once < 1 ? 1 : at_once > blocks_of(&d, rows) ? blocks_of(&d, rows) : at_once) * (info->sms > 0 ? info->sms : 108) / d.blocks;
  if (at_once < 1) at_once = 1;
  ingot__cuda_grid grid = {.x = (unsigned)(tiles < at_once ? tiles : at_once), .y = (unsigned)d.blocks, .threads = WARPS * 32,
                           .shared = (unsigned)d.shared, .early = true};
  return ingot__cuda_launch(call, "conv_first", &grid, &p, sizeof p);
}

/* `layout` is in kernels.def alone: strides tell the kernel. */
#define ROW(layout, kind, floats, format, rows, tile) \
  static bool kind##layout##tile##_supports(const ingot__call *call) { return supports(call, rows, floats); } \
  static double kind##layout##tile##_cost(const ingot__call *call) { return cost(call, rows); } \
  static void kind##layout##tile##_define(const ingot__call *call, ingot__text *text) { define(call, text, rows); } \
  static ingot_status kind##layout##tile##_run(const ingot__call *call) { return run(call, rows); } \
  const ingot__kernel_functions ingot__cuda_conv_first##kind##_##layout##_##tile = { \
    .supports = kind##layout##tile##_supports, .cost = kind##layout##tile##_cost, .pack_size = pack_size, .pack = pack, .pack_format = format, \
    .packs_inputs = 1u << 1, .run = kind##layout##tile##_run, .source = "conv_first/conv_first.cu", .define = kind##layout##tile##_define};
ROW(nchw, , false, "first", 4, 16x16)
ROW(nchw, , false, "first", 2, 8x16)
ROW(nhwc, , false, "first", 4, 16x16)
ROW(nhwc, , false, "first", 2, 8x16)
ROW(nchw, _tf32, true, "first_tf32", 2, 8x16)
ROW(nhwc, _tf32, true, "first_tf32", 2, 8x16)
