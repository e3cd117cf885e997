/* Maps files for as long as their network lives: read-only and private, so that nothing that happens to the memory reaches the file. */
#include "ir/mapping.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct ingot__mapping mapping;
struct ingot__mapping {
  mapping *next;
  void *data;
  size_t size;
};

void ingot__mappings_free(ingot__network *network) {
  for (mapping *m = network->mappings; m; m = m->next) munmap(m->data, m->size); /* the structs lie in the arena */
  network->mappings = NULL;
}

ingot_status ingot__network_map_file(ingot__network *network, const char *path, ingot__diag *diag, const void **data, size_t *size) {
  static const char nothing[64];
  struct stat info;
  mapping *m = INGOT_NEW(&network->arena, mapping);
  if (!m) return ingot__no_memory(diag);
  /* O_NONBLOCK: opening a pipe doesn't wait for a writer; it is refused below. */
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return ingot__fail(diag, INGOT_E_IO, NULL, "can't open %s: %s", path, strerror(errno));
  ingot_status status = INGOT_OK;
  void *memory = (void *)(uintptr_t)nothing;
  if (fstat(file, &info) != 0) {
    status = ingot__fail(diag, INGOT_E_IO, NULL, "can't read %s: %s", path, strerror(errno));
  } else if (!S_ISREG(info.st_mode)) {
    status = ingot__fail(diag, INGOT_E_IO, NULL, "%s is not a regular file", path);
  } else if ((uintmax_t)info.st_size > PTRDIFF_MAX) {
    status = ingot__fail(diag, INGOT_E_LIMIT, NULL, "%s is too large to map", path);
  } else if (info.st_size > 0) {
    memory = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (memory == MAP_FAILED) {
      status = errno == ENOMEM ? ingot__no_memory(diag) : ingot__fail(diag, INGOT_E_IO, NULL, "can't map %s: %s", path, strerror(errno));
    } else {
      *m = (mapping){network->mappings, memory, (size_t)info.st_size};
      network->mappings = m;
    }
  }
  close(file);
  if (status != INGOT_OK) return status;
  *data = memory;
  *size = (size_t)info.st_size;
  return INGOT_OK;
}
