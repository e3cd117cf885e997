/* Convolutions of one to four channels whose pixels are operands as they lie in shared memory (conv_first/window.cu), from either layout, to
 * CHANNELS_LAST; in halves and bfloats, with windows that aren't dilated along lines and whose weights fit into registers.
 *
 * Packed ("first_window"): for each 64 output channels, each step of two pairs of taps, each of 4 warps' 32 lanes (g, t) the four words of
 * its fragment: word w has channel 16 warp + g + 8 (w % 2) and of pair w / 2 the values 2t and 2t + 1: four channels of a tap, four of the next. */
#include <stdint.h>
#include <string.h>
#include "backend/cuda/kernels/conv_first/shape.h"
#include "backend/cuda/kernels/product/weights.h"

enum { THREADS = 128, TILE_X = 8, BLOCK = 64, MOST_STEPS = 34 };
typedef struct first {
  ingot__first_shape s;
  int64_t pairs, steps, blocks, columns;  /* pairs of a line of the window; columns: channels that a block stores */
  int64_t patch_y, patch_x, at_once;      /* blocks of a multiprocessor, by the registers that they need */
  size_t shared;
} first;

static bool read(const ingot__call *call, int tile_y, first *d) {
  *d = (first){0};
  if (!ingot__first_read(call, &d->s) || d->s.size != 2 || d->s.window.dilation[1] != 1) return false;
  const ingot__window *w = &d->s.window;
  d->pairs = ingot__divide_up(w->kernel[1], 2);
  d->steps = ingot__divide_up(d->pairs * w->kernel[0], 2);
  if (d->steps > MOST_STEPS) return false;
  d->blocks = ingot__divide_up(d->s.oc, BLOCK);
  d->columns = d->s.oc <= 16 ? 16 : d->s.oc <= 32 ? 32 : 64;
  const int64_t act = INGOT__ATTRS(call, Conv)->act;
  const int64_t pixels = TILE_X * tile_y, more = ingot__cuda_act_is_long(act) ? 72 : act >= INGOT__ACT_GELU || act == INGOT__ACT_SILU ? 64 : 48;
  const int64_t registers = ingot__divide_up(pixels / 2 + 4 * d->steps + more, 8) * 8;
  d->at_once = 65536 / THREADS / registers;
  /* As window.cu has them. */
  const int64_t planes = w->stride[1] % 2 ? w->stride[1] : w->stride[1] / 2, plane = (TILE_X + 2 * (d->pairs - 1) / w->stride[1]) * 16;
  d->patch_y = (tile_y - 1) * w->stride[0] + (w->kernel[0] - 1) * w->dilation[0] + 1;
  d->patch_x = (TILE_X - 1) * w->stride[1] + 2 * d->pairs;
  d->shared = (size_t)(2 * (pixels * d->columns * 2 + d->patch_y * planes * plane) + BLOCK * 4);
  return d->shared <= 100 << 10;
}

static bool supports(const ingot__call *call, int tile_y) {
  first d;
  return read(call, tile_y, &d);
}

static size_t pack_size(const ingot__call *call) {
  first d;
  return read(call, 8, &d) ? (size_t)(d.blocks * d.steps * THREADS * 16) : 0;
}

/* The pair that is operand number `half` of a step: the one that lies first in a patch is the first, and a column further on lies in an earlier
 * plane where the window has gone once around them. */
static int64_t pair_of(const first *d, int64_t step, int64_t half) {
  const int64_t stride = d->s.window.stride[1], pair = step * 2, tap = pair % d->pairs * 2;
  const bool turned = pair % d->pairs + 1 < d->pairs && (tap + 2) % stride < tap % stride;
  return turned ? pair + 1 - half : pair + half;
}

static void pack(const ingot__call *call, void *packed) {
  const ingot__view *w = &call->in[1];
  first d;
  if (!read(call, 8, &d)) return;
  const int64_t kw = d.s.window.kernel[1];
  for (int64_t i = 0; i < d.blocks * d.steps * THREADS * 8; i++) {
    const int64_t word = i / 2 % 4, lane = i / 8 % 32, warp = i / 256 % 4, step = i / 1024 % d.steps, block = i / 1024 / d.steps;
    const int64_t n = block * BLOCK + warp * 16 + lane / 4 + word % 2 * 8, pair = pair_of(&d, step, word / 2), value = lane % 4 * 2 + i % 2;
    const int64_t row = pair / d.pairs, column = pair % d.pairs * 2 + value / 4, c = value % 4;
    const bool there = n < d.s.oc && row < d.s.window.kernel[0] && column < kw && c < d.s.c;
    ingot__put_weight(packed, i, w->data, there ? (n * d.s.c + c) * d.s.taps + row * kw + column : -1, 2, false);
  }
}

static void define(const ingot__call *call, ingot__text *text, int tile_y) {
  first d;
  if (!read(call, tile_y, &d)) return;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "CHANNELS", d.s.c);
  ingot__cuda_define_window(text, &d.s.window);
  ingot__cuda_define(text, "COLUMNS", d.columns);
  ingot__cuda_define(text, "TILE_Y", tile_y);
  ingot__cuda_define(text, "MIN_BLOCKS", d.at_once);
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, Conv)->act);
}

/* An estimate, in cycles: what a multiprocessor does for a tile among many are the products, and fetching and storing half hidden behind them;
 * one alone does all that in turn. */
static double cost(const ingot__call *call, int tile_y) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  first d;
  if (!read(call, tile_y, &d)) return 1e9;
  const double sms = info->sms > 0 ? info->sms : 132, clock = info->clock > 0 ? info->clock : 1.7e9, pixels = TILE_X * tile_y;
  const double moves = (double)(d.patch_y * d.patch_x) * (8 + 4 * (double)d.s.c) / 128 + pixels * (double)d.columns / 32;
  const double products = (double)d.steps * pixels / 2;
  const double tiles = (double)ingot__divide_up(ingot__first_tiles(call, tile_y, TILE_X) * d.blocks, (int64_t)sms);
  const double compute = (2500 + products + 2 * moves + (tiles - 1) * (products + moves / 2 + 60)) / clock;
  const double memory = ingot__cuda_bytes(call) / (sms * 28e9);
  return 1e-6 + (compute > memory ? compute : memory);
}

static ingot_status run(const ingot__call *call, int tile_y) {
  first d;
  conv_first_params p;
  if (!read(call, tile_y, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  INGOT_TRY(ingot__first_params(call, &d.s, tile_y, TILE_X, 8, &p));
  if (d.patch_y * p.in_line + d.patch_x * p.in_pixel > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "lines are too long for this kernel");
  /* Blocks go over tiles as long as there are: as many as fit at once. */
  const ingot__cuda_info *info = ingot__cuda_info_get();
  int64_t at_once = (int64_t)(info->shared ? info->shared : 99 << 10) / (int64_t)(d.shared + 1024);
  at_once = (at_once < 1 ? 1 : at_once > d.at_once ? d.at_once : at_once) * (info->sms > 0 ? info->sms : 132) / d.blocks;
  if (at_once < 1) at_once = 1;
  const ingot__cuda_grid grid = {.x = (unsigned)((int64_t)p.tiles < at_once ? (int64_t)p.tiles : at_once), .y = (unsigned)d.blocks,
                                 .threads = THREADS, .shared = (unsigned)d.shared, .early = true};
  return ingot__cuda_launch(call, "conv_first_window", &grid, &p, sizeof p);
}

/* `layout` is in kernels.def alone: strides tell the kernel. */
#define ROW(layout, tile_y, tile) \
  static bool layout##tile##_supports(const ingot__call *call) { return supports(call, tile_y); } \
  static double layout##tile##_cost(const ingot__call *call) { return cost(call, tile_y); } \
  static void layout##tile##_define(const ingot__call *call, ingot__text *text) { define(call, text, tile_y); } \
  static ingot_status layout##tile##_run(const ingot__call *call) { return run(call, tile_y); } \
  const ingot__kernel_functions ingot__cuda_conv_first_wgmma_##layout##_##tile = { \
    .supports = layout##tile##_supports, .cost = layout##tile##_cost, .pack_size = pack_size, .pack = pack, .pack_format = "first_window", \
    .packs_inputs = 1u << 1, .run = layout##tile##_run, .source = "conv_first/window.cu", .define = layout##tile##_define};
ROW(nchw, 16, 16x8)
ROW(nchw, 8, 8x8)
ROW(nhwc, 16, 16x8)
ROW(nhwc, 8, 8x8)
