/* Modules (shared objects that emulated_nvrtc.c's compiler made), functions, launches and tensor maps of the emulated driver. */
#include "emulated_driver.h"
#include "emulated_map.h"
#include "emulated_memory.h"
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int emulated_live_modules;

/* ---- Modules. */

/* Images come without their size; it is where an ELF file's table of sections ends. 0: it isn't one. */
static size_t image_size(const void *image) {
  Elf64_Ehdr head;
  memcpy(&head, image, sizeof head);
  if (memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_type != ET_DYN) return 0;
  return head.e_shoff + (size_t)head.e_shnum * head.e_shentsize;
}
static void *open_image(const void *image, size_t size) {
  const char *folder = getenv("TMPDIR");
  char path[4096];
  snprintf(path, sizeof path, "%s/emulated-XXXXXX", folder && *folder ? folder : "/tmp");
  int file = mkstemp(path);
  if (file < 0) return NULL;
  for (size_t done = 0; done < size;) {
    ssize_t n = write(file, (const char *)image + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    done += (size_t)n;
  }
  close(file);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) fprintf(stderr, "emulated GPU: code can't be loaded: %s\n", dlerror());
  unlink(path);
  return library;
}
API int cuModuleLoadData(void **handle, const void *image) {
  ENTER(CONTEXT);
  size_t size = image ? image_size(image) : 0;
  if (!size) return emulated_leave(CUDA_INVALID_IMAGE);
  module *m = calloc(1, sizeof *m);
  if (!m) return emulated_leave(CUDA_OUT_OF_MEMORY);
  m->library = open_image(image, size);
  const int *arch = m->library ? dlsym(m->library, "emulated_arch") : NULL;
  const emulated_functions **functions = m->library ? dlsym(m->library, "emulated") : NULL;
  m->self = m->library ? dlsym(m->library, "emulated_self") : NULL;
  int error = arch && functions && m->self ? CUDA_OK : CUDA_INVALID_IMAGE;
  int mine = emulated_arch();
  if (!error && *arch) { /* sm_80's runs on sm_89, not on sm_90; sm_90a's on sm_90 alone */
    int theirs = *arch < 0 ? -*arch : *arch;
    if (theirs / 10 != mine / 10 || theirs > mine || (*arch < 0 && theirs != mine)) error = CUDA_NO_BINARY;
  }
  if (error) {
    if (m->library) dlclose(m->library);
    free(m);
    return emulated_leave(error);
  }
  *functions = &emulated_machine;
  emulated_live_modules++;
  *handle = m;
  return emulated_leave(CUDA_OK);
}
API int cuModuleUnload(void *handle) {
  ENTER(CONTEXT | RELEASE);
  module *m = handle;
  if (!m) return emulated_leave(CUDA_INVALID_HANDLE);
  emulated_run_streams(false);
  for (function *f = m->functions, *next; f; f = next) next = f->next, free(f);
  dlclose(m->library);
  free(m);
  emulated_live_modules--;
  return emulated_leave(CUDA_OK);
}

/* ---- Functions. */
API int cuModuleGetFunction(void **result, void *handle, const char *name) {
  ENTER(CONTEXT);
  module *m = handle;
  if (!m) return emulated_leave(CUDA_INVALID_HANDLE);
  for (function *f = m->functions; f; f = f->next)
    if (!strcmp(f->name, name)) return *result = f, emulated_leave(CUDA_OK);
  char launch[160];
  function *f = calloc(1, sizeof *f);
  if (!f) return emulated_leave(CUDA_OUT_OF_MEMORY);
  snprintf(f->name, sizeof f->name, "%s", name);
  snprintf(launch, sizeof launch, "%s_launch", f->name);
  *(void **)&f->kernel = dlsym(m->library, f->name);
  f->launch = dlsym(m->library, launch);
  if (!f->kernel || !f->launch) {
    free(f);
    return emulated_leave(CUDA_NOT_FOUND);
  }
  f->module = m;
  f->shared_most = SHARED_DEFAULT;
  f->next = m->functions;
  m->functions = f;
  *result = f;
  return emulated_leave(CUDA_OK);
}
API int cuFuncSetAttribute(void *handle, int attribute, int value) {
  function *f = handle;
  ENTER(CONTEXT);
  if (!f) return emulated_leave(CUDA_INVALID_HANDLE);
  int error = CUDA_OK;
  if (attribute == 8) { /* dynamic shared memory */
    if (value < 0 || value > SHARED_MOST) error = CUDA_INVALID_VALUE;
    else f->shared_most = value;
  } else if (attribute == 14) f->large_clusters = value;
  else if (attribute != 9) error = CUDA_INVALID_VALUE; /* 9: how the first cache is split */
  return emulated_leave(error);
}
API int cuFuncGetAttribute(int *value, int attribute, void *handle) {
  const function *f = handle;
  ENTER(CONTEXT);
  if (!f) return emulated_leave(CUDA_INVALID_HANDLE);
  int error = CUDA_OK;
  if (attribute == 0) *value = (int)f->launch[0];
  else if (attribute == 1 || attribute == 2 || attribute == 3) *value = 0; /* static shared memory, constants, local memory */
  else if (attribute == 4) *value = 32; /* registers */
  else if (attribute == 5 || attribute == 6) *value = emulated_arch();
  else if (attribute == 8) *value = f->shared_most;
  else error = CUDA_INVALID_VALUE;
  return emulated_leave(error);
}

/* ---- Launches. */
typedef struct attribute { /* CUlaunchAttribute */
  int id, pad;
  union { char bytes[64]; unsigned dim[3]; int flag; } value;
} attribute;
typedef struct config { /* CUlaunchConfig */
  unsigned grid[3], block[3], shared;
  void *stream;
  const attribute *attributes;
  unsigned n_attributes;
} config;
static int check_launch(const config *c, const function *f, const unsigned cluster[3]) {
  uint64_t threads = (uint64_t)c->block[0] * c->block[1] * c->block[2];
  for (int i = 0; i < 3; i++) {
    if (!c->grid[i] || !c->block[i] || !cluster[i] || c->grid[i] > (i ? 65535u : 2147483647u) || c->block[i] > (i == 2 ? 64u : 1024u))
      return CUDA_INVALID_VALUE;
    if (c->grid[i] % cluster[i]) return CUDA_INVALID_CLUSTER;
  }
  if (threads > 1024) return CUDA_INVALID_VALUE;
  if (threads > f->launch[0]) return CUDA_OUT_OF_RESOURCES; /* more than its launch bounds */
  if (c->shared > (unsigned)f->shared_most) return CUDA_INVALID_VALUE;
  if (f->launch[1] > PARAMETERS_MOST) return CUDA_INVALID_VALUE;
  uint64_t blocks = (uint64_t)cluster[0] * cluster[1] * cluster[2];
  if (blocks > (f->large_clusters ? 16u : 8u)) return CUDA_INVALID_CLUSTER;
  return CUDA_OK;
}
API int cuLaunchKernelEx(const config *c, void *handle, void **params, void **extra) {
  ENTER(CONTEXT);
  const function *f = handle;
  if (!f || !c || !params || !params[0] || extra) return emulated_leave(CUDA_INVALID_VALUE);
  unsigned cluster[3] = {1, 1, 1};
  bool early = false;
  for (unsigned i = 0; i < c->n_attributes; i++) {
    const attribute *a = &c->attributes[i];
    if ((a->id == 4 || a->id == 6) && emulated_arch() < 90) return emulated_leave(CUDA_NOT_SUPPORTED);
    if (a->id == 4) memcpy(cluster, a->value.dim, sizeof cluster);
    else if (a->id == 6) early = a->value.flag;
    else if (a->id != 0 && a->id != 8) return emulated_leave(CUDA_INVALID_VALUE); /* 0 is ignored, 8 is a priority */
  }
  int error = check_launch(c, f, cluster);
  if (error) return emulated_leave(error);
  emulated_launch launch = {
    .kernel = f->kernel,
    .grid = {c->grid[0], c->grid[1], c->grid[2]},
    .block = {c->block[0], c->block[1], c->block[2]},
    .cluster = {cluster[0], cluster[1], cluster[2]},
    .shared = c->shared,
    .early = early,
    .self = f->module->self,
  };
  return emulated_leave(emulated_put_launch(c->stream, &launch, f->name, params[0], f->launch[1]));
}

/* ---- Tensor maps: what the descriptions of the two functions demand. */
static const uint8_t type_size[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
static int begin_map(emulated_map *m, const void *map, int type, uint32_t rank, const void *base, const uint64_t *dim, const uint64_t *stride,
                     const uint32_t *step, int interleave, int swizzle, int promotion, int fill) {
  if (emulated_arch() < 90) return CUDA_NOT_SUPPORTED;
  if (!map || (uintptr_t)map % 64 || type < 0 || type >= (int)sizeof type_size || rank < 1 || rank > 5) return CUDA_INVALID_VALUE;
  if (!base || (uintptr_t)base % 16 || interleave || swizzle < 0 || swizzle > 3 || promotion < 0 || promotion > 3 || fill) return CUDA_INVALID_VALUE;
  if (emulated_memory_holds(base, 1) != 1) return CUDA_INVALID_VALUE;
  memset(m, 0, sizeof *m);
  m->rank = (uint8_t)rank;
  m->size = type_size[type];
  m->swizzle = swizzle ? (uint8_t)(16 << swizzle) : 0;
  m->base = (uintptr_t)base;
  for (uint32_t i = 0; i < rank; i++) {
    if (!dim[i] || dim[i] > 1ull << 32 || !step[i] || step[i] > 8) return CUDA_INVALID_VALUE;
    m->last[i] = (uint32_t)(dim[i] - 1);
    m->step[i] = i ? (uint8_t)step[i] : 1; /* the first is ignored */
    if (i + 1 == rank) break;
    if (stride[i] % 16 || stride[i] >= 1ull << 40) return CUDA_INVALID_VALUE;
    m->stride[i] = stride[i];
  }
  return CUDA_OK;
}
static bool good_row(const emulated_map *m, uint32_t elements) {
  uint32_t bytes = elements * m->size;
  return elements && elements <= 256 && bytes % 16 == 0 && (!m->swizzle || bytes <= m->swizzle);
}
API int cuTensorMapEncodeTiled(void *map, int type, uint32_t rank, void *base, const uint64_t *dim, const uint64_t *stride, const uint32_t *box,
                               const uint32_t *step, int interleave, int swizzle, int promotion, int fill) {
  emulated_map m;
  ENTER(CONTEXT);
  int error = begin_map(&m, map, type, rank, base, dim, stride, step, interleave, swizzle, promotion, fill);
  if (error) return emulated_leave(error);
  m.kind = EMULATED_MAP_TILED;
  if (!good_row(&m, box[0])) return emulated_leave(CUDA_INVALID_VALUE);
  for (uint32_t i = 0; i < rank; i++) {
    if (!box[i] || box[i] > 256) return emulated_leave(CUDA_INVALID_VALUE);
    m.box[i] = (uint16_t)((box[i] + m.step[i] - 1) / m.step[i]);
  }
  memset(map, 0, 128);
  memcpy(map, &m, sizeof m);
  return emulated_leave(CUDA_OK);
}
API int cuTensorMapEncodeIm2col(void *map, int type, uint32_t rank, void *base, const uint64_t *dim, const uint64_t *stride, const int *lower,
                                const int *upper, uint32_t channels, uint32_t pixels, const uint32_t *step, int interleave, int swizzle,
                                int promotion, int fill) {
  emulated_map m;
  ENTER(CONTEXT);
  int error = begin_map(&m, map, type, rank, base, dim, stride, step, interleave, swizzle, promotion, fill);
  if (error) return emulated_leave(error);
  m.kind = EMULATED_MAP_WINDOWS;
  if (rank != 4) return emulated_leave(CUDA_NOT_SUPPORTED); /* here: images alone */
  if (!good_row(&m, channels) || !pixels || pixels > 1024 || m.step[3] != 1) return emulated_leave(CUDA_INVALID_VALUE);
  m.box[0] = (uint16_t)channels, m.box[1] = (uint16_t)pixels;
  for (int i = 0; i < 2; i++) {
    if (lower[i] < -128 || lower[i] > 127 || upper[i] < -128 || upper[i] > 127) return emulated_leave(CUDA_INVALID_VALUE);
    m.lower[i] = (int16_t)lower[i], m.upper[i] = (int16_t)upper[i];
    if ((int64_t)m.last[i + 1] + upper[i] < lower[i]) return emulated_leave(CUDA_INVALID_VALUE); /* no positions */
  }
  memset(map, 0, 128);
  memcpy(map, &m, sizeof m);
  return emulated_leave(CUDA_OK);
}
