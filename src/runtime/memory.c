/* Where blocks lie in a slab: largest first, each at the lowest offset that is free during its lifetime (the greedy-by-size strategy of
 * Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020). */
#include "runtime/state.h"
#include <stdlib.h>

static _Thread_local const ingot__block *sort_blocks; /* qsort has no context argument in C17 */

static int by_size(const void *a, const void *b) {
  uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
  size_t x = sort_blocks[i].size, y = sort_blocks[j].size;
  return x != y ? (x > y ? -1 : 1) : (i > j) - (i < j);
}

size_t ingot__memory_plan(ingot__block *block, size_t n_block, int space, uint32_t *order) {
  const size_t align = space == INGOT__DEVICE ? 256 : 64;
  size_t n = 0;
  for (size_t i = 0; i < n_block; i++)
    if (block[i].space == space) order[n++] = (uint32_t)i;
  sort_blocks = block;
  qsort(order, n, sizeof *order, by_size);
  size_t total = 0;
  size_t placed = 0; /* order[0..placed) is kept sorted by offset */
  for (size_t k = 0; k < n; k++) {
    uint32_t self = order[k];
    ingot__block *b = &block[self];
    if (b->size > SIZE_MAX / 4) return SIZE_MAX;
    size_t at = 0, size = ingot__align(b->size, align);
    for (size_t i = 0; i < placed; i++) {
      const ingot__block *other = &block[order[i]];
      if (other->last < b->first || other->first > b->last) continue;
      if (other->offset >= at + size) break; /* sorted: no later one begins earlier */
      size_t end = other->offset + ingot__align(other->size, align);
      if (end > at) at = end;
    }
    b->offset = at;
    if (at > SIZE_MAX / 4) return SIZE_MAX;
    if (at + size > total) total = at + size;
    size_t i = placed++;
    for (; i > 0 && block[order[i - 1]].offset > at; i--) order[i] = order[i - 1];
    order[i] = self;
  }
  return total;
}
