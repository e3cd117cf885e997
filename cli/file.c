/* Whole files. */
#include "file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* The status for what fopen and the like say. */
static ingot_status failed(const char *path, const char *what) {
  if (errno == ENOMEM) return cli__no_memory();
  return cli__fail(INGOT_E_IO, "%s: %s%s", path, what, strerror(errno));
}

ingot_status cli__open_file(const char *path, FILE **file, uint64_t *size) {
  struct stat info; /* asked before opening: opening a pipe would wait for a writer */
  if (stat(path, &info) != 0) return failed(path, "");
  if (S_ISDIR(info.st_mode)) return cli__fail(INGOT_E_IO, "%s is a folder, a file is wanted", path);
  if (!S_ISREG(info.st_mode)) return cli__fail(INGOT_E_IO, "%s isn't a regular file", path);
  *file = fopen(path, "rb");
  if (!*file) return failed(path, "");
  *size = (uint64_t)info.st_size;
  return INGOT_OK;
}

ingot_status cli__read_file(const char *path, size_t max, unsigned char **data, size_t *size) {
  FILE *file;
  uint64_t length;
  CLI_TRY(cli__open_file(path, &file, &length));
  if (length > max) {
    fclose(file);
    return cli__fail(INGOT_E_LIMIT, "%s has %llu bytes; at most %zu are read", path, (unsigned long long)length, max);
  }
  unsigned char *bytes = malloc((size_t)length + 1);
  if (!bytes) {
    fclose(file);
    return cli__no_memory();
  }
  size_t got = fread(bytes, 1, (size_t)length, file);
  int error = ferror(file) ? errno : 0;
  fclose(file);
  if (error || got != length) {
    free(bytes);
    return cli__fail(INGOT_E_IO, "%s: %s", path, error ? strerror(error) : "became shorter while it was read");
  }
  bytes[got] = 0;
  *data = bytes;
  *size = got;
  return INGOT_OK;
}

ingot_status cli__may_replace(const char *path) {
  struct stat info;
  if (stat(path, &info) != 0) {
    if (errno == ENOENT) return INGOT_OK;
    return failed(path, "");
  }
  if (S_ISREG(info.st_mode)) return INGOT_OK;
  return cli__fail(INGOT_E_IO, "%s: can't be written, it is %s", path, S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
}

static ingot_status write_stream(FILE *file, const char *path, const void *data, size_t size, bool sync) {
  errno = 0;
  bool good = (size == 0 || fwrite(data, 1, size, file) == size) && fflush(file) == 0 && (!sync || fsync(fileno(file)) == 0);
  if (good) return INGOT_OK;
  return cli__fail(INGOT_E_IO, "%s: not written: %s", path, errno ? strerror(errno) : "unknown error");
}

static ingot_status write_direct(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!file) return failed(path, "");
  ingot_status status = write_stream(file, path, data, size, false);
  if (fclose(file) != 0 && status == INGOT_OK) status = failed(path, "not written: ");
  return status;
}

ingot_status cli__write_file(const char *path, const void *data, size_t size) {
  if (strcmp(path, "-") == 0) return write_stream(stdout, "standard output", data, size, false);
  struct stat info;
  if (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return write_direct(path, data, size);
  CLI_TRY(cli__may_replace(path));
  char *temporary = malloc(strlen(path) + 16);
  if (!temporary) return cli__no_memory();
  sprintf(temporary, "%s.XXXXXX", path);
  int fd = mkstemp(temporary);
  if (fd < 0) {
    ingot_status status = failed(path, "");
    free(temporary);
    return status;
  }
  mode_t mask = umask(0);
  umask(mask);
  FILE *file = fchmod(fd, 0666 & ~mask) == 0 ? fdopen(fd, "wb") : NULL;
  ingot_status status = file ? write_stream(file, path, data, size, true) : failed(path, "");
  if ((file ? fclose(file) : close(fd)) != 0 && status == INGOT_OK) status = failed(path, "not written: ");
  if (status == INGOT_OK && rename(temporary, path) != 0) status = failed(path, "");
  if (status != INGOT_OK) unlink(temporary);
  free(temporary);
  return status;
}

bool cli__has_ending(const char *path, const char *ending) {
  size_t n = strlen(path), m = strlen(ending);
  return n >= m && strcasecmp(path + n - m, ending) == 0;
}
