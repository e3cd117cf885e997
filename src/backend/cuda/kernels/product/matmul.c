/* Products of matrices (product/mma.cu): float16, bfloat16, and float32 either as it is or rounded to tf32. */
#include <string.h>
#include "backend/cuda/kernels/product/matrices.h"

static bool supports_halves(const ingot__call *call) { return ingot__matrices_take(call) && call->in[0].dtype != INGOT_FLOAT32; }
static bool supports_floats(const ingot__call *call) { return ingot__matrices_take(call) && call->in[0].dtype == INGOT_FLOAT32; }

static void define(const ingot__call *call, ingot__text *text, const ingot__product_tile *tile) {
  ingot__matrices d;
  ingot__matrices_shape(call, &d);
  ingot__product_define(call, text, tile, (int)INGOT__ATTRS(call, MatMul)->act);
  ingot__text_printf(text, "#define WINDOW 0\n#define TRANSPOSED 0\n");
  ingot__cuda_define(text, "A_STRIDED", d.a_strided);
  ingot__cuda_define(text, "B_STRIDED", d.b_strided);
  ingot__cuda_define(text, "B_PACKED", d.packed);
}
static double cost(const ingot__call *call, const ingot__product_tile *tile) {
  ingot__matrices d;
  return ingot__matrices_prepare(call, &d) == INGOT_OK ? ingot__product_cost(call, tile, &d.product) : 1e9;
}
static size_t workspace(const ingot__call *call, const ingot__product_tile *tile) {
  ingot__matrices d;
  return ingot__matrices_prepare(call, &d) == INGOT_OK ? ingot__product_workspace(tile, &d.product) : 0;
}
static ingot_status run(const ingot__call *call, const ingot__product_tile *tile) {
  ingot__matrices d;
  INGOT_TRY(ingot__matrices_prepare(call, &d));
  return ingot__product_launch(call, tile, &d.product);
}

#define ROW(kind, mathematics, types, packing, format, bm, bn, warps_m, warps_n, stages, blocks) \
  static const ingot__product_tile kind##_##bm##x##bn = {mathematics, bm, bn, warps_m, warps_n, stages, blocks}; \
  static double kind##_##bm##x##bn##_cost(const ingot__call *call) { return cost(call, &kind##_##bm##x##bn); } \
  static size_t kind##_##bm##x##bn##_workspace(const ingot__call *call) { return workspace(call, &kind##_##bm##x##bn); } \
  static void kind##_##bm##x##bn##_define(const ingot__call *call, ingot__text *text) { define(call, text, &kind##_##bm##x##bn); } \
  static ingot_status kind##_##bm##x##bn##_run(const ingot__call *call) { return run(call, &kind##_##bm##x##bn); } \
  const ingot__kernel_functions ingot__cuda_matmul_##kind##_##bm##x##bn = { \
    .supports = types, .cost = kind##_##bm##x##bn##_cost, .workspace = kind##_##bm##x##bn##_workspace, .pack_size = ingot__matrices_pack_size, \
    .pack = packing, .pack_format = format, .packs_inputs = 1u << 1, .run = kind##_##bm##x##bn##_run, .source = "product/mma.cu", \
    .define = kind##_##bm##x##bn##_define};
#define HALVES(...) ROW(mma, INGOT__MMA, supports_halves, ingot__matrices_pack, "columns", __VA_ARGS__)
#define TF32(...) ROW(tf32, INGOT__MMA, supports_floats, ingot__matrices_pack_tf32, "columns_tf32", __VA_ARGS__)
#define FLOATS(...) ROW(f32, INGOT__FMA, supports_floats, ingot__matrices_pack, "columns", __VA_ARGS__)
INGOT__PRODUCT_TILES(HALVES)
INGOT__PRODUCT_TILES(TF32)
FLOATS(128, 128, 2, 4, 3, 1)
FLOATS(128, 64, 2, 2, 3, 2)
FLOATS(64, 64, 2, 2, 3, 3)
FLOATS(32, 32, 2, 2, 4, 4)
