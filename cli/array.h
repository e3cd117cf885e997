/* Arrays in memory: what the readers of files make and what goes into and comes out of a context. */
#ifndef INGOT_CLI_ARRAY_H
#define INGOT_CLI_ARRAY_H
#include "error.h"

/* One dense row-major array. Zero-initialised is empty; cli__array_free empties it again. */
typedef struct cli__array {
  char *name;       /* owned; NULL: none */
  ingot_dtype dtype;
  int rank;
  int64_t dims[INGOT_MAX_RANK];
  size_t count;     /* elements */
  size_t bytes;
  void *data;       /* owned, aligned to 64; never NULL after cli__array_alloc */
} cli__array;

typedef struct cli__arrays {
  size_t count;
  cli__array *items; /* owned */
} cli__arrays;

/* Sizes `array` and allocates zeroed data. `name` (copied) may be NULL. Fails on negative dims, strings and sizes that don't exist. */
ingot_status cli__array_alloc(cli__array *array, const char *name, ingot_dtype dtype, int rank, const int64_t *dims);
void cli__array_free(cli__array *array);
void cli__arrays_free(cli__arrays *arrays);
/* Moves `array` into the list (and empties it). On failure it is freed. */
ingot_status cli__arrays_add(cli__arrays *arrays, cli__array *array);
cli__array *cli__arrays_find(const cli__arrays *arrays, const char *name); /* NULL if there is none */
/* "a, b, c": the names, cut with "..." where they don't fit. Returns `text`. */
const char *cli__arrays_names(const cli__arrays *arrays, char *text, size_t size);

/* Elements and bytes of such an array; false when they don't fit a size_t's half or dims are negative. */
bool cli__array_size(ingot_dtype dtype, int rank, const int64_t *dims, size_t *count, size_t *bytes);
/* Element i as a double (int64 beyond 2^53 are rounded). */
double cli__array_get(const cli__array *array, size_t i);
/* Stores a number, rounded to nearest and held to the type's range where the type is an integer. */
void cli__array_set(cli__array *array, size_t i, double x);
/* Converts in place between floats of any width (16, bfloat, 32, 64), or between integers when every value fits. Other pairs are
 * INGOT_E_TYPE. The text says who the array is. */
ingot_status cli__array_convert(cli__array *array, ingot_dtype dtype, const char *who);

bool cli__is_float(ingot_dtype dtype);
/* "1x3x224x224", "scalar" for rank 0, "?" for -1. Returns `text`. */
const char *cli__dims_text(int rank, const int64_t *dims, char text[192]);
#endif
