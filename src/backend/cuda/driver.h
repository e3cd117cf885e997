/* The CUDA driver and NVRTC, opened when they are first asked for: the library itself needs neither to build nor to run. The declarations are
 * of CUDA's public binary interface (version 12 and later), as far as it is used. */
#ifndef INGOT_BACKEND_CUDA_DRIVER_H
#define INGOT_BACKEND_CUDA_DRIVER_H
#include "base/status.h"

typedef int cu_device;
typedef uint64_t cu_pointer;
typedef struct cu_context_ *cu_context;
typedef struct cu_stream_ *cu_stream;
typedef struct cu_event_ *cu_event;
typedef struct cu_module_ *cu_module;
typedef struct cu_function_ *cu_function;
typedef struct cu_graph_ *cu_graph;
typedef struct cu_graph_exec_ *cu_graph_exec;
typedef struct nvrtc_program_ *nvrtc_program;

typedef struct cu_attribute {      /* CUlaunchAttribute */
  int id;
  int pad;
  union { char bytes[64]; struct { unsigned x, y, z; } cluster; int flag; } value;
} cu_attribute;
typedef struct cu_launch {         /* CUlaunchConfig */
  unsigned grid[3], block[3], shared;
  cu_stream stream;
  cu_attribute *attribute;
  unsigned n_attribute;
} cu_launch;

enum { /* numbers out of the interface's enumerations */
  CU_CLOCK_RATE = 13, CU_MULTIPROCESSORS = 16, CU_MEMORY_CLOCK = 36, CU_MEMORY_BITS = 37, CU_L2_SIZE = 38,
  CU_CAPABILITY_MAJOR = 75, CU_CAPABILITY_MINOR = 76, CU_SHARED_OPTIN = 97,
  CU_POINTER_MEMORY_TYPE = 2, CU_MEMORY_HOST = 1, CU_MEMORY_DEVICE = 2,
  CU_LAUNCH_CLUSTER = 4, CU_LAUNCH_EARLY = 6,
  CU_FUNCTION_SHARED = 8, CU_FUNCTION_LARGE_CLUSTERS = 14,
  CU_STREAM_NON_BLOCKING = 1, CU_CAPTURE_RELAXED = 2, CU_HOST_PORTABLE = 1,
  CU_INVALID_VALUE = 1, CU_OUT_OF_MEMORY = 2,
};

typedef struct ingot__cuda_driver {
#define INGOT_CUDA(name, parameters) int (*name) parameters;
#include "backend/cuda/driver.def"
#undef INGOT_CUDA
  int version;                /* 13000: 13.0 */
} ingot__cuda_driver;
typedef struct ingot__nvrtc {
#define INGOT_NVRTC(name, parameters) int (*name) parameters;
#include "backend/cuda/nvrtc.def"
#undef INGOT_NVRTC
  int major, minor;
} ingot__nvrtc;

/* NULL, with INGOT_E_DEVICE and what is missing in diag: the libraries are libcuda.so.1 and libnvrtc.so.13 or .12, out of the system, CUDA's
 * toolkit, Python's wheels, or where INGOT_CUDA_DRIVER and INGOT_NVRTC point. */
const ingot__cuda_driver *ingot__cuda_driver_get(ingot__diag *diag);
const ingot__nvrtc *ingot__nvrtc_get(ingot__diag *diag);
/* INGOT_OK, or INGOT_E_MEMORY or INGOT_E_DEVICE with the driver's words and what was being done. */
ingot_status ingot__cuda_check(int error, ingot__diag *diag, const char *doing);
#define INGOT_CUDA_TRY(call, diag, doing) INGOT_TRY(ingot__cuda_check((call), (diag), (doing)))
#endif
