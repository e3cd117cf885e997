/* Matrix products by a warpgroup (sm_90a): D (64 x N, float, in registers) += A (64 x K) B (K x N), A and B of 16-bit elements in shared
 * memory, K = 16. Thread t of the 128 holds four values for each 8 columns j: d[4 j] and d[4 j + 1] are of row 16 (t / 32) + t % 32 / 4,
 * columns 8 j + 2 (t % 4) and + 1; d[4 j + 2] and d[4 j + 3] are the same of eight rows below.
 *
 * Order: wgmma_fence(), products, wgmma_commit(); after wgmma_wait<n>() all such groups but the last n are done, and their shared memory may
 * be written again. D must not be touched before, and wgmma_hold(d) afterwards keeps the compiler from doing so.
 *
 * A descriptor says where a matrix lies. `swizzle` bytes (128, 64, 32; 0: none) are the length of the rows as the tensor copy engine wrote
 * them: 16-byte pieces of a row are exchanged by bits of their address, so that K goes on by adding bytes to where the matrix begins.
 *   K-major (elements of a row of A, of a column of B, are neighbours): 8 rows of `swizzle` bytes follow one another; `stride` bytes on are
 *     the next 8 rows. Without swizzle rows have 16 bytes, and the next 8 elements of K are `leading` bytes on.
 *   MN-major (transposed): rows are of K, `swizzle` bytes of M (of N) long; 8 of them follow one another, `stride` bytes on are the next 8;
 *     `leading` bytes on is what follows in M (in N). */
#pragma once
#include "async.cuh"

typedef uint64_t matrix;
DEVICE matrix matrix_at(const void *p, int swizzle, uint32_t stride, uint32_t leading) {
  return (uint64_t)(swizzle == 128 ? 1 : swizzle == 64 ? 2 : swizzle == 32 ? 3 : 0) << 62 | (uint64_t)(stride >> 4 & 0x3fff) << 32 |
         (uint64_t)(leading >> 4 & 0x3fff) << 16 | (shared_address(p) >> 4 & 0x3fff);
}
DEVICE matrix matrix_on(matrix m, uint32_t bytes) { return m + (bytes >> 4); }

template <typename T, int N, int a_mn, int b_mn> struct wgmma_of;
/* more 0: D = A B. a_mn, b_mn: that one is MN-major. */
template <typename T, int N, int a_mn, int b_mn> DEVICE void wgmma(float (&d)[N / 2], matrix a, matrix b, int more) {
  wgmma_of<T, N, a_mn, b_mn>::add(d, a, b, more);
}
/* D += A B with A (64 x 16) in registers: a thread's words a[0] to a[3] hold columns 2 (t % 4) and + 1 of the rows it has in D, the upper and the
 * lower, and the same eight columns on. They must not be touched before the product is done either. */
template <typename T, int N, int b_mn> struct wgmma_from;
template <typename T, int N, int b_mn> DEVICE void wgmma_registers(float (&d)[N / 2], const uint32_t (&a)[4], matrix b) {
  wgmma_from<T, N, b_mn>::add(d, a, b);
}

#ifndef INGOT_EMULATED
DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int n> DEVICE void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(n) : "memory"); }
template <int n> DEVICE void wgmma_hold(float (&d)[n]) {
#pragma unroll
  for (int i = 0; i < n; i++) asm volatile("" : "+f"(d[i])::"memory");
}

/* The instruction's text names its operands by numbers, which the preprocessor can't count: D's registers, here by eights, then A, B, whether to
 * add, and the two orders. */
#define WGMMA_D0 "%0, %1, %2, %3, %4, %5, %6, %7"
#define WGMMA_D1 WGMMA_D0 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define WGMMA_D2 WGMMA_D1 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define WGMMA_D3 WGMMA_D2 ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define WGMMA_D4 WGMMA_D3 ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define WGMMA_D5 WGMMA_D4 ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define WGMMA_D6 WGMMA_D5 ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define WGMMA_D7 WGMMA_D6 ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define WGMMA_D8 WGMMA_D7 ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define WGMMA_8(i) \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define WGMMA_16(i) WGMMA_8(i), WGMMA_8(i + 8)
#define WGMMA_32(i) WGMMA_16(i), WGMMA_16(i + 16)
#define WGMMA_64(i) WGMMA_32(i), WGMMA_32(i + 32)
#define WGMMA_OF(T, type, N, D, A, B, MORE, A_MN, B_MN, ...) \
  template <int a_mn, int b_mn> struct wgmma_of<T, N, a_mn, b_mn> { \
    static __device__ __forceinline__ void add(float (&d)[N / 2], matrix a, matrix b, int more) { \
      asm volatile("{\n .reg .pred p;\n setp.ne.b32 p, " MORE ", 0;\n wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." type "." type " {" D \
                   "}, " A ", " B ", p, 1, 1, " A_MN ", " B_MN ";\n}" \
                   : __VA_ARGS__ \
                   : "l"(a), "l"(b), "r"(more), "n"(a_mn), "n"(b_mn)); \
    } \
  };
#define WGMMA_N(N, D, A, B, MORE, A_MN, B_MN, ...) \
  WGMMA_OF(half, "f16", N, D, A, B, MORE, A_MN, B_MN, __VA_ARGS__) WGMMA_OF(bfloat, "bf16", N, D, A, B, MORE, A_MN, B_MN, __VA_ARGS__)
WGMMA_N(8, "%0, %1, %2, %3", "%4", "%5", "%6", "%7", "%8", "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]))
WGMMA_N(16, WGMMA_D0, "%8", "%9", "%10", "%11", "%12", WGMMA_8(0))
WGMMA_N(32, WGMMA_D1, "%16", "%17", "%18", "%19", "%20", WGMMA_16(0))
WGMMA_N(64, WGMMA_D2, "%32", "%33", "%34", "%35", "%36", WGMMA_32(0))
WGMMA_N(96, WGMMA_D3, "%48", "%49", "%50", "%51", "%52", WGMMA_32(0), WGMMA_16(32))
WGMMA_N(128, WGMMA_D4, "%64", "%65", "%66", "%67", "%68", WGMMA_64(0))
WGMMA_N(160, WGMMA_D5, "%80", "%81", "%82", "%83", "%84", WGMMA_64(0), WGMMA_16(64))
WGMMA_N(192, WGMMA_D6, "%96", "%97", "%98", "%99", "%100", WGMMA_64(0), WGMMA_32(64))
WGMMA_N(224, WGMMA_D7, "%112", "%113", "%114", "%115", "%116", WGMMA_64(0), WGMMA_32(64), WGMMA_16(96))
WGMMA_N(256, WGMMA_D8, "%128", "%129", "%130", "%131", "%132", WGMMA_64(0), WGMMA_64(64))

#define WGMMA_FROM(T, type, N, D, A, B, B_MN, ...) \
  template <int b_mn> struct wgmma_from<T, N, b_mn> { \
    static __device__ __forceinline__ void add(float (&d)[N / 2], const uint32_t (&a)[4], matrix b) { \
      asm volatile("wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." type "." type " {" D "}, {" A "}, " B ", 1, 1, 1, " B_MN ";" \
                   : __VA_ARGS__ \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(b_mn)); \
    } \
  };
#define WGMMA_A(N, D, A, B, B_MN, ...) \
  WGMMA_FROM(half, "f16", N, D, A, B, B_MN, __VA_ARGS__) WGMMA_FROM(bfloat, "bf16", N, D, A, B, B_MN, __VA_ARGS__)
WGMMA_A(32, WGMMA_D1, "%16, %17, %18, %19", "%20", "%21", WGMMA_16(0))
WGMMA_A(64, WGMMA_D2, "%32, %33, %34, %35", "%36", "%37", WGMMA_32(0))
WGMMA_A(96, WGMMA_D3, "%48, %49, %50, %51", "%52", "%53", WGMMA_32(0), WGMMA_16(32))
WGMMA_A(128, WGMMA_D4, "%64, %65, %66, %67", "%68", "%69", WGMMA_64(0))
#else
DEVICE void wgmma_fence() {}
DEVICE void wgmma_commit() {}
template <int n> DEVICE void wgmma_wait() { /* the others of the warpgroup have done their part, too */
  const char none = 0;
  emulated_group_share(&none, 1);
}
template <int n> DEVICE void wgmma_hold(float (&)[n]) {}

/* Element (i along M or N, k) of the matrix that a descriptor says. */
template <typename T> DEVICE float emulated_element(matrix m, bool mn, uint32_t i, uint32_t k) {
  const uint32_t mode = (uint32_t)(m >> 62), swizzle = mode ? 256u >> mode : 16, start = (uint32_t)(m & 0x3fff) << 4;
  const uint32_t leading = (uint32_t)(m >> 16 & 0x3fff) << 4, stride = (uint32_t)(m >> 32 & 0x3fff) << 4;
  const uint32_t length = swizzle / sizeof(T); /* of a row, in elements */
  uint32_t at = start;
  if (mn) at += i / length * leading + i % length * sizeof(T) + k / 8 * stride + k % 8 * swizzle;
  else if (mode) at += i / 8 * stride + i % 8 * swizzle + k * sizeof(T);
  else at += i / 8 * stride + i % 8 * 16 + k / 8 * leading + k % 8 * sizeof(T);
  if (mode) at ^= (at >> 7 & (swizzle / 16 - 1)) << 4;
  if (at + sizeof(T) > emulated_shared_size()) emulated_fail("a matrix that isn't in shared memory");
  T x;
  memcpy(&x, emulated_shared(emulated_cluster_rank()) + at, sizeof(T));
  return to_float(x);
}
/* Of A there are this thread's two rows. */
template <typename T, int N, int b_mn> DEVICE void emulated_multiply(float (&d)[N / 2], const float (&a)[2][16], matrix b) {
  const uint32_t column = 2 * (threadIdx.x % 4);
  for (uint32_t j = 0; j < N / 8; j++)
    for (uint32_t c = 0; c < 2; c++)
      for (uint32_t k = 0; k < 16; k++) {
        const float y = emulated_element<T>(b, b_mn, 8 * j + column + c, k);
        d[4 * j + c] += a[0][k] * y, d[4 * j + 2 + c] += a[1][k] * y;
      }
}
template <typename T, int N, int a_mn, int b_mn> struct wgmma_of {
  static void add(float (&d)[N / 2], matrix a, matrix b, int more) {
    const uint32_t row = threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4;
    float x[2][16];
    for (uint32_t k = 0; k < 16; k++)
      x[0][k] = emulated_element<T>(a, a_mn, row, k), x[1][k] = emulated_element<T>(a, a_mn, row + 8, k);
    for (int i = 0; i < N / 2 && !more; i++) d[i] = 0;
    emulated_multiply<T, N, b_mn>(d, x, b);
  }
};
template <typename T, int N, int b_mn> struct wgmma_from {
  static void add(float (&d)[N / 2], const uint32_t (&a)[4], matrix b) {
    struct words { uint32_t x[4]; } mine = {{a[0], a[1], a[2], a[3]}};
    const words *row = static_cast<const words *>(emulated_warp_share(&mine, sizeof mine)) + threadIdx.x % 32 / 4 * 4; /* of four lanes */
    float x[2][16];
    for (uint32_t k = 0; k < 16; k++)
      for (uint32_t i = 0; i < 2; i++) x[i][k] = to_float(T{(uint16_t)(row[k % 8 / 2].x[k / 8 * 2 + i] >> k % 2 * 16)});
    emulated_multiply<T, N, b_mn>(d, x, b);
  }
};
#endif
