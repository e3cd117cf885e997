/* What all products share around the register tiles: walking over panels, the finish, sizes and the cost model. */
#include "backend/cpu/kernels/gemm/tile.h"
#include <math.h>

void ingot__finish_set(ingot__finish *finish, int64_t act, float alpha, float beta) {
  *finish = (ingot__finish){.act = (ingot__act)act, .alpha = alpha, .beta = beta, .low = -INFINITY, .high = INFINITY};
  if (act == INGOT__ACT_RELU) finish->low = 0;
  else if (act == INGOT__ACT_CLIP) finish->low = alpha, finish->high = beta;
  else return;
  finish->act = INGOT__ACT_NONE;
}

/* Puts into the tile what it can do of the finish; false when an activation is left. */
static bool finish_in_tile(const ingot__finish *finish, ingot__tile *tile) {
  bool quantize = finish->act == INGOT__ACT_QUANTIZE;
  tile->scale = quantize ? finish->alpha : 0;
  tile->low = quantize ? finish->beta : finish->low;
  tile->high = quantize ? finish->beta + 255 : finish->high;
  return quantize || finish->act == INGOT__ACT_NONE;
}

void ingot__tile_panels(const ingot__tiles *tiles, ingot__tile *tile, const ingot__finish *finish, size_t pixels, size_t n, size_t begin,
                        size_t end) {
  ingot__tile t = *tile;
  bool whole = finish_in_tile(finish, &t);
  for (size_t p = begin; p < end;) {
    size_t panels = end - p;
    if (panels >= 4 && pixels <= (size_t)tiles->rows[4]) panels = 4;
    else if (panels >= 2 && pixels <= (size_t)tiles->rows[2]) panels = 2;
    else panels = 1;
    size_t at = p * INGOT__PANEL, channels = n - at < panels * INGOT__PANEL ? n - at : panels * INGOT__PANEL;
    t.b = tile->b + (p - begin) * tile->b_stride;
    t.bias = tile->bias ? tile->bias + at : NULL;
    t.c = tile->c + at;
    t.residual = tile->residual ? tile->residual + at : NULL;
    t.channels = channels;
    tiles->fn[panels][pixels](&t);
    if (!whole) tiles->activate(finish->act, finish->alpha, finish->beta, t.c, t.c_stride, pixels, channels);
    p += panels;
  }
}

void ingot__tile_grouped(const ingot__tiles *tiles, ingot__tile *tile, const ingot__finish *finish, size_t pixels, size_t width,
                         size_t channels) {
  tile->channels = channels;
  bool whole = finish_in_tile(finish, tile);
  tiles->grouped[width == 8][pixels](tile);
  if (!whole) tiles->activate(finish->act, finish->alpha, finish->beta, tile->c, tile->c_stride, pixels, channels);
}

size_t ingot__tile_rows(const ingot__tiles *tiles, size_t panels, size_t stride) {
  size_t most = (size_t)tiles->rows[1], ways = ingot__cpu_info()->l1d / 4096;
  if (panels >= 2 && tiles->rows[2] > tiles->rows[1]) most = (size_t)tiles->rows[2];
  /* Pixels a multiple of 4 KB apart share a set of L1, which holds as many lines as it has ways. */
  if (stride && stride * sizeof(float) % 4096 == 0 && ways >= 6 && ways < most) most = ways;
  return most;
}

size_t ingot__panel_block(size_t k, size_t panels) {
  size_t room = ingot__cpu_info()->l2 / 2, one = (k ? k : 1) * INGOT__PANEL * sizeof(float);
  size_t most = room / one / 4 * 4;
  if (most < 4) most = room / one >= 2 ? 2 : most < 2 ? 2 : most;
  return most < panels ? most : panels ? panels : 1;
}

size_t ingot__panel_floats(size_t groups, size_t k, size_t n) {
  size_t floats;
  if (!ingot__add(k, 1, &floats) || !ingot__mul(floats, ingot__panels(n) * INGOT__PANEL, &floats) || !ingot__mul(floats, groups, &floats))
    return SIZE_MAX / sizeof(float);
  return floats;
}

/* A tile's step takes the longest of its FMAs, its loads (two of each a cycle) and an FMA's latency of 4 cycles; ends are rounded up. */
double ingot__product_seconds(const ingot__tiles *tiles, double pixels, size_t width, size_t k, size_t n, size_t groups) {
  size_t panels = ingot__panels(n), most = ingot__tile_rows(tiles, panels, 0);
  double vectors = tiles->isa == INGOT__ISA_AVX512 ? 1 : tiles->isa == INGOT__ISA_AVX2 ? 2 : 4; /* of a panel */
  size_t parts = (width + most - 1) / most;
  double rows = (double)width / (double)(parts ? parts : 1);
  double pair = tiles->rows[2] >= (int)rows && panels > 1 ? 2 : 1;
  double work = rows * pair * vectors / 2, loads = (rows + pair * vectors) / 2;
  if (loads > work) work = loads;
  if (work < 4) work = 4;
  double steps = (double)groups * ceil((double)panels / pair) * pixels / rows;
  double rate = ingot__cpu_rates_get(tiles->isa)->f32_flops / (4 * 16 / vectors); /* cycles a second, as 2 FMAs a cycle give the rate */
  return steps * (work * (double)k + 30) / rate;
}
