/* Convolutions of one to four channels (conv_first/conv_first.cu), from either layout, to CHANNELS_LAST.
 *
 * Packed ("first..."): for each block's columns (16, 32 or 64), each step of four taps and each of mma()'s tiles of 8 columns, for each lane
 * (g, t) the weights of tap t, channels 0 to 3 (zeros past the last), of column g. */
#include <stdint.h>
#include <string.h>
#include "backend/cuda/kernels/conv_first/shape.h"
#include "backend/cuda/kernels/product/weights.h"

enum { WARPS = 4 };
typedef struct first {
  ingot__first_shape s;
  int64_t columns, blocks;             /* columns of a block of weights, and how many such blocks */
  int64_t steps, words;                /* words: 4 bytes, of a block of weights */
  size_t shared;                       /* of a block's memory with `rows` rows of pixels a warp */
} first;

static bool read(const ingot__call *call, int rows, first *d) {
  *d = (first){0};
  if (!ingot__first_read(call, &d->s)) return false;
  const ingot__window *win = &d->s.window;
  const int64_t oc = d->s.oc, size = (int64_t)d->s.size;
  d->columns = oc <= 16 ? 16 : oc <= 32 ? 32 : 64;
  d->blocks = ingot__divide_up(oc, d->columns);
  d->steps = ingot__divide_up(d->s.taps, 4);
  d->words = d->steps * d->columns / 8 * 32 * size;
  const int64_t patch_y = (WARPS * rows - 1) * win->stride[0] + (win->kernel[0] - 1) * win->dilation[0] + 1;
  const int64_t patch_x = 15 * win->stride[1] + (win->kernel[1] - 1) * win->dilation[1] + 1;
  d->shared = (size_t)(d->words * 4 + d->columns * 4 + d->steps * 16 + patch_y * patch_x * 4 * size);
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
  const bool floats = d.s.size == 4;
  const int64_t tiles = d.columns / 8, side = !floats && tiles >= 4 ? 4 : 2;
  /* The order of a lane's words: 16 bits: two tiles' four channels; 32 bits: a tile's. */
  for (int64_t i = 0; i < d.blocks * d.steps * tiles * 32 * 4; i++) {
    const int64_t c = i % 4, pair = floats ? 1 : 2, tile_low = i / 4 % pair, lane = i / 4 / pair % 32;
    const int64_t tile = i / 4 / pair / 32 % (tiles / pair) * pair + tile_low;
    const int64_t step = i / (tiles * 128) % d.steps, block = i / (tiles * 128) / d.steps, g = lane / 4, tap = step * 4 + lane % 4;
    const int64_t n = block * d.columns + tile / side * (side * 8) + g / 2 * (2 * side) + tile % side * 2 + g % 2;
    const bool there = n < d.s.oc && tap < d.s.taps && c < d.s.c;
    ingot__put_weight(packed, i, w->data, there ? (n * d.s.c + c) * d.s.taps + tap : -1, d.s.size, floats);
  }
}

/* Blocks of a multiprocessor, by the registers that they need. */
static int blocks_of(const first *d, int rows) { return d->s.size == 4 ? 3 : rows == 4 && d->columns == 64 ? 2 : 4; }

static void define(const ingot__call *call, ingot__text *text, int rows) {
  first d;
  if (!read(call, rows, &d)) return;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "HALVES", d.s.size == 2);
  ingot__cuda_define(text, "CHANNELS", d.s.c);
  ingot__cuda_define_window(text, &d.s.window);
  ingot__cuda_define(text, "COLUMNS", d.columns);
  ingot__cuda_define(text, "WARPS", WARPS);
  ingot__cuda_define(text, "ROWS", rows);
  ingot__cuda_define(text, "MIN_BLOCKS", blocks_of(&d, rows));
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, Conv)->act);
}

static double cost(const ingot__call *call, int rows) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  first d;
  if (!read(call, rows, &d)) return 1e9;
  const double sms = info->sms > 0 ? info->sms : 108, clock = info->clock > 0 ? info->clock : 1.5e9;
  const double tiles = (double)ingot__first_tiles(call, WARPS * rows, 16);
  const double step = WARPS * 16.0 * rows * 16 * (double)d.columns * 2 / (d.s.size == 2 ? 1800 : 900);
  const double waves = (double)ingot__divide_up((int64_t)tiles * d.blocks, (int64_t)sms), compute = (waves * (double)d.steps * step + 3000) / clock;
  const double memory = ingot__cuda_bytes(call) / (sms * 25e9);
  return 1e-6 + (compute > memory ? compute : memory);
}

static ingot_status run(const ingot__call *call, int rows) {
  first d;
  conv_first_params p;
  if (!read(call, rows, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  const int side = d.s.size == 2 && d.columns >= 32 ? 8 : 4; /* channels of a lane side by side */
  INGOT_TRY(ingot__first_params(call, &d.s, WARPS * rows, 16, side, &p));
  /* Blocks go over tiles as long as there are: as many as fit at once. */
  const ingot__cuda_info *info = ingot__cuda_info_get();
  int64_t at_once = (int64_t)(info->shared ? info->shared : 99 << 10) / (int64_t)(d.shared + 1024);
  at_once = (at_once < 1 ? 1 : at_once > blocks_of(&d, rows) ? blocks_of(&d, rows) : at_once) * (info->sms > 0 ? info->sms : 108) / d.blocks;
  if (at_once < 1) at_once = 1;
  ingot__cuda_grid grid = {.x = (unsigned)((int64_t)p.tiles < at_once ? (int64_t)p.tiles : at_once), .y = (unsigned)d.blocks, .threads = WARPS * 32,
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
