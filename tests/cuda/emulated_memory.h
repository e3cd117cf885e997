/* The emulated GPU's memory: a range of addresses of its own, which host code can't touch unless a driver call has opened it. */
#ifndef EMULATED_MEMORY_H
#define EMULATED_MEMORY_H
#include <stdbool.h>
#include <stddef.h>

size_t emulated_memory_total(void); /* INGOT_EMULATED_MEMORY (bytes), or 8 GiB */
size_t emulated_memory_used(void);
size_t emulated_memory_count(void); /* allocations alive */
void *emulated_memory_take(size_t size); /* filled with 0xff; NULL: no room */
bool emulated_memory_give(void *memory); /* false: not an allocation */
/* 1 whole, 0 partly: an address in device memory, whose `size` bytes are (not all) within one allocation; -1: not device memory. */
int emulated_memory_holds(const void *memory, size_t size);
/* Between these, calls may touch it; they nest. Opening checks what surrounds the allocations and ends the program where it was
 * written to, and says `before` then. */
void emulated_memory_open(const char *before);
void emulated_memory_close(void);
/* In words, for a fault at the address; NULL: not in the range. */
const char *emulated_memory_describe(const void *memory, char *text, size_t size);
#endif
