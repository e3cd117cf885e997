/* Convolutions of single pixels whose weights fit into shared memory (conv_points/conv_points.cu): of many pixels with few channels at one end at
 * least, so that memory binds. The rows differ in a warp's pixels. Packed ("points"): for each group of 32 outputs and each chunk of input
 * channels, filled up with zeros, what each lane of a warp reads of each of four 8x8 matrices. */
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/product/conv.h"
#include "backend/cuda/kernels/conv_points/conv_points.h"
#include <math.h>

enum {
  THREADS = 128, WARPS = THREADS / 32, GROUP = 32, MATRICES = GROUP / 8, /* as in conv_points.cu */
  MOST_BYTES = 64 << 10 /* of weights, so that three blocks' fit */
};

typedef struct points {
  int64_t channels, outputs; /* of the input; of the output */
  int64_t words, chunks, groups; /* 32-bit words of a lane's piece of a pixel; of four pieces; of 32 outputs */
} points;

static bool read(const ingot__call *call, points *d) {
  if (!ingot__conv_takes(call) || !ingot__conv_has_points(call) || INGOT__ATTRS(call, Conv)->group != 1) return false;
  const ingot__view *w = &call->in[1];
  if (w->rank > 4 || ingot__dtype_size(w->dtype) != 2 || w->dim[0] % 8 || w->dim[1] % 8) return false;
  if (ingot__has_in(call, 2) && !call->in[2].constant) return false; /* read before the kernels in front have ended */
  *d = (points){.channels = w->dim[1], .outputs = w->dim[0]};
  const int64_t rest = d->channels % 32;
  d->words = rest && rest <= 16 ? 2 : 4; /* 16 bytes, unless half of the last ones would be for nothing */
  d->chunks = ingot__divide_up(d->channels, 8 * d->words), d->groups = ingot__divide_up(d->outputs, GROUP);
  return d->groups * GROUP * d->chunks * 8 * d->words * 2 <= MOST_BYTES;
}

/* Registers of a lane: of its pixels' pieces, in `tiles` times 16 pixels; whether there is room for the next ones beside sums and what an activation
 * takes. */
static int64_t pieces(const points *d, int tiles) { return tiles * 2 * d->chunks * d->words; }
static bool has_room_ahead(const points *d, int tiles, int64_t act) {
  return 2 * pieces(d, tiles) + tiles * 16 + (ingot__cuda_act_is_long(act) ? 24 : 0) <= 112;
}
/* Blocks on a multiprocessor. */
static int blocks_for(const ingot__call *call, int tiles) { return tiles > 1 && ingot__cuda_act_is_long(INGOT__ATTRS(call, Conv)->act) ? 2 : 3; }
static bool suits(const ingot__call *call, points *d, int tiles) {
  if (!read(call, d) || (tiles > 2 && ingot__has_in(call, 3))) return false;
  return pieces(d, tiles) <= (tiles > 2 ? 32 : tiles > 1 ? 48 : 64);
}

static size_t bytes_of(const points *d) { return (size_t)(d->groups * d->chunks * MATRICES * 32 * d->words) * 4; }

static size_t pack_size(const ingot__call *call) {
  points d;
  return read(call, &d) ? bytes_of(&d) : 0;
}

static void pack(const ingot__call *call, void *packed) {
  points d;
  if (!read(call, &d)) return;
  const uint16_t *w = call->in[1].data;
  uint16_t *to = packed;
  const int64_t piece = 2 * d.words;
  for (int64_t i = 0; i < d.groups * d.chunks * MATRICES * 32; i++) {
    const int64_t lane = i % 32, matrix = i / 32 % MATRICES, chunk = i / 32 / MATRICES % d.chunks, group = i / 32 / MATRICES / d.chunks;
    const int64_t column = lane / 4, n = group * GROUP + column / 2 * 8 + matrix * 2 + column % 2;
    for (int64_t k = chunk * 4 * piece + lane % 4 * piece, end = k + piece; k < end; k++)
      *to++ = n < d.outputs && k < d.channels ? w[n * d.channels + k] : 0;
  }
}

static void define(const ingot__call *call, ingot__text *text, int tiles) {
  points d;
  if (!suits(call, &d, tiles)) return;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "CHANNELS", d.channels);
  ingot__cuda_define(text, "WORDS", d.words);
  ingot__cuda_define(text, "TILES", tiles);
  ingot__cuda_define(text, "AHEAD", has_room_ahead(&d, tiles, INGOT__ATTRS(call, Conv)->act));
  ingot__cuda_define(text, "BLOCKS", blocks_for(call, tiles));
  ingot__cuda_define(text, "RESIDUAL", ingot__has_in(call, 3));
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, Conv)->act);
}

/* Memory's time, or warps' that have many outputs each: about 8 cycles a product, 60 for a lane's outputs of two pixels. */
static double cost(const ingot__call *call, int tiles) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  points d;
  if (!suits(call, &d, tiles)) return 1e9;
  const double sms = info->sms > 0 ? info->sms : 108, clock = info->clock > 0 ? info->clock : 1.5e9;
  const double pixels = (double)ingot__view_count(&call->out[0]) / (double)d.outputs;
  const double turns = ceil(pixels / (tiles * 16) / (sms * blocks_for(call, tiles) * WARPS));
  const double busy = turns * (double)d.groups * tiles * ((double)(d.chunks * d.words) / 2 * MATRICES * 8 + 120) / clock;
  const double memory = ingot__cuda_bytes(call) / 3.6e12;
  return 2e-6 + (memory > busy ? memory : busy);
}

static ingot_status run(const ingot__call *call, int tiles) {
  points d;
  if (!suits(call, &d, tiles)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  const ingot__view *x = &call->in[0], *y = &call->out[0], *r = ingot__has_in(call, 3) ? &call->in[3] : NULL;
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  if (ingot__view_count(y) == 0) return INGOT_OK;
  const int last = y->rank - 1, tile = tiles * 16;
  const bool image = y->rank == 4;
  const int64_t height = image ? y->dim[2] : 1, width = y->dim[last], images = y->dim[0];
  if (width > INT32_MAX || height > INT32_MAX / width || images > (INT32_MAX - tile) / (height * width))
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  conv_points_params p = {
    .in = x->data, .weights = call->packed, .bias = ingot__has_in(call, 2) ? call->in[2].data : NULL, .out = y->data,
    .in_image = x->stride[0], .in_line = image ? x->stride[2] : 0, .in_pixel = x->stride[last],
    .out_image = y->stride[0], .out_line = image ? y->stride[2] : 0, .out_pixel = y->stride[last],
    .width = ingot__divisor(width), .height = ingot__divisor(height), .pixels = (uint32_t)(images * height * width),
    .outputs = (int32_t)d.outputs, .groups = (int32_t)d.groups, .act_alpha = attrs->act_alpha, .act_beta = attrs->act_beta};
  p.tiles = (uint32_t)ingot__divide_up(p.pixels, tile);
  const int64_t in[] = {p.in_image, p.in_line, p.in_pixel}, out[] = {p.out_image, p.out_line, p.out_pixel};
  bool vector = ingot__product_align(x->data, 2, in, 3) == 16 && ingot__product_align(y->data, 2, out, 3) == 16;
  if (r) {
    p.residual = r->data, p.residual_image = r->stride[0], p.residual_line = image ? r->stride[2] : 0, p.residual_pixel = r->stride[last];
    const int64_t residual[] = {p.residual_image, p.residual_line, p.residual_pixel};
    vector = vector && ingot__product_align(r->data, 2, residual, 3) == 16;
  }
  const ingot__cuda_info *info = ingot__cuda_info_get();
  const int64_t blocks = ingot__divide_up(p.tiles, WARPS), most = (int64_t)(info->sms > 0 ? info->sms : 108) * blocks_for(call, tiles);
  const ingot__cuda_grid grid = {.x = (unsigned)(blocks < most ? blocks : most), .threads = THREADS,
                                 .shared = (unsigned)(bytes_of(&d) + (size_t)(d.groups * GROUP) * sizeof(float)), .early = true};
  return ingot__cuda_launch(call, vector ? "conv_points" : "conv_points_narrow", &grid, &p, sizeof p);
}

#define POINTS(pixels) \
  static bool supports_##pixels(const ingot__call *call) { \
    points d; \
    return suits(call, &d, pixels / 16); \
  } \
  static double cost_##pixels(const ingot__call *call) { return cost(call, pixels / 16); } \
  static void define_##pixels(const ingot__call *call, ingot__text *text) { define(call, text, pixels / 16); } \
  static ingot_status run_##pixels(const ingot__call *call) { return run(call, pixels / 16); } \
  const ingot__kernel_functions ingot__cuda_conv_points_##pixels = { \
    .supports = supports_##pixels, .cost = cost_##pixels, .pack_size = pack_size, .pack = pack, .pack_format = "points", .packs_inputs = 1u << 1, \
    .run = run_##pixels, .source = "conv_points/conv_points.cu", .define = define_##pixels};
POINTS(64)
POINTS(32)
POINTS(16)
