/* wgmma.cuh's products with A in registers: D (64 x N) += A (64 x 16) B (16 x N). Of A a warp's 16 rows are in its lanes as mma.cuh's a[] are:
 * a[0] row g, k 2t and 2t + 1; a[1] row g + 8; a[2], a[3] the same of k + 8. They must stay as they are until wgmma_wait(). B is K-major. */
#pragma once
#include "wgmma.cuh"

template <typename T, int N> struct register_product;
/* more 0: D = A B. */
template <typename T, int N> DEVICE void wgmma(float (&d)[N / 2], const uint32_t (&a)[4], matrix b, int more) {
  register_product<T, N>::add(d, a, b, more);
}

#ifndef INGOT_EMULATED
#define REGISTER_PRODUCT_OF(T, type, N, D, A, B, MORE, ...) \
  template <> struct register_product<T, N> { \
    static __device__ __forceinline__ void add(float (&d)[N / 2], const uint32_t (&a)[4], matrix b, int more) { \
      asm volatile("{\n .reg .pred p;\n setp.ne.b32 p, " MORE ", 0;\n wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." type "." type " {" D \
                   "}, {" A "}, " B ", p, 1, 1, 0;\n}" \
                   : __VA_ARGS__ \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(more)); \
    } \
  };
#define REGISTER_PRODUCT(N, ...) REGISTER_PRODUCT_OF(half, "f16", N, __VA_ARGS__) REGISTER_PRODUCT_OF(bfloat, "bf16", N, __VA_ARGS__)
REGISTER_PRODUCT(64, WGMMA_D2, "%32, %33, %34, %35", "%36", "%37", WGMMA_32(0))
REGISTER_PRODUCT(128, WGMMA_D4, "%64, %65, %66, %67", "%68", "%69", WGMMA_64(0))
#else
struct emulated_rows_of_a { uint32_t a[4]; };
template <typename T, int N> struct register_product {
  static void add(float (&d)[N / 2], const uint32_t (&a)[4], matrix b, int more) {
    const emulated_rows_of_a mine = {{a[0], a[1], a[2], a[3]}};
    const emulated_rows_of_a *all = (const emulated_rows_of_a *)emulated_warp_share(&mine, sizeof mine);
    const uint32_t lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    float x[2][16];
    for (uint32_t k = 0; k < 16; k++)
      for (uint32_t h = 0; h < 2; h++) {
        T v;
        v.bits = (uint16_t)(all[g * 4 + k % 8 / 2].a[h + k / 8 * 2] >> k % 2 * 16);
        x[h][k] = to_float(v);
      }
    for (uint32_t j = 0; j < N / 8; j++)
      for (uint32_t c = 0; c < 2; c++) {
        float sum[2] = {more ? d[4 * j + c] : 0, more ? d[4 * j + 2 + c] : 0};
        for (uint32_t k = 0; k < 16; k++) {
          const float y = emulated_element<T>(b, false, 8 * j + 2 * t + c, k);
          sum[0] += x[0][k] * y, sum[1] += x[1][k] * y;
        }
        d[4 * j + c] = sum[0], d[4 * j + 2 + c] = sum[1];
      }
  }
};
#endif
