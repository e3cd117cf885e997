/* CUDA's functions of numbers for a C++ compiler: bits, conversions, fast mathematics (here as exact as the library's), vector types. */
#pragma once

/* ---- Bits. */
template <typename T, typename F> DEVICE T emulated_bits(F x) {
  static_assert(sizeof(T) == sizeof(F), "the same size");
  T y;
  memcpy(&y, &x, sizeof y);
  return y;
}
DEVICE unsigned __float_as_uint(float x) { return emulated_bits<unsigned>(x); }
DEVICE int __float_as_int(float x) { return emulated_bits<int>(x); }
DEVICE float __uint_as_float(unsigned x) { return emulated_bits<float>(x); }
DEVICE float __int_as_float(int x) { return emulated_bits<float>(x); }
DEVICE long long __double_as_longlong(double x) { return emulated_bits<long long>(x); }
DEVICE double __longlong_as_double(long long x) { return emulated_bits<double>(x); }
DEVICE int __popc(unsigned x) { return __builtin_popcount(x); }
DEVICE int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
DEVICE int __clz(int x) { return x ? __builtin_clz(x) : 32; }
DEVICE int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
DEVICE int __ffs(int x) { return __builtin_ffs(x); }
DEVICE int __ffsll(long long x) { return __builtin_ffsll(x); }
DEVICE unsigned __brev(unsigned x) {
  unsigned y = 0;
  for (int i = 0; i < 32; i++) y |= (x >> i & 1) << (31 - i);
  return y;
}
DEVICE unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  unsigned long long both = (unsigned long long)b << 32 | a;
  unsigned y = 0;
  for (int i = 0; i < 4; i++) {
    unsigned s = selector >> 4 * i & 15, byte = both >> 8 * (s & 7) & 255;
    if (s & 8) byte = byte & 128 ? 255 : 0;
    y |= byte << 8 * i;
  }
  return y;
}
DEVICE unsigned __funnelshift_l(unsigned low, unsigned high, unsigned n) { return (((unsigned long long)high << 32 | low) << (n & 31)) >> 32; }
DEVICE unsigned __funnelshift_r(unsigned low, unsigned high, unsigned n) { return ((unsigned long long)high << 32 | low) >> (n & 31); }
DEVICE int __mulhi(int a, int b) { return (long long)a * b >> 32; }
DEVICE unsigned __umulhi(unsigned a, unsigned b) { return (unsigned long long)a * b >> 32; }
DEVICE unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned __int128)a * b >> 64; }
DEVICE long long __mul64hi(long long a, long long b) { return (__int128)a * b >> 64; }
DEVICE int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 32; i += 8) c += (int)(signed char)(a >> i) * (signed char)(b >> i);
  return c;
}

/* ---- Memory. */
template <typename T> DEVICE T __ldg(const T *p) { return *p; }
template <typename T> DEVICE T __ldcs(const T *p) { return *p; }
template <typename T> DEVICE T __ldcg(const T *p) { return *p; }
template <typename T> DEVICE T __ldca(const T *p) { return *p; }
template <typename T> DEVICE void __stcs(T *p, T x) { *p = x; }
template <typename T> DEVICE void __stcg(T *p, T x) { *p = x; }

/* ---- Conversions: to the nearest even; a NaN becomes the one that the GPU's conversions make. */
DEVICE float emulated_half_to_float(uint16_t x) {
  unsigned sign = (x & 0x8000u) << 16, rest = x & 0x7fffu;
  if (rest < 0x400) return emulated_bits<float>(emulated_bits<unsigned>((float)(int)rest * 5.9604644775390625e-8f) | sign); /* 2^-24 */
  if (rest > 0x7c00) return emulated_bits<float>(0x7fffffffu);
  return emulated_bits<float>(((rest << 13) + (rest == 0x7c00 ? 0x70000000u : 0x38000000u)) | sign);
}
DEVICE uint16_t emulated_float_to_half(float x) {
  unsigned bits = emulated_bits<unsigned>(x), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
  if (rest > 0x7f800000u) return 0x7fff;
  if (rest >= 0x477ff000u) return sign | 0x7c00; /* 65520 and more */
  if (rest >= 0x38800000u) return sign | ((rest - 0x38000000u + 0xfffu + (rest >> 13 & 1)) >> 13);
  if (rest <= 0x33000000u) return sign; /* 2^-25 is halfway to the least */
  unsigned shift = 126 - (rest >> 23), digits = (rest & 0x7fffffu) | 0x800000u; /* a subnormal's last bit is 2^-24 */
  unsigned y = digits >> shift, lost = digits & ((1u << shift) - 1), halfway = 1u << (shift - 1);
  return sign | (y + (lost > halfway || (lost == halfway && (y & 1))));
}
DEVICE uint16_t emulated_float_to_bfloat(float x) {
  unsigned bits = emulated_bits<unsigned>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
}
/* Integers are clamped and a NaN is 0, as the GPU's instructions have it (C leaves both undefined). */
template <typename I, typename F> DEVICE I emulated_integer(F x) {
  const bool is_signed = (I)-1 < (I)1;
  const I least = is_signed ? (I)(1ull << (sizeof(I) * 8 - 1)) : (I)0, most = (I)~least;
  const F bound = (F)ldexp(1.0, sizeof(I) * 8 - is_signed); /* the first that is too large */
  if (x != x) return 0;
  return x >= bound ? most : x < (F)least ? least : (I)x;
}
DEVICE int __float2int_rn(float x) { return emulated_integer<int>(rintf(x)); }
DEVICE int __float2int_rz(float x) { return emulated_integer<int>(truncf(x)); }
DEVICE int __float2int_rd(float x) { return emulated_integer<int>(floorf(x)); }
DEVICE int __float2int_ru(float x) { return emulated_integer<int>(ceilf(x)); }
DEVICE unsigned __float2uint_rn(float x) { return emulated_integer<unsigned>(rintf(x)); }
DEVICE unsigned __float2uint_rz(float x) { return emulated_integer<unsigned>(truncf(x)); }
DEVICE long long __float2ll_rn(float x) { return emulated_integer<long long>(rintf(x)); }
DEVICE long long __float2ll_rz(float x) { return emulated_integer<long long>(truncf(x)); }
DEVICE unsigned long long __float2ull_rz(float x) { return emulated_integer<unsigned long long>(truncf(x)); }
DEVICE int __double2int_rn(double x) { return emulated_integer<int>(rint(x)); }
DEVICE int __double2int_rz(double x) { return emulated_integer<int>(trunc(x)); }
DEVICE long long __double2ll_rn(double x) { return emulated_integer<long long>(rint(x)); }
DEVICE long long __double2ll_rz(double x) { return emulated_integer<long long>(trunc(x)); }
DEVICE float __int2float_rn(int x) { return (float)x; }
DEVICE float __uint2float_rn(unsigned x) { return (float)x; }
DEVICE float __ll2float_rn(long long x) { return (float)x; }
DEVICE double __int2double_rn(int x) { return x; }
DEVICE float __double2float_rn(double x) { return (float)x; }

/* ---- Mathematics. */
DEVICE float rsqrtf(float x) { return 1 / sqrtf(x); }
DEVICE double rsqrt(double x) { return 1 / sqrt(x); }
/* glibc's headers declare these names for themselves. */
#define __expf(x) expf(x)
#define __exp10f(x) powf(10, x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __log10f(x) log10f(x)
#define __powf(x, y) powf(x, y)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __tanf(x) tanf(x)
DEVICE float __fdividef(float x, float y) { return x / y; }
DEVICE float __fdiv_rn(float x, float y) { return x / y; }
DEVICE float __frcp_rn(float x) { return 1 / x; }
DEVICE float __fsqrt_rn(float x) { return sqrtf(x); }
DEVICE float __frsqrt_rn(float x) { return 1 / sqrtf(x); }
DEVICE float __fadd_rn(float x, float y) { return x + y; }
DEVICE float __fsub_rn(float x, float y) { return x - y; }
DEVICE float __fmul_rn(float x, float y) { return x * y; }
DEVICE double __dadd_rn(double x, double y) { return x + y; }
DEVICE double __dmul_rn(double x, double y) { return x * y; }
DEVICE float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
DEVICE double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
DEVICE float __saturatef(float x) { return x > 0 ? x < 1 ? x : 1 : 0; } /* NaN: 0 */
DEVICE float fdividef(float x, float y) { return x / y; }
DEVICE float normcdff(float x) { return 0.5f * erfcf(x * -0.70710678118654752f); }
DEVICE void sincospif(float x, float *s, float *c) { /* exact at multiples of a half, as the GPU's */
  const double y = fmod((double)x, 2.0), sine = sin(y * 3.14159265358979323846), cosine = cos(y * 3.14159265358979323846);
  *s = y == (int)y ? 0.0f : (float)sine;
  *c = 2 * y == (int)(2 * y) && y != (int)y ? 0.0f : (float)cosine;
}
/* Of integers in their common type; of floats as fminf and fmaxf: the number where the other is NaN. */
template <typename A, typename B> DEVICE auto min(A a, B b) -> decltype(a + b) {
  typedef decltype(a + b) T;
  if ((T)0.5 != 0) return a != a ? (T)b : b != b ? (T)a : (T)b < (T)a ? (T)b : (T)a;
  return (T)b < (T)a ? (T)b : (T)a;
}
template <typename A, typename B> DEVICE auto max(A a, B b) -> decltype(a + b) {
  typedef decltype(a + b) T;
  if ((T)0.5 != 0) return a != a ? (T)b : b != b ? (T)a : (T)b > (T)a ? (T)b : (T)a;
  return (T)b > (T)a ? (T)b : (T)a;
}

/* ---- Vector types. */
#define EMULATED_VECTOR(type, name) \
  struct alignas(2 * sizeof(type)) name##2 { type x, y; }; \
  struct name##3 { type x, y, z; }; \
  struct alignas(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16) name##4 { type x, y, z, w; }; \
  DEVICE name##2 make_##name##2(type x, type y) { return name##2{x, y}; } \
  DEVICE name##3 make_##name##3(type x, type y, type z) { return name##3{x, y, z}; } \
  DEVICE name##4 make_##name##4(type x, type y, type z, type w) { return name##4{x, y, z, w}; }
EMULATED_VECTOR(float, float)
EMULATED_VECTOR(double, double)
EMULATED_VECTOR(int, int)
EMULATED_VECTOR(unsigned, uint)
EMULATED_VECTOR(short, short)
EMULATED_VECTOR(unsigned short, ushort)
EMULATED_VECTOR(signed char, char)
EMULATED_VECTOR(unsigned char, uchar)
EMULATED_VECTOR(long long, longlong)
EMULATED_VECTOR(unsigned long long, ulonglong)
#undef EMULATED_VECTOR
