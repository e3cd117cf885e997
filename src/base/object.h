/* Values at run time that aren't one tensor: sequences and optionals, and the tensors in them. The public ingot_value; called object here,
 * since a value in src/ is an edge of a network.
 *
 * Objects are immutable once made, counted, and own what they hold, characters of strings too: so a sequence's insertion copies pointers,
 * and an object may outlive the context that made it. The memory comes from a store, which lives as long as any object made from it. */
#ifndef INGOT_BASE_OBJECT_H
#define INGOT_BASE_OBJECT_H
#include "base/mem.h"

typedef enum ingot__kind { /* numbers are ingot_kind's */
  INGOT__TENSOR = 0, INGOT__SEQUENCE, INGOT__OPTIONAL, INGOT__OPTIONAL_SEQUENCE /* of types; an object of it is OPTIONAL */
} ingot__kind;

typedef struct ingot__store {
  ingot__heap heap;
  _Atomic size_t references; /* its maker's and its objects' */
} ingot__store;
ingot__store *ingot__store_new(const ingot_env *env); /* NULL: no memory; one reference */
void ingot__store_release(ingot__store *store);

typedef struct ingot_value ingot__object;
struct ingot_value {
  ingot__store *store;
  _Atomic size_t references;
  uint8_t kind;              /* ingot__kind, but for OPTIONAL_SEQUENCE */
  ingot_dtype dtype;         /* of a sequence's or optional's tensors; INGOT_UNDEFINED: not known (made empty) */
  int rank;                  /* tensors */
  int64_t dim[INGOT_MAX_RANK];
  size_t bytes;              /* of data */
  void *data;                /* tensors: dense, row-major, 64-byte aligned; strings' characters lie behind the elements */
  size_t n;                  /* a sequence's elements; an optional's: 0 or 1 */
  ingot__object **item;
};

/* All with one reference; NULL: no memory, or (tensors) too large. */
ingot__object *ingot__object_tensor(ingot__store *store, ingot_dtype dtype, int rank, const int64_t *dim); /* data not cleared; not for strings */
ingot__object *ingot__object_strings(ingot__store *store, int rank, const int64_t *dim, const ingot_string *from); /* copies characters too */
ingot__object *ingot__object_copy(ingot__store *store, ingot_dtype dtype, int rank, const int64_t *dim, const void *data); /* either */
ingot__object *ingot__object_list(ingot__store *store, ingot__kind kind, ingot_dtype dtype, size_t n); /* items NULL, to be filled */
ingot__object *ingot__object_retain(ingot__object *object); /* NULL in, NULL out */
void ingot__object_release(ingot__object *object);          /* NULL: nothing */
/* *slot = object, whose reference it takes over; what it held is released. */
void ingot__object_put(ingot__object **slot, ingot__object *object);

/* Strings: an empty one may have NULL data. */
bool ingot__string_same(ingot_string a, ingot_string b);
int ingot__string_compare(ingot_string a, ingot_string b); /* by bytes, as memcmp, shorter first */
/* A terminated copy in the arena; data NULL: no memory. */
ingot_string ingot__string_copy(ingot__arena *arena, const char *text, size_t size);
/* n of them with their characters; NULL: no memory. */
ingot_string *ingot__strings_copy(ingot__arena *arena, const ingot_string *from, size_t n);
#endif
