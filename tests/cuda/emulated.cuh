/* CUDA C++ for a C++ compiler: what the backend's sources use of the language and of types.cuh, in terms of the machine that
 * emulated_machine.c runs (threads are fibers on one CPU thread, so that atomics are plain and nothing is ever volatile).
 *
 * A kernel alone, without the driver:  c++ -std=c++17 -DINGOT_EMULATED -Itests/cuda -Isrc/backend/cuda/kernels kernel.cu harness.cpp machine.o
 * with a harness that fills an emulated_launch and calls emulated_run (tests/cuda/emulated_machine.h). */
#pragma once
#include <math.h>
#include <string.h>
#include "emulated_machine.h"

/* One of each for an object: weak, so that several sources may be linked together. */
extern "C" {
#define EMULATED_SYMBOL __attribute__((visibility("default")))
EMULATED_SYMBOL __attribute__((weak)) const emulated_functions *emulated;
EMULATED_SYMBOL __attribute__((weak)) emulated_thread *emulated_self;
#ifndef EMULATED_ARCH
#define EMULATED_ARCH 0 /* any; 80; -90: sm_90a */
#endif
EMULATED_SYMBOL __attribute__((weak)) int emulated_arch = EMULATED_ARCH;
}

#define __device__
#define __host__
#define __global__
#define __constant__ static const
#define __grid_constant__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __align__(n) alignas(n)
#define __launch_bounds__(...)
#ifndef __restrict__
#define __restrict__ __restrict
#endif
#define DEVICE static inline

/* The kernel takes a pointer to its struct; name_launch tells the driver the most threads and the struct's size. */
#define KERNEL(name, type, threads, blocks) \
  static void name##_body(const type &p); \
  extern "C" { \
  EMULATED_SYMBOL extern const unsigned name##_launch[2]; \
  const unsigned name##_launch[2] = {(unsigned)(threads), (unsigned)sizeof(type)}; \
  EMULATED_SYMBOL void name(const void *p); \
  void name(const void *p) { name##_body(*static_cast<const type *>(p)); } \
  } \
  static void name##_body(const type &p)
#define SHARED(type, name) type *name = reinterpret_cast<type *>(emulated_self->shared)

#define threadIdx (emulated_self->thread)
#define blockIdx (emulated_self->block)
#define blockDim (emulated_self->block_dim)
#define gridDim (emulated_self->grid_dim)
#define warpSize 32

DEVICE void grid_wait() { emulated->grid_wait(); }
DEVICE void grid_launch() {}

/* ---- For the wrappers of what only a GPU has. */
/* All 32 lanes give `size` bytes; the 32 of them in the lanes' order, good until the warp's next such call. An ended lane's are zeros. */
DEVICE const void *emulated_warp_share(const void *mine, size_t size) { return emulated->warp_share(mine, size); }
/* The same for the 128 threads of a warpgroup. */
DEVICE const void *emulated_group_share(const void *mine, size_t size) { return emulated->group_share(mine, size); }
/* Lets the others run: in every loop that waits for them. If all do nothing but this for long, the program ends with a message. */
DEVICE void emulated_yield() { emulated->yield(); }
/* Something that others wait for has happened: to be called by arrivals at barriers in memory. */
DEVICE void emulated_progress() { emulated->progress(); }
DEVICE void emulated_fail(const char *what) { emulated->fail(what); }
DEVICE unsigned char *emulated_shared(unsigned rank) { return emulated->shared_of(rank); }
DEVICE size_t emulated_shared_size() { return emulated->shared_size(); }
DEVICE unsigned emulated_cluster_rank() { return emulated_self->rank; }
DEVICE unsigned emulated_cluster_size() { return emulated_self->cluster; }
DEVICE void emulated_cluster_arrive() { emulated->cluster_arrive(); }
DEVICE void emulated_cluster_wait() { emulated->cluster_wait(); }
DEVICE void emulated_cluster_sync() { emulated->cluster_arrive(), emulated->cluster_wait(); }
/* bar.sync and bar.arrive: threads is the number that meet, 0: all of the block that haven't ended. */
DEVICE void emulated_barrier(unsigned id, unsigned threads) { emulated->barrier(id, threads, 1); }
DEVICE void emulated_barrier_arrive(unsigned id, unsigned threads) { emulated->barrier(id, threads, 0); }
/* The tensor copy engine: done when they return, so that the barrier in memory may be told of the bytes at once. */
DEVICE void emulated_tensor_load_tiled(const void *map, void *shared, const int *coordinates) {
  emulated->tensor_load_tiled(map, shared, coordinates);
}
DEVICE void emulated_tensor_load_windows(const void *map, void *shared, const int *coordinates, int offset_w, int offset_h) {
  emulated->tensor_load_windows(map, shared, coordinates, offset_w, offset_h);
}
DEVICE void emulated_tensor_store_tiled(const void *map, const void *shared, const int *coordinates) {
  emulated->tensor_store_tiled(map, shared, coordinates);
}

/* ---- Barriers, warps. */
DEVICE void __syncthreads() { emulated->barrier(0, 0, 1); }
DEVICE void __syncwarp(unsigned mask = 0xffffffffu) { emulated->warp_barrier(mask); }
DEVICE void __threadfence() {}
DEVICE void __threadfence_block() {}
DEVICE void __threadfence_system() {}
DEVICE void __nanosleep(unsigned) { emulated->yield(); }
DEVICE unsigned __ballot_sync(unsigned mask, int predicate) { return emulated->ballot(mask, predicate); }
DEVICE int __any_sync(unsigned mask, int predicate) { return emulated->ballot(mask, predicate) != 0; }
DEVICE int __all_sync(unsigned mask, int predicate) { return emulated->ballot(mask, !predicate) == 0; }
DEVICE unsigned __activemask() { return emulated->fail("__activemask isn't emulated"), 0; }

template <typename T> DEVICE T emulated_shuffle(unsigned mask, T x, unsigned source) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles are of 4 or 8 bytes");
  uint64_t bits = 0;
  memcpy(&bits, &x, sizeof(T));
  bits = emulated->shuffle(mask, bits, source);
  memcpy(&x, &bits, sizeof(T));
  return x;
}
template <typename T> DEVICE T __shfl_sync(unsigned mask, T x, int source, int width = 32) {
  return emulated_shuffle(mask, x, (emulated_self->lane & -width) | (source & (width - 1)));
}
template <typename T> DEVICE T __shfl_xor_sync(unsigned mask, T x, int lanes, int width = 32) {
  unsigned lane = emulated_self->lane, source = lane ^ lanes;
  return emulated_shuffle(mask, x, source > (lane | (width - 1)) ? lane : source);
}
template <typename T> DEVICE T __shfl_up_sync(unsigned mask, T x, unsigned lanes, int width = 32) {
  unsigned lane = emulated_self->lane;
  return emulated_shuffle(mask, x, (lane & (width - 1)) < lanes ? lane : lane - lanes);
}
template <typename T> DEVICE T __shfl_down_sync(unsigned mask, T x, unsigned lanes, int width = 32) {
  unsigned lane = emulated_self->lane;
  return emulated_shuffle(mask, x, (lane & (width - 1)) + lanes >= (unsigned)width ? lane : lane + lanes);
}
DEVICE unsigned __reduce_add_sync(unsigned mask, unsigned x) {
  unsigned sum = 0;
  for (unsigned i = 0; i < 32; i++) {
    unsigned y = emulated_shuffle(mask, x, mask >> i & 1 ? i : emulated_self->lane);
    if (mask >> i & 1) sum += y;
  }
  return sum;
}

/* ---- Atomics: one thread runs at a time. */
template <typename T> struct emulated_same { typedef T type; }; /* the value takes the pointer's type, as with CUDA's overloads */
#define EMULATED_ATOMIC(name, result) \
  template <typename T> DEVICE T name(T *p, typename emulated_same<T>::type x) { T old = *p; *p = (result); return old; }
EMULATED_ATOMIC(atomicAdd, old + x)
EMULATED_ATOMIC(atomicSub, old - x)
EMULATED_ATOMIC(atomicMax, x > old ? x : old)
EMULATED_ATOMIC(atomicMin, x < old ? x : old)
EMULATED_ATOMIC(atomicAnd, old & x)
EMULATED_ATOMIC(atomicOr, old | x)
EMULATED_ATOMIC(atomicXor, old ^ x)
EMULATED_ATOMIC(atomicExch, x)
EMULATED_ATOMIC(atomicInc, old >= x ? 0 : old + 1)
EMULATED_ATOMIC(atomicDec, old == 0 || old > x ? x : old - 1)
#undef EMULATED_ATOMIC
template <typename T> DEVICE T atomicCAS(T *p, typename emulated_same<T>::type expected, typename emulated_same<T>::type x) {
  T old = *p;
  if (!memcmp(&old, &expected, sizeof(T))) *p = x;
  return old;
}

#include "emulated_numbers.cuh"
