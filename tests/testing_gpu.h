/* Which GPU the tests of the CUDA backend run on: the emulated one (tests/cuda/), or with INGOT_TEST_GPU=1 the real one that is there. */
#ifndef INGOT_TESTING_GPU_H
#define INGOT_TESTING_GPU_H
#include "testing.h"

static inline bool testing_real_gpu(void) {
  const char *text = getenv("INGOT_TEST_GPU");
  return text && *text == '1';
}

/* To be called before the backend is first used. Returns false, having said why, where there is neither. Emulated code is cached in the build
 * folder. */
static inline bool testing_gpu(void) {
  if (testing_real_gpu()) return true;
#ifdef INGOT_EMULATED_DRIVER
  if (system("${CXX:-c++} --version > /dev/null 2>&1")) {
    fprintf(stderr, "skipped: the emulated GPU needs a C++ compiler (c++, or CXX)\n");
    return false;
  }
  setenv("INGOT_CUDA_DRIVER", INGOT_EMULATED_DRIVER, 1);
  setenv("INGOT_NVRTC", INGOT_EMULATED_DRIVER, 1);
  setenv("INGOT_CUBLASLT", INGOT_EMULATED_DRIVER, 0);
  setenv("INGOT_CUDNN", INGOT_EMULATED_DRIVER, 0);
  setenv("INGOT_CACHE", INGOT_EMULATED_CACHE, 0);
  return true;
#else
  fprintf(stderr, "skipped: there is no emulated GPU for this processor\n");
  return false;
#endif
}

/* The driver's library, for tests that call it themselves. */
static inline const char *testing_driver(void) {
  const char *set = getenv("INGOT_CUDA_DRIVER");
  return set && *set ? set : "libcuda.so.1";
}
#endif
