/* A hash table from names in the file to pointers, in an arena. */
#ifndef INGOT_IMPORT_ONNX_NAMES_H
#define INGOT_IMPORT_ONNX_NAMES_H
#include "base/mem.h"
#include "import/onnx/wire.h"

typedef struct ingot__name_slot { ingot__text key; void *value; } ingot__name_slot;
typedef struct ingot__name_map {
  ingot__arena *arena;
  ingot__name_slot *slot; /* a power of two of them, at most half full; value NULL: free */
  size_t capacity, n;
  uint64_t seed;          /* so that a file can't choose names that all fall into one place */
} ingot__name_map;

void ingot__name_map_init(ingot__name_map *map, ingot__arena *arena);
void *ingot__name_map_get(const ingot__name_map *map, ingot__text key); /* NULL: not there */
/* `key`'s bytes must live as long as the map; value isn't NULL; the key isn't there yet. False: no memory. */
bool ingot__name_map_put(ingot__name_map *map, ingot__text key, void *value);
#endif
