/* Names of layers for NVIDIA's profilers (NVTX): ranges around a layer's launches where the library is there. It comes with CUDA's toolkit and with
 * the profilers themselves. */
#include "backend/cuda/device.h"
#include <dlfcn.h>

static int (*push)(const char *name);
static int (*pop)(void);

static void open_library(void) {
  static const char *const names[] = {"libnvtx3interop.so.1", "libnvToolsExt.so.1", "libnvToolsExt.so"};
  void *library = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && !library; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  push = (int (*)(const char *))dlsym(library, "nvtxRangePushA");
  pop = (int (*)(void))dlsym(library, "nvtxRangePop");
  if (!push || !pop) push = NULL, pop = NULL;
}

void ingot__cuda_range_begin(const char *name) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, open_library);
  if (push) push(name);
}

void ingot__cuda_range_end(void) {
  if (pop) pop();
}
