/* Reading TensorProto and SparseTensorProto, and repeated numbers and strings. */
#include "import/onnx/proto.h"
#include <string.h>

/* Dims are repeated, packed or not; more of them than a tensor may have are a limit's matter, not damage. */
static ingot_status read_dims(const ingot__pb *pb, ingot__text message, uint32_t field, int *rank, int64_t *dim) {
  size_t n;
  INGOT_TRY(ingot__pb_varints(pb, message, field, 8, NULL, &n));
  if (n > INGOT_MAX_RANK) {
    return ingot__fail(pb->diag, INGOT_E_LIMIT, NULL, "a tensor has %zu dims; ingot takes up to %d", n, INGOT_MAX_RANK);
  }
  *rank = (int)n;
  return ingot__pb_varints(pb, message, field, 8, dim, &n);
}

ingot_status ingot__pb_read_tensor(const ingot__pb *pb, ingot__text message, ingot__pb_tensor *out) {
  *out = (ingot__pb_tensor){.self = message};
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  while (ingot__wire_next(&w, &f)) {
    bool is_bytes = f.type == INGOT__WIRE_BYTES;
    switch (f.number) {
    case 2: out->dtype = f.value <= INT32_MAX ? (int32_t)f.value : 0; break;
    case 3: return ingot__fail(pb->diag, INGOT_E_UNSUPPORTED, NULL, "a tensor is stored in segments");
    case 8:
    case 9:
      if (!is_bytes || (f.number == 8 && f.bytes.n && memchr(f.bytes.p, 0, f.bytes.n))) return ingot__pb_damaged(pb, w.p, "TensorProto");
      if (f.number == 8) out->name = f.bytes;
      else out->raw = f.bytes, out->has_raw = true;
      break;
    case 13:
      if (!is_bytes) return ingot__pb_damaged(pb, w.p, "TensorProto");
      if (!ingot__arena_grow(pb->arena, (void *)&out->external.v, &out->external.capacity, out->external.n + 1, sizeof(ingot__text))) {
        return ingot__no_memory(pb->diag);
      }
      out->external.v[out->external.n++] = f.bytes;
      break;
    case 14: out->is_external = f.value == 1; break;
    default: break;
    }
  }
  if (w.damaged) return ingot__pb_damaged(pb, w.p, "TensorProto");
  return read_dims(pb, message, 1, &out->rank, out->dim);
}

ingot_status ingot__pb_read_sparse(const ingot__pb *pb, ingot__text message, ingot__pb_sparse *out) {
  *out = (ingot__pb_sparse){0};
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  while (ingot__wire_next(&w, &f)) {
    if (f.number != 1 && f.number != 2) continue;
    if (f.type != INGOT__WIRE_BYTES) return ingot__pb_damaged(pb, w.p, "SparseTensorProto");
    if (f.number == 1) out->values = f.bytes;
    else out->indices = f.bytes;
  }
  if (w.damaged) return ingot__pb_damaged(pb, w.p, "SparseTensorProto");
  return read_dims(pb, message, 3, &out->rank, out->dim);
}

ingot_status ingot__pb_read_entry(const ingot__pb *pb, ingot__text message, ingot__text *key, ingot__text *value) {
  *key = *value = (ingot__text){0};
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  while (ingot__wire_next(&w, &f)) {
    if (f.number > 2) continue;
    if (f.type != INGOT__WIRE_BYTES) return ingot__pb_damaged(pb, w.p, "StringStringEntryProto");
    *(f.number == 1 ? key : value) = f.bytes;
  }
  return w.damaged ? ingot__pb_damaged(pb, w.p, "StringStringEntryProto") : INGOT_OK;
}

static void store(void *out, size_t i, size_t width, uint64_t v) {
  uint8_t bytes[8];
  for (size_t b = 0; b < width; b++) bytes[b] = (uint8_t)(v >> (8 * b));
  memcpy((char *)out + i * width, bytes, width);
}

ingot_status ingot__pb_varints(const ingot__pb *pb, ingot__text message, uint32_t field, size_t width, void *out, size_t *n) {
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  size_t count = 0;
  while (ingot__wire_next(&w, &f)) {
    if (f.number != field) continue;
    if (f.type == INGOT__WIRE_VARINT) {
      if (out) store(out, count, width, f.value);
      count++;
    } else if (f.type == INGOT__WIRE_BYTES) {
      ingot__wire packed = ingot__wire_open(f.bytes);
      uint64_t v;
      while (packed.p < packed.end && ingot__wire_varint(&packed, &v)) {
        if (out) store(out, count, width, v);
        count++;
      }
      if (packed.damaged) return ingot__pb_damaged(pb, packed.p, "list of integers");
    } else {
      w.damaged = true;
    }
  }
  *n = count;
  return w.damaged ? ingot__pb_damaged(pb, w.p, "list of integers") : INGOT_OK;
}

ingot_status ingot__pb_fixed(const ingot__pb *pb, ingot__text message, uint32_t field, size_t width, void *out, size_t *n,
                             ingot__text *packed) {
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  size_t count = 0, pieces = 0;
  uint8_t single = width == 4 ? INGOT__WIRE_FIXED32 : INGOT__WIRE_FIXED64;
  if (packed) *packed = (ingot__text){0};
  while (ingot__wire_next(&w, &f)) {
    if (f.number != field) continue;
    if (f.type == single) {
      if (out) store(out, count, width, f.value);
      count++;
      pieces += 2;
    } else if (f.type == INGOT__WIRE_BYTES && f.bytes.n % width == 0) {
      if (out && f.bytes.n) memcpy((char *)out + count * width, f.bytes.p, f.bytes.n); /* the wire is little-endian, as memory is */
      count += f.bytes.n / width;
      if (pieces++ == 0 && packed) *packed = f.bytes;
    } else {
      w.damaged = true;
    }
  }
  if (packed && pieces != 1) *packed = (ingot__text){0};
  *n = count;
  return w.damaged ? ingot__pb_damaged(pb, w.p, "list of floating-point numbers") : INGOT_OK;
}

ingot_status ingot__pb_strings(const ingot__pb *pb, ingot__text message, uint32_t field, ingot__pb_texts *out) {
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  *out = (ingot__pb_texts){0};
  while (ingot__wire_next(&w, &f)) {
    if (f.number != field) continue;
    if (f.type != INGOT__WIRE_BYTES) return ingot__pb_damaged(pb, w.p, "list of strings");
    if (!ingot__arena_grow(pb->arena, (void *)&out->v, &out->capacity, out->n + 1, sizeof *out->v)) return ingot__no_memory(pb->diag);
    out->v[out->n++] = f.bytes;
  }
  return w.damaged ? ingot__pb_damaged(pb, w.p, "list of strings") : INGOT_OK;
}
