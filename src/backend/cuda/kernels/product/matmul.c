/* Products of matrices (product/mma.cu): float16, bfloat16, and float32 either as it is or rounded to tf32. */
#include <string.h>
#include "backend/cuda/kernels/product/matrices.h"
#include "backend/cuda/kernels/product/rows.h"

static bool supports_halves(const ingot__call *call) { return ingot__matrices_take(call) && call->in[0].dtype != INGOT_FLOAT32; }
static bool supports_floats(const ingot__call *call) { return ingot__matrices_take(call) && call->in[0].dtype == INGOT_FLOAT32; }

static ingot_status prepare(const ingot__call *call, ingot__product *product) {
  ingot__matrices d;
  INGOT_TRY(ingot__matrices_prepare(call, &d));
  *product = d.product;
  return INGOT_OK;
}

static void define(const ingot__call *call, ingot__text *text, const ingot__product_tile *tile) {
  ingot__matrices d;
  ingot__matrices_shape(call, &d);
  ingot__product_define(call, text, tile, (int)INGOT__ATTRS(call, MatMul)->act);
  ingot__text_printf(text, "#define WINDOW 0\n#define TRANSPOSED 0\n");
  ingot__cuda_define(text, "A_STRIDED", d.a_strided);
  ingot__cuda_define(text, "B_STRIDED", d.b_strided);
  ingot__cuda_define(text, "B_PACKED", d.packed);
}
#define HALVES(...) \
  INGOT__PRODUCT_ROW(matmul_mma, INGOT__MMA, supports_halves, ingot__matrices_pack_size, ingot__matrices_pack, "columns", __VA_ARGS__)
#define TF32(...) \
  INGOT__PRODUCT_ROW(matmul_tf32, INGOT__MMA, supports_floats, ingot__matrices_pack_size, ingot__matrices_pack_tf32, "columns_tf32", __VA_ARGS__)
#define FLOATS(...) \
  INGOT__PRODUCT_ROW(matmul_f32, INGOT__FMA, supports_floats, ingot__matrices_pack_size, ingot__matrices_pack, "columns", __VA_ARGS__)
INGOT__PRODUCT_TILES(HALVES)
INGOT__PRODUCT_TILES(TF32)
FLOATS(128, 128, 2, 4, 3, 1)
FLOATS(128, 64, 2, 2, 3, 2)
FLOATS(64, 64, 2, 2, 3, 3)
FLOATS(32, 32, 2, 2, 4, 4)
