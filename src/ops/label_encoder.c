/* LabelEncoder (ai.onnx.ml): each element becomes the value beside the equal key. Keys and values come in lists of strings, int64s or floats, or
 * as tensors; the oldest form has one list of strings, that stand for their positions or the reverse. */
#include "ops/ints.h"
#include "ops/lookup.h"
#include "ops/move.h"

typedef const ingot__attrs_LabelEncoder attrs;

/* Keys or values, in whichever form they come; text: strings of attributes, which have no lengths. */
typedef struct side { ingot_dtype dtype; size_t n; const void *data; const char *const *text; bool positions; } side;

static bool from_tensor(const ingot__literal *l, side *s) {
  if (l->dtype == INGOT_UNDEFINED || (!l->data && l->bytes)) return false;
  *s = (side){.dtype = l->dtype, .n = 1, .data = l->data};
  for (int i = 0; i < l->rank; i++) s->n *= (size_t)l->dim[i];
  return l->data != NULL;
}

static bool lists(ingot__strings strings, ingot__ints ints, ingot__floats floats, const ingot__literal *tensor, side *s) {
  if (from_tensor(tensor, s)) return true;
  if (strings.n) *s = (side){.dtype = INGOT_STRING, .n = strings.n, .text = strings.v};
  else if (ints.n) *s = (side){.dtype = INGOT_INT64, .n = ints.n, .data = ints.v};
  else if (floats.n) *s = (side){.dtype = INGOT_FLOAT32, .n = floats.n, .data = floats.v};
  else return false;
  return true;
}

static bool sides(attrs *a, ingot_dtype in, side *keys, side *values) {
  if (a->classes_strings.n) {
    side names = {.dtype = INGOT_STRING, .n = a->classes_strings.n, .text = a->classes_strings.v};
    side positions = {.dtype = INGOT_INT64, .n = names.n, .positions = true};
    *keys = in == INGOT_STRING ? names : positions;
    *values = in == INGOT_STRING ? positions : names;
    return true;
  }
  return lists(a->keys_strings, a->keys_int64s, a->keys_floats, &a->keys_tensor, keys) &&
         lists(a->values_strings, a->values_int64s, a->values_floats, &a->values_tensor, values);
}

ingot_status ingot__infer_LabelEncoder(ingot__infer *f) {
  attrs *a = f->attrs;
  side keys, values, other;
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  if (!sides(a, f->in[0]->dtype, &keys, &values)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "keys or values are missing");
  if (keys.n != values.n) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "there are %zu keys and %zu values", keys.n, values.n);
  if (keys.dtype != f->in[0]->dtype)
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the keys are %s, the input is %s", ingot_dtype_name(keys.dtype), ingot_dtype_name(f->in[0]->dtype));
  bool odd = !ingot__dtype_size(values.dtype) || !ingot__dtype_size(keys.dtype) || ingot_dtype_bits(keys.dtype) > 64;
  if (odd || (from_tensor(&a->default_tensor, &other) && (other.n != 1 || other.dtype != values.dtype)))
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "keys of %s, values of %s and the default don't fit", ingot_dtype_name(keys.dtype),
                             ingot_dtype_name(values.dtype));
  f->out[0] = *f->in[0];
  f->out[0].dtype = values.dtype;
  return INGOT_OK;
}

/* Element i of the values. Strings of attributes live as long as the engine. */
static void put(const side *s, size_t i, ingot_dtype dtype, void *out, size_t at) {
  size_t size = ingot__dtype_size(dtype);
  if (s->text) ((ingot_string *)out)[at] = (ingot_string){s->text[i], strlen(s->text[i])};
  else if (s->positions) ((int64_t *)out)[at] = (int64_t)i;
  else memcpy((char *)out + at * size, (const char *)s->data + i * size, size);
}

static void put_default(attrs *a, ingot_dtype dtype, void *out, size_t at) {
  side other;
  if (from_tensor(&a->default_tensor, &other)) put(&other, 0, dtype, out, at);
  else if (dtype == INGOT_STRING) ((ingot_string *)out)[at] = (ingot_string){a->default_string, strlen(a->default_string)};
  else if (ingot__dtype_is_float(dtype)) ingot__set_double(dtype, out, at, (double)a->default_float);
  else ingot__set_int(dtype, out, at, a->default_int64);
}

ingot_status ingot__ref_LabelEncoder(const ingot__call *call) {
  attrs *a = call->attrs;
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  side keys, values;
  if (!call->store || !sides(a, x->dtype, &keys, &values)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "can't be run here");
  ingot__arena scratch;
  ingot__arena_init(&scratch, &call->store->heap);
  ingot__key *key = INGOT_NEW_ARRAY(&scratch, keys.n, ingot__key);
  ingot__lookup lookup;
  bool good = key && ingot__lookup_init(&lookup, &scratch, keys.n, 1);
  for (size_t i = 0; good && i < keys.n; i++) {
    int64_t position = (int64_t)i;
    key[i] = keys.text ? ingot__key_of_text(keys.text[i]) : keys.positions ? ingot__key_of(INGOT_INT64, &position, 0)
                                                                           : ingot__key_of(keys.dtype, keys.data, i);
    ingot__lookup_add(&lookup, key, i);
  }
  for (size_t i = 0, n = (size_t)ingot__view_count(x); good && i < n; i++) {
    ingot__key k = ingot__key_of(x->dtype, x->data, i);
    int64_t found = ingot__lookup_find(&lookup, &k, 1);
    if (found >= 0) put(&values, (size_t)found, y->dtype, y->data, i);
    else put_default(a, y->dtype, y->data, i);
  }
  ingot__arena_free(&scratch);
  return good ? INGOT_OK : ingot__no_memory(call->diag);
}
