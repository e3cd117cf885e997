/* NVIDIA's libraries that kernels may call: opening them, and what is said where they are missing. */
#include "backend/cuda/vendor.h"
#include "backend/cuda/device.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *ingot__vendor_open(ingot__vendor *v, const ingot__search *s) {
  const char *path = getenv(s->variable), *driver = getenv("INGOT_CUDA_DRIVER");
  const size_t size = sizeof v->problem;
  if (!ingot__cuda_driver_get(NULL)) {
    snprintf(v->problem, size, "there is no NVIDIA driver");
    return NULL;
  }
  if (path && (!*path || !strcmp(path, "none"))) {
    snprintf(v->problem, size, "%s turns it off", s->variable);
    return NULL;
  }
  if (!path && driver && *driver && !strstr(driver, "libcuda.so")) {
    snprintf(v->problem, size, "with another driver (INGOT_CUDA_DRIVER) only what %s names is used", s->variable);
    return NULL;
  }
  void *library = ingot__search_open(s);
  const char *words = library ? NULL : dlerror();
  if (!library) snprintf(v->problem, size, "%s isn't found: %s", s->names[0], words ? words : "not there");
  return library;
}

bool ingot__vendor_suits_driver(ingot__vendor *v, size_t cuda) {
  const int version = ingot__cuda_driver_get(NULL)->version;
  if (cuda / 1000 <= (size_t)version / 1000) return true;
  snprintf(v->problem, sizeof v->problem, "it is of CUDA %zu, the driver of CUDA %d", cuda / 1000, version / 1000);
  return false;
}

const char *ingot__vendor_problem(const ingot__vendor *v) { return v->there ? "it can't be opened on this GPU" : v->problem; }

size_t ingot__vendor_version(const ingot__vendor *v, bool (*works)(ingot__device *device), size_t (*version)(void), const char **why) {
  ingot__device *device = v->there ? ingot__cuda_hold(NULL) : NULL;
  const bool good = v->there && (!device || works(device));
  if (device) ingot__cuda_close(device);
  if (!good && why) *why = ingot__vendor_problem(v);
  return good ? version() : 0;
}
