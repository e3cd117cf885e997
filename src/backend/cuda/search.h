/* Finding NVIDIA's libraries when they are first asked for. */
#ifndef INGOT_BACKEND_CUDA_SEARCH_H
#define INGOT_BACKEND_CUDA_SEARCH_H
#include <stddef.h>

typedef struct ingot__search {
  const char *variable;      /* of the environment: where it points to a file, no other is tried */
  const char *const *names;  /* with their versions, the best first; NULL ends them */
  const char *wheel;         /* its folder below nvidia/ in Python's wheels for CUDA 12; those for CUDA 13 share one */
  const char *before;        /* a pattern of files beside it that it needs and wouldn't find by itself; NULL: none */
} ingot__search;

/* From dlopen, which tells what was wrong when it is NULL: by name; then in CUDA_HOME and CUDA_PATH (a toolkit, or a Python's site-packages),
 * INGOT_SITE_PACKAGES (which the Python package sets) and /usr/local/cuda*. */
void *ingot__search_open(const ingot__search *search);
/* A function by its name; NULL, with words in `problem` if it was empty. */
void *ingot__search_symbol(void *library, const char *name, char *problem, size_t size);
#endif
