/* Where NVIDIA's libraries are found: by their names where the system looks, in the folders of CUDA's toolkit and of Python's wheels. */
#include "backend/cuda/search.h"
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_PATH = 4096 };

static void *open_file(const char *path, const char *before) {
  const char *slash = strrchr(path, '/');
  char pattern[LONGEST_PATH];
  glob_t found;
  if (before && slash && snprintf(pattern, sizeof pattern, "%.*s/%s", (int)(slash - path), path, before) < (int)sizeof pattern &&
      glob(pattern, 0, NULL, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; i++) dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
    globfree(&found);
  }
  return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* The newest file that a pattern finds. */
static void *open_pattern(const char *pattern, const char *before) {
  glob_t found;
  void *library = NULL;
  if (glob(pattern, 0, NULL, &found) == 0) {
    for (size_t i = found.gl_pathc; i > 0 && !library; i--) library = open_file(found.gl_pathv[i - 1], before);
    globfree(&found);
  }
  return library;
}

static void *search_folders(const ingot__search *s, const char *name) {
  static const char *const roots[] = {"CUDA_HOME", "CUDA_PATH", "INGOT_SITE_PACKAGES"};
  char pattern[LONGEST_PATH];
  void *library = NULL;
  for (size_t i = 0; i < sizeof roots / sizeof roots[0] && !library; i++) {
    const char *root = getenv(roots[i]);
    if (!root || !*root) continue;
    if (snprintf(pattern, sizeof pattern, "%s/lib64/%s", root, name) < (int)sizeof pattern) library = open_pattern(pattern, s->before);
    if (!library && snprintf(pattern, sizeof pattern, "%s/nvidia/cu1[3-9]/lib/%s", root, name) < (int)sizeof pattern)
      library = open_pattern(pattern, s->before);
    if (!library && snprintf(pattern, sizeof pattern, "%s/nvidia/%s/lib/%s", root, s->wheel, name) < (int)sizeof pattern)
      library = open_pattern(pattern, s->before);
  }
  if (!library && snprintf(pattern, sizeof pattern, "/usr/local/cuda*/lib64/%s", name) < (int)sizeof pattern)
    library = open_pattern(pattern, s->before);
  return library;
}

void *ingot__search_open(const ingot__search *s) {
  const char *path = getenv(s->variable);
  if (path && *path) return open_file(path, s->before);
  void *library = NULL;
  for (size_t i = 0; s->names[i] && !library; i++) library = dlopen(s->names[i], RTLD_NOW | RTLD_LOCAL);
  for (size_t i = 0; s->names[i] && !library; i++) library = search_folders(s, s->names[i]);
  return library;
}

void *ingot__search_symbol(void *library, const char *name, char *problem, size_t size) {
  void *p = dlsym(library, name);
  if (!p && !*problem) snprintf(problem, size, "the library lacks %s (it is older than CUDA 12)", name);
  return p;
}
