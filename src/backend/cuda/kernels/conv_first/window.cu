/* Convolutions of one to four channels (sm_90a): what networks begin with. The products are out^T (64 channels x 8 TILE_Y pixels) += W X^T: a
 * block's one warpgroup has the weights in registers for good, goes over tiles of TILE_Y lines of 8 output pixels, and reads pixels in shared
 * memory as they lie: nothing is gathered, since a matrix without swizzling is rows of 16 bytes (8 of K), 8 of which (neighbouring pixels)
 * follow one another, with any distance to the next 8 rows (the next line's) and to the next 8 of K (taps further on), and matrices may overlap.
 *
 * K is a list of pairs of taps: of each of the window's lines, two columns side by side, four channels each (zeros past the last). So a
 * pixel of 4 channels and its right neighbour are a row, and those of neighbouring outputs must be 16 bytes apart: at stride 2 a patch of
 * the image has that by itself; at other even strides pairs of columns are dealt to planes; at odd ones every pixel is there twice, as
 * the left one of a row and as the right one of another. The last pair of a window of odd width has a column too many: its weights are 0 (so
 * an infinity there makes a NaN).
 *
 * While products run the next tile's pixels are fetched and the last one's results leave, by way of shared memory, whole pixels at a time.
 *
 * Defined before: ELEMENT, CHANNELS, KH, KW, STRIDE_Y, STRIDE_X, DILATION_Y (DILATION_X is 1), COLUMNS (channels that a block stores: 16, 32 or
 * 64), TILE_Y (8 or 16), MIN_BLOCKS, ACT. */
#include "ingot.cuh"
#include "divide.cuh"
#include "conv_first/conv_first.h"
#include "conv_first/registers.cuh"
#include "act.cuh"
typedef ELEMENT T;

enum {
  THREADS = 128, TILE_X = 8, PIXELS = TILE_X * TILE_Y, PAIRS = (KW + 1) / 2, STEPS = (KH * PAIRS + 1) / 2,
  TWICE = STRIDE_X % 2, PLANES = TWICE ? STRIDE_X : STRIDE_X / 2,
  PLANE = (TILE_X + 2 * (PAIRS - 1) / STRIDE_X) * 16, LINE = PLANES * PLANE, /* bytes */
  PATCH_Y = (TILE_Y - 1) * STRIDE_Y + (KH - 1) * DILATION_Y + 1, PATCH_X = (TILE_X - 1) * STRIDE_X + 2 * PAIRS, PATCH = PATCH_Y * PATCH_X,
  ROUNDS = (PATCH + THREADS - 1) / THREADS, MOST = CHANNELS == 4 ? 4 : CHANNELS == 3 ? 7 : 10, /* pixels of a thread; that registers have room for */
  BATCH = ROUNDS < MOST ? ROUNDS : MOST,              /* pixels that a thread fetches at once */
  CHUNKS = COLUMNS / 8, STAGED = PIXELS * COLUMNS * 2 /* 16-byte pieces of a pixel's results; bytes of a tile's */
};

struct spot { int x, y, image; }; /* of its first output */
DEVICE spot spot_of(const conv_first_params &p, uint32_t tile) {
  spot s;
  s.x = (int)divide_rest(tile, p.tiles_x) * TILE_X, s.y = (int)divide_rest(tile, p.tiles_y) * TILE_Y, s.image = (int)tile;
  return s;
}

/* The thread's number, as if it were another one each time: what follows from it is then computed where it is used, and not kept over the products,
 * which leave few registers. */
DEVICE int thread_anew() {
#ifndef INGOT_EMULATED
  int i;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(i));
  return i;
#else
  return threadIdx.x;
#endif
}

/* ---- Pixels of a patch, from memory of either layout. */
struct fetched { T x[BATCH][CHANNELS]; };
DEVICE void fetch(fetched &f, const conv_first_params &p, uint32_t tile, int round) {
  const spot s = spot_of(p, tile);
  const int y0 = s.y * STRIDE_Y - p.pad_y, x0 = s.x * STRIDE_X - p.pad_x;
  const unsigned char *corner = (const unsigned char *)((const T *)p.in + (int64_t)s.image * p.in_image + y0 * p.in_line + x0 * p.in_pixel);
  const uint32_t line = (uint32_t)p.in_line * sizeof(T), pixel = (uint32_t)p.in_pixel * sizeof(T); /* a patch's reach is below 2^32 bytes */
  const int thread = thread_anew();
#pragma unroll
  for (int b = 0; b < BATCH; b++) {
    const int i = thread + (round + b) * THREADS, v = i / PATCH_X, u = i % PATCH_X;
    const bool there = i < PATCH && (uint32_t)(y0 + v) < (uint32_t)p.height && (uint32_t)(x0 + u) < (uint32_t)p.width;
    const uint32_t from = v * line + u * pixel;
#pragma unroll
    for (int c = 0; c < CHANNELS; c++) f.x[b][c] = there ? *(const T *)(corner + c * p.in_channel * (int)sizeof(T) + from) : T{};
  }
}
DEVICE void put(const fetched &f, unsigned char *patch, int round) {
  const int thread = thread_anew();
#pragma unroll
  for (int b = 0; b < BATCH; b++) {
    const int i = thread + (round + b) * THREADS, v = i / PATCH_X, u = i % PATCH_X;
    if (i >= PATCH) continue;
    vec<T, 4> pixel;
#pragma unroll
    for (int c = 0; c < 4; c++) pixel[c] = c < CHANNELS ? f.x[b][c < CHANNELS ? c : 0] : T{};
    unsigned char *line = patch + v * LINE;
    if (!TWICE) store((T *)(line + u / 2 % PLANES * PLANE + u / 2 / PLANES * 16 + u % 2 * 8), pixel);
    else {
      if (u < PATCH_X - 1) store((T *)(line + u % PLANES * PLANE + u / PLANES * 16), pixel);
      if (u > 0) store((T *)(line + (u - 1) % PLANES * PLANE + (u - 1) / PLANES * 16 + 8), pixel);
    }
  }
}

/* Where the first pixel's row of a pair of taps lies in the patch. */
DEVICE int place(int pair) {
  const int tap = pair % PAIRS * 2;
  return pair / PAIRS * DILATION_Y * LINE + tap % STRIDE_X / (TWICE ? 1 : 2) * PLANE + tap / STRIDE_X * 16;
}
/* The pixels for a step's two pairs, the one that lies first in the patch first; the last step may have one alone. */
DEVICE matrix pixels_of(matrix patch, int step) {
  const int a = place(2 * step), b = place(2 * step + 1 < KH * PAIRS ? 2 * step + 1 : 2 * step), first = a < b ? a : b;
  return matrix_on(patch, first) + ((uint64_t)((a < b ? b - a : a - b) >> 4) << 16);
}

/* ---- Results: a tile's pixels with 16-byte pieces of channels, which are exchanged so that neither side meets in a bank. */
DEVICE int exchanged(int pixel, int piece) { return piece ^ pixel % 8 / (8 / CHUNKS); }

DEVICE void stage(const conv_first_params &p, float (&sums)[PIXELS / 2], const float *bias, unsigned char *staged) {
  const int thread = thread_anew(), warp = thread / 32, l = thread % 32;
  if (warp * 16 >= COLUMNS) return;
  const float own[2] = {bias[warp * 16 + l / 4], bias[warp * 16 + l / 4 + 8]}; /* kept in memory: registers are few */
  unsigned char *row = staged + (l / 16 * 8 + l % 8) * (CHUNKS * 16) + exchanged(l % 8, warp * 2 + l / 8 % 2) * 16;
#pragma unroll
  for (int j = 0; j < PIXELS / 8; j += 2) {
    uint32_t x[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float *d = &sums[4 * j + 2 * i], b = own[i % 2];
      x[i] = from_pair<T>(activate(ACT, p.act_alpha, p.act_beta, d[0] + b), activate(ACT, p.act_alpha, p.act_beta, d[1] + b));
    }
    matrices_store_transposed(row + j * 8 * (CHUNKS * 16), x);
  }
}

DEVICE void leave(const conv_first_params &p, const unsigned char *staged, uint32_t tile) {
  const spot s = spot_of(p, tile);
  const int thread = thread_anew(), piece = thread % CHUNKS, first = thread / CHUNKS, x = s.x + first % 8, n = blockIdx.y * 64 + piece * 8;
  const unsigned char *from = staged + first * (CHUNKS * 16) + exchanged(first % 8, piece) * 16;
  if (x >= p.out_width || n >= p.out_channels) return;
  int y = s.y + first / 8;
  T *to = (T *)p.out + (int64_t)s.image * p.out_image + y * p.out_line + x * p.out_pixel + n;
  if (p.vector && n + 8 <= p.out_channels) {
#pragma unroll 4
    for (int i = 0; i < STAGED / 16 / THREADS; i++, y += THREADS / CHUNKS / 8, to += THREADS / CHUNKS / 8 * p.out_line)
      if (y < p.out_height) store(to, load<8>((const T *)(from + i * (THREADS * 16))));
  } else {
#pragma unroll 1
    for (int i = 0; i < STAGED / 16 / THREADS && y < p.out_height; i++, y += THREADS / CHUNKS / 8, to += THREADS / CHUNKS / 8 * p.out_line) {
      const vec<T, 8> v = load<8>((const T *)(from + i * (THREADS * 16)));
#pragma unroll
      for (int k = 0; k < 8; k++)
        if (n + k < p.out_channels) to[k] = v[k];
    }
  }
}

KERNEL(conv_first_window, conv_first_params, THREADS, MIN_BLOCKS) {
  SHARED(unsigned char, shared);
  unsigned char *patches = shared + 2 * STAGED;
  grid_launch();
  uint32_t weights[STEPS][4];
  const word4 *packed = (const word4 *)p.weights + (int64_t)blockIdx.y * (STEPS * THREADS) + threadIdx.x;
#pragma unroll
  for (int i = 0; i < STEPS; i++) {
    const word4 w = packed[i * THREADS];
    weights[i][0] = w.x, weights[i][1] = w.y, weights[i][2] = w.z, weights[i][3] = w.w;
  }
  grid_wait();
  uint32_t tile = blockIdx.x;
#pragma unroll 1
  for (int round = 0; round < ROUNDS; round += BATCH) {
    fetched f;
    fetch(f, p, tile, round);
    put(f, patches, round);
  }
  float *bias = (float *)(shared + 2 * (STAGED + PATCH_Y * LINE));
  if (threadIdx.x < 64) {
    const int n = blockIdx.y * 64 + threadIdx.x;
    bias[threadIdx.x] = p.bias && n < p.out_channels ? to_float(((const T *)p.bias)[n]) : 0;
  }
  async_fence();
  __syncthreads();
  int turn = 0;
#pragma unroll 1
  for (;; tile += gridDim.x, turn ^= 1) {
    float sums[PIXELS / 2];
    const uint32_t next = tile + gridDim.x;
    unsigned char *next_patch = patches + (turn ^ 1) * (PATCH_Y * LINE);
    fetched f;
    if (next < p.tiles) fetch(f, p, next, 0); /* before the products: a warp issues nothing else until the last of them has begun */
    const matrix patch = matrix_at(patches + turn * (PATCH_Y * LINE), 0, STRIDE_Y * LINE, 0);
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < STEPS; i++) wgmma<T, PIXELS>(sums, weights[i], pixels_of(patch, i), i);
    wgmma_commit();
    if (tile != blockIdx.x) leave(p, shared + (turn ^ 1) * STAGED, tile - gridDim.x);
    if (next < p.tiles) {
      put(f, next_patch, 0);
#pragma unroll 1
      for (int round = BATCH; round < ROUNDS; round += BATCH) {
        fetch(f, p, next, round);
        put(f, next_patch, round);
      }
    }
    wgmma_wait<0>();
    wgmma_hold(sums);
    stage(p, sums, bias, shared + turn * STAGED);
    async_fence();
    __syncthreads(); /* the next patch and these results are there; the other two places are free */
    if (next >= p.tiles) break;
  }
  leave(p, shared + turn * STAGED, tile);
}
