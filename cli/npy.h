/* NumPy's .npy format, versions 1 to 3, and the .npz archives of it. */
#ifndef INGOT_CLI_NPY_H
#define INGOT_CLI_NPY_H
#include "array.h"

/* Where bytes come from: a file, or an entry of an archive. */
typedef struct cli__source {
  const char *who;   /* for messages: "in.npz: entry 'x'" */
  uint64_t size;     /* bytes that are left, as the file system or archive says; counted down */
  ingot_status (*read)(struct cli__source *source, void *to, size_t size); /* all of `size` bytes or an error */
  void *handle;
} cli__source;

/* Reads one array: either byte order, C or Fortran order; row-major in memory after. Nothing is allocated for data that the source
 * doesn't have. */
ingot_status cli__npy_read(cli__source *source, const char *name, cli__array *array);
ingot_status cli__npy_load(const char *path, cli__array *array); /* name: NULL */
/* The file's bytes, malloc's. Types that NumPy lacks are widened: bfloat16 to float32, int4 to int8; others are INGOT_E_UNSUPPORTED. */
ingot_status cli__npy_bytes(const cli__array *array, unsigned char **data, size_t *size);
ingot_status cli__npy_save(const char *path, const cli__array *array);

/* An archive of .npy entries; entry "x.npy" is array "x". Encrypted entries and compression bombs are refused. `wanted` (may be NULL)
 * says which to read; others are only named: their `data` stays NULL. */
ingot_status cli__npz_load(const char *path, cli__arrays *arrays, bool (*wanted)(void *user, const char *name), void *user);
/* Uncompressed, as numpy.savez writes; the file is replaced whole or not at all. Arrays need names. */
ingot_status cli__npz_save(const char *path, const cli__arrays *arrays);
#endif
