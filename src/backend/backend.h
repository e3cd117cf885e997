/* The one seam: what a target must offer. The compiler and the runtime know targets by this header alone. */
#ifndef INGOT_BACKEND_BACKEND_H
#define INGOT_BACKEND_BACKEND_H
#include "base/text.h"
#include "ops/ops.h"

/* What a kernel can do beyond dense tensors; for kernels.def. */
enum {
  INGOT__K_STRIDED_IN = 1,   /* in[0] may be a slice along one axis of a larger buffer: CHANNELS_LAST: any pixel stride >= C; PLAIN: any strides
                              * with stride 1 last */
  INGOT__K_STRIDED_OUT = 2,  /* the same for out[0] (and for a residual input) */
  INGOT__K_IN_PLACE = 4,     /* out[0] may be the same memory as in[0] when their views are equal */
  INGOT__K_STRIDED_ALL = 16, /* every input and output may be such a slice (elementwise kernels that go by strides) */
  INGOT__K_VIEW = 8          /* no work: out[0] is in[0]'s memory; the runtime skips the step */
};

/* A library of the target's vendor, that kernels may call: used where it is found, never needed. */
typedef struct ingot__library {
  const char *name;          /* "cuBLASLt" */
  unsigned source;           /* INGOT_TACTIC_: builds may be told to do without it */
  /* A number that times and choices belong to. 0: it isn't there, or doesn't work on the device that was opened last; *why, if why isn't NULL,
   * is then what is missing, in words that stay. */
  size_t (*version)(const char **why);
} ingot__library;

/* A kernel's functions, defined in its file as ingot__cpu_<name>. Unset ones: see each. All get one call struct. */
typedef struct ingot__kernel_functions {
  /* Whether it computes this call (op, attributes, types, dims, which inputs are constant). Must not depend on dims that vary within a
   * profile (call dims are then the optimum's) unless run() copes with all values of them. NULL: always. */
  bool (*supports)(const ingot__call *call);
  /* Estimated seconds on call->threads threads. NULL: from FLOPs and bytes at the backend's typical rates. */
  double (*cost)(const ingot__call *call);
  /* Bytes of workspace for these dims and threads. NULL: 0. */
  size_t (*workspace)(const ingot__call *call);
  /* Constants rearranged when the engine is built: bytes, and writing them. NULL: none. The result must depend on the node and its
   * constants only, never on the ISA, so that another CPU's variant of the kernel with the same pack_format can use it. All that run()
   * reads is to be written. Several threads pack, each another node. */
  size_t (*pack_size)(const ingot__call *call);
  void (*pack)(const ingot__call *call, void *packed);
  const char *pack_format;   /* "panel16"; NULL: no pack */
  unsigned packs_inputs;     /* bit i: constant input i is wholly in the packed form and need not be kept in the engine */
  /* On a device, data and packed constants are in its memory, and work is put into call->queue in order. run() neither waits nor
   * allocates: what it puts there may be recorded and played again. */
  ingot_status (*run)(const ingot__call *call);
  /* Device code: a source of the backend's, and what is written before it for this call ("#define T half\n"). The text must not depend on
   * dims that vary within a profile, nor on their optimum. NULL: the source as it is. source NULL: a kernel without code. */
  const char *source;
  void (*define)(const ingot__call *call, ingot__text *text);
  unsigned host_inputs;      /* bit i: input i is read by the host (shapes, axes): its data is in host memory when it runs */
  const ingot__library *library; /* what run() calls; NULL: it is all ours */
} ingot__kernel_functions;

#define INGOT__NEVER 1e9     /* seconds: a cost that says it can't be done */

typedef struct ingot__kernel {
  const char *name;          /* its specification: "conv_nhwc_f32_avx512_6x64" */
  ingot__op op;              /* INGOT__OP_NONE: several; supports() decides */
  int level;                 /* what the device must have: the CPU's ingot__isa */
  uint8_t in_layout, out_layout; /* ingot__layout of in[0] and out[0]; other non-constant inputs of rank >= 3 come as in[0] (a residual as
                              * out[0]), constants and lower ranks PLAIN. ANY_LAYOUT: in[0]'s, whichever (out: the same) */
  unsigned flags;            /* INGOT__K_ */
  const ingot__kernel_functions *functions;
  bool on_device;            /* its tensors are in the device's memory; false: in the host's */
} ingot__kernel;

/* ---- Targets with memory and a queue of their own. */
typedef struct ingot__device ingot__device; /* one, opened; shared by the engines on it */

typedef struct ingot__device_functions {
  /* Opens device number `index` (or shares it, if it is open); INGOT_E_DEVICE with what is missing. */
  ingot_status (*open)(int index, ingot__diag *diag, ingot__device **device);
  void (*close)(ingot__device *device);
  int (*count)(void);                                     /* of devices; 0 where the driver is missing, too */
  const char *(*describe)(const ingot__device *device);   /* "NVIDIA H200, sm_90, driver 13.0": the key of timings and code */
  uint64_t (*code_key)(void);                             /* changes whenever the text of a kernel does */
  /* Seconds that so many operations in a precision ("float16", "tf32") and so many bytes of memory take at least; 0: not known. */
  double (*least)(const ingot__device *device, const char *precision, double flops, double bytes);
  /* Device memory: 256-byte aligned; INGOT_E_MEMORY. Copies wait until they are done. */
  ingot_status (*allocate)(ingot__device *device, size_t size, ingot__diag *diag, void **memory);
  void (*release)(ingot__device *device, void *memory);
  ingot_status (*write)(ingot__device *device, void *to, const void *from, size_t size, ingot__diag *diag);
  ingot_status (*read)(ingot__device *device, void *to, const void *from, size_t size, ingot__diag *diag);
  /* Whether an address is of device memory, whoever allocated it. A failure isn't taken for a no: host code would touch it then. */
  ingot_status (*owns)(ingot__device *device, const void *memory, ingot__diag *diag, bool *there);
  /* Host memory that the device reaches by itself: copies are quicker, and nobody waits for them. */
  void *(*pin)(ingot__device *device, size_t size);        /* NULL: no memory */
  void (*unpin)(ingot__device *device, void *memory);
  bool (*pinned)(ingot__device *device, const void *memory); /* whether an address is of such memory, whoever allocated it */
  /* Code for the kernel's call: compiled, or out of a cache; the device keeps it until it is closed, one copy of each. *size 0 for a kernel
   * without code. May be called by several threads. */
  ingot_status (*compile)(ingot__device *device, const ingot__kernel *kernel, const ingot__call *call, ingot__diag *diag, const void **code,
                          size_t *size);
  uint64_t (*text_key)(ingot__device *device, const ingot__kernel *kernel, const ingot__call *call); /* the same: the same code; 0: none */
  ingot_status (*load)(ingot__device *device, const void *code, size_t size, ingot__diag *diag, void **loaded);
  void (*unload)(ingot__device *device, void *loaded);
  /* A queue: work in it runs in order. native: the caller's own (a CUstream), which is not destroyed with it; NULL: a new one. */
  ingot_status (*queue_new)(ingot__device *device, void *native, ingot__diag *diag, void **queue);
  void (*queue_free)(void *queue);
  void *(*queue_native)(void *queue);
  void (*queue_use)(void *queue, void *native);  /* goes on with another, the caller's or its own; NULL: the device's default one */
  ingot_status (*copy)(void *queue, void *to, const void *from, size_t size, ingot__diag *diag); /* host or device, told by the addresses */
  ingot_status (*wait)(void *queue, ingot__diag *diag);
  /* What is put into the queue between the two is recorded, not run; *recording is played as a whole. */
  ingot_status (*record)(void *queue, ingot__diag *diag);
  ingot_status (*record_end)(void *queue, ingot__diag *diag, void **recording);
  ingot_status (*play)(void *queue, void *recording, ingot__diag *diag);
  void (*recording_free)(ingot__device *device, void *recording);
  /* A mark is a place in a queue, which may be gone when the mark is asked for; seconds between two when the later one has been reached. */
  ingot_status (*mark_new)(ingot__device *device, ingot__diag *diag, void **mark);
  void (*mark_free)(ingot__device *device, void *mark);
  ingot_status (*mark)(void *queue, void *mark, ingot__diag *diag);
  double (*seconds)(void *from, void *to);
  ingot_status (*reached)(ingot__device *device, void *mark, ingot__diag *diag); /* waits for it */
  ingot_status (*follow)(void *queue, void *mark, ingot__diag *diag);            /* what comes into the queue now waits for it, on the device */
} ingot__device_functions;

typedef struct ingot__backend {
  const char *name;          /* "cpu" */
  /* The device in words for reports, and a key for timing caches: model, features. */
  const char *(*describe)(void);
  /* The rows that the device can run and that support the call, preferred first, the reference last; returns how many were written. The
   * layouts of call->in[0] and out[0] must be those of the row: rows for other layouts are left out. Whether the library that a row calls is
   * there isn't asked: it would be opened. */
  size_t (*candidates)(const ingot__call *call, const ingot__kernel **list, size_t max);
  const ingot__kernel *(*find)(const char *name);        /* NULL: this version has none of that name */
  bool (*available)(const ingot__kernel *kernel);        /* the device has what it needs */
  bool (*fits)(const ingot__kernel *kernel, const ingot__call *call); /* available, and takes this call: operator, layouts, supports() */
  /* Another kernel that computes the same from the same packed constants and that the device can run, or NULL. */
  const ingot__kernel *(*substitute)(const char *name, const ingot__call *call);
  double (*cost)(const ingot__kernel *kernel, const ingot__call *call); /* seconds */
  bool (*wants_channels_last)(void);
  const ingot__library *const *libraries; /* of the device's vendor, NULL behind the last; NULL: none */
  const ingot__device_functions *device;  /* NULL: kernels run on the host, in its memory */
} ingot__backend;

const ingot__backend *ingot__backend_find(const char *name); /* "cpu" or NULL for the default; NULL if there is none */
extern const ingot__backend ingot__cpu_backend, ingot__cuda_backend;
#endif
