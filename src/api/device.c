/* GPUs, for the memory that they reach. */
#include "api/api.h"
#include "backend/backend.h"
#include <string.h>

struct ingot_device {
  ingot__heap heap;
  const ingot__device_functions *functions;
  ingot__device *opened;
  void *queue;
};

bool ingot__device_name(const char *text, const char **backend, int *index) {
  const char *colon = strchr(text, ':');
  size_t length = colon ? (size_t)(colon - text) : strlen(text);
  bool cpu = length == 3 && !strncmp(text, "cpu", 3) && !colon, cuda = length == 4 && !strncmp(text, "cuda", 4);
  int number = 0;
  size_t digits = 0;
  for (const char *c = colon ? colon + 1 : ""; *c; c++, digits++) {
    if (*c < '0' || *c > '9' || digits == 3) return false;
    number = 10 * number + (*c - '0');
  }
  if ((!cpu && !cuda) || (colon && (!digits || number > 255))) return false;
  *backend = cuda ? "cuda" : "cpu";
  *index = number;
  return true;
}

int ingot_device_count(const char *kind) {
  const ingot__backend *backend = kind ? ingot__backend_find(kind) : NULL;
  return !backend ? 0 : backend->device ? backend->device->count() : 1;
}

static ingot_status start(ingot_device *device, int index, ingot__diag *diag) {
  INGOT_TRY(device->functions->open(index, diag, &device->opened));
  return device->functions->queue_new(device->opened, NULL, diag, &device->queue);
}

ingot_status ingot_device_create(const ingot_env *env, const char *name, ingot_device **device) {
  INGOT_CALL(NULL);
  const char *kind;
  int index;
  INGOT_REQUIRE(name && device, "an argument is NULL");
  INGOT_REQUIRE(ingot__device_name(name, &kind, &index) && ingot__backend_find(kind)->device, "the device must be cuda or cuda:N");
  ingot__heap heap;
  ingot__heap_init(&heap, env);
  ingot_device *made = ingot__calloc(&heap, 1, sizeof *made);
  if (!made) return ingot__end(&diag, ingot__no_memory(&diag));
  ingot__heap_init(&made->heap, env);
  made->heap.used = sizeof *made;
  made->functions = ingot__backend_find(kind)->device;
  ingot_status status = start(made, index, &diag);
  if (status == INGOT_OK) *device = made;
  else ingot_device_destroy(made);
  return ingot__end(&diag, status);
}

void ingot_device_destroy(ingot_device *device) {
  if (!device) return;
  if (device->queue) device->functions->queue_free(device->queue);
  if (device->opened) device->functions->close(device->opened);
  ingot__heap heap = device->heap;
  ingot__free(&heap, device, sizeof *device);
}

const char *ingot_device_description(const ingot_device *device) { return device ? device->functions->describe(device->opened) : NULL; }

ingot_status ingot_device_alloc(ingot_device *device, size_t size, void **memory) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(device && memory, "an argument is NULL");
  return ingot__end(&diag, device->functions->allocate(device->opened, size, &diag, memory));
}

void ingot_device_free(ingot_device *device, void *memory) {
  if (device && memory) device->functions->release(device->opened, memory);
}

ingot_status ingot_device_alloc_host(ingot_device *device, size_t size, void **memory) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(device && memory, "an argument is NULL");
  void *made = device->functions->pin(device->opened, size);
  if (!made) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_MEMORY, NULL, "%zu bytes of page-locked memory can't be had", size));
  *memory = made;
  return INGOT_OK;
}

void ingot_device_free_host(ingot_device *device, void *memory) {
  if (device && memory) device->functions->unpin(device->opened, memory);
}

ingot_status ingot_device_copy(ingot_device *device, void *to, const void *from, size_t size) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(device && ((to && from) || !size), "an argument is NULL");
  ingot_status status = device->functions->copy(device->queue, to, from, size, &diag);
  if (status == INGOT_OK) status = device->functions->wait(device->queue, &diag);
  return ingot__end(&diag, status);
}
