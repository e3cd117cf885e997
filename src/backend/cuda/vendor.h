/* What NVIDIA's libraries that kernels may call have in common: they are opened when they are first asked about, and are there or tell why not. */
#ifndef INGOT_BACKEND_CUDA_VENDOR_H
#define INGOT_BACKEND_CUDA_VENDOR_H
#include "backend/cuda/kernel.h"
#include "backend/cuda/search.h"

typedef struct ingot__vendor {
  bool there;
  char problem[512];         /* why it isn't */
} ingot__vendor;

/* A library that is used where it is found: not where its variable is set to nothing or "none", nor, without it, beside another driver than
 * NVIDIA's. NULL, with words in vendor->problem. */
void *ingot__vendor_open(ingot__vendor *vendor, const ingot__search *search);
/* To be asked last, when its functions were found: whether a library made for that version of CUDA (13000: 13.0) suits the driver; words where
 * it doesn't. */
bool ingot__vendor_suits_driver(ingot__vendor *vendor, size_t cuda);
/* ingot__library's version(): the library's where it is there and works on the device that was opened last, or none is open. */
size_t ingot__vendor_version(const ingot__vendor *vendor, bool (*works)(ingot__device *device), size_t (*version)(void), const char **why);
/* Why it can't be called: it isn't there, or its handle couldn't be made. */
const char *ingot__vendor_problem(const ingot__vendor *vendor);
#endif
