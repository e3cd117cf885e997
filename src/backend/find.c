/* The targets this build has, by name. */
#include "backend/backend.h"

const ingot__backend *ingot__backend_find(const char *name) {
  if (!name || strcmp(name, ingot__cpu_backend.name) == 0) return &ingot__cpu_backend;
  if (strcmp(name, ingot__cuda_backend.name) == 0) return &ingot__cuda_backend;
  return NULL;
}
