/* Allocation through the caller's allocator, with a count and a limit; arenas on top. */
#include "base/mem.h"
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *default_alloc(void *user, size_t size, size_t align) {
  (void)user;
  return aligned_alloc(align, ingot__align(size, align));
}
static void default_free(void *user, void *p, size_t size) {
  (void)user, (void)size;
  free(p);
}
const ingot_allocator ingot__default_allocator = {default_alloc, default_free, NULL};

void ingot__heap_init(ingot__heap *heap, const ingot_env *env) {
  heap->allocator = env && env->allocator ? env->allocator : &ingot__default_allocator;
  heap->limit = env ? env->memory_limit : 0;
  heap->used = 0;
}

void *ingot__alloc(ingot__heap *heap, size_t size) {
  if (size > PTRDIFF_MAX - 4096) return NULL;
  if (size == 0) size = 1;
  size_t used = atomic_fetch_add(&heap->used, size) + size;
  if (heap->limit && used > heap->limit) {
    heap->used -= size;
    return NULL;
  }
  void *p = heap->allocator->alloc(heap->allocator->user, size, 64);
  if (!p) heap->used -= size;
  return p;
}

void *ingot__calloc(ingot__heap *heap, size_t n, size_t size) {
  size_t bytes;
  if (!ingot__mul(n, size, &bytes)) return NULL;
  void *p = ingot__alloc(heap, bytes);
  if (p) memset(p, 0, bytes);
  return p;
}

void ingot__free(ingot__heap *heap, void *p, size_t size) {
  if (!p) return;
  if (size == 0) size = 1;
  heap->used -= size;
  heap->allocator->free(heap->allocator->user, p, size);
}

struct ingot__arena_block {
  ingot__arena_block *next;
  size_t size;
  alignas(16) char data[];
};
enum { FIRST_BLOCK = 8192, LARGEST_STEP = 1 << 20 };

void ingot__arena_init(ingot__arena *arena, ingot__heap *heap) { *arena = (ingot__arena){.heap = heap}; }

void ingot__arena_free(ingot__arena *arena) {
  for (ingot__arena_block *b = arena->blocks, *next; b; b = next) {
    next = b->next;
    ingot__free(arena->heap, b, sizeof *b + b->size);
  }
  ingot__arena_init(arena, arena->heap);
}

void ingot__arena_reset(ingot__arena *arena) {
  ingot__arena_block *keep = arena->blocks; /* blocks grow, so the newest is the largest but for single large allocations */
  for (ingot__arena_block *b = keep; b; b = b->next) keep = b->size > keep->size ? b : keep;
  for (ingot__arena_block *b = arena->blocks, *next; b; b = next) {
    next = b->next;
    if (b != keep) ingot__free(arena->heap, b, sizeof *b + b->size);
  }
  ingot__arena_init(arena, arena->heap);
  if (!keep) return;
  keep->next = NULL;
  arena->blocks = keep;
  arena->next = keep->data;
  arena->left = keep->size;
}

void *ingot__arena_raw(ingot__arena *arena, size_t size) {
  if (size > PTRDIFF_MAX / 2) return NULL;
  size = ingot__align(size ? size : 1, 16);
  if (size > arena->left) {
    size_t step = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
    if (step > LARGEST_STEP) step = LARGEST_STEP;
    if (step < size) step = size;
#ifdef INGOT_ARENA_EXACT /* for tests that make each single allocation fail: see tests/ir/memory_test.c */
    step = size;
#endif
    ingot__arena_block *b = ingot__alloc(arena->heap, sizeof *b + step);
    if (!b) return NULL;
    b->next = arena->blocks;
    b->size = step;
    arena->blocks = b;
    arena->next = b->data;
    arena->left = step;
  }
  void *p = arena->next;
  arena->next += size;
  arena->left -= size;
  return p;
}

void *ingot__arena_alloc(ingot__arena *arena, size_t size) {
  void *p = ingot__arena_raw(arena, size);
  return p ? memset(p, 0, ingot__align(size ? size : 1, 16)) : NULL;
}

void *ingot__arena_array(ingot__arena *arena, size_t n, size_t size) {
  size_t bytes;
  return ingot__mul(n, size, &bytes) ? ingot__arena_alloc(arena, bytes) : NULL;
}

void *ingot__arena_copy(ingot__arena *arena, const void *p, size_t size) {
  void *q = ingot__arena_raw(arena, size);
  if (q && size) memcpy(q, p, size);
  return q;
}

char *ingot__arena_stringn(ingot__arena *arena, const char *text, size_t n) {
  char *s = n < SIZE_MAX ? ingot__arena_alloc(arena, n + 1) : NULL;
  if (s && n) memcpy(s, text, n);
  return s;
}

char *ingot__arena_string(ingot__arena *arena, const char *text) { return text ? ingot__arena_stringn(arena, text, strlen(text)) : NULL; }

char *ingot__arena_printf(ingot__arena *arena, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *s = n < 0 ? NULL : ingot__arena_alloc(arena, (size_t)n + 1);
  if (s) vsnprintf(s, (size_t)n + 1, format, again);
  va_end(again);
  return s;
}

bool ingot__arena_grow(ingot__arena *arena, void **array, size_t *capacity, size_t need, size_t element) {
  if (need <= *capacity) return true;
  size_t n = *capacity ? *capacity * 2 : 4;
  if (n < need) n = need;
  void *p = ingot__arena_array(arena, n, element);
  if (!p) return false;
  if (*capacity) memcpy(p, *array, *capacity * element);
  *array = p;
  *capacity = n;
  return true;
}
