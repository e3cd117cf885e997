/* Code: a kernel's text compiled by NVRTC for the device, remembered by the device and in a cache on disk; loaded, and its entries found.
 *
 * The key hashes all that decides the code: the text, every source, architecture, NVRTC's version. The cache is a folder of files, one a key:
 * INGOT_CACHE, or ingot/ in XDG_CACHE_HOME or ~/.cache; INGOT_CACHE set to nothing turns it off. A file is head (magic, size, hash)
 * and code; what doesn't check is compiled anew. */
#include "backend/cuda/device.h"
#include "backend/cuda/sources.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { ENTRIES = 32, LONGEST_LOG = 2000 };
typedef struct loaded {
  cu_module module;
  struct { char name[64]; cu_function function; unsigned shared; } entry[ENTRIES];
  int n_entry;
} loaded;

/* ---- The cache on disk */

typedef struct head { char magic[8]; uint64_t size, hash; } head;
static const char magic[8] = "ingotcu";

static bool cache_path(uint64_t key, bool make, char *path, size_t size) {
  const char *own = getenv("INGOT_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  char folder[3072];
  int n;
  if (own) n = *own ? snprintf(folder, sizeof folder, "%s", own) : -1;
  else if (xdg && *xdg) n = snprintf(folder, sizeof folder, "%s/ingot", xdg);
  else n = home && *home ? snprintf(folder, sizeof folder, "%s/.cache/ingot", home) : -1;
  if (n < 0 || (size_t)n >= sizeof folder) return false;
  for (char *at = folder + 1; make && *at; at++) {
    if (*at != '/') continue;
    *at = '\0';
    mkdir(folder, 0777);
    *at = '/';
  }
  if (make && mkdir(folder, 0777) && errno != EEXIST) return false;
  n = snprintf(path, size, "%s/%016llx.cubin", folder, (unsigned long long)key);
  return n > 0 && (size_t)n < size;
}

static void *read_cached(ingot__device *device, uint64_t key, size_t *size) {
  char path[4096];
  head h;
  if (!cache_path(key, false, path, sizeof path)) return NULL;
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  void *code = NULL;
  if (fread(&h, sizeof h, 1, file) == 1 && !memcmp(h.magic, magic, sizeof magic) && h.size > 0 && h.size < (64 << 20))
    code = ingot__alloc(&device->heap, h.size);
  if (code && (fread(code, 1, h.size, file) != h.size || XXH3_64bits(code, h.size) != h.hash)) {
    ingot__free(&device->heap, code, h.size);
    code = NULL;
  }
  if (code) *size = h.size;
  fclose(file);
  return code;
}

/* A cache that can't be written is none. */
static void write_cached(uint64_t key, const void *code, size_t size) {
  char path[4096], name[4200];
  head h = {.size = size, .hash = XXH3_64bits(code, size)};
  memcpy(h.magic, magic, sizeof magic);
  if (!cache_path(key, true, path, sizeof path)) return;
  snprintf(name, sizeof name, "%s.%ld.%llx.tmp", path, (long)getpid(), (unsigned long long)(uintptr_t)&h);
  FILE *file = fopen(name, "wb");
  if (!file) return;
  bool good = fwrite(&h, sizeof h, 1, file) == 1 && fwrite(code, 1, size, file) == size;
  good = fclose(file) == 0 && good;
  if (!good || rename(name, path)) unlink(name);
}

/* ---- Compiling */

static uint64_t sources_key;
static void hash_sources(void) {
  XXH3_state_t h;
  XXH3_64bits_reset(&h);
  for (size_t i = 0; i < ingot__cuda_n_source; i++) {
    XXH3_64bits_update(&h, ingot__cuda_sources[i].name, strlen(ingot__cuda_sources[i].name) + 1);
    XXH3_64bits_update(&h, ingot__cuda_sources[i].text, strlen(ingot__cuda_sources[i].text) + 1);
  }
  sources_key = XXH3_64bits_digest(&h);
}

uint64_t ingot__cuda_code_key(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, hash_sources);
  return sources_key;
}

static uint64_t key_of(const ingot__device *device, const ingot__nvrtc *nvrtc, const char *text, size_t length) {
  XXH3_state_t h;
  uint64_t version[4] = {(uint64_t)device->info.arch, nvrtc ? (uint64_t)nvrtc->major : 0, nvrtc ? (uint64_t)nvrtc->minor : 0, ingot__cuda_code_key()};
  XXH3_64bits_reset(&h);
  XXH3_64bits_update(&h, version, sizeof version);
  XXH3_64bits_update(&h, text, length);
  return XXH3_64bits_digest(&h);
}

static ingot_status compile_text(ingot__device *device, const ingot__nvrtc *nvrtc, const ingot__kernel *kernel, const char *text,
                                 ingot__diag *diag, void **code, size_t *size) {
  const char **names = ingot__calloc(&device->heap, ingot__cuda_n_source * 2 + 1, sizeof *names), **texts = names + ingot__cuda_n_source;
  if (!names) return ingot__no_memory(diag);
  for (size_t i = 0; i < ingot__cuda_n_source; i++) names[i] = ingot__cuda_sources[i].name, texts[i] = ingot__cuda_sources[i].text;
  char arch[48];
  int number = device->info.arch;
  snprintf(arch, sizeof arch, "--gpu-architecture=sm_%d%s", number, number >= 90 ? "a" : "");
  const char *options[] = {arch, "--std=c++17"};
  nvrtc_program program = NULL;
  int error = nvrtc->nvrtcCreateProgram(&program, text, kernel->name, (int)ingot__cuda_n_source, texts, names);
  if (!error) error = nvrtc->nvrtcCompileProgram(program, 2, options);
  ingot_status status = INGOT_OK;
  if (error) {
    char log[LONGEST_LOG + 1] = "";
    size_t n = 0;
    char *all = program && nvrtc->nvrtcGetProgramLogSize(program, &n) == 0 && n > 1 ? ingot__alloc(&device->heap, n + 1) : NULL;
    if (all && nvrtc->nvrtcGetProgramLog(program, all) == 0) snprintf(log, sizeof log, "%.*s", LONGEST_LOG, all);
    if (all) ingot__free(&device->heap, all, n + 1);
    status = ingot__fail(diag, INGOT_E_DEVICE, kernel->name, "the kernel can't be compiled (NVRTC %d.%d, error %d); this is a bug in ingot: %s",
                         nvrtc->major, nvrtc->minor, error, log);
  } else if (nvrtc->nvrtcGetCUBINSize(program, size) || !*size) {
    status = ingot__fail(diag, INGOT_E_DEVICE, kernel->name, "NVRTC gives no code for %s", arch);
  } else if (!(*code = ingot__alloc(&device->heap, *size))) {
    status = ingot__no_memory(diag);
  } else {
    nvrtc->nvrtcGetCUBIN(program, *code);
  }
  if (program) nvrtc->nvrtcDestroyProgram(&program);
  ingot__free(&device->heap, names, (ingot__cuda_n_source * 2 + 1) * sizeof *names);
  return status;
}

static ingot__cuda_compiled *remembered(ingot__device *device, uint64_t key) {
  ingot__cuda_compiled *c = device->compiled;
  while (c && c->key != key) c = c->next;
  return c;
}

/* Several threads may compile the same text at a time: the first one's is kept. */
static ingot_status remember(ingot__device *device, uint64_t key, void *code, size_t size, ingot__diag *diag, ingot__cuda_compiled **kept) {
  ingot__cuda_compiled *made = ingot__calloc(&device->heap, 1, sizeof *made);
  pthread_mutex_lock(&device->lock);
  *kept = remembered(device, key);
  if (!*kept && made) {
    *made = (ingot__cuda_compiled){.key = key, .code = code, .size = size, .next = device->compiled};
    device->compiled = *kept = made;
    made = NULL;
    code = NULL;
  }
  pthread_mutex_unlock(&device->lock);
  if (made) ingot__free(&device->heap, made, sizeof *made);
  ingot__free(&device->heap, code, size);
  return *kept ? INGOT_OK : ingot__no_memory(diag);
}

/* Of what is compiled for the call: what define() writes, and the source. */
static void write_text(ingot__device *device, const ingot__kernel *kernel, const ingot__call *call, ingot__text *text) {
  ingot__text_init(text, &device->heap);
  if (kernel->functions->define) kernel->functions->define(call, text);
  ingot__text_printf(text, "#include \"%s\"\n", kernel->functions->source);
}

uint64_t ingot__cuda_text_key(ingot__device *device, const ingot__kernel *kernel, const ingot__call *call) {
  ingot__text text;
  if (!kernel->functions->source) return 0;
  write_text(device, kernel, call, &text);
  const uint64_t key = text.failed ? 0 : key_of(device, ingot__nvrtc_get(NULL), text.data, text.length);
  ingot__text_free(&text);
  return key;
}

ingot_status ingot__cuda_compile(ingot__device *device, const ingot__kernel *kernel, const ingot__call *call, ingot__diag *diag,
                                 const void **code, size_t *size) {
  *code = NULL;
  *size = 0;
  if (!kernel->functions->source) return INGOT_OK;
  ingot__text text;
  write_text(device, kernel, call, &text);
  const ingot__nvrtc *nvrtc = ingot__nvrtc_get(NULL);
  uint64_t key = text.failed ? 0 : key_of(device, nvrtc, text.data, text.length);
  pthread_mutex_lock(&device->lock);
  ingot__cuda_compiled *found = text.failed ? NULL : remembered(device, key);
  pthread_mutex_unlock(&device->lock);
  ingot_status status = text.failed ? ingot__no_memory(diag) : INGOT_OK;
  if (status == INGOT_OK && !found) {
    void *made = read_cached(device, key, size);
    if (!made) {
      if (!nvrtc) nvrtc = ingot__nvrtc_get(diag);
      status = nvrtc ? compile_text(device, nvrtc, kernel, text.data, diag, &made, size) : INGOT_E_DEVICE;
      if (status == INGOT_OK) write_cached(key, made, *size);
    }
    if (status == INGOT_OK) status = remember(device, key, made, *size, diag, &found);
  }
  ingot__text_free(&text);
  if (status != INGOT_OK) return status;
  *code = found->code;
  *size = found->size;
  return INGOT_OK;
}

void ingot__cuda_forget(ingot__device *device) {
  for (ingot__cuda_compiled *c = device->compiled, *next; c; c = next) {
    next = c->next;
    ingot__free(&device->heap, c->code, c->size);
    ingot__free(&device->heap, c, sizeof *c);
  }
  device->compiled = NULL;
}

/* ---- Loading */

ingot_status ingot__cuda_load(ingot__device *device, const void *code, size_t size, ingot__diag *diag, void **out) {
  loaded *made = ingot__calloc(&device->heap, 1, sizeof *made);
  if (!made) return ingot__no_memory(diag);
  ingot_status status = size > 64 ? ingot__cuda_enter(device, diag) : ingot__fail(diag, INGOT_E_FORMAT, NULL, "the kernel's code is damaged");
  if (status == INGOT_OK)
    status = ingot__cuda_check(device->driver->cuModuleLoadData(&made->module, code), diag, "loading a kernel's code");
  if (status == INGOT_OK) *out = made;
  else ingot__free(&device->heap, made, sizeof *made);
  return status;
}

void ingot__cuda_unload(ingot__device *device, void *code) {
  loaded *l = code;
  if (!l) return;
  if (ingot__cuda_enter(device, NULL) == INGOT_OK) device->driver->cuModuleUnload(l->module);
  ingot__free(&device->heap, l, sizeof *l);
}

static ingot_status find_entry(ingot__device *device, loaded *l, const char *name, unsigned shared, ingot__diag *diag, cu_function *function) {
  const ingot__cuda_driver *d = device->driver;
  int i = 0;
  while (i < l->n_entry && strcmp(l->entry[i].name, name)) i++;
  if (i == ENTRIES) return ingot__fail(diag, INGOT_E_INTERNAL, name, "a kernel's code has too many entries");
  if (i == l->n_entry) {
    cu_function made = NULL;
    INGOT_CUDA_TRY(d->cuModuleGetFunction(&made, l->module, name), diag, "finding a kernel in its code");
    snprintf(l->entry[i].name, sizeof l->entry[i].name, "%s", name);
    l->entry[i].function = made;
    l->entry[i].shared = 0;
    d->cuFuncSetAttribute(made, CU_FUNCTION_LARGE_CLUSTERS, 1);
    l->n_entry++;
  }
  if (shared > 48 << 10 && shared > l->entry[i].shared) {
    INGOT_CUDA_TRY(d->cuFuncSetAttribute(l->entry[i].function, CU_FUNCTION_SHARED, (int)shared), diag, "giving a kernel its shared memory");
    l->entry[i].shared = shared;
  }
  *function = l->entry[i].function;
  return INGOT_OK;
}

ingot_status ingot__cuda_entry(ingot__device *device, void *code, const char *name, unsigned shared, ingot__diag *diag, cu_function *function) {
  if (!code) return ingot__fail(diag, INGOT_E_INTERNAL, name, "a kernel without code");
  pthread_mutex_lock(&device->lock);
  ingot_status status = find_entry(device, code, name, shared, diag, function);
  pthread_mutex_unlock(&device->lock);
  return status;
}
