/* The timing cache's file. Keys hash the device and the version, so times for several of them stand in one file. */
#include "tune/tune.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEAD "ingot timing cache 1\n"
enum { MOST_LINES = 1 << 20 };

ingot_status ingot__tuner_load(ingot__tuner *t, const char *path, const ingot__log *log, ingot__diag *diag) {
  FILE *file = fopen(path, "r");
  if (!file) {
    if (errno == ENOENT) return INGOT_OK;
    return ingot__fail(diag, INGOT_E_IO, path, "the timing cache can't be read: %s", strerror(errno));
  }
  char line[64];
  bool good = fgets(line, sizeof line, file) && !strcmp(line, HEAD), memory = true;
  for (int i = 0; good && memory && i < MOST_LINES && fgets(line, sizeof line, file); i++) {
    uint64_t key;
    float seconds;
    if (sscanf(line, "%16" SCNx64 " %f", &key, &seconds) != 2 || !(seconds > 0 && seconds < 1e4f)) good = false;
    else if (key) memory = ingot__tuner_put(t, key, seconds);
  }
  fclose(file);
  if (!memory) return ingot__no_memory(diag);
  if (!good) ingot__logf(log, INGOT_LOG_WARNING, "%s: not a timing cache, or damaged; what could be read is used and the file written anew", path);
  return INGOT_OK;
}

ingot_status ingot__tuner_save(const ingot__tuner *t, const char *path, ingot__diag *diag) {
  char name[4096];
  int n = snprintf(name, sizeof name, "%s.%ld.tmp", path, (long)getpid());
  if (n < 0 || (size_t)n >= sizeof name) return ingot__fail(diag, INGOT_E_ARGUMENT, path, "the path is too long");
  FILE *file = fopen(name, "w");
  if (!file) return ingot__fail(diag, INGOT_E_IO, path, "the timing cache can't be written: %s", strerror(errno));
  bool good = fputs(HEAD, file) >= 0;
  for (size_t i = 0; good && i < t->capacity; i++)
    if (t->table[i].key) good = fprintf(file, "%016" PRIx64 " %.6g\n", t->table[i].key, t->table[i].seconds) > 0;
  good = good && fflush(file) == 0 && fsync(fileno(file)) == 0;
  int error = errno;
  good = fclose(file) == 0 && good;
  if (good && rename(name, path) == 0) return INGOT_OK;
  if (good) error = errno;
  unlink(name);
  return ingot__fail(diag, INGOT_E_IO, path, "the timing cache can't be written: %s", strerror(error));
}
