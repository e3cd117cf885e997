/* Matrices of 8-bit numbers as the integer products read them: signed, in panels of 16 columns; four rows of a column lie together, as the
 * instructions that multiply and add bytes want them. Unsigned numbers are moved down by 128. */
#ifndef INGOT_BACKEND_CPU_KERNELS_INTEGER_PACK_H
#define INGOT_BACKEND_CPU_KERNELS_INTEGER_PACK_H
#include "backend/cpu/kernel.h"

enum { INGOT__BYTE_PANEL = 16 };
static inline size_t ingot__byte_panels(size_t n) { return (n + INGOT__BYTE_PANEL - 1) / INGOT__BYTE_PANEL; }
/* A panel: the 16 columns' sums in int32, then its bytes. */
static inline size_t ingot__byte_panel_size(size_t k) { return 64 + (k + 3) / 4 * 64; }
/* Panels [begin, end) of a k x n matrix of the type, row by row at `from`. */
void ingot__pack_bytes(ingot_dtype dtype, const void *from, size_t k, size_t n, size_t begin, size_t end, void *to);

/* What a MatMulInteger node multiplies, as matrices: `batch` pairs of m x k and k x n. False: not for the fast kernels. */
typedef struct ingot__byte_product { size_t batch, m, n, k; } ingot__byte_product;
bool ingot__byte_product_get(const ingot__call *call, ingot__byte_product *p);
size_t ingot__byte_product_pack_size(const ingot__call *call);
void ingot__byte_product_pack(const ingot__call *call, void *packed);
#endif
