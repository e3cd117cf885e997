/* Packing matrices into panel16. */
#include "backend/cpu/kernels/gemm/tile.h"

typedef float float4 __attribute__((vector_size(16), aligned(4), may_alias));

/* Rows whose channels lie side by side, of `panels` whole panels at once, so that a row is read in one go. */
static void pack_rows(const float *b, size_t b_k, size_t k, size_t panels, float alpha, float *to) {
  for (size_t i = 0; i < k; i++, b += b_k, to += INGOT__PANEL)
    for (size_t p = 0; p < panels; p++)
      for (size_t j = 0; j < INGOT__PANEL; j++) to[p * k * INGOT__PANEL + j] = b[p * INGOT__PANEL + j] * alpha;
}

/* Columns, of which each channel's lie side by side: 4 by 4 transposed at a time. */
static void pack_columns(const float *b, size_t b_n, size_t k, float alpha, float *to) {
  size_t i = 0;
#if defined(__clang__) || __GNUC__ >= 12
  for (; i + 4 <= k; i += 4)
    for (size_t j = 0; j < INGOT__PANEL; j += 4) {
      const float *from = b + j * b_n + i;
      const float4 r0 = *(const float4 *)from, r1 = *(const float4 *)(from + b_n), r2 = *(const float4 *)(from + 2 * b_n);
      const float4 r3 = *(const float4 *)(from + 3 * b_n);
      const float4 a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), c = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
      const float4 d = __builtin_shufflevector(r0, r1, 2, 6, 3, 7), e = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
      float *at = to + i * INGOT__PANEL + j;
      *(float4 *)at = __builtin_shufflevector(a, c, 0, 1, 4, 5) * alpha;
      *(float4 *)(at + INGOT__PANEL) = __builtin_shufflevector(a, c, 2, 3, 6, 7) * alpha;
      *(float4 *)(at + 2 * INGOT__PANEL) = __builtin_shufflevector(d, e, 0, 1, 4, 5) * alpha;
      *(float4 *)(at + 3 * INGOT__PANEL) = __builtin_shufflevector(d, e, 2, 3, 6, 7) * alpha;
    }
#endif
  for (; i < k; i++)
    for (size_t j = 0; j < INGOT__PANEL; j++) to[i * INGOT__PANEL + j] = b[j * b_n + i] * alpha;
}

void ingot__pack_panels(const float *b, size_t b_k, size_t b_n, size_t k, size_t n, float alpha, size_t begin, size_t end, float *to) {
  if (b_n == 1) {
    const size_t whole = n / INGOT__PANEL < end ? n / INGOT__PANEL : end;
    if (begin < whole) {
      pack_rows(b + begin * INGOT__PANEL, b_k, k, whole - begin, alpha, to);
      to += (whole - begin) * k * INGOT__PANEL;
      begin = whole;
    }
  }
  for (size_t p = begin; p < end; p++, to += k * INGOT__PANEL) {
    const size_t left = n - p * INGOT__PANEL;
    const float *from = b + p * INGOT__PANEL * b_n;
    if (left >= INGOT__PANEL && b_k == 1) pack_columns(from, b_n, k, alpha, to);
    else
      for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < INGOT__PANEL; j++) to[i * INGOT__PANEL + j] = j < left ? from[i * b_k + j * b_n] * alpha : 0;
  }
}
