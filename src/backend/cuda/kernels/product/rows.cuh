/* Steps of an operand into shared memory: rows of a matrix, strided rows, windows of a convolution. Each is made for the first step and then
 * loads one step after another. What lies outside of the operand becomes zeros. */
#pragma once
#include "product/tile.cuh"
#include "copy_async.cuh"

/* `valid` (0 to CHUNK) elements and zeros after them. step: bytes that `from` is aligned to. */
DEVICE void copy_chunk(unsigned char *to, const T *from, int valid, int step) {
  if (step == 16) copy_async16(to, from, valid * (int)sizeof(T));
  else if (step == 4 || sizeof(T) == 4) {
    for (int i = 0; i < 4; i++) {
      int bytes = valid * (int)sizeof(T) - 4 * i;
      copy_async4(to + 4 * i, (const unsigned char *)from + 4 * i, bytes < 0 ? 0 : bytes > 4 ? 4 : bytes);
    }
  } else {
    vec<T, CHUNK> v;
    for (int i = 0; i < CHUNK; i++) {
      v[i] = T{};
      if (i < valid) v[i] = from[i];
    }
    store((T *)to, v);
  }
}
DEVICE int at_most_chunk(int64_t n) { return n < 0 ? 0 : n > CHUNK ? CHUNK : (int)n; }

/* ROWS rows of k side by side. */
template <int ROWS> struct matrix_rows {
  enum { PASS = THREADS / 8, N = ROWS / PASS };
  const T *from;                /* chunk of this thread's first row */
  int64_t pass;                 /* to its next row */
  int k, step;                  /* k's that are left from this chunk on */
  uint32_t inside;              /* bit i: its i-th row is there */
  uint32_t to;                  /* where its first chunk goes; PASS is a multiple of 8, so the next rows' are PASS * 128 bytes on */
  __device__ __forceinline__ matrix_rows(const T *data, int64_t stride, int copy, uint32_t first, uint32_t rows, uint32_t k_first,
                                         uint32_t k_all) {
    const uint32_t row = threadIdx.x / 8, c = threadIdx.x % 8;
    from = data + (first + row) * stride + k_first + c * CHUNK;
    pass = stride * PASS;
    k = (int)k_all - (int)(k_first + c * CHUNK);
    step = copy;
    inside = 0;
    for (int i = 0; i < N; i++) inside |= (uint32_t)(first + row + i * PASS < rows) << i;
    to = chunk_at(row, c);
  }
  __device__ __forceinline__ void load(unsigned char *shared) {
    const int valid = at_most_chunk(k);
    if (step == 16) {
#pragma unroll
      for (int i = 0; i < N; i++) copy_chunk(shared + to + i * PASS * 128, from + i * pass, inside >> i & 1 ? valid : 0, 16);
    } else {
#pragma unroll 1
      for (int i = 0; i < N; i++) copy_chunk(shared + to + i * PASS * 128, from + i * pass, inside >> i & 1 ? valid : 0, step);
    }
    from += STEP, k -= STEP;
  }
};

/* Rows of one k each, W of the operand's m or n side by side. */
template <int W> struct strided_rows {
  enum { CHUNKS = W / CHUNK, PASS = THREADS / CHUNKS, N = STEP / PASS };
  const T *from;
  int64_t row;
  int k, valid, step;           /* k's that are left from its first row on */
  uint32_t r, c;
  __device__ __forceinline__ strided_rows(const T *data, int64_t stride, int copy, uint32_t first, uint32_t all, uint32_t k_first,
                                          uint32_t k_all) {
    static_assert(N >= 1, "more threads than chunks");
    r = threadIdx.x / CHUNKS, c = threadIdx.x % CHUNKS;
    from = data + (k_first + r) * stride + first + c * CHUNK;
    row = stride;
    k = (int)k_all - (int)(k_first + r);
    valid = at_most_chunk((int64_t)all - (int64_t)(first + c * CHUNK));
    step = copy;
  }
  __device__ __forceinline__ void load(unsigned char *shared) {
    if (step == 16) {
#pragma unroll
      for (int i = 0; i < N; i++)
        copy_chunk(shared + strided_chunk_at<W>(r + i * PASS, c), from + i * PASS * row, i * PASS < k ? valid : 0, 16);
    } else {
#pragma unroll 1
      for (int i = 0; i < N; i++)
        copy_chunk(shared + strided_chunk_at<W>(r + i * PASS, c), from + i * PASS * row, i * PASS < k ? valid : 0, step);
    }
    from += STEP * row, k -= STEP;
  }
};

#if WINDOW
/* A convolution's windows: a row is an output pixel. kernel: taps z y x of this product; pad: of the first. */
struct window_rows {
  enum { PASS = THREADS / 8, N = BM / PASS };
  const T *from[N];             /* the first tap's first channel; may lie outside of the image */
  int y[N], x[N];               /* the first tap's place */
#if WINDOW == 3
  int z[N], tz;
#endif
  int ty, tx, channel;          /* of the next chunk */
  uint32_t to;
  int kernel[3], pad[3];
  const T *data;
  uint32_t first;

  /* Row i's place; y is far outside if there is no such row. */
  __device__ __forceinline__ void place(const product_params &p, int i, const T *&at, int &z0, int &y0, int &x0) {
    const product_window &w = p.window;
    const uint32_t m = first + threadIdx.x / 8 + i * PASS;
    const uint32_t line = divided(m, w.out[2]), ox = m - line * w.out[2].by;
    const uint32_t plane = divided(line, w.out[1]), oy = line - plane * w.out[1].by;
#if WINDOW == 3
    const uint32_t image = divided(plane, w.out[0]), oz = plane - image * w.out[0].by;
    z0 = (int)oz * w.stride[0] - pad[0];
#else
    const uint32_t image = plane;
    z0 = 0;
#endif
    y0 = (int)oy * w.stride[1] - pad[1], x0 = (int)ox * w.stride[2] - pad[2];
    at = data + image * w.image + z0 * w.place[0] + y0 * w.place[1] + x0 * w.place[2];
    if (m >= p.m) y0 = -(1 << 30);
  }
  __device__ __forceinline__ window_rows(const product_params &p, const T *data_, uint32_t first_, uint32_t k_first, const int kernel_[3],
                                         const int pad_[3]) {
    data = data_, first = first_;
    for (int i = 0; i < 3; i++) kernel[i] = kernel_[i], pad[i] = pad_[i];
    for (int i = 0; i < N; i++) {
      int z0;
      place(p, i, from[i], z0, y[i], x[i]);
#if WINDOW == 3
      z[i] = z0;
#endif
    }
    const uint32_t c = threadIdx.x % 8, k = k_first + c * CHUNK, tap = k / p.window.padded;
    channel = (int)(k - tap * p.window.padded);
    const uint32_t line = kernel[2] ? tap / kernel[2] : 0;
    tx = (int)(tap - line * kernel[2]);
#if WINDOW == 3
    tz = (int)(line / kernel[1]), ty = (int)line - tz * kernel[1];
#else
    ty = (int)line;
#endif
    to = chunk_at(threadIdx.x / 8, c);
  }
  __device__ __forceinline__ void load(const product_params &p, unsigned char *shared) {
    const product_window &w = p.window;
    const int dy = ty * w.step[1], dx = tx * w.step[2];
    int64_t tap = dy * w.place[1] + dx * w.place[2] + channel;
    int valid = at_most_chunk((int)w.channels - channel);
#if WINDOW == 3
    const int dz = tz * w.step[0];
    tap += dz * w.place[0];
    if (tz >= kernel[0]) valid = 0;
#else
    if (ty >= kernel[1]) valid = 0;
#endif
    if (p.a.copy == 16) {
#pragma unroll
      for (int i = 0; i < N; i++) {
        bool there = (uint32_t)(y[i] + dy) < (uint32_t)w.in[1] && (uint32_t)(x[i] + dx) < (uint32_t)w.in[2];
#if WINDOW == 3
        there = there && (uint32_t)(z[i] + dz) < (uint32_t)w.in[0];
#endif
        copy_chunk(shared + to + i * PASS * 128, from[i] + tap, there ? valid : 0, 16);
      }
    } else { /* places are computed again: arrays aren't indexed by what isn't known */
#pragma unroll 1
      for (int i = 0; i < N; i++) {
        const T *at;
        int z0, y0, x0;
        place(p, i, at, z0, y0, x0);
        bool there = (uint32_t)(y0 + dy) < (uint32_t)w.in[1] && (uint32_t)(x0 + dx) < (uint32_t)w.in[2];
#if WINDOW == 3
        there = there && (uint32_t)(z0 + dz) < (uint32_t)w.in[0];
#endif
        copy_chunk(shared + to + i * PASS * 128, at + tap, there ? valid : 0, p.a.copy);
      }
    }
    channel += STEP;
    while (channel >= (int)w.padded) {
      channel -= (int)w.padded;
      if (++tx == kernel[2]) {
        tx = 0, ty++;
#if WINDOW == 3
        if (ty == kernel[1]) ty = 0, tz++;
#endif
      }
    }
  }
};
#endif
