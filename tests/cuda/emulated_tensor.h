/* The emulated GPU's tensor copy engine: boxes gathered as a descriptor (emulated_map.h) says. */
#ifndef EMULATED_TENSOR_H
#define EMULATED_TENSOR_H
#include <stdbool.h>
#include <stddef.h>
void emulated_load_tiled(const void *map, void *shared, const int *coordinates);
void emulated_load_windows(const void *map, void *shared, const int *coordinates, int offset_w, int offset_h);
void emulated_store_tiled(const void *map, const void *shared, const int *coordinates);
/* ---- Of emulated_machine.c. */
bool emulated_is_shared(const void *memory, size_t size); /* of a block of the cluster that runs */
/* "emulated GPU: kernel ..., block ..., thread ...: "; false when none runs. */
bool emulated_where(char *text, size_t size);
#endif
