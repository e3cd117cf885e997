/* The memory that the library may hold, all handles together: by default what the machine or its control group has, so that a model that is too
 * large ends with a message and not by the system's out-of-memory killer. */
#include "memory.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic size_t held;
static size_t limit;
static _Atomic size_t refused; /* bytes of the request that was too much */

static void *take(void *user, size_t size, size_t align) {
  (void)user;
  size_t now = atomic_fetch_add(&held, size) + size;
  if (limit && (now > limit || now < size)) {
    atomic_fetch_sub(&held, size);
    refused = size;
    return NULL;
  }
  void *p = size <= SIZE_MAX - align ? aligned_alloc(align, (size + align - 1) / align * align) : NULL;
  if (!p) atomic_fetch_sub(&held, size);
  return p;
}

static void give(void *user, void *p, size_t size) {
  (void)user;
  atomic_fetch_sub(&held, size);
  free(p);
}

static const ingot_allocator allocator = {take, give, NULL};
const ingot_allocator *cli__allocator(void) { return &allocator; }

/* A number of bytes in a file, if it has one. */
static size_t number_in(const char *path) {
  FILE *file = fopen(path, "r");
  unsigned long long n = 0;
  if (!file) return 0;
  if (fscanf(file, "%llu", &n) != 1) n = 0; /* "max" */
  fclose(file);
  return (size_t)n;
}

static size_t machine(void) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  size_t most = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : 0;
  const char *const groups[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
    size_t n = number_in(groups[i]);
    if (n && (!most || n < most)) most = n;
  }
  return most - most / 10;
}

ingot_status cli__memory_limit(const char *text) {
  if (!text) {
    limit = machine();
    return INGOT_OK;
  }
  static const struct { const char *name; double factor; } units[] = {{"", 1}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}};
  char *end;
  double n = strtod(text, &end);
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (end != text && strcmp(end, units[i].name) == 0 && n >= 1 && n * units[i].factor < 9e18) {
      limit = (size_t)(n * units[i].factor);
      return INGOT_OK;
    }
  return cli__fail(INGOT_E_ARGUMENT, "--memoryLimit wants bytes such as 500M or 4G; '%s' isn't that", text);
}

const char *cli__memory_refused(char *text, size_t size) {
  if (!refused) return "";
  snprintf(text, size, " (%.1f MB more were asked for while %.1f MB were held; --memoryLimit is %.1f MB)", (double)refused / 1e6,
           (double)held / 1e6, (double)limit / 1e6);
  return text;
}
