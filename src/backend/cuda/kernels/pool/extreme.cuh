/* The largest of vectors of elements, element by element; NaN stays. Pairs of 16-bit floats are compared as such. */
#pragma once
#include "ingot.cuh"

#ifdef INGOT_EMULATED
DEVICE float larger(float a, float b) { return a > b || a != a ? a : b; }
DEVICE uint32_t larger_halves(uint32_t a, uint32_t b) {
  half a0{(uint16_t)a}, a1{(uint16_t)(a >> 16)}, b0{(uint16_t)b}, b1{(uint16_t)(b >> 16)};
  return half_pair(larger(to_float(a0), to_float(b0)), larger(to_float(a1), to_float(b1)));
}
DEVICE uint32_t larger_bfloats(uint32_t a, uint32_t b) {
  bfloat a0{(uint16_t)a}, a1{(uint16_t)(a >> 16)}, b0{(uint16_t)b}, b1{(uint16_t)(b >> 16)};
  return bfloat_pair(larger(to_float(a0), to_float(b0)), larger(to_float(a1), to_float(b1)));
}
DEVICE uint32_t larger_bytes(uint32_t a, uint32_t b, bool is_signed) {
  uint32_t y = 0;
  for (int i = 0; i < 32; i += 8) {
    int u = a >> i & 255, v = b >> i & 255, flip = is_signed ? 128 : 0;
    y |= (uint32_t)((u ^ flip) > (v ^ flip) ? u : v) << i;
  }
  return y;
}
#else
DEVICE uint32_t larger_bytes(uint32_t a, uint32_t b, bool is_signed) { return is_signed ? __vmaxs4(a, b) : __vmaxu4(a, b); }
DEVICE float larger(float a, float b) { float y; asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
DEVICE uint32_t larger_halves(uint32_t a, uint32_t b) { uint32_t y; asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b)); return y; }
DEVICE uint32_t larger_bfloats(uint32_t a, uint32_t b) { uint32_t y; asm("max.NaN.bf16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b)); return y; }
#endif
DEVICE double larger(double a, double b) { return a > b || a != a ? a : b; }
DEVICE half larger(half a, half b) { return from_float<half>(larger(to_float(a), to_float(b))); }
DEVICE bfloat larger(bfloat a, bfloat b) { return from_float<bfloat>(larger(to_float(a), to_float(b))); }
DEVICE int8_t larger(int8_t a, int8_t b) { return a > b ? a : b; }
DEVICE uint8_t larger(uint8_t a, uint8_t b) { return a > b ? a : b; }

template <typename T> struct least;
template <> struct least<float> { static __device__ __forceinline__ float value() { return bits_float(0xff800000u); } };
template <> struct least<double> { static __device__ __forceinline__ double value() { return bits_float(0xff800000u); } };
template <> struct least<half> { static __device__ __forceinline__ half value() { return half{0xfc00}; } };
template <> struct least<bfloat> { static __device__ __forceinline__ bfloat value() { return bfloat{0xff80}; } };
template <> struct least<int8_t> { static __device__ __forceinline__ int8_t value() { return -128; } };
template <> struct least<uint8_t> { static __device__ __forceinline__ uint8_t value() { return 0; } };

template <typename T, int N> struct extreme {
  typedef vec<T, N> item;
  item a;
  static __device__ __forceinline__ item fetch(const T *from) { return load<N>(from); }
  static __device__ __forceinline__ item nothing() {
    item x;
#pragma unroll
    for (int i = 0; i < N; i++) x[i] = least<T>::value();
    return x;
  }
  __device__ __forceinline__ void add(const item &x) {
#pragma unroll
    for (int i = 0; i < N; i++) a[i] = larger(a[i], x[i]);
  }
  __device__ __forceinline__ void put(T *to) const { store(to, a); }
};
/* Several to a word. */
#define OF_WORDS(T, larger_word, lowest) \
  template <int N> struct extreme_words_##T { \
    typedef vec<uint32_t, N> item; \
    item a; \
    static __device__ __forceinline__ item fetch(const T *from) { return load<N>(reinterpret_cast<const uint32_t *>(from)); } \
    static __device__ __forceinline__ item nothing() { \
      item x; \
      for (int i = 0; i < N; i++) x[i] = lowest; \
      return x; \
    } \
    __device__ __forceinline__ void add(const item &x) { for (int i = 0; i < N; i++) a[i] = larger_word(a[i], x[i]); } \
    __device__ __forceinline__ void put(T *to) const { store(reinterpret_cast<uint32_t *>(to), a); } \
  };
#define WORDS(T, elements, words) template <> struct extreme<T, elements> : extreme_words_##T<words> {};
#define LARGER_SIGNED(a, b) larger_bytes(a, b, true)
#define LARGER_UNSIGNED(a, b) larger_bytes(a, b, false)
OF_WORDS(half, larger_halves, 0xfc00fc00u)
OF_WORDS(bfloat, larger_bfloats, 0xff80ff80u)
OF_WORDS(int8_t, LARGER_SIGNED, 0x80808080u)
OF_WORDS(uint8_t, LARGER_UNSIGNED, 0u)
WORDS(half, 8, 4)
WORDS(bfloat, 8, 4)
WORDS(int8_t, 16, 4)
WORDS(uint8_t, 16, 4)
#undef OF_WORDS
#undef WORDS
#undef LARGER_SIGNED
#undef LARGER_UNSIGNED
