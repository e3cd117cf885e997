/* Moving, choosing and reshaping work on tensors of 4- and 2-bit elements, too: rather than teach every operator to count bits, the reference
 * gets tensors of bytes and its result is packed again. Operators that convert such elements, or only pass the memory on, take them as
 * they are. */
#include "ops/packed.h"
#include "base/dtype.h"
#include <string.h>

enum { VIEWS = 64, ALIGN = 64 };

static bool takes_packed(ingot__op op) {
  switch (op) {
  case INGOT__OP_Cast: case INGOT__OP_CastLike: case INGOT__OP_BitCast: case INGOT__OP_QuantizeLinear: case INGOT__OP_DequantizeLinear:
  case INGOT__OP_Identity: case INGOT__OP_Reshape: case INGOT__OP_Flatten: case INGOT__OP_Squeeze: case INGOT__OP_Unsqueeze:
  case INGOT__OP_Shape: case INGOT__OP_Size: case INGOT__OP_If: case INGOT__OP_Loop: case INGOT__OP_Fused:
  case INGOT__OP_SequenceConstruct: case INGOT__OP_SequenceEmpty: case INGOT__OP_SequenceInsert: case INGOT__OP_SequenceErase:
  case INGOT__OP_SequenceAt: case INGOT__OP_SequenceLength: case INGOT__OP_SequenceMap: case INGOT__OP_SplitToSequence:
  case INGOT__OP_ConcatFromSequence: case INGOT__OP_Optional: case INGOT__OP_OptionalHasElement: case INGOT__OP_OptionalGetElement:
    return true;
  default: return false;
  }
}

static bool add_bytes(const ingot__view *v, size_t *sum) {
  size_t n = (size_t)ingot__view_count(v), rounded;
  return !ingot__dtype_is_packed(v->dtype) || (ingot__add(n, ALIGN - 1, &rounded) && ingot__add(*sum, rounded / ALIGN * ALIGN, sum));
}

size_t ingot__packed_workspace(const ingot__call *call) {
  size_t sum = 0;
  if (takes_packed(call->node->op)) return 0;
  for (size_t i = 0; i < call->n_in; i++)
    if (!add_bytes(&call->in[i], &sum)) return SIZE_MAX;
  for (size_t i = 0; i < call->n_out; i++)
    if (!add_bytes(&call->out[i], &sum)) return SIZE_MAX;
  return sum;
}

/* The same tensor with a byte for each element, at *room. */
static ingot__view in_bytes(const ingot__view *v, char **room) {
  ingot__view bytes = *v;
  bytes.dtype = v->dtype == INGOT_INT4 || v->dtype == INGOT_INT2 ? INGOT_INT8 : INGOT_UINT8;
  bytes.data = *room;
  *room += ((size_t)ingot__view_count(v) + ALIGN - 1) / ALIGN * ALIGN;
  return bytes;
}

ingot_status ingot__packed_run(const ingot__call *call, size_t workspace, ingot__reference_fn reference) {
  ingot__view in[VIEWS], out[VIEWS];
  ingot__call inner = *call;
  char *room = call->workspace;
  bool packs = false;
  if (call->n_in > VIEWS || call->n_out > VIEWS) {
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has more than %d tensors, some of 4- or 2-bit elements", VIEWS);
  }
  if (call->workspace_size < workspace) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has too little workspace");
  for (size_t i = 0; i < call->n_in; i++) {
    in[i] = call->in[i];
    if (!ingot__dtype_is_packed(in[i].dtype)) continue;
    in[i] = in_bytes(&call->in[i], &room);
    bool is_signed = in[i].dtype == INGOT_INT8;
    for (size_t k = 0, n = (size_t)ingot__view_count(&in[i]); k < n; k++) {
      ((uint8_t *)in[i].data)[k] = (uint8_t)(is_signed ? (unsigned)ingot__get_int(call->in[i].dtype, call->in[i].data, k)
                                                       : ingot__get_bits(call->in[i].dtype, call->in[i].data, k));
    }
  }
  for (size_t i = 0; i < call->n_out; i++) {
    out[i] = call->out[i];
    if (!ingot__dtype_is_packed(out[i].dtype)) continue;
    if (!call->out[i].data) {
      return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "has a result of %s whose shape depends on data", ingot_dtype_name(out[i].dtype));
    }
    out[i] = in_bytes(&call->out[i], &room);
    packs = true;
  }
  inner.in = in;
  inner.out = out;
  inner.workspace = room;
  inner.workspace_size -= workspace;
  if (packs) inner.resize = NULL;
  INGOT_TRY(reference(&inner));
  for (size_t i = 0; i < call->n_out; i++) {
    ingot__view *to = &call->out[i];
    if (!ingot__dtype_is_packed(to->dtype)) {
      *to = out[i]; /* it may have got its shape */
      continue;
    }
    size_t n = (size_t)ingot__view_count(to), bytes;
    if (ingot__dtype_bytes(to->dtype, n, &bytes) && bytes) ((uint8_t *)to->data)[bytes - 1] = 0; /* the bits after the last element */
    for (size_t k = 0; k < n; k++) ingot__set_bits(to->dtype, to->data, k, ((const uint8_t *)out[i].data)[k]);
  }
  return INGOT_OK;
}
