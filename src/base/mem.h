/* Memory: the caller's allocator, checked sizes, arenas. Every allocation of the library goes through here, so that a test can make
 * each of them fail in turn. */
#ifndef INGOT_BASE_MEM_H
#define INGOT_BASE_MEM_H
#include "base/status.h"
#include <stdarg.h>

/* Writes a + b (a * b) and returns true, or returns false on overflow. */
static inline bool ingot__add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool ingot__mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline size_t ingot__align(size_t n, size_t a) { return (n + a - 1) & ~(a - 1); } /* n must be far from SIZE_MAX */

/* A counted view of an allocator; each big handle (network, engine, context) owns one. */
typedef struct ingot__heap {
  const ingot_allocator *allocator; /* never NULL */
  size_t limit;                     /* bytes; 0: none */
  _Atomic size_t used;
} ingot__heap;

extern const ingot_allocator ingot__default_allocator;
void ingot__heap_init(ingot__heap *heap, const ingot_env *env);
/* 64-byte aligned, not cleared; NULL when out of memory or over the limit. size 0 gives a valid pointer. */
void *ingot__alloc(ingot__heap *heap, size_t size);
void *ingot__calloc(ingot__heap *heap, size_t n, size_t size); /* checked n * size, cleared */
void ingot__free(ingot__heap *heap, void *p, size_t size);     /* p may be NULL; size as given to alloc */

/* An arena: allocations live until the whole is freed. */
typedef struct ingot__arena_block ingot__arena_block;
typedef struct ingot__arena {
  ingot__heap *heap;
  ingot__arena_block *blocks;
  size_t left;
  char *next;
} ingot__arena;
void ingot__arena_init(ingot__arena *arena, ingot__heap *heap);
void ingot__arena_free(ingot__arena *arena);
void ingot__arena_reset(ingot__arena *arena); /* frees what is in it, but keeps its largest block for what comes */
/* 16-byte aligned, cleared; NULL when out of memory. */
void *ingot__arena_alloc(ingot__arena *arena, size_t size);
void *ingot__arena_raw(ingot__arena *arena, size_t size); /* not cleared: for weights that are written whole, or cleared by several threads */
void *ingot__arena_array(ingot__arena *arena, size_t n, size_t size); /* checked n * size */
void *ingot__arena_copy(ingot__arena *arena, const void *p, size_t size);
char *ingot__arena_string(ingot__arena *arena, const char *text); /* NULL in, NULL out */
char *ingot__arena_stringn(ingot__arena *arena, const char *text, size_t n);
char *ingot__arena_printf(ingot__arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define INGOT_NEW(arena, type) ((type *)ingot__arena_alloc((arena), sizeof(type)))
#define INGOT_NEW_ARRAY(arena, n, type) ((type *)ingot__arena_array((arena), (n), sizeof(type)))

/* Grows an arena array that holds *capacity elements to at least `need`; false when out of memory. The old one stays in the arena. */
bool ingot__arena_grow(ingot__arena *arena, void **array, size_t *capacity, size_t need, size_t element);
#endif
