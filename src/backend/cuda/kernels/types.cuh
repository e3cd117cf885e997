/* Numbers: fixed-width integers, half and bfloat as storage types, vectors of 2 to 16 bytes; all arithmetic is in float. */
#pragma once
#ifdef INGOT_EMULATED
#include "emulated.cuh" /* __device__, threadIdx, __syncthreads, shuffles, atomics, grid_wait, grid_launch, fixed-width types */
#else
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;

#define DEVICE static __device__ __forceinline__
/* KERNEL(name, struct of parameters, threads, least blocks on a multiprocessor) { ... p ... } is what a launch calls by its name. */
#define KERNEL(name, type, threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ type p)
/* The block's dynamic shared memory, 1024-byte aligned. There is no other: the emulation runs several blocks at once. */
#define SHARED(type, name) \
  extern __shared__ __align__(1024) unsigned char ingot_shared_memory[]; \
  type *name = reinterpret_cast<type *>(ingot_shared_memory)

/* Programmatic dependent launch: wait for the kernels before (their writes are visible then); let the next one start. Before sm_90
 * kernels start when the ones before have ended. */
#if __CUDA_ARCH__ >= 900
DEVICE void grid_wait() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
DEVICE void grid_launch() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
#else
DEVICE void grid_wait() {}
DEVICE void grid_launch() {}
#endif
#endif

struct half { uint16_t bits; };
struct bfloat { uint16_t bits; };

#ifndef INGOT_EMULATED
DEVICE float to_float(half x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits)); return y; }
DEVICE uint16_t half_bits(float x) { uint16_t y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x)); return y; }
DEVICE uint16_t bfloat_bits(float x) { uint16_t y; asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x)); return y; }
DEVICE uint32_t half_pair(float low, float high) { uint32_t y; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low)); return y; }
DEVICE uint32_t bfloat_pair(float low, float high) { uint32_t y; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low)); return y; }
DEVICE float bits_float(uint32_t x) { return __uint_as_float(x); }
DEVICE uint32_t float_bits(float x) { return __float_as_uint(x); }
/* NaN stays. An instruction each, where a comparison and a choice are two of the slower kind. */
DEVICE float maximum(float a, float b) { float y; asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
DEVICE float minimum(float a, float b) { float y; asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
/* The hardware's, to about 2e-7 of the result; subnormal numbers count as 0. */
DEVICE float exp2_fast(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
DEVICE float inverse_fast(float x) { float y; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
#else
DEVICE float to_float(half x) { return emulated_half_to_float(x.bits); }
DEVICE uint16_t half_bits(float x) { return emulated_float_to_half(x); }
DEVICE uint16_t bfloat_bits(float x) { return emulated_float_to_bfloat(x); }
DEVICE uint32_t half_pair(float low, float high) { return half_bits(low) | (uint32_t)half_bits(high) << 16; }
DEVICE uint32_t bfloat_pair(float low, float high) { return bfloat_bits(low) | (uint32_t)bfloat_bits(high) << 16; }
DEVICE float bits_float(uint32_t x) { float y; memcpy(&y, &x, 4); return y; }
DEVICE uint32_t float_bits(float x) { uint32_t y; memcpy(&y, &x, 4); return y; }
DEVICE float maximum(float a, float b) { return a > b || a != a ? a : b; }
DEVICE float minimum(float a, float b) { return a < b || a != a ? a : b; }
DEVICE float exp2_fast(float x) { return exp2f(x); }
DEVICE float inverse_fast(float x) { return 1 / x; }
#endif
DEVICE float to_float(bfloat x) { return bits_float((uint32_t)x.bits << 16); }
DEVICE float to_float(float x) { return x; }

/* from_float<T>(x): to float, half or bfloat, rounded to the nearest. */
template <typename T> struct converted;
template <> struct converted<float> { static __device__ __forceinline__ float from(float x) { return x; } };
template <> struct converted<half> { static __device__ __forceinline__ half from(float x) { return half{half_bits(x)}; } };
template <> struct converted<bfloat> { static __device__ __forceinline__ bfloat from(float x) { return bfloat{bfloat_bits(x)}; } };
template <typename T> DEVICE T from_float(float x) { return converted<T>::from(x); }
/* Two of a 16-bit type in one word, the first in the low half. */
template <typename T> struct paired;
template <> struct paired<half> { static __device__ __forceinline__ uint32_t from(float a, float b) { return half_pair(a, b); } };
template <> struct paired<bfloat> { static __device__ __forceinline__ uint32_t from(float a, float b) { return bfloat_pair(a, b); } };
template <typename T> DEVICE uint32_t from_pair(float a, float b) { return paired<T>::from(a, b); }

/* N elements that are loaded and stored at once: at an address aligned to all of them (2 to 16 bytes). */
template <typename T, int N> struct __align__(sizeof(T) * N) vec {
  T v[N];
  __device__ __forceinline__ T &operator[](int i) { return v[i]; }
  __device__ __forceinline__ const T &operator[](int i) const { return v[i]; }
};
template <int N, typename T> DEVICE vec<T, N> load(const T *p) { return *reinterpret_cast<const vec<T, N> *>(p); }
template <typename T, int N> DEVICE void store(T *p, const vec<T, N> &v) { *reinterpret_cast<vec<T, N> *>(p) = v; }
/* All of a vector as floats. Halves are converted from the words they lie in pairs in: taking them apart first costs an instruction each. */
template <typename T, int N> DEVICE void to_floats(const vec<T, N> &x, float *y) {
#pragma unroll
  for (int i = 0; i < N; i++) y[i] = to_float(x[i]);
}
#ifndef INGOT_EMULATED
template <int N> DEVICE void to_floats(const vec<half, N> &x, float *y) {
  const uint32_t *words = reinterpret_cast<const uint32_t *>(&x);
#pragma unroll
  for (int i = 0; i + 1 < N; i += 2)
    asm("{\n .reg .f16 l, h;\n mov.b32 {l, h}, %2;\n cvt.f32.f16 %0, l;\n cvt.f32.f16 %1, h;\n}" : "=f"(y[i]), "=f"(y[i + 1]) : "r"(words[i / 2]));
  if (N % 2) y[N - 1] = to_float(x[N - 1]);
}
#endif
/* And back, rounded to the nearest: halves by pairs. */
template <int N> DEVICE void from_floats(const float *x, vec<float, N> &y) {
#pragma unroll
  for (int i = 0; i < N; i++) y[i] = x[i];
}
template <typename T, int N> DEVICE void from_floats(const float *x, vec<T, N> &y) {
  uint32_t *words = reinterpret_cast<uint32_t *>(&y);
#pragma unroll
  for (int i = 0; i + 1 < N; i += 2) words[i / 2] = from_pair<T>(x[i], x[i + 1]);
  if (N % 2) y[N - 1] = from_float<T>(x[N - 1]);
}
struct __align__(16) word4 { uint32_t x, y, z, w; };
