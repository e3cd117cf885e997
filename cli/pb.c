/* TensorProto out of the protobuf wire format (varint keys; https://protobuf.dev/programming-guides/encoding), bounded by the file. */
#include "file.h"
#include "pb.h"
#include <stdlib.h>
#include <string.h>

static const size_t MAX_FILE = (size_t)1 << 33;

/* TensorProto's field numbers. */
enum { DIMS = 1, DATA_TYPE = 2, SEGMENT = 3, FLOATS = 4, INT32S = 5, STRINGS = 6, INT64S = 7, NAME = 8, RAW = 9, DOUBLES = 10, UINT64S = 11,
       EXTERNAL = 13, LOCATION = 14 };
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

typedef struct span { const unsigned char *at, *end; } span;
typedef struct field { unsigned number, wire; uint64_t value; span bytes; } field; /* value: of varints and fixed; bytes: of BYTES */

static bool varint(span *s, uint64_t *value) {
  *value = 0;
  for (unsigned shift = 0; shift < 64 && s->at < s->end; shift += 7) {
    unsigned char b = *s->at++;
    *value |= (uint64_t)(b & 127) << shift;
    if (b < 128) return true;
  }
  return false;
}

static bool fixed(span *s, size_t width, uint64_t *value) {
  if ((size_t)(s->end - s->at) < width) return false;
  *value = 0;
  memcpy(value, s->at, width); /* little-endian, as every machine that ingot runs on */
  s->at += width;
  return true;
}

static bool next(span *s, field *f) {
  uint64_t key, n;
  if (!varint(s, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff) return false;
  f->number = (unsigned)(key >> 3), f->wire = key & 7;
  switch (f->wire) {
    case VARINT: return varint(s, &f->value);
    case FIXED64: return fixed(s, 8, &f->value);
    case FIXED32: return fixed(s, 4, &f->value);
    case BYTES:
      if (!varint(s, &n) || n > (uint64_t)(s->end - s->at)) return false;
      f->bytes = (span){s->at, s->at + n};
      s->at += n;
      return true;
    default: return false;
  }
}

/* Which field has the elements of a type when they aren't raw, and the wire type of one. */
static unsigned typed_field(ingot_dtype dtype, unsigned *wire) {
  *wire = VARINT;
  switch (dtype) {
    case INGOT_FLOAT32: return *wire = FIXED32, FLOATS;
    case INGOT_FLOAT64: return *wire = FIXED64, DOUBLES;
    case INGOT_INT64: return INT64S;
    case INGOT_UINT32:
    case INGOT_UINT64: return UINT64S;
    default: return INT32S; /* small integers, booleans, and the bits of 16-bit and narrower floats */
  }
}

/* One element's bits into the array. Two 4-bit elements share an int32 as they share a byte. */
static bool put(cli__array *a, size_t *filled, uint64_t bits) {
  size_t width = a->count && a->bytes < a->count ? 1 : ingot_dtype_bits(a->dtype) / 8;
  if (width == 0) width = 1;
  if (*filled + width > a->bytes) return false;
  memcpy((char *)a->data + *filled, &bits, width);
  *filled += width;
  return true;
}

/* First pass: everything but the elements. */
typedef struct head { int64_t dims[INGOT_MAX_RANK]; int rank; uint64_t dtype; span name, raw; bool has_raw, has_segment, external; } head;

static bool add_dim(head *h, uint64_t value, bool *too_many) {
  if (h->rank == INGOT_MAX_RANK) *too_many = true;
  else h->dims[h->rank++] = (int64_t)value;
  return !*too_many;
}

static ingot_status read_head(const char *path, span all, head *h) {
  bool too_many = false;
  while (all.at < all.end) {
    field f = {0};
    if (!next(&all, &f)) return cli__fail(INGOT_E_FORMAT, "%s: not a TensorProto, or a damaged one", path);
    if (f.number == DIMS && f.wire == VARINT) add_dim(h, f.value, &too_many);
    if (f.number == DIMS && f.wire == BYTES)
      for (uint64_t n; f.bytes.at < f.bytes.end;) {
        if (!varint(&f.bytes, &n)) return cli__fail(INGOT_E_FORMAT, "%s: the dims are damaged", path);
        if (!add_dim(h, n, &too_many)) break;
      }
    if (too_many) return cli__fail(INGOT_E_LIMIT, "%s has more than %d dims", path, INGOT_MAX_RANK);
    if (f.number == DATA_TYPE && f.wire == VARINT) h->dtype = f.value;
    if (f.number == NAME && f.wire == BYTES) h->name = f.bytes;
    if (f.number == RAW && f.wire == BYTES) h->raw = f.bytes, h->has_raw = true;
    if (f.number == SEGMENT) h->has_segment = true;
    if (f.number == EXTERNAL || (f.number == LOCATION && f.value == 1)) h->external = true;
  }
  return INGOT_OK;
}

static ingot_status read_typed(const char *path, span all, cli__array *array) {
  unsigned wire, number = typed_field(array->dtype, &wire);
  size_t filled = 0;
  bool fits = true;
  for (field f = {0}; fits && all.at < all.end && next(&all, &f);) {
    if (f.number != number) continue;
    if (f.wire == wire) {
      fits = put(array, &filled, f.value);
      continue;
    }
    if (f.wire != BYTES) return cli__fail(INGOT_E_FORMAT, "%s: elements of the wrong kind", path);
    while (fits && f.bytes.at < f.bytes.end) {
      uint64_t bits;
      bool good = wire == VARINT ? varint(&f.bytes, &bits) : fixed(&f.bytes, wire == FIXED32 ? 4 : 8, &bits);
      if (!good) return cli__fail(INGOT_E_FORMAT, "%s: the elements are cut off", path);
      fits = put(array, &filled, bits);
    }
  }
  if (fits && filled == array->bytes) return INGOT_OK;
  return cli__fail(INGOT_E_FORMAT, "%s: has %s elements than its dims say", path, fits ? "fewer" : "more");
}

static ingot_status read_tensor(const char *path, span all, cli__array *array) {
  head h = {0};
  CLI_TRY(read_head(path, all, &h));
  if (h.external || h.has_segment) return cli__fail(INGOT_E_UNSUPPORTED, "%s: its data lies in other files or is segmented", path);
  if (h.dtype == 0 || h.dtype > INGOT_FLOAT6E3M2) return cli__fail(INGOT_E_FORMAT, "%s: not a TensorProto: it has no data type", path);
  ingot_dtype dtype = (ingot_dtype)h.dtype;
  size_t count, bytes, length = (size_t)(all.end - all.at);
  if (ingot_dtype_bits(dtype) == 0) return cli__fail(INGOT_E_UNSUPPORTED, "%s: data of type %s", path, ingot_dtype_name(dtype));
  if (!cli__array_size(dtype, h.rank, h.dims, &count, &bytes)) return cli__fail(INGOT_E_FORMAT, "%s: impossible dims", path);
  /* An element takes a byte of the file at least (4-bit ones half): no allocation beyond that. */
  if (h.has_raw ? bytes != (size_t)(h.raw.end - h.raw.at) : count / 2 > length)
    return cli__fail(INGOT_E_FORMAT, "%s: its dims ask for %zu bytes of data, which aren't there", path, bytes);
  char *name = h.name.at < h.name.end ? strndup((const char *)h.name.at, (size_t)(h.name.end - h.name.at)) : NULL;
  ingot_status status = cli__array_alloc(array, name, dtype, h.rank, h.dims);
  free(name);
  if (status != INGOT_OK) return status;
  if (h.has_raw) memcpy(array->data, h.raw.at, bytes);
  else status = read_typed(path, all, array);
  if (status != INGOT_OK) cli__array_free(array);
  return status;
}

ingot_status cli__pb_load(const char *path, cli__array *array) {
  unsigned char *data;
  size_t size;
  CLI_TRY(cli__read_file(path, MAX_FILE, &data, &size));
  ingot_status status = read_tensor(path, (span){data, data + size}, array);
  free(data);
  return status;
}
