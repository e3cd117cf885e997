/* Whole files: reading within a bound, writing all or nothing. */
#ifndef INGOT_CLI_FILE_H
#define INGOT_CLI_FILE_H
#include "error.h"
#include <stdio.h>

/* Opens a regular file for reading and gives its size. */
ingot_status cli__open_file(const char *path, FILE **file, uint64_t *size);
/* Reads a file of at most `max` bytes; *data is malloc's, with a zero byte behind the end. */
ingot_status cli__read_file(const char *path, size_t max, unsigned char **data, size_t *size);
/* Writes to a temporary file beside `path`, flushes it to the disk and renames it, so that a failure leaves no half file and the old
 * one stays. "-" is standard output; pipes and devices are written directly. */
ingot_status cli__write_file(const char *path, const void *data, size_t size);
/* Whether `path` may be replaced by a rename: it isn't there, or is a regular file. Anything else is an error that says so. */
ingot_status cli__may_replace(const char *path);
/* Whether the file's name ends so, in any case: ".npy". */
bool cli__has_ending(const char *path, const char *ending);
#endif
