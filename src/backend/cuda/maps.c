/* Descriptors for the tensor copy engine, and what define() functions and costs share. */
#include "backend/cuda/device.h"
#include <string.h>

enum { PROMOTE_256 = 3 };

static int type_of(ingot_dtype dtype) { /* CUtensorMapDataType */
  switch (dtype) {
  case INGOT_FLOAT16: return 6;
  case INGOT_FLOAT32: return 7;
  case INGOT_BFLOAT16: return 9;
  case INGOT_INT32: return 3;
  default: return 0; /* bytes */
  }
}
static int swizzle_of(int bytes) { return bytes == 128 ? 3 : bytes == 64 ? 2 : bytes == 32 ? 1 : 0; }

ingot_status ingot__cuda_map_tiled(const ingot__call *call, ingot__cuda_map *map, ingot_dtype dtype, int rank, const void *base,
                                   const uint64_t *dim, const uint64_t *stride, const uint32_t *box, int swizzle) {
  const ingot__cuda_queue *q = call->queue;
  uint32_t step[5] = {1, 1, 1, 1, 1};
  int error = q->device->driver->cuTensorMapEncodeTiled(map, type_of(dtype), (uint32_t)rank, (void *)base, dim, stride, box, step, 0,
                                                        swizzle_of(swizzle), PROMOTE_256, 0);
  return ingot__cuda_check(error, call->diag, "describing a tensor to the copy engine");
}

ingot_status ingot__cuda_map_windows(const ingot__call *call, ingot__cuda_map *map, ingot_dtype dtype, const void *base, const uint64_t dim[4],
                                     const uint64_t stride[3], const int lower[2], const int upper[2], const uint32_t step[2], uint32_t channels,
                                     uint32_t pixels, int swizzle) {
  const ingot__cuda_queue *q = call->queue;
  uint32_t steps[4] = {1, step[0], step[1], 1};
  int error = q->device->driver->cuTensorMapEncodeIm2col(map, type_of(dtype), 4, (void *)base, dim, stride, lower, upper, channels, pixels, steps,
                                                         0, swizzle_of(swizzle), PROMOTE_256, 0);
  return ingot__cuda_check(error, call->diag, "describing a convolution's windows to the copy engine");
}

void ingot__cuda_define_type(ingot__text *text, const char *name, ingot_dtype dtype) {
  const char *type = "uint8_t";
  switch (dtype) {
  case INGOT_FLOAT32: type = "float"; break;
  case INGOT_FLOAT16: type = "half"; break;
  case INGOT_BFLOAT16: type = "bfloat"; break;
  case INGOT_FLOAT64: type = "double"; break;
  case INGOT_INT8: type = "int8_t"; break;
  case INGOT_UINT8: type = "uint8_t"; break;
  case INGOT_INT16: type = "int16_t"; break;
  case INGOT_UINT16: type = "uint16_t"; break;
  case INGOT_INT32: type = "int32_t"; break;
  case INGOT_UINT32: type = "uint32_t"; break;
  case INGOT_INT64: type = "int64_t"; break;
  case INGOT_UINT64: type = "uint64_t"; break;
  case INGOT_BOOL: type = "bool"; break;
  default: break;
  }
  ingot__text_printf(text, "#define %s %s\n", name, type);
}

/* An H200 moves 4.3 TB/s from memory and about three times that from its L2; a launch behind another costs about a microsecond and a half. */
double ingot__cuda_cost(double bytes, double flops, double flops_per_second) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  double rate = info->l2 && bytes < (double)info->l2 / 2 ? 9e12 : 3.5e12, move = bytes / rate, compute = flops / flops_per_second;
  return 1.5e-6 + (move > compute ? move : compute);
}

double ingot__cuda_bytes(const ingot__call *call) {
  double bytes = 0;
  for (size_t i = 0; i < call->n_in; i++)
    if (ingot__has_in(call, i)) bytes += (double)ingot__view_count(&call->in[i]) * (double)ingot_dtype_bits(call->in[i].dtype) / 8;
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i)) bytes += (double)ingot__view_count(&call->out[i]) * (double)ingot_dtype_bits(call->out[i].dtype) / 8;
  return bytes;
}
