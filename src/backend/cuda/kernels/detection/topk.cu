/* TopK: a block sorts a chunk of a line in shared memory (a bitonic network) and keeps the k best; chunks' best are sorted again until one
 * chunk is left. For a large k the whole line is sorted, by the same network in steps of a launch. Among equals the first comes first; NaN
 * counts as larger than all. Defined before: TYPE, SIGNED for integers. */
#include "ingot.cuh"
#include "detection/topk.h"

/* Bits that sort, as unsigned numbers, as the elements do; zeros of both signs are equal, and so are all NaN. */
DEVICE uint32_t sortable(float x) {
  if (x != x) return 0xffffffffu;
  uint32_t bits = float_bits(x + 0.0f);
  if (bits == 0x80000000u) bits = 0;
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
DEVICE uint32_t sortable(half x) { return sortable(to_float(x)); }
DEVICE uint32_t sortable(bfloat x) { return sortable(to_float(x)); }
#if INTEGER
DEVICE uint32_t sortable(TYPE x) { return SIGNED ? (uint32_t)(int32_t)x ^ 0x80000000u : (uint32_t)x; }
#endif
DEVICE uint64_t item_of(const topk_params &p, int64_t line, int64_t i) {
  const int64_t at = line / p.inner * p.n * p.inner + line % p.inner + i * p.inner;
  const uint32_t key = sortable(static_cast<const TYPE *>(p.x)[at]);
  return (uint64_t)(p.largest ? key : ~key) << 32 | (0xffffffffu - (uint32_t)i);
}
DEVICE void put(const topk_params &p, int64_t line, int64_t rank, uint64_t item) {
  const int64_t i = 0xffffffffu - (uint32_t)item, begin = line / p.inner * p.inner, to = begin * p.k + line % p.inner + rank * p.inner;
  if (p.values) static_cast<TYPE *>(p.values)[to] = static_cast<const TYPE *>(p.x)[begin * p.n + line % p.inner + i * p.inner];
  if (p.indices) p.indices[to] = i;
}

/* Steps of the network on items in shared memory: runs of `run` become sorted, from distance `stride` down. first: the place of the first
 * item among all. */
DEVICE void network(uint64_t *items, int width, int64_t first, int64_t run, int stride) {
  for (; stride > 0; stride /= 2) {
    __syncthreads();
    for (int t = threadIdx.x; t < width / 2; t += blockDim.x) {
      const int a = t / stride * 2 * stride + t % stride, b = a + stride;
      const bool rising = ((first + a) & run) != 0; /* the last run of all falls */
      const uint64_t u = items[a], v = items[b];
      if ((u < v) != rising) items[a] = v, items[b] = u;
    }
  }
  __syncthreads();
}

KERNEL(topk_chunk, topk_params, 1024, 1) {
  SHARED(uint64_t, items);
  grid_wait();
  grid_launch();
  const int64_t line = blockIdx.x / (unsigned)p.chunks, begin = (int64_t)(blockIdx.x % (unsigned)p.chunks) * p.width;
  for (int i = threadIdx.x; i < p.width; i += blockDim.x) {
    uint64_t item = 0;
    if (begin + i < p.count) item = p.from ? p.from[line * p.count + begin + i] : item_of(p, line, begin + i);
    items[i] = item;
  }
  for (int run = 2; run <= p.width; run *= 2) network(items, p.width, 0, run, run / 2);
  if (p.width == 1) __syncthreads();
  for (int i = threadIdx.x; i < p.keep; i += blockDim.x) {
    if (p.to) p.to[(int64_t)blockIdx.x * p.keep + i] = items[i];
    else if (i < p.k) put(p, line, i, items[i]);
  }
}

/* ---- Whole lines. */
KERNEL(topk_fill, topk_params, 256, 1) { /* and sorts runs of `width` */
  SHARED(uint64_t, items);
  grid_wait();
  grid_launch();
  const int64_t blocks = p.padded / p.width, line = blockIdx.x / blocks, begin = blockIdx.x % blocks * p.width;
  for (int i = threadIdx.x; i < p.width; i += blockDim.x) items[i] = begin + i < p.n ? item_of(p, line, begin + i) : 0;
  for (int run = 2; run <= p.width; run *= 2) network(items, p.width, begin, run, run / 2);
  for (int i = threadIdx.x; i < p.width; i += blockDim.x) p.to[line * p.padded + begin + i] = items[i];
}
KERNEL(topk_far, topk_params, 256, 1) { /* one step between items further apart than a block's */
  grid_wait();
  grid_launch();
  const int64_t t = (int64_t)blockIdx.x * 256 + threadIdx.x, half_line = p.padded / 2, line = t / half_line, i = t % half_line;
  const int64_t a = i / p.stride * 2 * p.stride + i % p.stride;
  uint64_t *items = p.to + line * p.padded;
  const bool rising = (a & p.run) != 0;
  const uint64_t u = items[a], v = items[a + p.stride];
  if ((u < v) != rising) items[a] = v, items[a + p.stride] = u;
}
KERNEL(topk_near, topk_params, 256, 1) { /* the steps within a block's items */
  SHARED(uint64_t, items);
  grid_wait();
  grid_launch();
  const int64_t blocks = p.padded / p.width, line = blockIdx.x / blocks, begin = blockIdx.x % blocks * p.width;
  uint64_t *own = p.to + line * p.padded + begin;
  for (int i = threadIdx.x; i < p.width; i += blockDim.x) items[i] = own[i];
  network(items, p.width, begin, p.run, p.width / 2);
  for (int i = threadIdx.x; i < p.width; i += blockDim.x) own[i] = items[i];
}
KERNEL(topk_put, topk_params, 256, 1) {
  grid_wait();
  grid_launch();
  const int64_t blocks = (p.k + 255) / 256, line = blockIdx.x / blocks, rank = blockIdx.x % blocks * 256 + threadIdx.x;
  if (rank < p.k) put(p, line, rank, p.from[line * p.padded + rank]);
}
