/* How a product is cut into blocks: tiles, parts of k, launches of a part of the rows where there are too many for one. */
#include <string.h>
#include "backend/cuda/kernels/product/launch.h"

enum { MOST_BLOCKS = INT32_MAX, CLUSTER = 8 };

int ingot__product_align(const void *data, size_t size, const int64_t *stride, int n) {
  uint64_t bits = (uint64_t)(uintptr_t)data;
  for (int i = 0; i < n; i++) bits |= (uint64_t)stride[i] * size;
  return bits % 16 == 0 ? 16 : bits % 4 == 0 ? 4 : 2;
}

void ingot__product_define(const ingot__call *call, ingot__text *text, const ingot__product_tile *tile, int act) {
  const ingot_dtype t = call->in[0].dtype;
  ingot__cuda_define_type(text, "ELEMENT", t);
  ingot__cuda_define(text, "HALVES", t != INGOT_FLOAT32);
  ingot__cuda_define(text, "MATH", tile->math);
  ingot__cuda_define(text, "BM", tile->bm);
  ingot__cuda_define(text, "BN", tile->bn);
  ingot__cuda_define(text, "WARPS_M", tile->warps_m);
  ingot__cuda_define(text, "WARPS_N", tile->warps_n);
  ingot__cuda_define(text, "STAGES", tile->stages);
  ingot__cuda_define(text, "MIN_BLOCKS", tile->blocks);
  ingot__cuda_define(text, "ACT", act);
}

static size_t shared_size(const ingot__product_tile *tile) {
  const size_t ring = (size_t)tile->stages * (size_t)(tile->bm + tile->bn) * 128, sums = (size_t)tile->bm * (size_t)(tile->bn + 8) * sizeof(float);
  return ring > sums ? ring : sums;
}

/* Cycles of a multiprocessor, roughly, if k is cut into `splits` parts. What a block does is limited by multiplications, by what comes out of
 * the L2 cache, or by the time that it takes to come. */
static double cycles(const ingot__product_tile *tile, const ingot__product *d, int64_t splits, bool clusters) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  const double sms = info->sms > 0 ? info->sms : 108, hopper = info->arch >= 90;
  const double step_k = 128.0 / (double)d->size, steps = (double)ingot__divide_up(ingot__divide_up(d->p.k, (int64_t)step_k), splits);
  const double blocks = (double)(ingot__divide_up(d->m, tile->bm) * ingot__divide_up(d->p.n, tile->bn)) * (double)d->batches * (double)splits;
  const double room = (double)(info->shared ? info->shared : 99 << 10) / (double)(shared_size(tile) + 1024);
  double resident = room < 1 ? 1 : room > 4 ? 4 : (double)(int)room;
  const double each = ingot__divide_up((int64_t)blocks, (int64_t)sms) > resident ? resident : (double)ingot__divide_up((int64_t)blocks, (int64_t)sms);
  double rate = tile->math == INGOT__FMA ? 200 : d->size == 4 ? (hopper ? 1300 : 900) : hopper ? 2600 : 1800; /* FLOP in a cycle */
  if (tile->bm * tile->bn < 64 * 64) rate *= 0.8;
  const double flops = 2.0 * tile->bm * tile->bn * step_k / rate, from_l2 = (tile->bm + tile->bn) * 128 / 36.0;
  const double latency = 700.0 / (tile->stages - 1);
  double step = each * (flops > from_l2 ? flops : from_l2);
  if (step < latency) step = latency;
  const double waves = (double)ingot__divide_up((int64_t)blocks, (int64_t)(sms * resident));
  const double ends = 1500 + (splits > 1 ? clusters ? 500 : 2000 : 0) + each * tile->bm * tile->bn / 64.0;
  /* On an H200 ViT's products of halves took 1.7 to 3 times what all this says, where there are faster kernels (wgmma/). */
  return waves * (steps * step + ends) * (hopper && tile->math == INGOT__MMA && d->size == 2 ? 2.2 : 1);
}

static bool has_clusters(void) { return ingot__cuda_info_get()->arch >= 90; }

/* Parts of k: where there are fewer tiles than multiprocessors. */
static int64_t choose_splits(const ingot__product_tile *tile, const ingot__product *d) {
  const bool clusters = has_clusters();
  const int64_t tiles = ingot__divide_up(d->m, tile->bm) * ingot__divide_up(d->p.n, tile->bn) * d->batches;
  int64_t best = 1;
  double least = cycles(tile, d, 1, clusters);
  for (int64_t s = 2; s <= CLUSTER && tiles * s <= 1024 && (int64_t)d->p.k * (int64_t)d->size >= 128 * 2 * s; s *= 2) {
    const double x = cycles(tile, d, s, clusters);
    if (x < least * 0.95) best = s, least = x;
  }
  return best;
}

static size_t counters_size(int64_t tiles) { return ingot__align((size_t)tiles * sizeof(uint32_t), 256); }

size_t ingot__product_workspace(const ingot__product_tile *tile, const ingot__product *d) {
  if (has_clusters() || d->m == 0 || d->p.n == 0 || d->batches == 0) return 0;
  const int64_t splits = choose_splits(tile, d);
  if (splits == 1) return 0;
  const int64_t tiles = ingot__divide_up(d->m, tile->bm) * ingot__divide_up(d->p.n, tile->bn) * d->batches;
  return counters_size(tiles) + (size_t)(tiles * splits * tile->bm * tile->bn) * sizeof(float);
}

double ingot__product_cost(const ingot__call *call, const ingot__product_tile *tile, const ingot__product *d) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  if (d->m == 0 || d->p.n == 0 || d->batches == 0) return 1e-6;
  const double clock = info->clock > 0 ? info->clock : 1.5e9, sms = info->sms > 0 ? info->sms : 108;
  const double compute = cycles(tile, d, choose_splits(tile, d), has_clusters()) / clock, memory = ingot__cuda_bytes(call) / (sms * 25e9);
  return 1e-6 + (compute > memory ? compute : memory);
}

double ingot__product_library_cost(const ingot__call *call, int64_t m, int64_t n, int64_t k, int64_t batches, bool tensor_cores) {
  static const ingot__product_tile tiles[] = {{INGOT__MMA, 128, 128, 2, 4, 3, 1}, {INGOT__MMA, 64, 64, 2, 2, 4, 2}, {INGOT__MMA, 32, 64, 2, 2, 5, 3}};
  const ingot__product like = {.p = {.n = (uint32_t)n, .k = (uint32_t)k}, .m = m, .unit = 1, .batches = batches,
                               .size = ingot__dtype_size(call->in[0].dtype)};
  double least = INGOT__NEVER;
  for (size_t i = 0; i < sizeof tiles / sizeof tiles[0]; i++) {
    ingot__product_tile tile = tiles[i];
    if (like.size == 4 && !tensor_cores) tile.math = INGOT__FMA;
    const double seconds = ingot__product_cost(call, &tile, &like);
    if (seconds < least) least = seconds;
  }
  return 2e-6 + 1.5 * least;
}

void ingot__product_number(product_params *p, int64_t bm, int64_t bn, int64_t batches, int64_t splits) {
  const int64_t tiles_m = ingot__divide_up(p->m, bm), tiles_n = ingot__divide_up(p->n, bn), last = tiles_m % PRODUCT_BAND;
  p->splits = (uint32_t)splits;
  p->tiles_m = (uint32_t)tiles_m, p->batches = (uint32_t)batches;
  p->by_tiles = ingot__divisor(tiles_m * tiles_n);
  p->by_batches = ingot__divisor(batches);
  p->by_splits = ingot__divisor(splits);
  p->by_band = ingot__divisor(PRODUCT_BAND * tiles_n);
  p->by_last_rows = ingot__divisor(last ? last : 1);
}

/* The launch of the rows that p->m says. */
static ingot_status launch(const ingot__call *call, const ingot__product_tile *tile, const ingot__product *whole, product_params *p) {
  ingot__product part = *whole;
  part.m = p->m;
  const int64_t tiles = ingot__divide_up(p->m, tile->bm) * ingot__divide_up(p->n, tile->bn) * part.batches;
  int64_t splits = choose_splits(tile, &part);
  const bool clusters = has_clusters();
  if (splits > 1 && !clusters) {
    const size_t counters = counters_size(tiles);
    const size_t need = counters + (size_t)(tiles * splits * tile->bm * tile->bn) * sizeof(float);
    if (call->workspace && call->workspace_size >= need) {
      p->arrived = call->workspace;
      p->partials = (float *)(void *)((char *)call->workspace + counters);
      INGOT_TRY(ingot__cuda_clear(call, p->arrived, counters));
    } else splits = 1; /* it was planned for other dims */
  }
  ingot__product_number(p, tile->bm, tile->bn, part.batches, splits);
  ingot__cuda_grid grid = {.x = (unsigned)(tiles * splits), .threads = (unsigned)(tile->warps_m * tile->warps_n * 32),
                           .shared = (unsigned)shared_size(tile), .cluster = clusters && splits > 1 ? (unsigned)splits : 0, .early = true};
  return ingot__cuda_launch(call, "product", &grid, p, sizeof *p);
}

ingot_status ingot__product_launch(const ingot__call *call, const ingot__product_tile *tile, ingot__product *d) {
  if (d->m == 0 || d->p.n == 0 || d->batches == 0) return INGOT_OK;
  const int64_t tiles_n = ingot__divide_up(d->p.n, tile->bn), units = d->m / d->unit;
  /* Units in one launch: rows and blocks are counted in 31 bits. */
  int64_t most = (INT32_MAX - 1024) / d->unit;
  const int64_t by_blocks = MOST_BLOCKS / CLUSTER / d->batches / tiles_n * tile->bm / d->unit - 1;
  if (by_blocks < units && by_blocks < most) most = by_blocks;
  if (most < 1) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "an image or a matrix is too large for this kernel");
  for (int64_t first = 0; first < units; first += most) {
    const int64_t count = units - first < most ? units - first : most;
    product_params p = d->p;
    p.m = (uint32_t)(count * d->unit);
    p.a.data = (const char *)p.a.data + first * d->a_unit * (int64_t)d->size;
    p.out = (char *)p.out + first * d->out_unit * (int64_t)d->size;
    for (int i = 0; i < 2; i++)
      if (p.add[i].data) p.add[i].data = (const char *)p.add[i].data + first * d->add_unit[i] * (int64_t)d->size;
    INGOT_TRY(launch(call, tile, d, &p));
  }
  return INGOT_OK;
}
