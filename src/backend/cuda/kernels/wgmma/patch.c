/* The rows of convolutions that read their input once (patch.cu): stride 1, windows of several taps, 40 channels and more. */
#include "backend/cuda/kernels/wgmma/shape.h"
#include "backend/cuda/kernels/wgmma/patch.h"
#include <math.h>

typedef struct tiling { int n, stages, patch; } tiling; /* see patch.cu */

enum { PIXELS = 256, ROW = 128, BOX = 256 /* the most along a dim that the copy engine brings at once */ };

static bool read(const ingot__call *call, const tiling *t, ingot__product_shape *s) {
  if (!call->node || call->node->op != INGOT__OP_Conv || !ingot__product_read(call, s)) return false;
  const ingot__product *p = &s->p;
  const int64_t reach_x = (int64_t)p->grow_x * (p->taps_x - 1), reach_y = (int64_t)p->grow_y * (p->taps_y - 1);
  if (p->step_x != 1 || p->step_y != 1 || p->taps_x * p->taps_y < 2 || p->channels <= 32 || reach_x > 64 || reach_y > 64) return false;
  return (PIXELS / 8 + reach_y) * (8 + reach_x) <= t->patch; /* strips fit whatever the image's size */
}

/* How images are laid out: lines whole, or in strips of 8 columns, whichever leaves out less. Returns the share of places that are results. */
static double lay_out(const ingot__product_shape *s, const tiling *t, ingot__patch *p) {
  const ingot__product *q = &s->p;
  const int64_t reach_x = (int64_t)q->grow_x * (q->taps_x - 1), reach_y = (int64_t)q->grow_y * (q->taps_y - 1);
  const int64_t end_x = s->upper_x + reach_x, end_y = s->upper_y + reach_y; /* pads behind */
  const int64_t pad_x = q->pad_x > end_x ? q->pad_x : end_x, pad_y = q->pad_y > end_y ? q->pad_y : end_y;
  p->height = (int32_t)(s->a_height + pad_y);
  const double lines = (double)q->out_y / p->height;
  const int64_t whole = s->a_width + pad_x, whole_lines = (whole - 1 + PIXELS - 1 + reach_x) / whole + 1 + reach_y;
  const double whole_share = (double)q->out_x / (double)whole, strips_share = (double)q->out_x / (double)(ingot__divide_up(q->out_x, 8) * 8);
  if (whole <= BOX && whole_lines <= BOX && whole * whole_lines <= t->patch && whole_share > strips_share * 0.97) {
    p->pitch = (int32_t)whole, p->group = 8, p->lines = (int32_t)whole_lines, p->strips = 0;
    p->tiles_m = (int32_t)ingot__divide_up(s->a_images * p->height * whole, PIXELS);
    return lines * whole_share;
  }
  p->pitch = p->group = (int32_t)(8 + reach_x), p->lines = (int32_t)(PIXELS / 8 + reach_y);
  p->strips = (int32_t)ingot__divide_up(q->out_x, 8);
  p->tiles_m = (int32_t)ingot__divide_up(s->a_images * p->height, PIXELS / 8);
  return lines * strips_share;
}

static bool supports(const ingot__call *call, const tiling *t) {
  ingot__product_shape s;
  return read(call, t, &s);
}

static double sms(void) { return ingot__cuda_info_get()->sms > 0 ? ingot__cuda_info_get()->sms : 132; }

static double cost(const ingot__call *call, const tiling *t) {
  ingot__product_shape s;
  ingot__patch p = {0};
  if (!read(call, t, &s) || s.p.m < 1) return 1e9;
  lay_out(&s, t, &p);
  const double tiles = (double)p.tiles_m * (p.strips ? p.strips : 1) * (double)ingot__divide_up(s.p.n, t->n), rounds = ceil(tiles / sms());
  const double slices = (double)ingot__divide_up(s.p.channels, 64) * s.p.taps_x * s.p.taps_y;
  const double tile = slices * 2.0 * PIXELS * t->n * 64 / 5.8e12 + 0.8e-6;
  const double images = (double)(s.a_images * s.a_height * s.a_width) * s.p.channels, results = (double)s.p.m * s.p.n * (1 + s.p.has_residual);
  const double bytes = 2 * (images + results + (double)s.p.n * (double)s.k), l2 = (double)ingot__cuda_info_get()->l2;
  const double memory = bytes / (l2 > 0 && bytes < l2 / 2 ? 6e12 : 3.9e12), compute = rounds * tile + 1.5e-6;
  return 1.3e-6 + (compute > memory ? compute : memory);
}

static void define(const ingot__call *call, ingot__text *text, const tiling *t) {
  ingot__product_shape s;
  if (!read(call, t, &s)) return;
  ingot__cuda_define_type(text, "ELEMENT", s.dtype);
  ingot__cuda_define(text, "TILE_N", t->n);
  ingot__cuda_define(text, "STAGES", t->stages);
  ingot__cuda_define(text, "PATCH", t->patch);
  ingot__cuda_define(text, "ACT", s.act);
}

static bool aligned(const void *p) { return (uintptr_t)p % 16 == 0; }
static bool aligned_stride(int64_t elements) { return elements > 0 && elements % 8 == 0 && elements < (int64_t)1 << 38; }

static ingot_status make_maps(const ingot__call *call, const ingot__product_shape *s, const tiling *t, ingot__patch *p) {
  const ingot__product *q = &s->p;
  const uint64_t dim[4] = {(uint64_t)q->channels, (uint64_t)s->a_width, (uint64_t)s->a_height, (uint64_t)s->a_images};
  const uint64_t stride[3] = {(uint64_t)s->a_row * 2, (uint64_t)s->a_line * 2, (uint64_t)s->a_image * 2};
  const uint32_t line[4] = {64, (uint32_t)p->pitch, 1, 1};
  const uint32_t lines[4] = {64, (uint32_t)p->pitch, (uint32_t)p->lines, 1};
  INGOT_TRY(ingot__cuda_map_tiled(call, &p->x_line, s->dtype, 4, q->a_data, dim, stride, line, ROW));
  INGOT_TRY(ingot__cuda_map_tiled(call, &p->x, s->dtype, 4, q->a_data, dim, stride, lines, ROW));
  const uint64_t size[4] = {(uint64_t)s->k, (uint64_t)q->n, 1, 1}, row = (uint64_t)s->b_row * 2, step[3] = {row, row, row};
  const uint32_t rows[4] = {64, (uint32_t)(t->n / p->pair), 1, 1};
  return ingot__cuda_map_tiled(call, &p->w, s->dtype, 4, q->b_data, size, step, rows, ROW);
}

static ingot_status run(const ingot__call *call, const tiling *t) {
  ingot__product_shape s;
  if (!read(call, t, &s)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  const ingot__product *q = &s.p;
  if (q->m > INT32_MAX / 2) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "a convolution of more than %d pixels", INT32_MAX / 2);
  if (q->m < 1) return INGOT_OK;
  ingot__patch p = {.out = q->out_data, .residual = q->residual_data, .bias = q->bias, .out_image = q->out_image, .out_line = q->out_line,
                    .out_pixel = q->out_pixel, .residual_image = q->residual_image, .residual_line = q->residual_line,
                    .residual_pixel = q->residual_pixel, .act_alpha = q->act_alpha, .act_beta = q->act_beta, .images = (int32_t)s.a_images,
                    .out_x = q->out_x, .out_y = q->out_y, .n = q->n, .has_residual = q->has_residual, .taps_x = q->taps_x, .taps_y = q->taps_y,
                    .grow_x = q->grow_x, .grow_y = q->grow_y, .pad_x = q->pad_x, .pad_y = q->pad_y, .tap_k = q->tap_k};
  lay_out(&s, t, &p);
  const int64_t piles = ingot__divide_up(q->n, t->n), tiles = (int64_t)p.tiles_m * (p.strips ? p.strips : 1) * piles;
  /* Padding may be negative, images empty or strided as the copy engine can't. */
  if (tiles > INT32_MAX / PIXELS || p.height < 1 || q->a_k != 1 || !aligned(q->a_data) || !aligned(q->b_data) || !aligned_stride(s.a_row) ||
      !aligned_stride(s.a_line) || !aligned_stride(s.a_image) || q->pad_x < 0 || q->pad_y < 0 || s.a_width < 1 || s.a_height < 1)
    return ingot__product_run_plain(call, q);
  p.slices = (int32_t)ingot__divide_up(q->channels, 64);
  p.pair = tiles > (int64_t)sms() / 2 && tiles / piles > 1 ? 2 : 1;
  p.tiles_n = (int32_t)piles, p.tiles = (int32_t)(ingot__divide_up(tiles / piles, p.pair) * piles);
  p.resident = piles == 1 && p.slices * p.taps_x * p.taps_y <= t->stages;
  p.direct = !aligned(q->out_data) || q->n % 8 || q->out_image % 8 || q->out_line % 8 || q->out_pixel % 8;
  if (q->has_residual)
    p.direct = p.direct || !aligned(q->residual_data) || q->residual_image % 8 || q->residual_line % 8 || q->residual_pixel % 8;
  INGOT_TRY(make_maps(call, &s, t, &p));
  const unsigned shared = (unsigned)(2 * t->patch * ROW + t->stages * t->n * ROW + 4 * 64 * ROW + (8 + 2 * t->stages) * 8);
  const int64_t room = (int64_t)sms() / p.pair;
  const ingot__cuda_grid grid = {.x = (unsigned)((p.tiles < room ? p.tiles : room) * p.pair), .threads = 384, .shared = shared,
                                 .cluster = p.pair > 1 ? 2 : 0, .early = true};
  return ingot__cuda_launch(call, "convolve_patches", &grid, &p, sizeof p);
}

#define ROW_OF(name, ...) \
  static const tiling name##_tiling = {__VA_ARGS__}; \
  static bool name##_supports(const ingot__call *call) { return supports(call, &name##_tiling); } \
  static double name##_cost(const ingot__call *call) { return cost(call, &name##_tiling); } \
  static void name##_define(const ingot__call *call, ingot__text *text) { define(call, text, &name##_tiling); } \
  static ingot_status name##_run(const ingot__call *call) { return run(call, &name##_tiling); } \
  const ingot__kernel_functions ingot__cuda_conv_##name = { \
    .supports = name##_supports, .cost = name##_cost, .pack_size = ingot__product_pack_size, .pack = ingot__product_pack, \
    .pack_format = "rows_k", .packs_inputs = 1u << 1 | 1u << 2, .run = name##_run, .source = "wgmma/patch.cu", .define = name##_define};
ROW_OF(patch_128, .n = 128, .stages = 4, .patch = 520)
ROW_OF(patch_64, .n = 64, .stages = 9, .patch = 488)
