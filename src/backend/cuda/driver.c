/* Opening the driver and NVRTC. Each is tried once; what was missing is said again to whoever asks later. */
#include "backend/cuda/driver.h"
#include "backend/cuda/search.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ingot__cuda_driver driver;
static ingot__nvrtc nvrtc;
static bool driver_there, nvrtc_there;
static char driver_problem[512], nvrtc_problem[512];
static pthread_once_t driver_once = PTHREAD_ONCE_INIT, nvrtc_once = PTHREAD_ONCE_INIT;

static void open_driver(void) {
  const char *path = getenv("INGOT_CUDA_DRIVER");
  void *library = dlopen(path && *path ? path : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *words = dlerror();
    snprintf(driver_problem, sizeof driver_problem, "no NVIDIA driver: %s", words ? words : "libcuda.so.1 can't be opened");
    return;
  }
#define INGOT_CUDA(name, parameters) driver.name = (int (*) parameters)ingot__search_symbol(library, #name, driver_problem, sizeof driver_problem);
#include "backend/cuda/driver.def"
#undef INGOT_CUDA
  if (*driver_problem) return;
  int error = driver.cuInit(0);
  const char *words = NULL;
  if (error) {
    driver.cuGetErrorString(error, &words);
    snprintf(driver_problem, sizeof driver_problem, "the NVIDIA driver finds no usable GPU: %s", words ? words : "unknown error");
    return;
  }
  driver.cuDriverGetVersion(&driver.version);
  driver_there = true;
}

/* NVRTC opens its builtins by their name alone, which finds them where the system looks for libraries; in a wheel's or toolkit's own folder
 * only if they are open already. */
static void *find_nvrtc(void) {
  static const char *const names[] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", NULL};
  static const ingot__search search = {.variable = "INGOT_NVRTC", .names = names, .wheel = "cuda_nvrtc", .before = "libnvrtc-builtins.so.*"};
  return ingot__search_open(&search);
}

static void open_nvrtc(void) {
  void *library = find_nvrtc();
  if (!library) {
    const char *words = dlerror();
    snprintf(nvrtc_problem, sizeof nvrtc_problem,
             "kernels can't be compiled: NVRTC is missing (install CUDA's toolkit, or `pip install nvidia-cuda-nvrtc` and set INGOT_NVRTC to its "
             "libnvrtc.so.13): %s", words ? words : "not found");
    return;
  }
#define INGOT_NVRTC(name, parameters) nvrtc.name = (int (*) parameters)ingot__search_symbol(library, #name, nvrtc_problem, sizeof nvrtc_problem);
#include "backend/cuda/nvrtc.def"
#undef INGOT_NVRTC
  if (*nvrtc_problem) return;
  nvrtc_there = nvrtc.nvrtcVersion(&nvrtc.major, &nvrtc.minor) == 0;
  if (!nvrtc_there) snprintf(nvrtc_problem, sizeof nvrtc_problem, "kernels can't be compiled: NVRTC doesn't work");
}

const ingot__cuda_driver *ingot__cuda_driver_get(ingot__diag *diag) {
  pthread_once(&driver_once, open_driver);
  if (!driver_there) ingot__fail(diag, INGOT_E_DEVICE, NULL, "%s", driver_problem);
  return driver_there ? &driver : NULL;
}

const ingot__nvrtc *ingot__nvrtc_get(ingot__diag *diag) {
  pthread_once(&nvrtc_once, open_nvrtc);
  if (!nvrtc_there) ingot__fail(diag, INGOT_E_DEVICE, NULL, "%s", nvrtc_problem);
  return nvrtc_there ? &nvrtc : NULL;
}

ingot_status ingot__cuda_check(int error, ingot__diag *diag, const char *doing) {
  if (!error) return INGOT_OK;
  const char *words = NULL;
  if (driver_there) driver.cuGetErrorString(error, &words);
  return ingot__fail(diag, error == CU_OUT_OF_MEMORY ? INGOT_E_MEMORY : INGOT_E_DEVICE, NULL, "%s: %s (CUDA error %d)", doing,
                     error == CU_OUT_OF_MEMORY ? "the GPU is out of memory" : words ? words : "unknown error", error);
}
