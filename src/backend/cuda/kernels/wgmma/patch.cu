/* Convolutions of stride 1 (sm_90a) that read their input once: for a tile of 256 pixels and 64 input channels the pixels under all taps of the
 * window are brought to shared memory together, and each tap multiplies them from a place a few pixels on. Windows gathered tap by tap
 * (tiles.cu) come from the L2 as often as there are taps, which is what such convolutions wait for below 256 channels.
 *
 * Output channels are the M of products and pixels their N: out^T (64 x 256) += W (64 x 64) X^T (64 x 256), by each of two warpgroups. A pixel is
 * a row of 128 bytes, and rows follow one another as pixels do, so the tap at (x, y) is the same matrix begun y * pitch + x rows on: swizzling
 * goes by bits of the address, in the copy engine as in the products, and that is why a matrix may begin at any row.
 *
 * The last warpgroup moves: warp 0 lines of pixels, warp 1 weights, warps 2 and 3 results and residuals of a warpgroup each.
 *
 * Defined before: ELEMENT, ACT, TILE_N (output channels: 128, 64 for each warpgroup; or 64, for 128 pixels each), STAGES (of weights),
 * PATCH (rows there is room for in each of two patches). */
#include "ingot.cuh"
#include "wgmma.cuh"
#include "wgmma/patch.h"
#include "wgmma/pairs.cuh"
#include "wgmma/plain.cuh"

enum {
  PIXELS = 256, MINE = TILE_N == 128 ? 256 : 128,        /* of a tile, of a warpgroup */
  PATCH_BYTES = PATCH * 128, WEIGHT_BYTES = TILE_N * 128,
  CHUNK = 64, CHUNK_BYTES = CHUNK * 128, CHUNKS = 2, TILE_CHUNKS = MINE / CHUNK, /* results leave by 64 pixels, through two places in turn */
  THREADS = 384, FEWER = 72, MORE = 216
};
typedef struct barriers {
  mbarrier patch_full[2], patch_empty[2], full[STAGES], empty[STAGES];
  mbarrier ready[2][CHUNKS];
} barriers;
/* The barrier, by number, at which a warpgroup leaves results in a place to its moving warp. */
enum { HANDING = 160 };
DEVICE int done_in(int32_t group, int32_t place) { return 1 + group * CHUNKS + place; }

DEVICE int32_t first_of(const ingot__patch &p) { return blockIdx.x / p.pair; }
DEVICE int32_t step_of(const ingot__patch &p) { return gridDim.x / p.pair; }

/* A tile: 256 places from `first` of a pile on. */
typedef struct spot { int32_t line, start, x, n; } spot; /* line and place in it of the first; strips: the strip's first column; output channel */
DEVICE int32_t block_rank(const ingot__patch &p) { return p.pair == 2 ? (int32_t)cluster_rank() : 0; }
DEVICE spot spot_at(const ingot__patch &p, int32_t index) {
  spot s;
  const int32_t unit = index / p.tiles_n, m = unit * p.pair + block_rank(p), pile = m / p.tiles_m, tile = m - pile * p.tiles_m;
  s.n = (index - unit * p.tiles_n) * TILE_N;
  if (p.strips) s.x = pile * 8, s.line = tile * (PIXELS / 8), s.start = 0;
  else s.x = 0, s.line = tile * PIXELS / p.pitch, s.start = tile * PIXELS - s.line * p.pitch;
  return s;
}

DEVICE void move_lines(const ingot__patch &p, unsigned char *patches, barriers *b) {
  int32_t at = 0;
  uint32_t parity = 1;
  tensor_prefetch_map(&p.x);
  grid_wait();
  for (int32_t index = first_of(p); index < p.tiles; index += step_of(p)) {
    const spot s = spot_at(p, index);
    for (int32_t slice = 0; slice < p.slices; slice++) {
      mbarrier_wait(&b->patch_empty[at], parity);
      mbarrier_expect(&b->patch_full[at], p.lines * p.pitch * 128);
      int32_t image = s.line / p.height, y = s.line - image * p.height;
      unsigned char *to = patches + at * PATCH_BYTES;
      if (y + p.lines <= p.height) tensor_load(to, &p.x, &b->patch_full[at], slice * 64, s.x - p.pad_x, y - p.pad_y, image);
      else
        for (int32_t line = 0; line < p.lines; line++, to += p.pitch * 128) { /* of two images or more */
          tensor_load(to, &p.x_line, &b->patch_full[at], slice * 64, s.x - p.pad_x, y - p.pad_y, image);
          if (++y == p.height) y = 0, image++;
        }
      if ((at ^= 1) == 0) parity ^= 1;
    }
  }
}

/* Both blocks of a pair need the same ones: each brings half of them to both. */
DEVICE void move_weights(const ingot__patch &p, unsigned char *weights, barriers *b) {
  const int32_t rank = block_rank(p);
  int32_t stage = 0;
  uint32_t parity = 1;
  tensor_prefetch_map(&p.w);
  for (int32_t index = first_of(p); index < p.tiles; index += step_of(p)) {
    const int32_t n = spot_at(p, index).n;
    for (int32_t slice = 0; slice < p.slices; slice++)
      for (int32_t tap = 0; tap < p.taps_x * p.taps_y; tap++) { /* constants: nothing to wait for */
        mbarrier_wait(&b->empty[stage], parity);
        mbarrier_expect(&b->full[stage], WEIGHT_BYTES);
        const int32_t k = tap * p.tap_k + slice * 64, half = TILE_N / 2;
        if (p.pair == 1) tensor_load(weights + stage * WEIGHT_BYTES, &p.w, &b->full[stage], k, n, 0, 0);
        else tensor_load_to(weights + stage * WEIGHT_BYTES + rank * half * 128, &p.w, &b->full[stage], 3, k, n + rank * half, 0, 0);
        if (++stage == STAGES) stage = 0, parity ^= 1;
      }
    if (p.resident) return;
  }
}

/* Where results are in memory: of the two places (of a chunk's 64) that this lane looks after. */
typedef struct places { int64_t out[2], residual[2]; } places; /* -1: padding */
DEVICE places places_of(const ingot__patch &p, const spot &s, int32_t pixel) {
  places at;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int32_t place = pixel + (int32_t)(threadIdx.x % 32) + 32 * i;
    int32_t line, x;
    if (p.strips) line = s.line + place / 8, x = s.x + place % 8;
    else x = s.start + place, line = x / p.pitch, x -= line * p.pitch, line += s.line;
    const int32_t image = line / p.height, y = line - image * p.height;
    const bool inside = image < p.images && y < p.out_y && x < p.out_x;
    at.out[i] = inside ? image * p.out_image + y * p.out_line + x * p.out_pixel : -1;
    at.residual[i] = inside ? image * p.residual_image + y * p.residual_line + x * p.residual_pixel : -1;
  }
  return at;
}
DEVICE int64_t place_of(const int64_t (&at)[2], int32_t pixel) { /* pixel is the same for 8 lanes */
  const int64_t low = __shfl_sync(FULL, at[0], pixel & 31), high = __shfl_sync(FULL, at[1], pixel & 31);
  return pixel < 32 ? low : high;
}
DEVICE unsigned char *piece_at(unsigned char *chunk, int32_t pixel, int32_t piece) { return chunk + pixel * 128 + (piece ^ (pixel & 7)) * 16; }

/* Calls move(16 bytes in the chunk, where they are in memory) for all of a chunk's that are results. */
template <typename MOVE> DEVICE void each_piece(unsigned char *chunk, const int64_t (&at)[2], int32_t channels, MOVE move) {
  const int32_t lane = threadIdx.x % 32, piece = lane % 8;
#pragma unroll 4
  for (int32_t pixel = lane / 8; pixel < CHUNK; pixel += 4) {
    const int64_t place = place_of(at, pixel);
    if (place >= 0 && piece * 8 < channels) move(piece_at(chunk, pixel, piece), place + piece * 8);
  }
}
/* The same for elements one by one. */
template <typename MOVE> DEVICE void each_element(unsigned char *chunk, const int64_t (&at)[2], int32_t channels, MOVE move) {
#pragma unroll 1
  for (int32_t pixel = 0; pixel < CHUNK; pixel++) {
    const int64_t place = place_of(at, pixel);
#pragma unroll 1
    for (int32_t i = threadIdx.x % 32; place >= 0 && i < 64 && i < channels; i += 32)
      move(reinterpret_cast<ELEMENT *>(piece_at(chunk, pixel, i / 8)) + i % 8, place + i);
  }
}

/* A chunk among those of a warpgroup. */
typedef struct cursor { int32_t index, chunk, place; } cursor;
DEVICE void cursor_next(const ingot__patch &p, cursor *c) {
  c->place ^= 1;
  if (++c->chunk == TILE_CHUNKS) c->chunk = 0, c->index += step_of(p);
}
DEVICE int32_t channel_of(int32_t group) { return TILE_N == 128 ? group * 64 : 0; }
DEVICE int32_t pixel_of(int32_t group) { return TILE_N == 128 ? 0 : group * MINE; }

/* Begins to bring the residual of the chunk at the cursor to its place. */
DEVICE void fetch(const ingot__patch &p, const cursor &c, unsigned char *chunks, int32_t group) {
  if (c.index >= p.tiles || !p.has_residual) return;
  const spot s = spot_at(p, c.index);
  const int32_t n = s.n + channel_of(group);
  const places at = places_of(p, s, pixel_of(group) + c.chunk * CHUNK);
  const ELEMENT *from = static_cast<const ELEMENT *>(p.residual) + n;
  unsigned char *chunk = chunks + c.place * CHUNK_BYTES;
  if (!p.direct) each_piece(chunk, at.residual, p.n - n, [&](unsigned char *to, int64_t place) { copy_16(to, from + place); });
  else each_element(chunk, at.residual, p.n - n, [&](ELEMENT *to, int64_t place) { *to = from[place]; });
  copy_commit();
}

DEVICE void move_results(const ingot__patch &p, unsigned char *chunks, barriers *b, int32_t group) {
  chunks += group * (CHUNKS * CHUNK_BYTES);
  cursor in = {first_of(p), 0, 0}, ready = in, out = in; /* what is fetched next, what was fetched last, what is stored next */
  grid_wait();
#pragma unroll 1
  for (int32_t turn = 0; out.index < p.tiles; turn++) {
    if (turn > 0 && ready.index < p.tiles) {
      copy_wait<0>();
      mbarrier_arrive(&b->ready[group][ready.place]); /* each lane for what it has brought */
    }
    if (turn > 1) { /* the first two turns only fetch, as there are two places */
      barrier_sync(done_in(group, out.place), HANDING);
      const spot s = spot_at(p, out.index);
      const int32_t n = s.n + channel_of(group);
      const places at = places_of(p, s, pixel_of(group) + out.chunk * CHUNK);
      ELEMENT *to = static_cast<ELEMENT *>(p.out) + n;
      unsigned char *chunk = chunks + out.place * CHUNK_BYTES;
      if (!p.direct)
        each_piece(chunk, at.out, p.n - n, [&](unsigned char *from, int64_t place) {
          *reinterpret_cast<word4 *>(to + place) = *reinterpret_cast<const word4 *>(from);
        });
      else each_element(chunk, at.out, p.n - n, [&](ELEMENT *from, int64_t place) { to[place] = *from; });
      __syncwarp();
      cursor_next(p, &out);
    }
    fetch(p, in, chunks, group);
    ready = in;
    cursor_next(p, &in);
  }
}

/* A warp has read a stage of weights. */
DEVICE void leave(const ingot__patch &p, barriers *b, int32_t stage) {
  const int32_t lane = threadIdx.x % 32;
  if (p.resident || lane >= p.pair) return;
  if (p.pair == 1 || lane == (int32_t)cluster_rank()) mbarrier_arrive(&b->empty[stage]);
  else mbarrier_arrive_at(&b->empty[stage], lane);
}

DEVICE void multiply(const ingot__patch &p, unsigned char *patches, unsigned char *weights, unsigned char *chunks, barriers *b) {
  const int32_t group = threadIdx.x / 128, lane = threadIdx.x % 32, warp = threadIdx.x % 128 / 32;
  chunks += group * (CHUNKS * CHUNK_BYTES);
  int32_t patch = 0, stage = 0, place = 0;
  uint32_t patch_parity = 0, parity = 0, chunk_parity = 0;
  const uint32_t group_bytes = p.group * 128, line_bytes = p.grow_y * p.pitch * 128, step_bytes = p.grow_x * 128;
  float sum[MINE / 2];

  for (int32_t index = first_of(p); index < p.tiles; index += step_of(p)) {
    const spot s = spot_at(p, index);
    /* This thread's rows of out^T are two channels. */
    const int32_t channel = s.n + channel_of(group) + warp * 16 + lane / 4;
    const float *all = static_cast<const float *>(p.bias);
    const float bias[2] = {all && channel < p.n ? all[channel] : 0, all && channel + 8 < p.n ? all[channel + 8] : 0};
    const uint32_t first_bytes = (s.start + pixel_of(group) / 8 * p.group) * 128;
    if (p.resident) stage = 0;
    int32_t before = 0, taps = p.taps_x * p.taps_y;
    for (int32_t slice = 0; slice < p.slices; slice++) {
      mbarrier_wait(&b->patch_full[patch], patch_parity);
      int32_t tap_x = 0;
      uint32_t line = first_bytes, at = first_bytes;
      for (int32_t tap = 0; tap < taps; tap++) {
        mbarrier_wait(&b->full[stage], parity);
        const matrix w = matrix_at(weights + stage * WEIGHT_BYTES + channel_of(group) * 128, 128, 1024, 0);
        const matrix x = matrix_at(patches + patch * PATCH_BYTES + at, 128, group_bytes, 0);
        wgmma_fence();
#pragma unroll
        for (int k = 0; k < 4; k++) wgmma<ELEMENT, MINE, 0, 0>(sum, matrix_on(w, k * 32), matrix_on(x, k * 32), k > 0 || tap > 0 || slice > 0);
        wgmma_commit();
        wgmma_wait<1>(); /* the tap before */
        if (slice > 0 || tap > 0) leave(p, b, before);
        if (lane == 0 && slice > 0 && tap == 0) mbarrier_arrive(&b->patch_empty[patch ^ 1]); /* the slice before */
        before = stage;
        if (++stage == STAGES && !p.resident) stage = 0, parity ^= 1;
        at += step_bytes;
        if (++tap_x == p.taps_x) tap_x = 0, at = line += line_bytes;
      }
      if ((patch ^= 1) == 0) patch_parity ^= 1;
    }
    wgmma_wait<0>();
    leave(p, b, before);
    if (lane == 0) mbarrier_arrive(&b->patch_empty[patch ^ 1]);
    wgmma_hold(sum);

#pragma unroll
    for (int c = 0; c < TILE_CHUNKS; c++) {
      unsigned char *chunk = chunks + place * CHUNK_BYTES;
      mbarrier_wait(&b->ready[group][place], chunk_parity);
#pragma unroll
      for (int j = 0; j < CHUNK / 8; j += 2) { /* 16 pixels: four matrices of 8 x 8, channels then pixels */
        unsigned char *at = piece_at(chunk, 8 * j + lane / 16 * 8 + lane % 8, warp * 2 + lane / 8 % 2);
        const float *d = &sum[c * (CHUNK / 2) + j * 4];
        uint32_t word[4];
        if (p.has_residual) matrices_load_transposed(at, word);
#pragma unroll
        for (int i = 0; i < 4; i++) {
          float low = d[2 * i] + bias[i % 2], high = d[2 * i + 1] + bias[i % 2];
          if (p.has_residual) low += to_float(ELEMENT{(uint16_t)word[i]}), high += to_float(ELEMENT{(uint16_t)(word[i] >> 16)});
          word[i] = finish_pair<ELEMENT>(p.act_alpha, p.act_beta, low, high);
        }
        matrices_store_transposed(at, word);
      }
      barrier_arrive(done_in(group, place), HANDING);
      if ((place ^= 1) == 0) chunk_parity ^= 1;
    }
  }
}

KERNEL(convolve_patches, ingot__patch, THREADS, 1) {
  SHARED(unsigned char, patches);
  unsigned char *weights = patches + 2 * PATCH_BYTES, *chunks = weights + STAGES * WEIGHT_BYTES;
  barriers *b = reinterpret_cast<barriers *>(chunks + 2 * CHUNKS * CHUNK_BYTES);
  const int32_t mover = (int32_t)(threadIdx.x / 32) - 8;
  if (threadIdx.x == 256) {
    for (int i = 0; i < 2; i++) {
      mbarrier_init(&b->patch_full[i], 1);
      mbarrier_init(&b->patch_empty[i], 8); /* the warps that multiply */
      for (int j = 0; j < CHUNKS; j++) mbarrier_init(&b->ready[i][j], 32);
    }
    for (int i = 0; i < STAGES; i++) mbarrier_init(&b->full[i], 1), mbarrier_init(&b->empty[i], 8 * p.pair);
    mbarrier_ready();
  }
  if (p.pair == 2) cluster_arrive(), cluster_wait();
  __syncthreads();
  grid_launch();
  if (mover >= 0) {
    registers_fewer<FEWER>();
    if (mover == 0 && threadIdx.x % 32 == 0) move_lines(p, patches, b);
    if (mover == 1 && threadIdx.x % 32 == 0) move_weights(p, weights, b);
    if (mover >= 2) move_results(p, chunks, b, mover - 2);
    __syncwarp();
  } else {
    registers_more<MORE>();
    multiply(p, patches, weights, chunks, b);
  }
  if (p.pair == 2) cluster_arrive(), cluster_wait(); /* the other may still arrive at this one's barriers */
}
