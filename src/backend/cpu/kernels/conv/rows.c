/* The rows of direct convolution: one for each instruction set and input layout. */
#include "backend/cpu/kernels/conv/direct.h"

#define ROW(name, plain, tiles, format) \
  static bool name##_supports(const ingot__call *call) { return ingot__direct_supports(call, plain); } \
  static double name##_cost(const ingot__call *call) { return ingot__direct_cost(call, plain, &tiles); } \
  static size_t name##_workspace(const ingot__call *call) { return ingot__direct_workspace(call, plain, &tiles); } \
  static size_t name##_pack_size(const ingot__call *call) { return ingot__direct_pack_size(call, plain); } \
  static void name##_pack(const ingot__call *call, void *packed) { ingot__direct_pack(call, plain, packed); } \
  static ingot_status name##_run(const ingot__call *call) { return ingot__direct_run(call, plain, &tiles); } \
  const ingot__kernel_functions ingot__cpu_##name = { \
    .supports = name##_supports, .cost = name##_cost, .workspace = name##_workspace, .pack_size = name##_pack_size, .pack = name##_pack, \
    .pack_format = format, .packs_inputs = 1u << 1 | 1u << 2, .run = name##_run};

ROW(conv_nhwc_f32_avx512, false, ingot__tiles_avx512, "panel16")
ROW(conv_nhwc_f32_avx2, false, ingot__tiles_avx2, "panel16")
ROW(conv_nhwc_f32_portable, false, ingot__tiles_portable, "panel16")
ROW(conv_nchw_f32_avx512, true, ingot__tiles_avx512, "panel16_chw")
ROW(conv_nchw_f32_avx2, true, ingot__tiles_avx2, "panel16_chw")
ROW(conv_nchw_f32_portable, true, ingot__tiles_portable, "panel16_chw")
