/* Rows of kernels.def for an operator that is a product (product/mma.cu). Its file has these statics, and then names its rows' tiles:
 *   ingot_status prepare(const ingot__call *call, ingot__product *product)
 *   void define(const ingot__call *call, ingot__text *text, const ingot__product_tile *tile) */
#ifndef INGOT_BACKEND_CUDA_PRODUCT_ROWS_H
#define INGOT_BACKEND_CUDA_PRODUCT_ROWS_H
#include "backend/cuda/kernels/product/launch.h"

typedef ingot_status ingot__product_prepare(const ingot__call *call, ingot__product *product);

static inline double ingot__product_row_cost(const ingot__call *call, const ingot__product_tile *tile, ingot__product_prepare *prepare) {
  ingot__product product;
  return prepare(call, &product) == INGOT_OK ? ingot__product_cost(call, tile, &product) : INGOT__NEVER;
}
static inline size_t ingot__product_row_workspace(const ingot__call *call, const ingot__product_tile *tile, ingot__product_prepare *prepare) {
  ingot__product product;
  return prepare(call, &product) == INGOT_OK ? ingot__product_workspace(tile, &product) : 0;
}
static inline ingot_status ingot__product_row_run(const ingot__call *call, const ingot__product_tile *tile, ingot__product_prepare *prepare) {
  ingot__product product;
  INGOT_TRY(prepare(call, &product));
  return ingot__product_launch(call, tile, &product);
}

/* ingot__cuda_<name>_<bm>x<bn>. type: its supports(); size, packing and format: of the packed weights; then a tile. */
#define INGOT__PRODUCT_ROW(name, mathematics, type, size, packing, format, bm, bn, warps_m, warps_n, stages, blocks) \
  static const ingot__product_tile name##_##bm##x##bn = {mathematics, bm, bn, warps_m, warps_n, stages, blocks}; \
  static double name##_##bm##x##bn##_cost(const ingot__call *call) { return ingot__product_row_cost(call, &name##_##bm##x##bn, prepare); } \
  static size_t name##_##bm##x##bn##_workspace(const ingot__call *call) { \
    return ingot__product_row_workspace(call, &name##_##bm##x##bn, prepare); \
  } \
  static void name##_##bm##x##bn##_define(const ingot__call *call, ingot__text *text) { define(call, text, &name##_##bm##x##bn); } \
  static ingot_status name##_##bm##x##bn##_run(const ingot__call *call) { \
    return ingot__product_row_run(call, &name##_##bm##x##bn, prepare); \
  } \
  const ingot__kernel_functions ingot__cuda_##name##_##bm##x##bn = { \
    .supports = type, .cost = name##_##bm##x##bn##_cost, .workspace = name##_##bm##x##bn##_workspace, .pack_size = size, .pack = packing, \
    .pack_format = format, .packs_inputs = 1u << 1, .run = name##_##bm##x##bn##_run, .source = "product/mma.cu", \
    .define = name##_##bm##x##bn##_define};
#endif
