/* An emulated NVRTC: compiles the sources as C++ with the compiler at hand (CXX, or c++), with -DINGOT_EMULATED and emulated.cuh; the result,
 * a shared object, takes the place of a cubin. INGOT_EMULATED_CXXFLAGS adds to its options; INGOT_EMULATED_KEEP=1 keeps the folder. */
#define _GNU_SOURCE
#include "emulated_driver.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef EMULATED_HEADERS
#error "EMULATED_HEADERS is the folder of emulated.cuh"
#endif
enum { NVRTC_OK = 0, NVRTC_OUT_OF_MEMORY = 1, NVRTC_INVALID_INPUT = 3, NVRTC_INVALID_PROGRAM = 4, NVRTC_INVALID_OPTION = 5, NVRTC_COMPILATION = 6,
       NVRTC_INTERNAL = 11 };
extern char **environ;

typedef struct program {
  char *source, *name;
  int headers;
  char **texts, **names;
  char *cubin, *log;
  size_t cubin_size;
} program;

/* The minor version is no real one's, and another one when the headers change: caches of code go by it. */
API int nvrtcVersion(int *major, int *minor) {
  static const char *const headers[] = {"emulated.cuh", "emulated_numbers.cuh", "emulated_machine.h", "emulated_map.h"};
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", EMULATED_HEADERS, headers[i]);
    FILE *f = fopen(path, "r");
    if (!f) return NVRTC_INTERNAL;
    for (int c; (c = getc(f)) != EOF;) hash = (hash ^ (unsigned)c) * 16777619u;
    fclose(f);
  }
  *major = 13, *minor = 1000 + (int)(hash % 1000000);
  return NVRTC_OK;
}
API const char *nvrtcGetErrorString(int error) {
  switch (error) {
  case NVRTC_OK: return "NVRTC_SUCCESS";
  case NVRTC_OUT_OF_MEMORY: return "NVRTC_ERROR_OUT_OF_MEMORY";
  case NVRTC_INVALID_INPUT: return "NVRTC_ERROR_INVALID_INPUT";
  case NVRTC_INVALID_PROGRAM: return "NVRTC_ERROR_INVALID_PROGRAM";
  case NVRTC_INVALID_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
  case NVRTC_COMPILATION: return "NVRTC_ERROR_COMPILATION";
  default: return "NVRTC_ERROR_INTERNAL_ERROR";
  }
}

API int nvrtcDestroyProgram(program **handle) {
  program *p = handle ? *handle : NULL;
  if (!p) return NVRTC_INVALID_PROGRAM;
  for (int i = 0; i < p->headers; i++) free(p->texts[i]), free(p->names[i]);
  free(p->texts), free(p->names), free(p->source), free(p->name), free(p->cubin), free(p->log), free(p);
  *handle = NULL;
  return NVRTC_OK;
}
API int nvrtcCreateProgram(program **handle, const char *source, const char *name, int headers, const char *const *texts,
                           const char *const *names) {
  if (!source || headers < 0) return NVRTC_INVALID_INPUT;
  program *p = calloc(1, sizeof *p);
  if (!p) return NVRTC_OUT_OF_MEMORY;
  p->source = strdup(source);
  p->name = strdup(name && *name ? name : "default_program");
  p->texts = calloc((size_t)headers + 1, sizeof *p->texts);
  p->names = calloc((size_t)headers + 1, sizeof *p->names);
  p->log = calloc(1, 1);
  bool good = p->source && p->name && p->texts && p->names && p->log;
  for (int i = 0; good && i < headers; i++, p->headers = i) {
    p->texts[i] = strdup(texts[i]), p->names[i] = strdup(names[i]);
    good = p->texts[i] && p->names[i];
  }
  *handle = p;
  if (!good) nvrtcDestroyProgram(handle);
  return good ? NVRTC_OK : NVRTC_OUT_OF_MEMORY;
}

/* ---- Files. */
static bool write_file(const char *folder, const char *name, const char *before, const char *text) {
  char path[4096];
  if (strstr(name, "..") || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return false;
  for (char *at = path + strlen(folder) + 1; (at = strchr(at, '/')); at++) {
    *at = 0;
    if (mkdir(path, 0700) && errno != EEXIST) return false;
    *at = '/';
  }
  FILE *f = fopen(path, "w");
  if (!f) return false;
  bool good = fputs(before, f) >= 0 && fputs(text, f) >= 0;
  return fclose(f) == 0 && good;
}
static char *read_file(const char *folder, const char *name, size_t *size) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "r");
  struct stat stat;
  char *text = f && fstat(fileno(f), &stat) == 0 ? malloc((size_t)stat.st_size + 1) : NULL;
  if (text && fread(text, 1, (size_t)stat.st_size, f) != (size_t)stat.st_size) free(text), text = NULL;
  if (f) fclose(f);
  if (text) text[*size = (size_t)stat.st_size] = 0;
  return text;
}
static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk) {
  (void)stat, (void)flag, (void)walk;
  return remove(path);
}

/* ---- Compiling. */
enum { MOST_ARGUMENTS = 96 };
typedef struct arguments { char *list[MOST_ARGUMENTS + 1]; int n; } arguments;
static void add(arguments *a, const char *text) {
  if (a->n < MOST_ARGUMENTS && (a->list[a->n] = strdup(text))) a->n++;
}
static void add_words(arguments *a, const char *text) { /* "ccache g++" */
  while (text && *(text += strspn(text, " "))) {
    size_t length = strcspn(text, " ");
    char *word = strndup(text, length);
    if (word) add(a, word), free(word);
    text += length;
  }
}
/* NVRTC's options that mean something here: the architecture becomes -D's, -D, -I and -U stay. */
static bool add_option(arguments *a, const char *const *options, int n, int *at) {
  const char *o = options[*at], *arch = NULL;
  if (!strncmp(o, "--gpu-architecture=", 19)) arch = o + 19;
  else if (!strncmp(o, "-arch=", 6)) arch = o + 6;
  else if (!strcmp(o, "--gpu-architecture") || !strcmp(o, "-arch")) arch = ++*at < n ? options[*at] : "";
  else if (!strncmp(o, "--define-macro=", 15)) add(a, "-D"), add(a, o + 15);
  else if (!strncmp(o, "--include-path=", 15)) add(a, "-I"), add(a, o + 15);
  else if (!strncmp(o, "-D", 2) || !strncmp(o, "-I", 2) || !strncmp(o, "-U", 2)) add(a, o);
  if (!arch) return true;
  char text[64], suffix = 0;
  int number = 0;
  if (sscanf(arch, "sm_%d%c", &number, &suffix) < 1) return false; /* compute_: would give PTX */
  snprintf(text, sizeof text, "-D__CUDA_ARCH__=%d", number * 10);
  add(a, text);
  snprintf(text, sizeof text, "-DEMULATED_ARCH=%d", suffix == 'a' ? -number : number);
  add(a, text);
  if (suffix == 'a') {
    snprintf(text, sizeof text, "-D__CUDA_ARCH_FEAT_SM%d_ALL=1", number);
    add(a, text);
  }
  return true;
}
static int run_compiler(char *const *list, const char *log) {
  posix_spawn_file_actions_t actions;
  pid_t child;
  int status = -1;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  int error = posix_spawnp(&child, list[0], &actions, NULL, list, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error) return -1;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return status;
}
static bool compile(program *p, const char *folder, int n, const char *const *options, int *error) {
  char file[4096], out[4096], log[4096];
  arguments a = {0};
  const char *compiler = getenv("CXX"), *more = getenv("INGOT_EMULATED_CXXFLAGS");
  snprintf(file, sizeof file, "%s/emulated_source.cpp", folder);
  snprintf(out, sizeof out, "%s/emulated_object.so", folder);
  snprintf(log, sizeof log, "%s/emulated_log", folder);
  add_words(&a, compiler && *compiler ? compiler : "c++");
  static const char *const fixed[] = {"-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-ffp-contract=off", "-fno-strict-aliasing",
                                      "-fvisibility=hidden", "-fno-math-errno", "-fsanitize=alignment,bounds,shift-exponent",
                                      "-fsanitize-undefined-trap-on-error", "-DINGOT_EMULATED", "-I" EMULATED_HEADERS, "-I"};
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) add(&a, fixed[i]);
  add(&a, folder);
  if (__builtin_cpu_supports("fma")) add(&a, "-mfma"); /* fmaf() without a call */
  bool good = true;
  for (int i = 0; i < n && good; i++) good = add_option(&a, options, n, &i);
  if (!good) *error = NVRTC_INVALID_OPTION;
  add_words(&a, more);
  add(&a, "-o"), add(&a, out), add(&a, file);
  if (good) {
    int status = run_compiler(a.list, log);
    size_t size;
    char *text = read_file(folder, "emulated_log", &size);
    if (text) free(p->log), p->log = text;
    good = status == 0 && (p->cubin = read_file(folder, "emulated_object.so", &p->cubin_size)) != NULL;
    if (!good) *error = status == -1 ? NVRTC_INTERNAL : NVRTC_COMPILATION;
    if (status == -1) fprintf(stderr, "emulated NVRTC: %s can't be run\n", a.list[0]);
  }
  for (int i = 0; i < a.n; i++) free(a.list[i]);
  return good;
}
API int nvrtcCompileProgram(program *p, int n, const char *const *options) {
  const char *where = getenv("TMPDIR"), *keep = getenv("INGOT_EMULATED_KEEP");
  char folder[3072], line[3072];
  int error = NVRTC_INTERNAL;
  if (!p) return NVRTC_INVALID_PROGRAM;
  snprintf(folder, sizeof folder, "%s/emulated-XXXXXX", where && *where ? where : "/tmp");
  if (!mkdtemp(folder)) return NVRTC_INTERNAL;
  snprintf(line, sizeof line, "#line 1 \"%s\"\n", p->name);
  bool good = write_file(folder, "emulated_source.cpp", line, p->source);
  for (int i = 0; i < p->headers && good; i++) good = write_file(folder, p->names[i], "", p->texts[i]);
  free(p->cubin);
  p->cubin = NULL;
  if (good) good = compile(p, folder, n, options, &error);
  if (!(keep && *keep == '1')) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  return good ? NVRTC_OK : error;
}

API int nvrtcGetCUBINSize(program *p, size_t *size) {
  *size = p && p->cubin ? p->cubin_size : 0;
  return p && p->cubin ? NVRTC_OK : NVRTC_INVALID_PROGRAM;
}
API int nvrtcGetCUBIN(program *p, char *cubin) {
  if (!p || !p->cubin) return NVRTC_INVALID_PROGRAM;
  memcpy(cubin, p->cubin, p->cubin_size);
  return NVRTC_OK;
}
API int nvrtcGetProgramLogSize(program *p, size_t *size) {
  if (!p) return NVRTC_INVALID_PROGRAM;
  *size = strlen(p->log) + 1;
  return NVRTC_OK;
}
API int nvrtcGetProgramLog(program *p, char *log) {
  if (!p) return NVRTC_INVALID_PROGRAM;
  memcpy(log, p->log, strlen(p->log) + 1);
  return NVRTC_OK;
}
