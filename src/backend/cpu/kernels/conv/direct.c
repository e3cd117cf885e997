/* Direct convolution: each tile of up to 14 output pixels of a row is a product of the pixels that its taps read with the weights, read in
 * place. Taps that fall above or below the image are left out; a tile whose taps fall beside it first copies its rows with zeros around.
 * 1x1 convolutions without stride see the whole image as one row. */
#include "backend/cpu/kernels/conv/direct.h"

typedef struct direct {
  const ingot__call *call;
  const ingot__tiles *tiles;
  ingot__conv conv;
  ingot__finish finish;
  bool plain;
  size_t rows, parts;            /* rows of output pixels, tiles in each */
  size_t panels;                 /* of a group */
  size_t k;                      /* of a group */
  size_t block;                  /* panels done before moving on */
  bool by_panels;                /* threads split panels, else tiles */
  size_t runs;                   /* most a tile has */
  size_t border;                 /* floats of the copied rows */
  size_t per_thread;             /* bytes of workspace */
} direct;

typedef struct scratch { const float **a; size_t *b_row; float *border; } scratch;

/* A 1x1 convolution that moves one pixel at a time over memory without gaps: one row of all pixels. */
static void flatten(ingot__conv *v) {
  if (v->kh != 1 || v->kw != 1 || v->sh != 1 || v->sw != 1 || v->ph || v->pw || v->oh != v->h || v->ow != v->w) return;
  bool rows = v->in_y == v->w * v->in_x && v->out_y == v->w * v->out_x && (!v->residual || v->res_y == v->w * v->res_x);
  if (v->h > 1 && !rows) return;
  size_t pixels = v->h * v->w;
  bool images = v->in_n == pixels * v->in_x && v->out_n == pixels * v->out_x && (!v->residual || v->res_n == pixels * v->res_x);
  v->w = v->ow = pixels, v->h = v->oh = 1;
  if (v->n > 1 && !images) return;
  v->w = v->ow = pixels * v->n, v->n = 1;
}

/* False for calls that aren't ours. All but pointers follows from dims, so that asking and running agree. */
static bool prepare(const ingot__call *call, bool plain, const ingot__tiles *tiles, direct *d) {
  *d = (direct){.call = call, .tiles = tiles, .plain = plain};
  if (!ingot__conv_get(call, &d->conv)) return false;
  ingot__conv *v = &d->conv;
  if (plain) {
    if (v->groups != 1 || v->c > 16 || (v->w > 1 && v->in_x != 1)) return false; /* more channels are better side by side */
  } else {
    if (v->in_c != 1 && v->c * v->groups > 1) return false;
    ingot__conv_merge(v);
    flatten(v);
  }
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  ingot__finish_set(&d->finish, attrs->act, attrs->act_alpha, attrs->act_beta);
  d->panels = ingot__panels(v->oc);
  d->k = v->kh * v->kw * (v->width ? v->width : v->c);
  if (!tiles) return true;
  size_t most = ingot__tile_rows(tiles, d->panels, v->in_x * (size_t)v->sw), all = d->panels * v->groups;
  d->rows = v->n * v->oh;
  d->parts = (v->ow + most - 1) / most;
  size_t widest = d->parts ? (v->ow + d->parts - 1) / d->parts : 0;
  d->block = ingot__panel_block(d->k, all);
  d->runs = v->kh * v->kw * (plain ? v->c : 1);
  d->border = v->kh * v->c * ((widest ? widest - 1 : 0) * (size_t)v->sw + (v->kw - 1) * (size_t)v->dw + 1);
  d->per_thread = ingot__align(d->runs * (sizeof(float *) + sizeof(size_t)), 64) + ingot__align(d->border * sizeof(float), 64);
  size_t n = call->threads > 1 ? (size_t)call->threads : 1;
  double by_tiles = ingot__imbalance(d->rows * d->parts, n), by_panels = ingot__imbalance((all + 1) / 2, n);
  bool heavy = d->k * v->oc * v->groups > v->n * v->h * v->w * v->c * v->groups; /* weights outweigh the input */
  d->by_panels = n > 1 && (heavy ? by_panels <= by_tiles * 1.1 : by_panels * 1.1 < by_tiles);
  return true;
}

/* Copies what the taps of `count` pixels from output x on read of row iy, zeros beside the image; returns the pixels copied. */
static void copy_row(const ingot__conv *v, const float *row, int64_t x, size_t width, size_t unit, float *to) {
  for (size_t i = 0; i < width;) {
    int64_t ix = x + (int64_t)i;
    if (ix < 0 || ix >= (int64_t)v->w) {
      size_t zeros = ix < 0 && (size_t)-ix < width - i ? (size_t)-ix : width - i;
      memset(to + i * unit, 0, zeros * unit * sizeof(float));
      i += zeros;
      continue;
    }
    size_t inside = v->w - (size_t)ix < width - i ? v->w - (size_t)ix : width - i;
    const float *from = row + (size_t)ix * v->in_x;
    if (v->in_x == unit) memcpy(to + i * unit, from, inside * unit * sizeof(float));
    else
      for (size_t j = 0; j < inside; j++) memcpy(to + (i + j) * unit, from + j * v->in_x, unit * sizeof(float));
    i += inside;
  }
}

/* Fills the tile's runs for `count` output pixels from (oy, ox) on; `image` is the group's first channel, of `channels`. */
static void set_runs(const direct *d, const scratch *s, const float *image, size_t channels, size_t oy, size_t ox, size_t count,
                     ingot__tile *tile) {
  const ingot__conv *v = &d->conv;
  const int64_t x = (int64_t)ox * v->sw - v->pw, y = (int64_t)oy * v->sh - v->ph;
  const size_t width = (count - 1) * (size_t)v->sw + (v->kw - 1) * (size_t)v->dw + 1, dw = (size_t)v->dw;
  const bool inside = x >= 0 && x + (int64_t)width <= (int64_t)v->w;
  const size_t unit = d->plain ? 1 : channels;                /* floats of a pixel that a run covers */
  const size_t deep = v->width ? v->width : unit;             /* K rows of a tap */
  const size_t step = inside ? v->in_x : unit;                /* floats from an input pixel to the next */
  const bool joined = dw == 1 && step == unit && !v->width;   /* the taps of a row are one run */
  const size_t planes = d->plain ? v->c : 1;
  float *border = s->border;
  size_t runs = 0;
  for (size_t p = 0; p < planes; p++)
    for (size_t ky = 0; ky < v->kh; ky++) {
      int64_t iy = y + (int64_t)ky * v->dh;
      if (iy < 0 || iy >= (int64_t)v->h) continue;
      const float *row = image + p * v->in_c + (size_t)iy * v->in_y;
      if (inside) row += (size_t)x * v->in_x;
      else {
        copy_row(v, row, x, width, unit, border);
        row = border;
        border += width * unit;
      }
      const size_t k = (p * v->kh + ky) * v->kw * deep;
      for (size_t kx = 0; kx < (joined ? 1 : v->kw); kx++) {
        s->a[runs] = row + kx * dw * step;
        s->b_row[runs++] = k + kx * deep;
      }
    }
  tile->runs = runs;
  tile->length = joined ? v->kw * unit : unit;
  tile->a_stride = (size_t)v->sw * step;
}

static void work(void *arg, int index, int n) {
  const direct *d = arg;
  const ingot__call *call = d->call;
  const ingot__conv *v = &d->conv;
  const size_t all = d->panels * v->groups;
  size_t tile_begin = 0, tile_end = d->rows * d->parts, panel_begin = 0, panel_end = all;
  if (d->by_panels) ingot__share(all, 2, index, n, &panel_begin, &panel_end);
  else ingot__share(d->rows * d->parts, 1, index, n, &tile_begin, &tile_end);
  scratch s = {0};
  if (call->workspace) { /* NULL where no row needs any */
    char *space = (char *)call->workspace + (size_t)index * d->per_thread;
    s = (scratch){.a = (const float **)(void *)space, .b_row = (size_t *)(void *)(space + d->runs * sizeof(float *)),
                  .border = (float *)(void *)(space + ingot__align(d->runs * (sizeof(float *) + sizeof(size_t)), 64))};
  }
  const float *weights = call->packed, *bias = ingot__has_in(call, 2) ? weights + all * d->k * INGOT__PANEL : NULL;
  const float *in = call->in[0].data, *residual = v->residual ? call->in[3].data : NULL;
  float *out = call->out[0].data;
  for (size_t first = panel_begin; first < panel_end; first += d->block) {
    const size_t last = panel_end - first < d->block ? panel_end : first + d->block;
    for (size_t t = tile_begin; t < tile_end; t++) {
      const size_t row = t / d->parts, part = t % d->parts, image = row / v->oh, oy = row % v->oh;
      const size_t ox = v->ow * part / d->parts, count = v->ow * (part + 1) / d->parts - ox;
      for (size_t p = first; p < last;) {
        const size_t group = p / d->panels, begin = p % d->panels;
        const size_t end = d->panels - begin < last - p ? d->panels : begin + (last - p);
        ingot__tile tile = {.a = s.a, .b_row = s.b_row, .b = weights + p * d->k * INGOT__PANEL,
                            .b_stride = d->k * INGOT__PANEL, .c_stride = v->out_x, .residual_stride = v->res_x};
        const size_t channels = v->width && v->channels - group * v->c < v->c ? v->channels - group * v->c : v->c;
        set_runs(d, &s, in + image * v->in_n + group * v->c, channels, oy, ox, count, &tile);
        if (bias) tile.bias = bias + group * d->panels * INGOT__PANEL;
        tile.c = out + image * v->out_n + oy * v->out_y + ox * v->out_x + group * v->oc;
        if (residual) tile.residual = residual + image * v->res_n + oy * v->res_y + ox * v->res_x + group * v->oc;
        if (v->width) ingot__tile_grouped(d->tiles, &tile, &d->finish, count, v->width, channels);
        else ingot__tile_panels(d->tiles, &tile, &d->finish, count, v->oc, begin, end);
        p += end - begin;
      }
    }
  }
}

bool ingot__direct_supports(const ingot__call *call, bool plain) {
  direct d;
  return prepare(call, plain, NULL, &d);
}

double ingot__direct_cost(const ingot__call *call, bool plain, const ingot__tiles *tiles) {
  direct d;
  if (!prepare(call, plain, tiles, &d)) return 1e9;
  const ingot__conv *v = &d.conv;
  const double threads = call->threads > 1 ? call->threads : 1, pixels = (double)v->n * (double)v->oh * (double)v->ow;
  double compute = ingot__product_seconds(tiles, pixels, v->ow, d.k, v->oc, v->groups);
  /* The set-up of each run, and the copies at the borders of narrow images. */
  if (v->width) compute *= 1.5; /* spreading the channels */
  double joined = plain || v->in_x == v->c ? (double)v->kw : 1;
  compute += (double)d.rows * (double)d.parts * (double)v->groups * (double)d.runs / joined * 3e-9;
  double weights = (double)d.k * (double)v->oc * (double)v->groups * 4, move = weights;
  move += 4 * pixels * (double)(v->oc * v->groups) + 4 * (double)v->n * (double)v->h * (double)v->w * (double)(v->c * v->groups);
  const ingot__cpu_rates *rates = ingot__cpu_rates_get(tiles->isa);
  return 1e-6 + compute / threads + move / (move < (double)ingot__cpu_info()->l2 ? rates->l2_bytes : rates->memory_bytes * 2) / threads;
}

size_t ingot__direct_workspace(const ingot__call *call, bool plain, const ingot__tiles *tiles) {
  direct d;
  if (!prepare(call, plain, tiles, &d)) return 0;
  return d.per_thread * (call->threads > 1 ? (size_t)call->threads : 1);
}

size_t ingot__direct_pack_size(const ingot__call *call, bool plain) {
  direct d;
  size_t bytes;
  if (!prepare(call, plain, NULL, &d)) return 0;
  return ingot__mul(ingot__panel_floats(d.conv.groups, d.k, d.conv.oc), sizeof(float), &bytes) ? bytes : SIZE_MAX;
}

void ingot__direct_pack(const ingot__call *call, bool plain, void *packed) {
  direct d;
  if (!prepare(call, plain, NULL, &d)) return;
  const ingot__conv *v = &d.conv;
  const float *w = call->in[1].data, *bias = ingot__has_in(call, 2) ? call->in[2].data : NULL;
  const size_t c = v->c / v->merged, oc = v->oc / v->merged, taps = v->kh * v->kw, all = d.panels * v->groups; /* of the node's groups */
  float *to = packed, *to_bias = to + all * d.k * INGOT__PANEL;
  for (size_t p = 0; p < all && v->width; p++)
    for (size_t lane = 0; lane < INGOT__PANEL; lane++) {
      const size_t o = p * INGOT__PANEL + lane;
      to_bias[o] = o < v->channels && bias ? bias[o] : 0;
      for (size_t i = 0; i < v->width; i++)
        for (size_t tap = 0; tap < taps; tap++)
          to[(p * d.k + tap * v->width + i) * INGOT__PANEL + lane] = o < v->channels ? w[(o * v->width + i) * taps + tap] : 0;
    }
  for (size_t p = 0; p < all && !v->width; p++)
    for (size_t lane = 0; lane < INGOT__PANEL; lane++) {
      const size_t group = p / d.panels, o = p % d.panels * INGOT__PANEL + lane, sub = o / oc;
      const bool real = o < v->oc;
      to_bias[p * INGOT__PANEL + lane] = real && bias ? bias[group * v->oc + o] : 0;
      for (size_t i = 0; i < v->c; i++) {
        const bool set = real && i / c == sub;
        const float *from = set ? w + ((group * v->oc + o) * c + i % c) * taps : NULL;
        for (size_t tap = 0; tap < taps; tap++) {
          const size_t k = plain ? i * taps + tap : tap * v->c + i;
          to[(p * d.k + k) * INGOT__PANEL + lane] = set ? from[tap] : 0;
        }
      }
    }
}

ingot_status ingot__direct_run(const ingot__call *call, bool plain, const ingot__tiles *tiles) {
  direct d;
  if (!prepare(call, plain, tiles, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  ingot__pool_run(call->pool, work, &d);
  return INGOT_OK;
}
