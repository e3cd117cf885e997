/* Opening the driver and NVRTC. Each is tried once; what was missing is said again to whoever asks later. */
#include "backend/cuda/driver.h"
#include <dlfcn.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ingot__cuda_driver driver;
static ingot__nvrtc nvrtc;
static bool driver_there, nvrtc_there;
static char driver_problem[512], nvrtc_problem[512];
static pthread_once_t driver_once = PTHREAD_ONCE_INIT, nvrtc_once = PTHREAD_ONCE_INIT;

static void *symbol(void *library, const char *name, char *problem, size_t size) {
  void *p = dlsym(library, name);
  if (!p && !*problem) snprintf(problem, size, "the library lacks %s (it is older than CUDA 12)", name);
  return p;
}

static void open_driver(void) {
  const char *path = getenv("INGOT_CUDA_DRIVER");
  void *library = dlopen(path && *path ? path : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *words = dlerror();
    snprintf(driver_problem, sizeof driver_problem, "no NVIDIA driver: %s", words ? words : "libcuda.so.1 can't be opened");
    return;
  }
#define INGOT_CUDA(name, parameters) driver.name = (int (*) parameters)symbol(library, #name, driver_problem, sizeof driver_problem);
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
static void *open_nvrtc_file(const char *path) {
  const char *slash = strrchr(path, '/');
  char pattern[4096];
  glob_t found;
  if (slash && snprintf(pattern, sizeof pattern, "%.*s/libnvrtc-builtins.so.*", (int)(slash - path), path) < (int)sizeof pattern &&
      glob(pattern, 0, NULL, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; i++) dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
    globfree(&found);
  }
  return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* The newest file that a pattern finds: NVRTC's wheel and CUDA's toolkit keep it in their own folders. */
static void *open_pattern(const char *pattern) {
  glob_t found;
  void *library = NULL;
  if (glob(pattern, 0, NULL, &found) == 0) {
    for (size_t i = found.gl_pathc; i > 0 && !library; i--) library = open_nvrtc_file(found.gl_pathv[i - 1]);
    globfree(&found);
  }
  return library;
}

static void *find_nvrtc(void) {
  static const char *const names[] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};
  static const char *const folders[] = {"%s/lib64/libnvrtc.so.1[23]", "%s/nvidia/cu13/lib/libnvrtc.so.13",
      "%s/nvidia/cuda_nvrtc/lib/libnvrtc.so.1[23]"};
  static const char *const roots[] = {"CUDA_HOME", "CUDA_PATH"};
  const char *path = getenv("INGOT_NVRTC");
  if (path && *path) return open_nvrtc_file(path);
  void *library = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && !library; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  for (size_t i = 0; i < sizeof roots / sizeof roots[0] && !library; i++) {
    char pattern[4096];
    const char *root = getenv(roots[i]);
    for (size_t k = 0; root && k < sizeof folders / sizeof folders[0] && !library; k++)
      if (snprintf(pattern, sizeof pattern, folders[k], root) < (int)sizeof pattern) library = open_pattern(pattern);
  }
  if (!library) library = open_pattern("/usr/local/cuda*/lib64/libnvrtc.so.1[23]");
  return library;
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
#define INGOT_NVRTC(name, parameters) nvrtc.name = (int (*) parameters)symbol(library, #name, nvrtc_problem, sizeof nvrtc_problem);
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
