/* TensorProto's elements in all their encodings.
 *
 * Elements that lie in the file as they do in memory are used where they are, if their address suits their type (protobuf aligns nothing,
 * so that one in four float tensors does; external data always does). All others are copied once into the arena, however often a
 * function that holds them is called. */
#include "import/onnx/import.h"
#include <string.h>

enum { FLOAT_DATA = 4, INT32_DATA = 5, STRING_DATA = 6, INT64_DATA = 7, DOUBLE_DATA = 10, UINT64_DATA = 11 };
#define SPARSE_LIMIT ((size_t)64 << 20) /* bytes that a sparse tensor may grow to, besides a multiple of its size in the file */

static const char *tensor_where(ingot__onnx *o, ingot__text name) {
  return ingot__arena_printf(o->scratch, "tensor '%.*s'", INGOT__TEXT(name)); /* NULL is a fine `where` */
}

/* Elements and bytes of a dense tensor. */
static ingot_status measure(ingot__onnx *o, const char *where, int32_t dtype, int rank, const int64_t *dim, size_t *count, size_t *bytes) {
  if (dtype <= INGOT_UNDEFINED || dtype >= INGOT__DTYPE_COUNT) {
    return ingot__fail(o->diag, INGOT_E_UNSUPPORTED, where, "element type %d", (int)dtype);
  }
  *count = 1;
  bool fits = true;
  for (int i = 0; i < rank; i++) {
    if (dim[i] < 0) return ingot__fail(o->diag, INGOT_E_FORMAT, where, "dim %d is %lld", i, (long long)dim[i]);
    fits = fits && ingot__mul(*count, (size_t)dim[i], count);
  }
  fits = fits && ingot__dtype_bytes((ingot_dtype)dtype, *count, bytes);
  return fits ? INGOT_OK : ingot__fail(o->diag, INGOT_E_LIMIT, where, "too large");
}

static ingot_status wrong_size(ingot__onnx *o, const char *where, const char *unit, size_t need, size_t has) {
  return ingot__fail(o->diag, INGOT_E_FORMAT, where, "its shape needs %zu %s, the file has %zu", need, unit, has);
}

static ingot_status read_strings(ingot__onnx *o, const ingot__pb_tensor *t, const char *where, size_t count, const void **data) {
  ingot__pb_texts list;
  INGOT_TRY(ingot__pb_strings(&o->pb, t->self, STRING_DATA, &list));
  if (list.n != count) return wrong_size(o, where, "strings", count, list.n);
  ingot_string *strings = INGOT_NEW_ARRAY(o->arena, count, ingot_string);
  if (!strings) return ingot__no_memory(o->diag);
  for (size_t i = 0; i < count; i++) {
    strings[i] = ingot__string_copy(o->arena, list.v[i].p, list.v[i].n);
    if (!strings[i].data) return ingot__no_memory(o->diag);
  }
  *data = strings;
  return INGOT_OK;
}

/* Elements in one of the typed lists. */
static ingot_status read_typed(ingot__onnx *o, const ingot__pb_tensor *t, const char *where, size_t bytes, ingot__text *in_file, void **made) {
  ingot_dtype dtype = (ingot_dtype)t->dtype;
  size_t width, n;
  uint32_t field;
  bool varints = true;
  switch (dtype) {
  case INGOT_FLOAT32:
  case INGOT_COMPLEX64: field = FLOAT_DATA, width = 4, varints = false; break;
  case INGOT_FLOAT64:
  case INGOT_COMPLEX128: field = DOUBLE_DATA, width = 8, varints = false; break;
  case INGOT_INT64: field = INT64_DATA, width = 8; break;
  case INGOT_UINT32:
  case INGOT_UINT64: field = UINT64_DATA, width = ingot__dtype_size(dtype); break;
  default: /* packed types lie several to a byte, and those bytes in int32_data */
    field = INT32_DATA, width = ingot_dtype_bits(dtype) < 8 ? 1 : ingot__dtype_size(dtype);
  }
  size_t need = bytes / width;
  if (varints) INGOT_TRY(ingot__pb_varints(&o->pb, t->self, field, width, NULL, &n));
  else INGOT_TRY(ingot__pb_fixed(&o->pb, t->self, field, width, NULL, &n, in_file));
  if (n != need) return wrong_size(o, where, "numbers", need, n);
  if (in_file->p) return INGOT_OK;
  if (!(*made = ingot__arena_alloc(o->arena, bytes))) return ingot__no_memory(o->diag);
  return varints ? ingot__pb_varints(&o->pb, t->self, field, width, *made, &n)
                 : ingot__pb_fixed(&o->pb, t->self, field, width, *made, &n, NULL);
}

/* Bools may be any byte in the file, but 0 or 1 alone in memory. */
static bool are_bools(const char *p, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (p[i] != 0 && p[i] != 1) return false;
  }
  return true;
}

/* The 6-bit floats of raw data: one after the other, low bits first. In memory each has a byte. */
static size_t six_bit_bytes(size_t count) { return count / 4 * 3 + (count % 4 * 6 + 7) / 8; }
static void unpack_six_bits(const char *from, size_t count, char *to) {
  const unsigned char *p = (const unsigned char *)from;
  for (size_t i = 0; i < count; i++) {
    size_t bit = i % 4 * 6, at = i / 4 * 3 + bit / 8, shift = bit % 8;
    unsigned v = p[at] >> shift;
    if (shift > 2) v |= (unsigned)p[at + 1] << (8 - shift);
    to[i] = (char)(v & 63);
  }
}

static ingot_status read_dense(ingot__onnx *o, const ingot__pb_tensor *t, ingot__literal *out) {
  const char *where = tensor_where(o, t->name);
  size_t count, bytes;
  INGOT_TRY(measure(o, where, t->dtype, t->rank, t->dim, &count, &bytes));
  *out = (ingot__literal){.dtype = (ingot_dtype)t->dtype, .rank = t->rank, .bytes = bytes};
  memcpy(out->dim, t->dim, sizeof out->dim);
  if (out->dtype == INGOT_STRING) {
    if (t->is_external || t->has_raw) return ingot__fail(o->diag, INGOT_E_FORMAT, where, "strings can't be raw or external data");
    return read_strings(o, t, where, count, &out->data);
  }
  ingot__text in_file = {0};
  void *made = NULL;
  if (t->is_external || t->has_raw) {
    if (t->is_external) INGOT_TRY(ingot__onnx_external(o, t, &in_file));
    else in_file = t->raw;
    bool six = t->dtype == INGOT_FLOAT6E2M3 || t->dtype == INGOT_FLOAT6E3M2;
    size_t need = six ? six_bit_bytes(count) : bytes;
    if (in_file.n != need) return wrong_size(o, where, "bytes", need, in_file.n);
    if (six) {
      if (!(made = ingot__arena_alloc(o->arena, bytes))) return ingot__no_memory(o->diag);
      unpack_six_bits(in_file.p, count, made);
    }
  } else {
    INGOT_TRY(read_typed(o, t, where, bytes, &in_file, &made));
  }
  size_t align = ingot__dtype_size(out->dtype);
  if (align > 8) align = 8;
  if (!made) {
    bool stays = bytes && !(o->copy && !t->is_external) && (align < 2 || (uintptr_t)in_file.p % align == 0) &&
                 (out->dtype != INGOT_BOOL || are_bools(in_file.p, bytes));
    if (stays) return out->data = in_file.p, INGOT_OK;
    if (!(made = ingot__arena_copy(o->arena, in_file.p, bytes))) return ingot__no_memory(o->diag);
  }
  if (out->dtype == INGOT_BOOL) {
    for (size_t i = 0; i < bytes; i++) ((char *)made)[i] = ((char *)made)[i] != 0;
  }
  out->data = made;
  return INGOT_OK;
}

/* Keeps what was read of a message, for when it is read again. */
typedef struct kept { const char *address; ingot__literal literal; ingot__text name; } kept;

static const kept *find_kept(const ingot__onnx *o, const char *address) {
  return ingot__name_map_get(&o->copied, (ingot__text){(const char *)&address, sizeof address});
}

static ingot_status keep(ingot__onnx *o, const char *address, const ingot__literal *literal, ingot__text name) {
  kept *k = INGOT_NEW(o->scratch, kept);
  if (!k) return ingot__no_memory(o->diag);
  *k = (kept){address, *literal, name};
  return ingot__name_map_put(&o->copied, (ingot__text){(const char *)&k->address, sizeof k->address}, k) ? INGOT_OK
                                                                                                         : ingot__no_memory(o->diag);
}

ingot_status ingot__onnx_read_tensor(ingot__onnx *o, ingot__text message, ingot__literal *out, ingot__text *name) {
  const kept *before = message.n ? find_kept(o, message.p) : NULL;
  if (before) {
    *out = before->literal;
    *name = before->name;
    return INGOT_OK;
  }
  ingot__pb_tensor t;
  INGOT_TRY(ingot__pb_read_tensor(&o->pb, message, &t));
  *name = t.name;
  INGOT_TRY(read_dense(o, &t, out));
  return message.n ? keep(o, message.p, out, t.name) : INGOT_OK;
}

/* Where the i-th stored element goes: indices are positions in the flattened tensor, or a row of coordinates each. */
static bool sparse_position(const ingot__pb_sparse *s, const ingot__literal *indices, size_t i, size_t count, size_t *position) {
  const char *p = indices->data;
  int64_t at = 0;
  if (indices->rank == 1) {
    memcpy(&at, p + i * 8, 8);
  } else {
    for (int d = 0; d < s->rank; d++) {
      int64_t c;
      memcpy(&c, p + (i * (size_t)s->rank + (size_t)d) * 8, 8);
      if (c < 0 || c >= s->dim[d]) return false;
      at = at * s->dim[d] + c;
    }
  }
  *position = (size_t)at;
  return at >= 0 && (size_t)at < count;
}

ingot_status ingot__onnx_read_sparse(ingot__onnx *o, ingot__text message, ingot__literal *out, ingot__text *name) {
  const kept *before = message.n ? find_kept(o, message.p) : NULL;
  if (before) {
    *out = before->literal;
    *name = before->name;
    return INGOT_OK;
  }
  ingot__pb_sparse s;
  ingot__literal values, indices;
  ingot__text ignored;
  INGOT_TRY(ingot__pb_read_sparse(&o->pb, message, &s));
  INGOT_TRY(ingot__onnx_read_tensor(o, s.values, &values, name));
  const char *where = tensor_where(o, *name);
  size_t width = ingot__dtype_size(values.dtype), count, bytes;
  if (values.rank != 1 || values.dtype == INGOT_STRING || width == 0) {
    return ingot__fail(o->diag, INGOT_E_FORMAT, where, "a sparse tensor's values must be a list of numbers of at least 8 bits");
  }
  size_t n = (size_t)values.dim[0];
  indices = (ingot__literal){.dtype = INGOT_INT64, .rank = 1};
  if (n) INGOT_TRY(ingot__onnx_read_tensor(o, s.indices, &indices, &ignored));
  bool rows = indices.rank == 2 && indices.dim[1] == s.rank;
  if (indices.dtype != INGOT_INT64 || (indices.rank != 1 && !rows) || (size_t)indices.dim[0] != n) {
    return ingot__fail(o->diag, INGOT_E_FORMAT, where, "a sparse tensor's indices must be %zu int64 numbers or rows of %d", n, s.rank);
  }
  INGOT_TRY(measure(o, where, values.dtype, s.rank, s.dim, &count, &bytes));
  if (bytes > SPARSE_LIMIT && bytes / 16 > message.n) {
    return ingot__fail(o->diag, INGOT_E_LIMIT, where, "a sparse tensor of %zu bytes would grow to %zu", message.n, bytes);
  }
  char *dense = ingot__arena_alloc(o->arena, bytes);
  if (!dense) return ingot__no_memory(o->diag);
  for (size_t i = 0, at; i < n; i++) {
    if (!sparse_position(&s, &indices, i, count, &at)) return ingot__fail(o->diag, INGOT_E_FORMAT, where, "index %zu leaves the tensor", i);
    memcpy(dense + at * width, (const char *)values.data + i * width, width);
  }
  *out = (ingot__literal){.dtype = values.dtype, .rank = s.rank, .data = dense, .bytes = bytes};
  memcpy(out->dim, s.dim, sizeof out->dim);
  return message.n ? keep(o, message.p, out, *name) : INGOT_OK;
}
