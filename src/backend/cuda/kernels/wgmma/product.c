/* The rows of products on tensor cores (sm_90): convolutions and matrix products in 16-bit floats, a row for each size of tiles. Large tiles run
 * in tiles.cu, small ones, with K split over clusters, in split.cu; what the tensor copy engine doesn't take goes the plain way. */
#include "backend/cuda/kernels/product/conv_transpose.h"
#include "backend/cuda/kernels/wgmma/shape.h"
#include <math.h>

typedef struct tiling {
  int m, n;                  /* of a tile */
  int consumers, stages, chunks, chunk_n, blocks, turns; /* see tiles.cu; consumers 0: of split.cu */
} tiling;

enum { SLICE_BYTES = 128 };

/* ---- What a choice costs. */
typedef struct choice { int64_t m_units, n_units, tiles, slices; int splits, pair, pair_n; double seconds; } choice;

static double sms(void) { return ingot__cuda_info_get()->sms > 0 ? ingot__cuda_info_get()->sms : 132; }
static unsigned shared_bytes(const tiling *t) {
  const unsigned stages = (unsigned)(t->stages * (t->m + t->n) * SLICE_BYTES);
  if (!t->consumers) return stages + (unsigned)(t->m * (t->n + 8) * 4 + (2 * t->stages + 1) * 8);
  const int chunk = 64 * t->chunk_n * 2 + 8 + t->chunk_n * 4;
  return stages + (unsigned)(2 * t->stages * 8 + t->consumers * (8 + t->chunks * chunk));
}

/* Seconds of a slice of a tile with a multiprocessor to itself: the tensor cores' at most, its share of the L2's bandwidth (7.3 TB/s for all, 95 GB/s
 * for one: ViT's products on an H200), or shared memory's, which is written once and read by each product of 64 rows and 16 elements of K (128
 * bytes a cycle). busy: multiprocessors at work. */
static double slice_seconds(const tiling *t, int pair_m, int pair_n, double busy) {
  const double flops = 2.0 * t->m * t->n * 64, bytes = ((double)t->m / pair_n + (double)t->n / pair_m) * SLICE_BYTES;
  const double reads = 4.0 * t->m / 64 * (64 + t->n) * 32, shared = (reads + (t->m + t->n) * SLICE_BYTES) / 218e9;
  const double compute = flops / 5.8e12, move = bytes / fmin(95e9, 7.3e12 / fmin(fmax(busy, 1), sms()));
  return fmax(compute, fmax(move, shared));
}
/* ... of finishing an output, by all warpgroups together. */
static double finish_seconds(const ingot__product_shape *s) {
  const int act = s->act;
  const bool light = act == INGOT__ACT_CLIP || act == INGOT__ACT_LEAKY_RELU || act == INGOT__ACT_HARD_SIGMOID || act == INGOT__ACT_HARD_SWISH;
  return light ? 4e-11 : 9e-11;
}

static void choose(const ingot__product_shape *s, const tiling *t, choice *c) {
  const ingot__product *p = &s->p;
  const int64_t batches = (int64_t)p->batch[0] * p->batch[1];
  const int64_t m_tiles = ingot__divide_up(p->m, t->m), n_tiles = ingot__divide_up(p->n, t->n);
  c->m_units = m_tiles, c->n_units = n_tiles;
  c->tiles = m_tiles * n_tiles * batches;
  c->slices = ingot__divide_up(s->k, 64);
  c->splits = c->pair = c->pair_n = 1;
  const double slices = (double)c->slices, tiles = (double)c->tiles;
  const double out_bytes = 2.0 * (double)p->m * p->n * (double)batches * (1 + p->has_residual);
  const double a_rows = s->conv ? (double)(s->a_images * s->a_height * s->a_width) : (double)p->m * (double)batches;
  const double a_bytes = 2 * a_rows * p->channels;
  const double b_bytes = 2.0 * (double)p->n * (double)s->k * (double)(p->b_moves[0] || p->b_moves[1] ? batches : 1);
  const double bytes = out_bytes + a_bytes + b_bytes, l2 = (double)ingot__cuda_info_get()->l2;
  const double memory = bytes / (l2 > 0 && bytes < l2 / 2 ? 6e12 : 3.9e12);
  double best = INFINITY;
  if (t->consumers) {
    const double finish = (double)t->m * t->n * (t->blocks > 1 ? 0.5 : 1) * finish_seconds(s);
    for (int way = 0; way < 3; way++) { /* in pairs along M, along N, alone */
      const int pair_m = 1 + (way == 0), pair_n = 1 + (way == 1), pair = pair_m * pair_n;
      if (pair == 2 && ((pair_m == 2 ? m_tiles : n_tiles) < 2 || tiles <= sms() / 2)) continue;
      const int64_t m_units = ingot__divide_up(m_tiles, pair_m), n_units = ingot__divide_up(n_tiles, pair_n);
      const double units = (double)(m_units * n_units * batches), rounds = ceil(units / floor(sms() / pair));
      const double product = slices * slice_seconds(t, pair_m, pair_n, units * pair);
      const double ends = finish * (t->turns ? 1.5 : 1); /* one warpgroup at an end */
      double seconds = rounds * (product + finish) + 1.2e-6;
      if (t->turns) seconds = (rounds > 1 ? rounds : 1) * (product > finish ? product : finish) + ends + 1.2e-6;
      if (seconds < best * 0.999) best = seconds, c->pair = pair, c->pair_n = pair_n, c->m_units = m_units, c->n_units = n_units;
    }
  } else {
    for (int splits = 1; splits <= 8 && splits <= c->slices; splits *= 2) {
      const double rounds = ceil(tiles * splits / sms()), each = ceil(slices / splits);
      const double seconds = rounds * (each * slice_seconds(t, 1, 1, tiles * splits) + 0.25e-6) + 1.0e-6 + (splits > 1 ? 0.5e-6 : 0);
      if (seconds < best * 0.97) best = seconds, c->splits = splits;
    }
  }
  c->seconds = 1.3e-6 + (best > memory ? best : memory);
}

/* ---- Maps. */
static bool aligned(const void *p) { return (uintptr_t)p % 16 == 0; }
static bool aligned_stride(int64_t elements) { return elements > 0 && elements % 8 == 0 && elements < (int64_t)1 << 38; }

/* A matrix of `lines` rows of `width` elements, for each of the batches. */
static ingot_status map_matrix(const ingot__call *call, const ingot__product_shape *s, ingot__cuda_map *map, const void *base, int64_t width,
                               int64_t lines, int64_t line, const int64_t *batch, int box_width, int box_lines) {
  uint64_t dim[4] = {(uint64_t)width, (uint64_t)lines, 1, 1}, stride[3] = {(uint64_t)line * 2, (uint64_t)line * 2, (uint64_t)line * 2};
  for (int i = 0; i < 2; i++)
    if (batch[i]) dim[2 + i] = (uint64_t)s->p.batch[i], stride[1 + i] = (uint64_t)batch[i] * 2;
  const uint32_t box[4] = {(uint32_t)box_width, (uint32_t)box_lines, 1, 1};
  return ingot__cuda_map_tiled(call, map, s->dtype, 4, base, dim, stride, box, box_width * 2);
}

static bool batches_aligned(const int64_t *batch) {
  return (batch[0] == 0 || aligned_stride(batch[0])) && (batch[1] == 0 || aligned_stride(batch[1]));
}
/* A and B may come by the copy engine. */
static bool engine_takes(const ingot__product_shape *s, const choice *c) {
  const ingot__product *p = &s->p;
  if (s->k < 1 || !s->rows_even || c->tiles > INT32_MAX / 8 || p->m > INT32_MAX - 256) return false;
  if (!aligned(p->a_data) || !aligned_stride(s->a_row) || !batches_aligned(p->a_batch)) return false;
  if (!aligned(p->b_data) || !aligned_stride(s->b_row) || !batches_aligned(p->b_batch)) return false;
  if (!p->windows) return true;
  const int corner[4] = {-p->pad_x, -p->pad_y, s->upper_x, s->upper_y};
  for (int i = 0; i < 4; i++)
    if (corner[i] < -128 || corner[i] > 127) return false;
  return p->step_x <= 8 && p->step_y <= 8 && p->grow_x * (p->taps_x - 1) < 256 && p->grow_y * (p->taps_y - 1) < 256 && aligned_stride(s->a_line) &&
         aligned_stride(s->a_image);
}

static ingot_status make_maps(const ingot__call *call, const ingot__product_shape *s, const tiling *t, ingot__product *p) {
  if (p->windows) {
    const uint64_t dim[4] = {(uint64_t)p->channels, (uint64_t)s->a_width, (uint64_t)s->a_height, (uint64_t)s->a_images};
    const uint64_t stride[3] = {(uint64_t)s->a_row * 2, (uint64_t)s->a_line * 2, (uint64_t)s->a_image * 2};
    const int lower[2] = {-p->pad_x, -p->pad_y}, upper[2] = {s->upper_x, s->upper_y};
    const uint32_t step[2] = {(uint32_t)p->step_x, (uint32_t)p->step_y};
    INGOT_TRY(ingot__cuda_map_windows(call, &p->a, s->dtype, p->a_data, dim, stride, lower, upper, step, (uint32_t)s->slice,
        (uint32_t)(t->m / p->pair_n),
                                      s->slice == 8 ? 0 : s->slice * 2));
  } else if (s->a_mn) {
    INGOT_TRY(map_matrix(call, s, &p->a, p->a_data, p->m, s->k, s->a_row, p->a_batch, 64, 64));
  } else {
    INGOT_TRY(map_matrix(call, s, &p->a, p->a_data, s->k, p->m, s->a_row, p->a_batch, 64, t->m / p->pair_n));
  }
  if (s->b_mn) INGOT_TRY(map_matrix(call, s, &p->b, p->b_data, p->n, s->k, s->b_row, p->b_batch, t->n < 64 ? t->n : 64, 64));
  else INGOT_TRY(map_matrix(call, s, &p->b, p->b_data, s->k, p->n, s->b_row, p->b_batch, 64, t->n * p->pair_n / p->pair));
  if (p->direct || !t->consumers) return INGOT_OK;
  if (p->line) { /* a chunk's 64 rows are a part of a line, or some lines */
    const uint64_t dim[5] = {(uint64_t)p->n, (uint64_t)p->line, (uint64_t)(p->m / p->line), (uint64_t)p->batch[0], (uint64_t)p->batch[1]};
    const uint64_t row = (uint64_t)p->out_row * 2, up = (uint64_t)p->line_out * 2;
    const uint64_t stride[4] = {row, up, p->out_batch[0] ? (uint64_t)p->out_batch[0] * 2 : row,
                                p->out_batch[1] ? (uint64_t)p->out_batch[1] * 2 : row};
    const uint32_t wide = p->line < 64 ? (uint32_t)p->line : 64, box[5] = {(uint32_t)t->chunk_n, wide, 64 / wide, 1, 1};
    return ingot__cuda_map_tiled(call, &p->out, s->dtype, 5, p->out_data, dim, stride, box, t->chunk_n * 2);
  }
  if (p->has_residual) INGOT_TRY(map_matrix(call, s, &p->residual, p->residual_data, p->n, p->m, p->residual_row, p->residual_batch,
                                             t->chunk_n, 64));
  return map_matrix(call, s, &p->out, p->out_data, p->n, p->m, p->out_row, p->out_batch, t->chunk_n, 64);
}

/* ---- The rows' functions. */
static bool supports(const ingot__call *call, const tiling *t) {
  ingot__product_shape s;
  return ingot__product_read(call, &s) && !(s.b_mn && t->n > 64 && t->n % 64); /* B transposed comes by 64 columns */
}

static bool supports_transposed(const ingot__call *call) {
  ingot__product_shape s;
  return call->node && call->node->op == INGOT__OP_ConvTranspose && ingot__product_read(call, &s);
}

static double cost(const ingot__call *call, const tiling *t) {
  ingot__product_shape s;
  choice c;
  if (!ingot__product_read(call, &s)) return 1e9;
  choose(&s, t, &c);
  const ingot__product *p = &s.p;
  if (s.a_row % 8 || s.b_row % 8) return 2.0 * (double)p->m * p->n * (double)s.k * p->batch[0] * p->batch[1] / 5e11; /* the plain way */
  const bool direct = p->out_row % 8 || p->n % 8 || (p->has_residual && p->residual_row % 8) || (p->line && p->line % 64 && 64 % p->line);
  return c.seconds * (direct && t->consumers ? 2 : 1);
}

static void define(const ingot__call *call, ingot__text *text, const tiling *t) {
  ingot__product_shape s;
  if (!ingot__product_read(call, &s)) return;
  ingot__cuda_define_type(text, "ELEMENT", s.dtype);
  ingot__cuda_define(text, "TILE_M", t->m);
  ingot__cuda_define(text, "TILE_N", t->n);
  ingot__cuda_define(text, "STAGES", t->stages);
  if (t->consumers) {
    ingot__cuda_define(text, "CONSUMERS", t->consumers);
    ingot__cuda_define(text, "TURNS", t->turns);
    ingot__cuda_define(text, "CHUNKS", t->chunks);
    ingot__cuda_define(text, "CHUNK_N", t->chunk_n);
    ingot__cuda_define(text, "MIN_BLOCKS", t->blocks);
  }
  ingot__cuda_define(text, "SLICE", s.slice);
  ingot__cuda_define(text, "A_MN", s.a_mn);
  ingot__cuda_define(text, "B_MN", s.b_mn);
  ingot__cuda_define(text, "ACT", s.act);
}

ingot_status ingot__product_run_plain(const ingot__call *call, const ingot__product *p) {
  const int64_t blocks = ingot__divide_up(p->m * p->n * p->batch[0] * p->batch[1], 256), most = (int64_t)sms() * 16;
  const ingot__cuda_grid grid = {.x = (unsigned)(blocks < most ? blocks : most), .threads = 256, .early = true};
  return ingot__cuda_launch(call, "product_plain", &grid, p, sizeof *p);
}

static ingot_status run(const ingot__call *call, const tiling *t) {
  ingot__product_shape s;
  choice c;
  if (!ingot__product_read(call, &s)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a product that this kernel doesn't take");
  ingot__product *p = &s.p;
  if (p->m > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "a product of more than %d rows", INT32_MAX);
  if (p->m < 1 || p->batch[0] < 1 || p->batch[1] < 1) return INGOT_OK;
  choose(&s, t, &c);
  if (!engine_takes(&s, &c)) return ingot__product_run_plain(call, p);
  p->m_units = (int32_t)c.m_units, p->n_units = (int32_t)c.n_units, p->slices = (int32_t)c.slices;
  p->pair = c.pair, p->pair_n = c.pair_n, p->splits = c.splits;
  p->direct = !aligned(p->out_data) || p->n % 8 || !aligned_stride(p->out_row) || !batches_aligned(p->out_batch);
  if (p->line) p->direct = p->direct || (p->line % 64 && 64 % p->line) || !aligned_stride(p->line_out);
  if (p->has_residual) p->direct = p->direct || !aligned(p->residual_data) || !aligned_stride(p->residual_row) || !batches_aligned(p->residual_batch);
  /* As many tiles along M in a band as make a round of all multiprocessors read least of A and B. */
  const int64_t band = (int64_t)(sqrt(sms() * t->n / t->m) * c.pair_n / c.pair + 0.5);
  p->band = (int32_t)(band < 1 ? 1 : band > c.m_units ? c.m_units : band);
  p->tiles = (int32_t)(c.m_units * c.n_units * p->batch[0] * p->batch[1]);
  INGOT_TRY(make_maps(call, &s, t, p));
  ingot__cuda_grid grid = {.threads = t->consumers ? (unsigned)t->consumers * 128 + 128 : (unsigned)t->m * 2 + 32, .shared = shared_bytes(t),
                           .early = true};
  if (!t->consumers) {
    grid.x = (unsigned)(p->tiles * p->splits);
    grid.cluster = p->splits > 1 ? (unsigned)p->splits : 0;
    return ingot__cuda_launch(call, "product_split", &grid, p, sizeof *p);
  }
  const int64_t room = (int64_t)sms() * t->blocks / p->pair;
  grid.x = (unsigned)((p->tiles < room ? p->tiles : room) * p->pair);
  grid.cluster = p->pair > 1 ? 2 : 0;
  return ingot__cuda_launch(call, "product_tiles", &grid, p, sizeof *p);
}

/* ---- The rows. */
#define ROW(name, file, ...) \
  static const tiling name##_tiling = {__VA_ARGS__}; \
  static bool name##_supports(const ingot__call *call) { return supports(call, &name##_tiling); } \
  static double name##_cost(const ingot__call *call) { return cost(call, &name##_tiling); } \
  static void name##_define(const ingot__call *call, ingot__text *text) { define(call, text, &name##_tiling); } \
  static ingot_status name##_run(const ingot__call *call) { return run(call, &name##_tiling); } \
  const ingot__kernel_functions ingot__cuda_conv_##name = FUNCTIONS(name, file); \
  const ingot__kernel_functions ingot__cuda_matmul_##name = FUNCTIONS(name, file);
#define FUNCTIONS(name, file) \
  {.supports = name##_supports, .cost = name##_cost, .pack_size = ingot__product_pack_size, .pack = ingot__product_pack, .pack_format = "rows_k", \
   .packs_inputs = 1u << 1 | 1u << 2, .run = name##_run, .source = "wgmma/" file, .define = name##_define}
ROW(wgmma_pp_128x128, "tiles.cu", .m = 128, .n = 128, .consumers = 2, .turns = 1, .stages = 5, .chunks = 4, .chunk_n = 64, .blocks = 1)
ROW(wgmma_192x192, "tiles.cu", .m = 192, .n = 192, .consumers = 3, .stages = 4, .chunks = 2, .chunk_n = 32, .blocks = 1)
ROW(wgmma_192x128, "tiles.cu", .m = 192, .n = 128, .consumers = 3, .stages = 5, .chunks = 2, .chunk_n = 32, .blocks = 1)
ROW(wgmma_128x256, "tiles.cu", .m = 128, .n = 256, .consumers = 2, .stages = 4, .chunks = 2, .chunk_n = 64, .blocks = 1)
ROW(wgmma_256x128, "tiles.cu", .m = 256, .n = 128, .consumers = 2, .stages = 4, .chunks = 2, .chunk_n = 64, .blocks = 1)
ROW(wgmma_128x128, "tiles.cu", .m = 128, .n = 128, .consumers = 2, .stages = 5, .chunks = 4, .chunk_n = 64, .blocks = 1)
ROW(wgmma_256x64, "tiles.cu", .m = 256, .n = 64, .consumers = 2, .stages = 4, .chunks = 4, .chunk_n = 64, .blocks = 1)
ROW(wgmma_128x64, "tiles.cu", .m = 128, .n = 64, .consumers = 2, .stages = 4, .chunks = 1, .chunk_n = 64, .blocks = 2)
ROW(wgmma_split_128x128, "split.cu", .m = 128, .n = 128, .stages = 4)
ROW(wgmma_split_128x96, "split.cu", .m = 128, .n = 96, .stages = 5)
ROW(wgmma_split_128x64, "split.cu", .m = 128, .n = 64, .stages = 6)
ROW(wgmma_64x128, "split.cu", .m = 64, .n = 128, .stages = 3)
ROW(wgmma_64x64, "split.cu", .m = 64, .n = 64, .stages = 5)
ROW(wgmma_64x32, "split.cu", .m = 64, .n = 32, .stages = 6)

/* Of transposed convolutions (transposed.c). */
#define TRANSPOSED(name, file) \
  const ingot__kernel_functions ingot__cuda_conv_transpose_##name = { \
    .supports = supports_transposed, .cost = name##_cost, .pack_size = ingot__conv_transpose_pack_size, .pack = ingot__conv_transpose_pack, \
    .pack_format = "classes", .packs_inputs = 1u << 1, .run = name##_run, .source = "wgmma/" file, .define = name##_define};
TRANSPOSED(wgmma_256x128, "tiles.cu")
TRANSPOSED(wgmma_128x256, "tiles.cu")
TRANSPOSED(wgmma_128x128, "tiles.cu")
TRANSPOSED(wgmma_256x64, "tiles.cu")
TRANSPOSED(wgmma_128x64, "tiles.cu")
TRANSPOSED(wgmma_64x64, "split.cu")
