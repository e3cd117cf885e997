/* TypeProto: declared types of inputs, outputs and values between. */
#include "import/onnx/import.h"
#include <string.h>

/* Dimension: dim_value 1, dim_param 2. */
static ingot_status read_dim(ingot__onnx *o, ingot__text message, const char *owner, int axis, ingot__dim *dim) {
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  ingot__text symbol = {0};
  int64_t number = -1;
  while (ingot__wire_next(&w, &f)) {
    if (f.number == 1 && f.type == INGOT__WIRE_VARINT) number = (int64_t)f.value;
    else if (f.number == 2 && f.type == INGOT__WIRE_BYTES) symbol = f.bytes;
    else if (f.number <= 2) w.damaged = true;
  }
  if (w.damaged) return ingot__pb_damaged(&o->pb, w.p, "TensorShapeProto");
  /* Some exporters write 0 for 'free'; an input of no elements is of no use. */
  if (number > 0 || (number == 0 && !owner)) return *dim = number, INGOT_OK;
  *dim = INGOT__DIM_UNKNOWN;
  if (!owner) return INGOT_OK;
  const bool named = symbol.n && !(symbol.n == 1 && *symbol.p == '?'); /* Paddle2ONNX calls all free dims "?": they aren't the same */
  char *name = named ? ingot__arena_stringn(o->scratch, symbol.p, symbol.n) : ingot__arena_printf(o->scratch, "%s_dim%d", owner, axis);
  if (!name) return ingot__no_memory(o->diag);
  *dim = ingot__dim_symbol(&o->network->dims, name);
  return INGOT_OK;
}

static ingot_status read_shape(ingot__onnx *o, ingot__text message, const char *owner, ingot__type *type) {
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  type->rank = 0;
  while (ingot__wire_next(&w, &f)) {
    if (f.number != 1) continue;
    if (f.type != INGOT__WIRE_BYTES) return ingot__pb_damaged(&o->pb, w.p, "TensorShapeProto");
    if (type->rank == INGOT_MAX_RANK) {
      return ingot__fail(o->diag, INGOT_E_LIMIT, owner, "more than %d dims", INGOT_MAX_RANK);
    }
    INGOT_TRY(read_dim(o, f.bytes, owner, type->rank, &type->dim[type->rank]));
    type->rank++;
  }
  return w.damaged ? ingot__pb_damaged(&o->pb, w.p, "TensorShapeProto") : INGOT_OK;
}

/* TypeProto.Tensor: elem_type 1, shape 2. */
static ingot_status read_tensor_type(ingot__onnx *o, ingot__text message, const char *owner, ingot__type *type) {
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  while (ingot__wire_next(&w, &f)) {
    if (f.number == 1 && f.type == INGOT__WIRE_VARINT) {
      type->dtype = f.value < INGOT__DTYPE_COUNT ? (ingot_dtype)f.value : INGOT_UNDEFINED;
      if (type->dtype == INGOT_UNDEFINED && owner) {
        return ingot__fail(o->diag, INGOT_E_UNSUPPORTED, owner, "element type %llu", (unsigned long long)f.value);
      }
    } else if (f.number == 2 && f.type == INGOT__WIRE_BYTES) {
      INGOT_TRY(read_shape(o, f.bytes, owner, type));
    }
  }
  return w.damaged ? ingot__pb_damaged(&o->pb, w.p, "TypeProto") : INGOT_OK;
}

ingot_status ingot__onnx_read_type(ingot__onnx *o, ingot__text message, const char *owner, ingot__type *type) {
  *type = (ingot__type){.rank = -1};
  for (int depth = 0; message.n; depth++) { /* into the element types of sequences and optionals */
    ingot__wire w = ingot__wire_open(message);
    ingot__wire_field f;
    ingot__text inner = {0};
    while (ingot__wire_next(&w, &f)) {
      if (f.number == 6) continue; /* denotation */
      if (f.type != INGOT__WIRE_BYTES) return ingot__pb_damaged(&o->pb, w.p, "TypeProto");
      if (f.number == 1) {
        INGOT_TRY(read_tensor_type(o, f.bytes, depth ? NULL : owner, type));
      } else if ((f.number == 4 && (depth == 0 || (depth == 1 && type->kind == INGOT__OPTIONAL))) || (f.number == 9 && depth == 0)) {
        type->kind = f.number == 9 ? INGOT__OPTIONAL : depth ? INGOT__OPTIONAL_SEQUENCE : INGOT__SEQUENCE; /* elem_type 1 */
        ingot__wire e = ingot__wire_open(f.bytes);
        ingot__wire_field g;
        while (ingot__wire_next(&e, &g)) {
          if (g.number == 1 && g.type == INGOT__WIRE_BYTES) inner = g.bytes;
        }
        if (e.damaged) return ingot__pb_damaged(&o->pb, e.p, "TypeProto");
      } else if (owner || depth) {
        return ingot__fail(o->diag, INGOT_E_UNSUPPORTED, owner, "only tensors, sequences of tensors, and optionals of either are taken");
      }
    }
    if (w.damaged) return ingot__pb_damaged(&o->pb, w.p, "TypeProto");
    message = inner;
  }
  if (type->kind != INGOT__TENSOR) type->rank = -1; /* files say shapes that not all elements have */
  return INGOT_OK;
}
