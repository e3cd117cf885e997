/* Which part of a product a block computes: its tile, its batch, its part of k. */
#pragma once
#include "product/tile.cuh"

struct block_place {
  uint32_t tile, m, n, part;            /* number of the tile among all; its first row and column; which part of k */
  int64_t a, b, out, add[2];            /* where its batch begins */
  uint32_t k;                           /* all of it */
  int64_t b_row;                        /* see product_operand */
#if WINDOW
  int kernel[3], pad[3];                /* see window_rows */
#endif
#if TRANSPOSED
  uint32_t y, x;                        /* the phase's first output */
#endif
};

#if TRANSPOSED
/* Taps of residue r, and how many have a lower one. */
DEVICE int taps_of(int taps, int phases, int r) { return r < taps ? (taps - r + phases - 1) / phases : 0; }
DEVICE int taps_before(int taps, int phases, int r) {
  int n = 0;
  for (int i = 0; i < r; i++) n += taps_of(taps, phases, i);
  return n;
}
/* Outputs y = q * phases + phase read input q + base - j by the tap that is j-th of residue (phase + pad) % phases: a convolution. */
DEVICE void set_phase(const product_params &p, block_place &at, uint32_t &batch) {
  const product_window &w = p.window;
  const uint32_t q = divided(batch, w.phases[1]), x = batch - q * w.phases[1].by;
  batch = divided(q, w.phases[0]);
  const uint32_t y = q - batch * w.phases[0].by;
  const int phases_y = (int)w.phases[0].by, phases_x = (int)w.phases[1].by;
  const int ry = ((int)y + w.pads[0]) % phases_y, rx = ((int)x + w.pads[1]) % phases_x;
  at.y = y, at.x = x;
  at.kernel[0] = 1, at.kernel[1] = taps_of(w.taps[0], phases_y, ry), at.kernel[2] = taps_of(w.taps[1], phases_x, rx);
  at.pad[0] = 0, at.pad[1] = -(((int)y + w.pads[0]) / phases_y), at.pad[2] = -(((int)x + w.pads[1]) / phases_x);
  const int before = taps_before(w.taps[0], phases_y, ry) * w.taps[1] + at.kernel[1] * taps_before(w.taps[1], phases_x, rx);
  at.k = (uint32_t)(at.kernel[1] * at.kernel[2]) * w.padded;
  at.b_row = at.k;
  at.b = (int64_t)before * w.padded * p.n * w.groups + (int64_t)batch * p.n * at.k;
}
#endif

DEVICE void find_place(const product_params &p, block_place &at) {
  uint32_t rest = blockIdx.x;
  const uint32_t tile = divided(rest, p.by_splits);
  at.part = rest - tile * p.splits;
  at.tile = rest = tile;
  uint32_t batch, t;
  if (p.batch_inside) {
    t = divided(rest, p.by_batches);
    batch = rest - t * p.batches;
  } else {
    batch = divided(rest, p.by_tiles);
    t = rest - batch * p.by_tiles.by;
  }
  /* Tiles go in bands of a few rows of tiles, column by column, so that what runs at once shares rows and columns. */
  const uint32_t band = divided(t, p.by_band), in_band = t - band * p.by_band.by;
  const bool whole = (band + 1) * PRODUCT_BAND <= p.tiles_m;
  const uint32_t column = whole ? in_band / PRODUCT_BAND : divided(in_band, p.by_last_rows), rows = whole ? PRODUCT_BAND : p.by_last_rows.by;
  at.m = (band * PRODUCT_BAND + in_band - column * rows) * BM, at.n = column * BN;
  at.k = p.k;
  at.b_row = p.b.row;
  at.a = at.b = at.out = at.add[0] = at.add[1] = 0;
#if WINDOW
  for (int i = 0; i < 3; i++) at.kernel[i] = p.window.kernel[i], at.pad[i] = p.window.pad[i];
#endif
#if TRANSPOSED
  set_phase(p, at, batch);
#endif
  for (int i = p.batch_rank - 1; i >= 0; i--) {
    const int64_t c = (int64_t)divide_rest(batch, p.batch[i]);
    at.a += c * p.a.batch[i], at.out += c * p.out_batch[i];
    at.add[0] += c * p.add[0].batch[i], at.add[1] += c * p.add[1].batch[i];
#if !TRANSPOSED
    at.b += c * p.b.batch[i];
#endif
  }
}
