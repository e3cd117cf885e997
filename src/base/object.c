/* Objects: counted, immutable tensors, sequences and optionals; and strings. */
#include "base/object.h"
#include "base/dtype.h"
#include <stdatomic.h>

ingot__store *ingot__store_new(const ingot_env *env) {
  ingot__heap heap;
  ingot__heap_init(&heap, env);
  ingot__store *store = ingot__calloc(&heap, 1, sizeof *store);
  if (!store) return NULL;
  ingot__heap_init(&store->heap, env);
  store->heap.used = sizeof *store;
  store->references = 1;
  return store;
}

void ingot__store_release(ingot__store *store) {
  if (!store || --store->references) return;
  ingot__heap heap = store->heap;
  ingot__free(&heap, store, sizeof *store);
}

static ingot__object *object_new(ingot__store *store, ingot__kind kind, ingot_dtype dtype) {
  ingot__object *o = ingot__calloc(&store->heap, 1, sizeof *o);
  if (!o) return NULL;
  o->store = store;
  store->references++;
  o->references = 1;
  o->kind = (uint8_t)kind;
  o->dtype = dtype;
  return o;
}

/* Elements and bytes of a tensor; `more` bytes behind them. */
static ingot__object *tensor_new(ingot__store *store, ingot_dtype dtype, int rank, const int64_t *dim, size_t more) {
  size_t count = 1, bytes;
  bool zero = false;
  for (int i = 0; i < rank; i++) {
    if (dim[i] < 0) return NULL;
    zero = zero || dim[i] == 0;
    if (dim[i] && !ingot__mul(count, (size_t)dim[i], &count)) return NULL;
  }
  if (rank < 0 || rank > INGOT_MAX_RANK || !ingot__dtype_bytes(dtype, zero ? 0 : count, &bytes) || !ingot__add(bytes, more, &bytes)) return NULL;
  ingot__object *o = object_new(store, INGOT__TENSOR, dtype);
  if (!o) return NULL;
  o->rank = rank;
  if (rank) memcpy(o->dim, dim, (size_t)rank * sizeof *dim);
  o->bytes = bytes;
  if (!(o->data = ingot__alloc(&store->heap, bytes))) {
    o->bytes = 0;
    ingot__object_release(o);
    return NULL;
  }
  return o;
}

ingot__object *ingot__object_tensor(ingot__store *store, ingot_dtype dtype, int rank, const int64_t *dim) {
  return dtype == INGOT_STRING ? NULL : tensor_new(store, dtype, rank, dim, 0);
}

ingot__object *ingot__object_strings(ingot__store *store, int rank, const int64_t *dim, const ingot_string *from) {
  size_t n = 1, characters = 0;
  for (int i = 0; i < rank; i++)
    if (dim[i] < 0 || !ingot__mul(n, (size_t)dim[i], &n)) return NULL;
  for (size_t i = 0; i < n; i++)
    if (!ingot__add(characters, from[i].size, &characters) || !ingot__add(characters, 1, &characters)) return NULL;
  ingot__object *o = tensor_new(store, INGOT_STRING, rank, dim, characters);
  if (!o) return NULL;
  ingot_string *to = o->data;
  char *at = n ? (char *)(to + n) : NULL;
  for (size_t i = 0; i < n; i++) {
    to[i] = (ingot_string){at, from[i].size};
    if (from[i].size) memcpy(at, from[i].data, from[i].size);
    at[from[i].size] = 0;
    at += from[i].size + 1;
  }
  return o;
}

ingot__object *ingot__object_copy(ingot__store *store, ingot_dtype dtype, int rank, const int64_t *dim, const void *data) {
  if (dtype == INGOT_STRING) return ingot__object_strings(store, rank, dim, data);
  ingot__object *o = ingot__object_tensor(store, dtype, rank, dim);
  if (o && o->bytes) memcpy(o->data, data, o->bytes);
  return o;
}

ingot__object *ingot__object_list(ingot__store *store, ingot__kind kind, ingot_dtype dtype, size_t n) {
  ingot__object *o = object_new(store, kind, dtype);
  if (!o || !n) return o;
  if (!(o->item = ingot__calloc(&store->heap, n, sizeof *o->item))) {
    ingot__object_release(o);
    return NULL;
  }
  o->n = n;
  return o;
}

ingot__object *ingot__object_retain(ingot__object *o) {
  if (o) o->references++;
  return o;
}

void ingot__object_release(ingot__object *o) {
  if (!o || --o->references) return;
  for (size_t i = 0; i < o->n; i++) ingot__object_release(o->item[i]); /* no deeper than an optional of a sequence of tensors */
  ingot__store *store = o->store;
  ingot__free(&store->heap, o->item, o->n * sizeof *o->item);
  ingot__free(&store->heap, o->data, o->bytes);
  ingot__free(&store->heap, o, sizeof *o);
  ingot__store_release(store);
}

void ingot__object_put(ingot__object **slot, ingot__object *object) {
  ingot__object *was = *slot;
  *slot = object;
  ingot__object_release(was);
}

bool ingot__string_same(ingot_string a, ingot_string b) { return a.size == b.size && (!a.size || !memcmp(a.data, b.data, a.size)); }

int ingot__string_compare(ingot_string a, ingot_string b) {
  size_t n = a.size < b.size ? a.size : b.size;
  int order = n ? memcmp(a.data, b.data, n) : 0;
  return order ? order : (a.size > b.size) - (a.size < b.size);
}

ingot_string ingot__string_copy(ingot__arena *arena, const char *text, size_t size) {
  return (ingot_string){ingot__arena_stringn(arena, text, size), size};
}

ingot_string *ingot__strings_copy(ingot__arena *arena, const ingot_string *from, size_t n) {
  ingot_string *to = INGOT_NEW_ARRAY(arena, n, ingot_string);
  for (size_t i = 0; to && i < n; i++) {
    to[i] = ingot__string_copy(arena, from[i].data, from[i].size);
    if (!to[i].data) return NULL;
  }
  return to;
}
