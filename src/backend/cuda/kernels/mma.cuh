/* Tensor cores of every GPU since sm_80: matrices of 8 rows of 16 bytes out of shared memory into registers (ldmatrix), and products of
 * 16x8 tiles, K = 16 of half or bfloat or 8 of float rounded to tf32, with float sums.
 *
 * In a product's fragments lane l has row g = l / 4 and position t = l % 4. One 32-bit register holds two 16-bit numbers or one tf32:
 *   a[0] (row g, k's t-th word), a[1] (row g + 8), a[2] (row g, word t + 4), a[3] (row g + 8, word t + 4); b[0] (word t, column g), b[1]
 *   (word t + 4, column g); c[0..1] (row g, columns 2t, 2t + 1), c[2..3] (row g + 8). */
#pragma once
#include "types.cuh"
#ifndef INGOT_EMULATED
/* Four 8x8 matrices of 16-bit numbers (or 8x4 of 32 bits); lane l gives the address of row l % 8 of matrix l / 8. r[i]: row l / 4, word l % 4. */
DEVICE void load_matrices(uint32_t r[4], const void *row) {
  uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at) : "memory");
}
/* The same, each matrix transposed: r[i] has column l / 4, rows 2 (l % 4) and the next. 16-bit numbers only. */
DEVICE void load_matrices_transposed(uint32_t r[4], const void *row) {
  uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at) : "memory");
}
DEVICE void mma(float c[4], const uint32_t a[4], const uint32_t b[2], half) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEVICE void mma(float c[4], const uint32_t a[4], const uint32_t b[2], bfloat) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEVICE void mma(float c[4], const uint32_t a[4], const uint32_t b[2], float) { /* K = 8 */
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
/* A float's bits rounded to tf32 (10 bits of fraction, to the nearest, ties away from zero). */
DEVICE uint32_t tf32_bits(uint32_t x) {
  uint32_t y;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(__uint_as_float(x)));
  return y;
}
#else
struct emulated_fragments { uint32_t a[4], b[2]; };
DEVICE void load_matrices(uint32_t r[4], const void *row) {
  const void *const *rows = (const void *const *)emulated_warp_share(&row, sizeof row);
  int lane = threadIdx.x % 32;
  for (int i = 0; i < 4; i++) memcpy(&r[i], (const char *)rows[i * 8 + lane / 4] + lane % 4 * 4, 4);
}
DEVICE void load_matrices_transposed(uint32_t r[4], const void *row) {
  const void *const *rows = (const void *const *)emulated_warp_share(&row, sizeof row);
  int lane = threadIdx.x % 32;
  for (int i = 0; i < 4; i++) {
    uint16_t pair[2];
    for (int k = 0; k < 2; k++) memcpy(&pair[k], (const char *)rows[i * 8 + lane % 4 * 2 + k] + lane / 4 * 2, 2);
    r[i] = pair[0] | (uint32_t)pair[1] << 16;
  }
}
/* Number i of a word, as a float. */
DEVICE float emulated_part(uint32_t word, int i, half) { return to_float(half{(uint16_t)(word >> 16 * i)}); }
DEVICE float emulated_part(uint32_t word, int i, bfloat) { return to_float(bfloat{(uint16_t)(word >> 16 * i)}); }
DEVICE float emulated_part(uint32_t word, int, float) { return bits_float(word & ~0x1fffu); }
template <typename T> DEVICE void mma(float c[4], const uint32_t a[4], const uint32_t b[2], T type) {
  emulated_fragments mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const emulated_fragments *all = (const emulated_fragments *)emulated_warp_share(&mine, sizeof mine);
  int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  for (int i = 0; i < 4; i++) {
    int column = 2 * t + i % 2;
    float sum = c[i];
    for (int word = 0; word < 8; word++)
      for (int part = 0; part < 4 / (int)sizeof(T); part++) {
        uint32_t x = all[g * 4 + word % 4].a[i / 2 + word / 4 * 2], y = all[column * 4 + word % 4].b[word / 4];
        sum += emulated_part(x, part, type) * emulated_part(y, part, type);
      }
    c[i] = sum;
  }
}
DEVICE uint32_t tf32_bits(uint32_t x) { return (x & 0x7fffffffu) > 0x7f800000u ? x : (x + 0x1000u) & ~0x1fffu; }
#endif
