/* Values: tensors, sequences and optionals that the caller makes for inputs, and reads from outputs. */
#include "api/api.h"
#include "base/dtype.h"
#include "base/object.h"

/* The store is the value's alone: it goes with it. */
static ingot_status finish(ingot__store *store, ingot__object *made, ingot__diag *diag, ingot_value **value) {
  ingot__store_release(store);
  if (!made) return ingot__end(diag, ingot__no_memory(diag));
  *value = made;
  return INGOT_OK;
}

ingot_status ingot_value_create_tensor(const ingot_env *env, ingot_dtype dtype, int rank, const int64_t *dims, const void *data,
                                       ingot_value **value) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(value && rank >= 0 && rank <= INGOT_MAX_RANK && (dims || !rank), "an argument is NULL or the rank is not 0 to 8");
  INGOT_REQUIRE(ingot__dtype_size(dtype) || ingot_dtype_bits(dtype), "no such data type");
  size_t count = 1, bytes;
  bool none = false, fits = true;
  for (int i = 0; i < rank; i++) {
    INGOT_REQUIRE(dims[i] >= 0, "a dim is below 0");
    none = none || dims[i] == 0;
    fits = fits && (dims[i] == 0 || ingot__mul(count, (size_t)dims[i], &count));
  }
  if (!none && (!fits || count > (size_t)INT64_MAX / 16 || !ingot__dtype_bytes(dtype, count, &bytes)))
    return ingot__end(&diag, ingot__fail(&diag, INGOT_E_LIMIT, NULL, "the tensor is too large"));
  INGOT_REQUIRE(data || none, "data is NULL");
  for (size_t i = 0; dtype == INGOT_STRING && !none && i < count; i++)
    INGOT_REQUIRE(((const ingot_string *)data)[i].data || !((const ingot_string *)data)[i].size, "a string has a size but no data");
  ingot__store *store = ingot__store_new(env);
  return finish(store, store ? ingot__object_copy(store, dtype, rank, dims, data) : NULL, &diag, value);
}

ingot_status ingot_value_create_sequence(const ingot_env *env, ingot_value *const *elements, size_t n, ingot_value **value) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(value && (elements || !n), "an argument is NULL");
  for (size_t i = 0; i < n; i++) {
    INGOT_REQUIRE(elements[i] && elements[i]->kind == INGOT__TENSOR, "an element is NULL or no tensor");
    INGOT_REQUIRE(elements[i]->dtype == elements[0]->dtype, "the elements have different data types");
  }
  ingot__store *store = ingot__store_new(env);
  ingot__object *o = store ? ingot__object_list(store, INGOT__SEQUENCE, n ? elements[0]->dtype : INGOT_UNDEFINED, n) : NULL;
  for (size_t i = 0; o && i < n; i++) o->item[i] = ingot__object_retain(elements[i]);
  return finish(store, o, &diag, value);
}

ingot_status ingot_value_create_optional(const ingot_env *env, ingot_value *content, ingot_value **value) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(value, "an argument is NULL");
  INGOT_REQUIRE(!content || content->kind != INGOT__OPTIONAL, "an optional of an optional");
  ingot__store *store = ingot__store_new(env);
  ingot__object *o = store ? ingot__object_list(store, INGOT__OPTIONAL, content ? content->dtype : INGOT_UNDEFINED, content != NULL) : NULL;
  if (o && content) o->item[0] = ingot__object_retain(content);
  return finish(store, o, &diag, value);
}

void ingot_value_retain(ingot_value *value) { ingot__object_retain(value); }
void ingot_value_destroy(ingot_value *value) { ingot__object_release(value); }
ingot_kind ingot_value_kind(const ingot_value *value) { return value ? (ingot_kind)value->kind : INGOT_KIND_TENSOR; }
ingot_dtype ingot_value_dtype(const ingot_value *value) { return value ? value->dtype : INGOT_UNDEFINED; }
size_t ingot_value_count(const ingot_value *value) { return value ? value->n : 0; }
ingot_value *ingot_value_element(const ingot_value *value, size_t i) { return value && i < value->n ? value->item[i] : NULL; }

ingot_status ingot_value_tensor(const ingot_value *value, int *rank, int64_t dims[INGOT_MAX_RANK], const void **data) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(value && rank && dims && data, "an argument is NULL");
  INGOT_REQUIRE(value->kind == INGOT__TENSOR, "the value is no tensor");
  *rank = value->rank;
  for (int i = 0; i < value->rank; i++) dims[i] = value->dim[i];
  *data = value->data;
  return INGOT_OK;
}
