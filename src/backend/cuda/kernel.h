/* For the rows of kernels/: how a kernel's C side describes its code and launches it.
 *
 * A kernel is a C file (supports, cost, pack, define, run) and a CUDA source beside it, kernels/<family>/<name>.cu. Both include
 * kernels/<family>/<name>.h, which has the struct of parameters that a launch passes, in types of fixed width. Sources are compiled by
 * NVRTC for the device at hand and see nothing but each other: no CUDA headers (kernels/ingot.cuh has what is needed of them). */
#ifndef INGOT_BACKEND_CUDA_KERNEL_H
#define INGOT_BACKEND_CUDA_KERNEL_H
#include "backend/backend.h"
#include "ops/window.h"

#define INGOT_KERNEL(name, op, arch, in_layout, out_layout, flags) extern const ingot__kernel_functions ingot__cuda_##name;
#include "backend/cuda/kernels.def"
#undef INGOT_KERNEL

/* The device that is planned for: set by opening one. All zero before that. */
typedef struct ingot__cuda_info {
  int arch;                  /* 80, 89, 90: of its compute capability */
  int sms;                   /* multiprocessors */
  size_t shared, l2;         /* bytes of shared memory a block may have; of the L2 cache */
  double clock, bandwidth;   /* Hz, at most; bytes a second of its memory */
} ingot__cuda_info;
const ingot__cuda_info *ingot__cuda_info_get(void);

typedef struct ingot__cuda_grid {
  unsigned x, y, z;          /* blocks; 0 counts as 1 */
  unsigned threads;          /* of a block */
  unsigned shared;           /* bytes of dynamic shared memory: kernels use no other */
  unsigned cluster;          /* blocks along x that form a cluster; 0: none */
  bool early;                /* it waits itself (grid_wait()) before it touches what earlier kernels wrote, so it may be launched before
                              * they have ended */
} ingot__cuda_grid;
/* Puts a launch of the call's code into its queue. params: the kernel's one parameter, a struct. */
ingot_status ingot__cuda_launch(const ingot__call *call, const char *entry, const ingot__cuda_grid *grid, const void *params, size_t size);
/* Puts a clearing of device memory into the queue. */
ingot_status ingot__cuda_clear(const ingot__call *call, void *memory, size_t size);

/* Descriptors for the tensor copy engine (sm_90), for structs of parameters; the struct is then aligned to 64 bytes. */
typedef struct ingot__cuda_map { _Alignas(64) unsigned char bytes[128]; } ingot__cuda_map;
/* Tiles: dims innermost first; strides of dims 1.. in bytes (multiples of 16), box in elements. swizzle: 0, 32, 64 or 128 bytes. Elements
 * outside are zeros. INGOT_E_DEVICE when the driver refuses. */
ingot_status ingot__cuda_map_tiled(const ingot__call *call, ingot__cuda_map *map, ingot_dtype dtype, int rank, const void *base,
                                   const uint64_t *dim, const uint64_t *stride, const uint32_t *box, int swizzle);
/* Windows of a convolution over an NHWC image: dim {C, W, H, N}, stride of W, H, N in bytes. lower and upper: corners of the window's positions,
 * {W, H}, as cuTensorMapEncodeIm2col has them; step: of the convolution, {W, H}. A box is `channels` x `pixels`. */
ingot_status ingot__cuda_map_windows(const ingot__call *call, ingot__cuda_map *map, ingot_dtype dtype, const void *base, const uint64_t dim[4],
                                     const uint64_t stride[3], const int lower[2], const int upper[2], const uint32_t step[2], uint32_t channels,
                                     uint32_t pixels, int swizzle);

/* ---- For define(): lines before the source. */
/* "#define NAME half\n": float, half, bfloat, double, int8_t.., bool. */
void ingot__cuda_define_type(ingot__text *text, const char *name, ingot_dtype dtype);
static inline void ingot__cuda_define(ingot__text *text, const char *name, int64_t value) {
  ingot__text_printf(text, "#define %s %lld\n", name, (long long)value);
}

/* KH, KW, STRIDE_Y, STRIDE_X, DILATION_Y, DILATION_X: of a window of two dims. */
static inline void ingot__cuda_define_window(ingot__text *text, const ingot__window *window) {
  static const char *const names[] = {"KH", "KW", "STRIDE_Y", "STRIDE_X", "DILATION_Y", "DILATION_X"};
  for (int i = 0; i < 2; i++) ingot__cuda_define(text, names[i], window->kernel[i]);
  for (int i = 0; i < 2; i++) ingot__cuda_define(text, names[2 + i], window->stride[i]);
  for (int i = 0; i < 2; i++) ingot__cuda_define(text, names[4 + i], window->dilation[i]);
}

/* ---- For costs: seconds of moving bytes and of multiply-adds, with a launch's fixed cost; the larger of the two counts. */
double ingot__cuda_cost(double bytes, double flops, double flops_per_second);
double ingot__cuda_bytes(const ingot__call *call); /* of all inputs and outputs */

/* Activations that take a dozen registers more than the others. */
static inline bool ingot__cuda_act_is_long(int64_t act) {
  return act == INGOT__ACT_TANH || act == INGOT__ACT_GELU || act == INGOT__ACT_SOFTPLUS || act == INGOT__ACT_MISH;
}
static inline bool ingot__cuda_is_float(ingot_dtype t) { return t == INGOT_FLOAT32 || t == INGOT_FLOAT16 || t == INGOT_BFLOAT16; }
static inline int64_t ingot__divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
#endif
