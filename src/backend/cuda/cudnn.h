/* NVIDIA's cuDNN, opened when a kernel that calls it is first asked about, and convolutions by its graphs. The declarations are of its public binary
 * interface, version 9, as far as it is used. */
#ifndef INGOT_BACKEND_CUDA_CUDNN_H
#define INGOT_BACKEND_CUDA_CUDNN_H
#include "backend/cuda/driver.h"
#include "backend/cuda/kernel.h"

typedef struct cudnn_context_ *cudnn_handle;
typedef void *cudnn_descriptor;

enum { /* numbers out of the interface's enumerations */
  CUDNN_FLOAT = 0, CUDNN_HALF = 2, CUDNN_BFLOAT16 = 9, CUDNN_CROSS_CORRELATION = 1, CUDNN_ADD = 0, CUDNN_RELU = 100, CUDNN_HEURISTICS_A = 3,
  CUDNN_NOT_SUPPORTED = 3000, CUDNN_NO_MEMORY = 4003,
  /* Kinds of descriptors. */
  CUDNN_POINTWISE = 0, CUDNN_CONVOLUTION = 1, CUDNN_ENGINE = 2, CUDNN_CONFIG = 3, CUDNN_HEURISTICS = 4, CUDNN_PLAN = 5, CUDNN_OP_CONVOLUTION = 10,
  CUDNN_OP_POINTWISE = 13, CUDNN_GRAPH = 15, CUDNN_PACK = 16, CUDNN_TENSOR = 17,
  /* Types of attributes. */
  CUDNN_T_HANDLE = 0, CUDNN_T_DATA_TYPE = 1, CUDNN_T_BOOLEAN = 2, CUDNN_T_INT64 = 3, CUDNN_T_FLOAT = 4, CUDNN_T_POINTER = 6, CUDNN_T_CONV_MODE = 7,
  CUDNN_T_HEURISTICS = 8, CUDNN_T_NUMERICAL_NOTE = 11, CUDNN_T_POINTWISE = 14, CUDNN_T_DESCRIPTOR = 15, CUDNN_T_BEHAVIOR_NOTE = 19,
  /* Attributes. */
  CUDNN_POINTWISE_MODE = 0, CUDNN_POINTWISE_PRECISION = 1,
  CUDNN_CONV_TYPE = 100, CUDNN_CONV_MODE = 101, CUDNN_CONV_DILATIONS = 102, CUDNN_CONV_STRIDES = 103, CUDNN_CONV_PADS_AFTER = 104,
  CUDNN_CONV_PADS_BEFORE = 105, CUDNN_CONV_DIMS = 106,
  CUDNN_HEURISTICS_MODE = 200, CUDNN_HEURISTICS_GRAPH = 201, CUDNN_HEURISTICS_RESULTS = 202, CUDNN_CONFIG_ENGINE = 300,
  CUDNN_PLAN_HANDLE = 400, CUDNN_PLAN_CONFIG = 401, CUDNN_PLAN_WORKSPACE = 402,
  CUDNN_OP_CONV_ALPHA = 700, CUDNN_OP_CONV_BETA = 701, CUDNN_OP_CONV_DESC = 702, CUDNN_OP_CONV_W = 703, CUDNN_OP_CONV_X = 704, CUDNN_OP_CONV_Y = 705,
  CUDNN_OP_POINTWISE_DESC = 750, CUDNN_OP_POINTWISE_X = 751, CUDNN_OP_POINTWISE_B = 752, CUDNN_OP_POINTWISE_Y = 753,
  CUDNN_GRAPH_HANDLE = 800, CUDNN_GRAPH_OPS = 801,
  CUDNN_TENSOR_ALIGNMENT = 900, CUDNN_TENSOR_TYPE = 901, CUDNN_TENSOR_DIMS = 902, CUDNN_TENSOR_STRIDES = 903, CUDNN_TENSOR_ID = 906,
  CUDNN_TENSOR_VIRTUAL = 907,
  CUDNN_PACK_IDS = 1000, CUDNN_PACK_POINTERS = 1001, CUDNN_PACK_WORKSPACE = 1003,
  CUDNN_ENGINE_NUMERICAL_NOTES = 1303, CUDNN_ENGINE_BEHAVIOR_NOTES = 1305,
  /* Notes of engines. */
  CUDNN_NOTE_TENSOR_CORES = 0, CUDNN_NOTE_STRICT_NAN = 9, CUDNN_NOTES = 16, CUDNN_NOTE_COMPILES = 0,
};

typedef struct ingot__cudnn_functions {
#define INGOT_CUDNN(result, name, parameters) result (*name) parameters;
#include "backend/cuda/cudnn.def"
#undef INGOT_CUDNN
} ingot__cudnn_functions;

extern const ingot__library ingot__cudnn;

/* out = act(convolution of X by W + residual + bias): images of two dimensions, of float16, bfloat16 or float32, summed up in float32. Dims are
 * {images, channels, lines, columns} (of W: outputs, inputs, lines, columns), strides in elements; window: {lines, columns}. All ints, compared as
 * bytes: what decides a plan. */
typedef struct ingot__cudnn_conv {
  int64_t x_dim[4], x_stride[4], w_dim[4], w_stride[4], out_dim[4], out_stride[4], residual_stride[4];
  int64_t before[2], after[2], step[2], dilation[2];
  int64_t align;                       /* bytes that all addresses are multiples of */
  int32_t dtype;                       /* ingot_dtype; float32 is rounded to TF32 */
  int32_t has_bias, has_residual, relu;
} ingot__cudnn_conv;
typedef struct ingot__cudnn_operands { const void *x, *w, *bias, *residual; void *out; } ingot__cudnn_operands;

/* Ids of the operands' tensors in a graph. */
enum { INGOT__CUDNN_X = 1, INGOT__CUDNN_W, INGOT__CUDNN_RESIDUAL, INGOT__CUDNN_BIAS, INGOT__CUDNN_OUT };

/* A graph's plan, with all that it was made of. */
enum { INGOT__CUDNN_KEPT = 32 };
typedef struct ingot__cudnn_plan {
  ingot__cudnn_conv of;
  uint64_t hash;                       /* of `of` */
  cudnn_descriptor plan;               /* NULL: the library has none */
  cudnn_descriptor kept[INGOT__CUDNN_KEPT];
  int n_kept;
  size_t workspace;
  struct ingot__cudnn_plan *next;
} ingot__cudnn_plan;
/* The first of the engines that mode A of the heuristics proposes which keeps float32's sums, needs no compiler and at most `limit` bytes of
 * workspace. Returns the library's status and in *function which call gave it; no engine isn't an error. To be freed with
 * ingot__cudnn_plan_free in any case. */
int ingot__cudnn_plan_make(const ingot__cudnn_functions *call, cudnn_handle handle, size_t limit, ingot__cudnn_plan *plan, const char **function);
void ingot__cudnn_plan_free(const ingot__cudnn_functions *call, ingot__cudnn_plan *plan);

/* As of cuBLASLt: bytes; SIZE_MAX: it has no plan for it. */
size_t ingot__cudnn_workspace(const ingot__call *call, const ingot__cudnn_conv *conv);
ingot_status ingot__cudnn_run(const ingot__call *call, const ingot__cudnn_conv *conv, const ingot__cudnn_operands *operands);
void ingot__cudnn_leave(ingot__device *device);
#endif
