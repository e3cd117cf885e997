/* A GPU that is open: its primary context, what it is, and the code compiled for it so far. */
#ifndef INGOT_BACKEND_CUDA_DEVICE_H
#define INGOT_BACKEND_CUDA_DEVICE_H
#include "backend/cuda/driver.h"
#include "backend/cuda/kernel.h"
#include <pthread.h>

typedef struct ingot__cuda_compiled { /* one text's code */
  uint64_t key;
  void *code;
  size_t size;
  struct ingot__cuda_compiled *next;
} ingot__cuda_compiled;

struct ingot__device {
  const ingot__cuda_driver *driver;
  ingot__heap heap;
  int index, references;       /* under the table's lock */
  cu_device handle;
  cu_context context;
  ingot__cuda_info info;
  char text[192];
  pthread_mutex_t lock;        /* of `compiled` and of loaded code's entries */
  ingot__cuda_compiled *compiled;
  struct ingot__cublaslt_state *cublaslt; /* cublaslt.c's; NULL until it is used. Under the lock, too */
  struct ingot__cudnn_state *cudnn;       /* cudnn.c's, likewise */
};

typedef struct ingot__cuda_queue {
  ingot__device *device;
  cu_stream stream;
  cu_stream own;               /* destroyed with the queue, whichever it goes on in; NULL: none */
  cu_stream resumed;           /* while recording: the one to go on in */
} ingot__cuda_queue;

/* The device of the call's queue; without one the device that was opened last, or another that is open. Held: to be closed by the caller. NULL: none
 * is open. call may be NULL. */
ingot__device *ingot__cuda_hold(const ingot__call *call);
/* Makes the device's context the thread's. */
ingot_status ingot__cuda_enter(const ingot__device *device, ingot__diag *diag);

extern const ingot__kernel_functions ingot__cuda_transfer; /* transfer.c */

/* ---- device.c, code.c, queue.c: the functions of ingot__device_functions. */
ingot_status ingot__cuda_open(int index, ingot__diag *diag, ingot__device **device);
void ingot__cuda_close(ingot__device *device);
int ingot__cuda_count(void);
const char *ingot__cuda_describe(const ingot__device *device);
uint64_t ingot__cuda_code_key(void);
double ingot__cuda_least(const ingot__device *device, const char *precision, double flops, double bytes); /* roofline.c */
ingot_status ingot__cuda_allocate(ingot__device *device, size_t size, ingot__diag *diag, void **memory);
void ingot__cuda_release(ingot__device *device, void *memory);
ingot_status ingot__cuda_write(ingot__device *device, void *to, const void *from, size_t size, ingot__diag *diag);
ingot_status ingot__cuda_read(ingot__device *device, void *to, const void *from, size_t size, ingot__diag *diag);
ingot_status ingot__cuda_owns(ingot__device *device, const void *memory, ingot__diag *diag, bool *there);
void *ingot__cuda_pin(ingot__device *device, size_t size);
void ingot__cuda_unpin(ingot__device *device, void *memory);
bool ingot__cuda_pinned(ingot__device *device, const void *memory);
ingot_status ingot__cuda_compile(ingot__device *device, const ingot__kernel *kernel, const ingot__call *call, ingot__diag *diag, const void **code,
                                 size_t *size);
uint64_t ingot__cuda_text_key(ingot__device *device, const ingot__kernel *kernel, const ingot__call *call);
ingot_status ingot__cuda_load(ingot__device *device, const void *code, size_t size, ingot__diag *diag, void **loaded);
void ingot__cuda_unload(ingot__device *device, void *loaded);
/* The function of loaded code, with `shared` bytes allowed to its blocks. */
ingot_status ingot__cuda_entry(ingot__device *device, void *loaded, const char *name, unsigned shared, ingot__diag *diag, cu_function *function);
void ingot__cuda_forget(ingot__device *device); /* frees `compiled` */
void ingot__cuda_range_begin(const char *name); /* ranges.c */
void ingot__cuda_range_end(void);
ingot_status ingot__cuda_queue_new(ingot__device *device, void *native, ingot__diag *diag, void **queue);
void ingot__cuda_queue_free(void *queue);
void *ingot__cuda_queue_native(void *queue);
void ingot__cuda_queue_use(void *queue, void *native);
ingot_status ingot__cuda_copy(void *queue, void *to, const void *from, size_t size, ingot__diag *diag);
ingot_status ingot__cuda_wait(void *queue, ingot__diag *diag);
ingot_status ingot__cuda_record(void *queue, ingot__diag *diag);
ingot_status ingot__cuda_record_end(void *queue, ingot__diag *diag, void **recording);
ingot_status ingot__cuda_play(void *queue, void *recording, ingot__diag *diag);
void ingot__cuda_recording_free(ingot__device *device, void *recording);
ingot_status ingot__cuda_mark_new(ingot__device *device, ingot__diag *diag, void **mark);
void ingot__cuda_mark_free(ingot__device *device, void *mark);
ingot_status ingot__cuda_mark(void *queue, void *mark, ingot__diag *diag);
double ingot__cuda_seconds(void *from, void *to);
ingot_status ingot__cuda_reached(ingot__device *device, void *mark, ingot__diag *diag);
ingot_status ingot__cuda_follow(void *queue, void *mark, ingot__diag *diag);
#endif
