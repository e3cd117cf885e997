/* Opening GPUs, their memory, and copies that wait. */
#include "backend/cuda/cublaslt.h"
#include "backend/cuda/cudnn.h"
#include "backend/cuda/device.h"
#include <stdio.h>
#include <string.h>

enum { MOST_DEVICES = 64 };
static ingot__device *open_devices[MOST_DEVICES];
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static ingot__cuda_info planned_for;
static int planned_index = -1;

const ingot__cuda_info *ingot__cuda_info_get(void) { return &planned_for; }

ingot_status ingot__cuda_enter(const ingot__device *device, ingot__diag *diag) {
  cu_context now = NULL;
  if (device->driver->cuCtxGetCurrent(&now) == 0 && now == device->context) return INGOT_OK;
  return ingot__cuda_check(device->driver->cuCtxSetCurrent(device->context), diag, "taking the GPU");
}

int ingot__cuda_count(void) {
  const ingot__cuda_driver *d = ingot__cuda_driver_get(NULL);
  int n = 0;
  return d && d->cuDeviceGetCount(&n) == 0 ? n : 0;
}

/* Adds what the driver says, if it does, to `error`. */
static int attribute(const ingot__device *device, int which, int *error) {
  int value = 0, found = device->driver->cuDeviceGetAttribute(&value, which, device->handle);
  if (found) *error = found;
  return value;
}

static ingot_status start(ingot__device *device, ingot__diag *diag) {
  const ingot__cuda_driver *d = device->driver;
  char name[96] = "GPU";
  INGOT_CUDA_TRY(d->cuDeviceGet(&device->handle, device->index), diag, "opening the GPU");
  d->cuDeviceGetName(name, sizeof name, device->handle);
  ingot__cuda_info *info = &device->info;
  int error = 0;
  info->arch = attribute(device, CU_CAPABILITY_MAJOR, &error) * 10 + attribute(device, CU_CAPABILITY_MINOR, &error);
  info->sms = attribute(device, CU_MULTIPROCESSORS, &error);
  info->shared = (size_t)attribute(device, CU_SHARED_OPTIN, &error);
  info->l2 = (size_t)attribute(device, CU_L2_SIZE, &error);
  info->clock = attribute(device, CU_CLOCK_RATE, &error) * 1e3;
  info->bandwidth = attribute(device, CU_MEMORY_CLOCK, &error) * 1e3 * 2 * attribute(device, CU_MEMORY_BITS, &error) / 8; /* twice a clock */
  INGOT_CUDA_TRY(error, diag, "asking the GPU what it has");
  snprintf(device->text, sizeof device->text, "%s, %d multiprocessors, sm_%d, driver %d.%d", name, info->sms, info->arch, d->version / 1000,
           d->version % 1000 / 10);
  if (info->arch < 80) {
    return ingot__fail(diag, INGOT_E_DEVICE, NULL, "GPU %d (%s) is older than the oldest that is supported: sm_80 (Ampere)", device->index,
                       device->text);
  }
  INGOT_CUDA_TRY(d->cuDevicePrimaryCtxRetain(&device->context, device->handle), diag, "opening the GPU");
  return INGOT_OK;
}

static ingot_status open_new(const ingot__cuda_driver *driver, int index, ingot__diag *diag, ingot__device **device) {
  ingot__heap heap;
  ingot__heap_init(&heap, NULL);
  ingot__device *made = ingot__calloc(&heap, 1, sizeof *made);
  if (!made) return ingot__no_memory(diag);
  ingot__heap_init(&made->heap, NULL);
  made->driver = driver;
  made->index = index;
  pthread_mutex_init(&made->lock, NULL);
  ingot_status status = start(made, diag);
  if (status == INGOT_OK) {
    *device = made;
    return INGOT_OK;
  }
  pthread_mutex_destroy(&made->lock);
  ingot__free(&heap, made, sizeof *made);
  return status;
}

ingot_status ingot__cuda_open(int index, ingot__diag *diag, ingot__device **device) {
  const ingot__cuda_driver *driver = ingot__cuda_driver_get(diag);
  if (!driver) return INGOT_E_DEVICE;
  int count = 0;
  INGOT_CUDA_TRY(driver->cuDeviceGetCount(&count), diag, "counting the GPUs");
  if (index < 0 || index >= count || index >= MOST_DEVICES)
    return ingot__fail(diag, INGOT_E_DEVICE, NULL, "there is no GPU %d: the driver knows of %d", index, count);
  pthread_mutex_lock(&open_lock);
  ingot_status status = open_devices[index] ? INGOT_OK : open_new(driver, index, diag, &open_devices[index]);
  if (status == INGOT_OK) {
    *device = open_devices[index];
    (*device)->references++;
    planned_for = (*device)->info;
    planned_index = index;
  }
  pthread_mutex_unlock(&open_lock);
  return status;
}

ingot__device *ingot__cuda_hold(const ingot__call *call) {
  const ingot__cuda_queue *q = call ? call->queue : NULL;
  pthread_mutex_lock(&open_lock);
  ingot__device *device = q ? q->device : planned_index < 0 ? NULL : open_devices[planned_index];
  for (int i = 0; !device && i < MOST_DEVICES; i++) device = open_devices[i];
  if (device) device->references++;
  pthread_mutex_unlock(&open_lock);
  return device;
}

void ingot__cuda_close(ingot__device *device) {
  if (!device) return;
  pthread_mutex_lock(&open_lock);
  bool last = --device->references == 0;
  if (last) open_devices[device->index] = NULL;
  pthread_mutex_unlock(&open_lock);
  if (!last) return;
  ingot__cublaslt_leave(device);
  ingot__cudnn_leave(device);
  device->driver->cuDevicePrimaryCtxRelease_v2(device->handle);
  ingot__cuda_forget(device);
  pthread_mutex_destroy(&device->lock);
  ingot__heap heap = device->heap;
  heap.used += sizeof *device;
  ingot__free(&heap, device, sizeof *device);
}

const char *ingot__cuda_describe(const ingot__device *device) { return device->text; }

ingot_status ingot__cuda_allocate(ingot__device *device, size_t size, ingot__diag *diag, void **memory) {
  cu_pointer p = 0;
  char doing[64];
  snprintf(doing, sizeof doing, "allocating %zu bytes on the GPU", size);
  INGOT_TRY(ingot__cuda_enter(device, diag));
  INGOT_CUDA_TRY(device->driver->cuMemAlloc_v2(&p, size ? size : 1), diag, doing);
  *memory = (void *)(uintptr_t)p;
  return INGOT_OK;
}

void ingot__cuda_release(ingot__device *device, void *memory) {
  if (memory && ingot__cuda_enter(device, NULL) == INGOT_OK) device->driver->cuMemFree_v2((uintptr_t)memory);
}

ingot_status ingot__cuda_write(ingot__device *device, void *to, const void *from, size_t size, ingot__diag *diag) {
  if (!size) return INGOT_OK;
  INGOT_TRY(ingot__cuda_enter(device, diag));
  INGOT_CUDA_TRY(device->driver->cuMemcpyHtoD_v2((uintptr_t)to, from, size), diag, "copying to the GPU");
  /* It may return when the bytes have left the caller's memory and not arrived yet, which queues that don't wait for the default one would see. */
  return ingot__cuda_check(device->driver->cuStreamSynchronize(NULL), diag, "copying to the GPU");
}

ingot_status ingot__cuda_read(ingot__device *device, void *to, const void *from, size_t size, ingot__diag *diag) {
  if (!size) return INGOT_OK;
  INGOT_TRY(ingot__cuda_enter(device, diag));
  return ingot__cuda_check(device->driver->cuMemcpyDtoH_v2(to, (uintptr_t)from, size), diag, "copying from the GPU");
}

/* 0: the driver doesn't know of the memory. */
static ingot_status memory_type(const ingot__device *device, const void *memory, ingot__diag *diag, int *type) {
  *type = 0;
  if (!memory) return INGOT_OK;
  INGOT_TRY(ingot__cuda_enter(device, diag));
  int error = device->driver->cuPointerGetAttribute(type, CU_POINTER_MEMORY_TYPE, (uintptr_t)memory);
  if (error) *type = 0;
  return error == CU_INVALID_VALUE ? INGOT_OK : ingot__cuda_check(error, diag, "asking whose memory an address is");
}

ingot_status ingot__cuda_owns(ingot__device *device, const void *memory, ingot__diag *diag, bool *there) {
  int type;
  INGOT_TRY(memory_type(device, memory, diag, &type));
  *there = type == CU_MEMORY_DEVICE;
  return INGOT_OK;
}

bool ingot__cuda_pinned(ingot__device *device, const void *memory) {
  int type;
  return memory_type(device, memory, NULL, &type) == INGOT_OK && type == CU_MEMORY_HOST;
}

void *ingot__cuda_pin(ingot__device *device, size_t size) {
  void *p = NULL;
  if (ingot__cuda_enter(device, NULL) != INGOT_OK) return NULL;
  return device->driver->cuMemHostAlloc(&p, size ? size : 1, CU_HOST_PORTABLE) == 0 ? p : NULL;
}

void ingot__cuda_unpin(ingot__device *device, void *memory) {
  if (memory && ingot__cuda_enter(device, NULL) == INGOT_OK) device->driver->cuMemFreeHost(memory);
}
