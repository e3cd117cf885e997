/* Memory that moves by itself: barriers in shared memory, the tensor copy engine (sm_90), copies of 16 bytes (sm_80), clusters, barriers of
 * some of the block's warps. Each has a form for the emulation, where a copy is done when its function returns and a barrier in shared memory
 * is a count in its 8 bytes. */
#pragma once
#include "types.cuh"

#ifndef INGOT_EMULATED
/* A tensor map in a struct of parameters: ingot__cuda_map on the C side. */
struct __align__(64) ingot__cuda_map { unsigned char bytes[128]; };
DEVICE uint32_t shared_address(const void *p) { return (uint32_t)__cvta_generic_to_shared(p); }
/* An address of this block's shared memory as seen at block `rank` of the cluster. */
DEVICE uint32_t shared_address_at(const void *p, uint32_t rank) {
  uint32_t at;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(at) : "r"(shared_address(p)), "r"(rank));
  return at;
}
#else
#include "emulated_map.h"
struct alignas(64) ingot__cuda_map { unsigned char bytes[128]; };
DEVICE uint32_t shared_address(const void *p) {
  return (uint32_t)(static_cast<const unsigned char *>(p) - emulated_shared(emulated_cluster_rank()));
}
DEVICE unsigned char *emulated_at(const void *p, uint32_t rank) { return emulated_shared(rank) + shared_address(p); }
#endif

/* ---- Barriers in shared memory: a phase ends when `count` arrivals have come and all bytes that were announced; parity 0 is the first's.
 * mbarrier_ready() after the inits, before the block's (the cluster's) barrier. */
typedef uint64_t mbarrier;
#ifndef INGOT_EMULATED
DEVICE void mbarrier_init(mbarrier *b, uint32_t count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(b)), "r"(count) : "memory");
}
DEVICE void mbarrier_ready() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
/* Arrives, and announces bytes that the copy engine will bring. */
DEVICE void mbarrier_expect(mbarrier *b, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(b)), "r"(bytes) : "memory");
}
DEVICE void mbarrier_arrive(mbarrier *b) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(b)) : "memory"); }
/* At the barrier that block `rank` has in the same place. It tells of no writes of this thread: a release for the cluster would be a fence for
 * the whole GPU each time. */
DEVICE void mbarrier_arrive_at(mbarrier *b, uint32_t rank) {
  asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(shared_address_at(b, rank)) : "memory");
}
DEVICE bool mbarrier_test(mbarrier *b, uint32_t parity) {
  uint32_t done;
  asm volatile("{\n .reg .pred p;\n mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n selp.u32 %0, 1, 0, p;\n}"
               : "=r"(done)
               : "r"(shared_address(b)), "r"(parity)
               : "memory");
  return done != 0;
}
DEVICE void mbarrier_wait(mbarrier *b, uint32_t parity) {
  while (!mbarrier_test(b, parity)) {}
}
#else
struct emulated_mbarrier { uint16_t pending, count; int32_t phase : 1, bytes : 31; };
DEVICE emulated_mbarrier *emulated_barrier_of(mbarrier *b) { return reinterpret_cast<emulated_mbarrier *>(b); }
DEVICE void emulated_settle(emulated_mbarrier *e) {
  if (e->pending || e->bytes) return;
  e->pending = e->count;
  e->phase = ~e->phase;
  emulated_progress();
}
DEVICE void emulated_came(mbarrier *b, uint32_t bytes) {
  emulated_barrier_of(b)->bytes -= (int32_t)bytes;
  emulated_settle(emulated_barrier_of(b));
}
DEVICE void emulated_arrived(emulated_mbarrier *e) {
  if (!e->pending) emulated_fail("too many arrivals at a barrier in shared memory");
  e->pending--;
  emulated_settle(e);
}
DEVICE void mbarrier_init(mbarrier *b, uint32_t count) {
  emulated_mbarrier *e = emulated_barrier_of(b);
  e->pending = e->count = (uint16_t)count;
  e->phase = 0;
  e->bytes = 0;
}
DEVICE void mbarrier_ready() {}
DEVICE void mbarrier_expect(mbarrier *b, uint32_t bytes) {
  emulated_barrier_of(b)->bytes += (int32_t)bytes;
  emulated_arrived(emulated_barrier_of(b));
}
DEVICE void mbarrier_arrive(mbarrier *b) { emulated_arrived(emulated_barrier_of(b)); }
DEVICE void mbarrier_arrive_at(mbarrier *b, uint32_t rank) { emulated_arrived(reinterpret_cast<emulated_mbarrier *>(emulated_at(b, rank))); }
DEVICE bool mbarrier_test(mbarrier *b, uint32_t parity) { return (uint32_t)(emulated_barrier_of(b)->phase & 1) != (parity & 1); }
DEVICE void mbarrier_wait(mbarrier *b, uint32_t parity) {
  while (!mbarrier_test(b, parity)) emulated_yield();
}
#endif

/* ---- The tensor copy engine. One thread issues a copy; coordinates are innermost first. Loads tell a barrier of their bytes (all of the
 * box, with what lies outside of the tensor and comes as zeros); shared memory is aligned to 128 bytes, to 1024 for swizzles of 128. */
#ifndef INGOT_EMULATED
DEVICE void tensor_prefetch_map(const ingot__cuda_map *map) { asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory"); }
#define TENSOR_LOAD(rank, where, ...) \
  asm volatile("cp.async.bulk.tensor." rank ".shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, " where "], [%2];" ::"r"( \
                   shared_address(to)), \
               "l"(map), "r"(shared_address(b)), __VA_ARGS__ \
               : "memory")
DEVICE void tensor_load(void *to, const ingot__cuda_map *map, mbarrier *b, int x, int y) { TENSOR_LOAD("2d", "{%3, %4}", "r"(x), "r"(y)); }
DEVICE void tensor_load(void *to, const ingot__cuda_map *map, mbarrier *b, int x, int y, int z) {
  TENSOR_LOAD("3d", "{%3, %4, %5}", "r"(x), "r"(y), "r"(z));
}
DEVICE void tensor_load(void *to, const ingot__cuda_map *map, mbarrier *b, int x, int y, int z, int v) {
  TENSOR_LOAD("4d", "{%3, %4, %5, %6}", "r"(x), "r"(y), "r"(z), "r"(v));
}
DEVICE void tensor_load(void *to, const ingot__cuda_map *map, mbarrier *b, int x, int y, int z, int v, int w) {
  TENSOR_LOAD("5d", "{%3, %4, %5, %6, %7}", "r"(x), "r"(y), "r"(z), "r"(v), "r"(w));
}
#undef TENSOR_LOAD
/* The same into the same place of all the cluster's blocks whose bit is in `blocks`; each one's barrier is told. */
DEVICE void tensor_load_to(void *to, const ingot__cuda_map *map, mbarrier *b, uint16_t blocks, int x, int y, int z, int v) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%4, %5, %6, %7}], "
               "[%2], %3;" ::"r"(shared_address(to)),
               "l"(map), "r"(shared_address(b)), "h"(blocks), "r"(x), "r"(y), "r"(z), "r"(v)
               : "memory");
}
/* Pixels of an NHWC image, as many as the map says: from the window's position whose upper left is at x, y of image n on, at the window's
 * tap dx, dy to the right and down. */
DEVICE void tensor_load_windows(void *to, const ingot__cuda_map *map, mbarrier *b, int c, int x, int y, int n, int dx, int dy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], "
               "{%7, %8};" ::"r"(shared_address(to)),
               "l"(map), "r"(shared_address(b)), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)dx), "h"((uint16_t)dy)
               : "memory");
}
/* The same for all blocks of the cluster whose bit is in `blocks`. */
DEVICE void tensor_load_windows_to(void *to, const ingot__cuda_map *map, mbarrier *b, uint16_t blocks, int c, int x, int y, int n, int dx, int dy) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
               "[%1, {%3, %4, %5, %6}], [%2], {%7, %8}, %9;" ::"r"(shared_address(to)),
               "l"(map), "r"(shared_address(b)), "r"(c), "r"(x), "r"(y), "r"(n), "h"((uint16_t)dx), "h"((uint16_t)dy), "h"(blocks)
               : "memory");
}
/* Stores come in groups of a thread's; what was written to shared memory needs async_fence() by its writers and a barrier before. */
DEVICE void tensor_store(const ingot__cuda_map *map, const void *from, int x, int y, int z, int v) {
  asm volatile("cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(map), "r"(shared_address(from)),
               "r"(x), "r"(y), "r"(z), "r"(v)
               : "memory");
}
DEVICE void tensor_store(const ingot__cuda_map *map, const void *from, int x, int y, int z, int v, int w) {
  asm volatile("cp.async.bulk.tensor.5d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4, %5, %6}], [%1];" ::"l"(map),
               "r"(shared_address(from)), "r"(x), "r"(y), "r"(z), "r"(v), "r"(w)
               : "memory");
}
DEVICE void tensor_store_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
/* Until at most n of this thread's groups have shared memory left to read. */
template <int n> DEVICE void tensor_store_wait() { asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(n) : "memory"); }
DEVICE void async_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
#else
DEVICE void tensor_prefetch_map(const ingot__cuda_map *) {}
DEVICE void async_fence() {}
DEVICE uint32_t emulated_bytes(const ingot__cuda_map *map) {
  const emulated_map *m = reinterpret_cast<const emulated_map *>(map->bytes);
  uint32_t bytes = m->size * m->box[0] * m->box[1];
  if (m->kind == EMULATED_MAP_TILED)
    for (int i = 2; i < m->rank; i++) bytes *= m->box[i];
  return bytes;
}
DEVICE void emulated_load(void *to, const ingot__cuda_map *map, mbarrier *b, const int *at) {
  emulated_tensor_load_tiled(map, to, at);
  emulated_came(b, emulated_bytes(map));
}
DEVICE void tensor_load(void *to, const ingot__cuda_map *map, mbarrier *b, int x, int y) {
  const int at[] = {x, y};
  emulated_load(to, map, b, at);
}
DEVICE void tensor_load(void *to, const ingot__cuda_map *map, mbarrier *b, int x, int y, int z) {
  const int at[] = {x, y, z};
  emulated_load(to, map, b, at);
}
DEVICE void tensor_load(void *to, const ingot__cuda_map *map, mbarrier *b, int x, int y, int z, int v) {
  const int at[] = {x, y, z, v};
  emulated_load(to, map, b, at);
}
DEVICE void tensor_load(void *to, const ingot__cuda_map *map, mbarrier *b, int x, int y, int z, int v, int w) {
  const int at[] = {x, y, z, v, w};
  emulated_load(to, map, b, at);
}
DEVICE void tensor_load_to(void *to, const ingot__cuda_map *map, mbarrier *b, uint16_t blocks, int x, int y, int z, int v) {
  const int at[] = {x, y, z, v};
  for (uint32_t rank = 0; rank < 16; rank++)
    if (blocks >> rank & 1) emulated_load(emulated_at(to, rank), map, reinterpret_cast<mbarrier *>(emulated_at(b, rank)), at);
}
DEVICE void tensor_load_windows(void *to, const ingot__cuda_map *map, mbarrier *b, int c, int x, int y, int n, int dx, int dy) {
  const int at[] = {c, x, y, n};
  emulated_tensor_load_windows(map, to, at, dx, dy);
  emulated_came(b, emulated_bytes(map));
}
DEVICE void tensor_load_windows_to(void *to, const ingot__cuda_map *map, mbarrier *b, uint16_t blocks, int c, int x, int y, int n, int dx, int dy) {
  for (uint32_t rank = 0; rank < 16; rank++)
    if (blocks >> rank & 1)
      tensor_load_windows(emulated_at(to, rank), map, reinterpret_cast<mbarrier *>(emulated_at(b, rank)), c, x, y, n, dx, dy);
}
DEVICE void tensor_store(const ingot__cuda_map *map, const void *from, int x, int y, int z, int v) {
  const int at[] = {x, y, z, v};
  emulated_tensor_store_tiled(map, from, at);
}
DEVICE void tensor_store(const ingot__cuda_map *map, const void *from, int x, int y, int z, int v, int w) {
  const int at[] = {x, y, z, v, w};
  emulated_tensor_store_tiled(map, from, at);
}
DEVICE void tensor_store_commit() {}
template <int n> DEVICE void tensor_store_wait() {}
#endif

/* ---- Copies of 16 bytes to shared memory, past the L1 (sm_80), in groups of a thread's; `bytes` 0 writes zeros. */
#ifndef INGOT_EMULATED
DEVICE void copy_16(void *to, const void *from, uint32_t bytes = 16) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
}
DEVICE void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int n> DEVICE void copy_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory"); } /* until at most n groups are under way */
#else
DEVICE void copy_16(void *to, const void *from, uint32_t bytes = 16) {
  if (bytes) memcpy(to, from, bytes);
  memset(static_cast<char *>(to) + bytes, 0, 16 - bytes);
}
DEVICE void copy_commit() {}
template <int n> DEVICE void copy_wait() {}
#endif

/* ---- Clusters. */
#ifndef INGOT_EMULATED
DEVICE uint32_t cluster_rank() {
  uint32_t rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
DEVICE uint32_t cluster_size() {
  uint32_t size;
  asm("mov.u32 %0, %%cluster_nctaid.x;" : "=r"(size));
  return size;
}
/* The barrier of all threads of all blocks. After cluster_arrive_all() and the wait all that was written before is seen by all, at the price of a
 * fence for the GPU; plain arriving tells of nothing but the arrival (and of barriers made ready). */
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory"); }
DEVICE void cluster_arrive_all() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
/* Writes to block `rank` in the same place, and tells its barrier of the 8 bytes when they are there. */
DEVICE void store_at(float *p, mbarrier *b, uint32_t rank, float x, float y) {
  asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 [%0], {%2, %3}, [%1];" ::"r"(shared_address_at(p, rank)),
               "r"(shared_address_at(b, rank)), "f"(x), "f"(y)
               : "memory");
}
#else
DEVICE uint32_t cluster_rank() { return emulated_cluster_rank(); }
DEVICE uint32_t cluster_size() { return emulated_cluster_size(); }
DEVICE void cluster_arrive() { emulated_cluster_arrive(); }
DEVICE void cluster_arrive_all() { emulated_cluster_arrive(); }
DEVICE void cluster_wait() { emulated_cluster_wait(); }
DEVICE void store_at(float *p, mbarrier *b, uint32_t rank, float x, float y) {
  float *at = reinterpret_cast<float *>(emulated_at(p, rank));
  at[0] = x, at[1] = y;
  emulated_came(reinterpret_cast<mbarrier *>(emulated_at(b, rank)), 8);
}
#endif

/* ---- A barrier of `threads` threads of the block (whole warps), one of 16 by number; 0 is __syncthreads()'s. Arriving is not waiting. */
#ifndef INGOT_EMULATED
DEVICE void barrier_sync(int id, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory"); }
DEVICE void barrier_arrive(int id, int threads) { asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory"); }
/* Registers for each thread of a warpgroup, which all its warps ask for: multiples of 8. */
template <int n> DEVICE void registers_more() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(n)); }
template <int n> DEVICE void registers_fewer() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(n)); }
#else
DEVICE void barrier_sync(int id, int threads) { emulated_barrier((unsigned)id, (unsigned)threads); }
DEVICE void barrier_arrive(int id, int threads) { emulated_barrier_arrive((unsigned)id, (unsigned)threads); }
template <int n> DEVICE void registers_more() {}
template <int n> DEVICE void registers_fewer() {}
#endif

/* ---- 8x8 matrices of 16-bit elements between registers and shared memory: lane i gives the address of row i % 8 of matrix i / 8; a lane's
 * word of a matrix holds columns 2 (lane % 4) and + 1 of row lane / 4. (Loads are in mma.cuh for tensor cores too.) */
#ifndef INGOT_EMULATED
DEVICE void matrices_load(const void *row, uint32_t (&x)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(shared_address(row))
               : "memory");
}
DEVICE void matrices_load_transposed(const void *row, uint32_t (&x)[4]) { /* a lane's word holds rows 2 (lane % 4) and + 1 of column lane / 4 */
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(shared_address(row))
               : "memory");
}
DEVICE void matrices_store(void *row, const uint32_t (&x)[4]) { /* sm_90 */
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)), "r"(x[0]), "r"(x[1]), "r"(x[2]),
               "r"(x[3])
               : "memory");
}
DEVICE void matrices_store_transposed(void *row, const uint32_t (&x)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)), "r"(x[0]), "r"(x[1]),
               "r"(x[2]), "r"(x[3])
               : "memory");
}
#else
struct emulated_matrix_rows { unsigned char *row; uint32_t x[4]; };
DEVICE const emulated_matrix_rows *emulated_rows(const void *row, const uint32_t (&x)[4]) {
  emulated_matrix_rows mine = {const_cast<unsigned char *>(static_cast<const unsigned char *>(row)), {x[0], x[1], x[2], x[3]}};
  return static_cast<const emulated_matrix_rows *>(emulated_warp_share(&mine, sizeof mine));
}
DEVICE void matrices_load(const void *row, uint32_t (&x)[4]) {
  const emulated_matrix_rows *all = emulated_rows(row, x);
  const unsigned lane = threadIdx.x % 32;
  for (int i = 0; i < 4; i++) memcpy(&x[i], all[8 * i + lane / 4].row + 4 * (lane % 4), 4);
}
DEVICE void matrices_load_transposed(const void *row, uint32_t (&x)[4]) {
  const emulated_matrix_rows *all = emulated_rows(row, x);
  const unsigned lane = threadIdx.x % 32;
  for (int i = 0; i < 4; i++) {
    uint16_t y[2];
    for (unsigned h = 0; h < 2; h++) memcpy(&y[h], all[8 * i + 2 * (lane % 4) + h].row + 2 * (lane / 4), 2);
    memcpy(&x[i], y, 4);
  }
}
DEVICE void matrices_store(void *row, const uint32_t (&x)[4]) {
  const emulated_matrix_rows *all = emulated_rows(row, x);
  const unsigned lane = threadIdx.x % 32;
  for (int i = 0; i < 4; i++) memcpy(all[8 * i + lane / 4].row + 4 * (lane % 4), &x[i], 4);
  __syncwarp();
}
DEVICE void matrices_store_transposed(void *row, const uint32_t (&x)[4]) {
  const emulated_matrix_rows *all = emulated_rows(row, x);
  const unsigned lane = threadIdx.x % 32;
  for (int i = 0; i < 4; i++)
    for (unsigned h = 0; h < 2; h++) {
      const uint16_t y = (uint16_t)(x[i] >> 16 * h);
      memcpy(all[8 * i + 2 * (lane % 4) + h].row + 2 * (lane / 4), &y, 2);
    }
  __syncwarp();
}
#endif
