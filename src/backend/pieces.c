/* From a node to the strided copies that it stands for. */
#include "backend/pieces.h"

static size_t element(const ingot__call *call) { return ingot__dtype_size(call->in[0].dtype); }

static void add(ingot__piece *p, int64_t dim, int64_t to, int64_t from) { ingot__move_add(&p->move, dim, to, from); }

static void nothing(ingot__piece *p) { *p = (ingot__piece){.move = {.rank = 1, .dim = {0}}}; }

static int64_t int_of(const ingot__view *v, int64_t i) { return ingot__get_int(v->dtype, v->data, (size_t)i); }

bool ingot__piece_supports(const ingot__call *call) {
  if (!call->node || !ingot__has_in(call, 0) || call->n_out < 1) return false;
  size_t size = element(call);
  if (size != 1 && size != 2 && size != 4 && size != 8) return false;
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i) && call->out[i].dtype != call->in[0].dtype) return false;
  bool same_layout = call->out[0].rank < 3 || call->in[0].layout == call->out[0].layout;
  switch (call->node->op) {
    case INGOT__OP_Reformat:
    case INGOT__OP_Identity:
    case INGOT__OP_Transpose: return true;
    case INGOT__OP_Concat:
      for (size_t i = 0; i < call->n_in; i++)
        if (!ingot__has_in(call, i) || call->in[i].dtype != call->in[0].dtype) return false;
      return same_layout;
    case INGOT__OP_Split:
    case INGOT__OP_Slice:
    case INGOT__OP_Expand:
    case INGOT__OP_Tile: return same_layout;
    case INGOT__OP_Pad: return same_layout && strcmp(INGOT__ATTRS(call, Pad)->mode, "constant") == 0;
    case INGOT__OP_DepthToSpace:
    case INGOT__OP_SpaceToDepth: return same_layout && call->in[0].rank == 4;
    default: return false;
  }
}

size_t ingot__piece_count(const ingot__call *call) {
  switch (call->node->op) {
    case INGOT__OP_Concat: return call->n_in;
    case INGOT__OP_Split: return call->n_out;
    case INGOT__OP_Pad: return 1 + 2 * (size_t)call->in[0].rank;
    default: return 1;
  }
}

static int axis_of(int64_t axis, int rank) { return (int)(axis < 0 ? axis + rank : axis); }

/* All of a view of the same dims as the other. */
static void copy_all(ingot__piece *p, const ingot__view *to, const ingot__view *from) {
  p->to = to->data, p->from = from->data;
  for (int i = 0; i < to->rank; i++) add(p, to->dim[i], to->stride[i], from->stride[i]);
}

static ingot_status concat_piece(const ingot__call *call, size_t i, ingot__piece *p) {
  const ingot__view *out = &call->out[0];
  int axis = axis_of(INGOT__ATTRS(call, Concat)->axis, out->rank);
  int64_t before = 0;
  for (size_t k = 0; k < i; k++) before += call->in[k].dim[axis];
  ingot__view to = *out;
  memcpy(to.dim, call->in[i].dim, sizeof to.dim);
  copy_all(p, &to, &call->in[i]);
  p->to += before * out->stride[axis] * (int64_t)element(call);
  return INGOT_OK;
}

static ingot_status split_piece(const ingot__call *call, size_t i, ingot__piece *p) {
  const ingot__view *in = &call->in[0];
  int axis = axis_of(INGOT__ATTRS(call, Split)->axis, in->rank);
  int64_t n = in->dim[axis], count = (int64_t)call->n_out, before = 0, each = (n + count - 1) / count;
  if (!ingot__has_out(call, i)) {
    nothing(p);
    return INGOT_OK;
  }
  for (size_t k = 0; k < i; k++) before += ingot__has_in(call, 1) ? int_of(&call->in[1], (int64_t)k) : each;
  if (before < 0 || before > n - call->out[i].dim[axis]) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "output %zu ends past the input", i);
  copy_all(p, &call->out[i], in);
  p->from += before * in->stride[axis] * (int64_t)element(call);
  return INGOT_OK;
}

static ingot_status slice_piece(const ingot__call *call, ingot__piece *p) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  copy_all(p, out, in);
  int64_t n = ingot__view_count(&call->in[1]);
  for (int64_t k = 0; k < n; k++) {
    int axis = ingot__has_in(call, 3) ? axis_of(int_of(&call->in[3], k), in->rank) : (int)k;
    int64_t step = ingot__has_in(call, 4) ? int_of(&call->in[4], k) : 1, start = int_of(&call->in[1], k), dim = in->dim[axis];
    if (start < 0) start += dim;
    start = start < 0 ? 0 : step > 0 ? (start > dim ? dim : start) : start >= dim ? dim - 1 : start;
    int64_t count = out->dim[axis], last = start + (count - 1) * step;
    if (count > 0 && (last < 0 || last >= dim || start < 0 || start >= dim))
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "axis %d is sliced past its end", axis);
    p->from += (count > 0 ? start : 0) * in->stride[axis] * (int64_t)element(call);
    p->move.from[axis] = in->stride[axis] * step;
  }
  return INGOT_OK;
}

/* Pad's copies: the inside, then each axis's two borders, whose earlier axes run over the inside and later ones over everything. */
static ingot_status pad_piece(const ingot__call *call, size_t i, ingot__piece *p) {
  static const uint64_t zero = 0;
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  int64_t size = (int64_t)element(call), low[INGOT_MAX_RANK] = {0}, inside[INGOT_MAX_RANK], crop[INGOT_MAX_RANK] = {0};
  int64_t n = ingot__view_count(&call->in[1]) / 2;
  for (int64_t k = 0; k < n; k++) {
    int axis = ingot__has_in(call, 3) ? axis_of(int_of(&call->in[3], k), in->rank) : (int)k;
    low[axis] = int_of(&call->in[1], k);
  }
  for (int d = 0; d < in->rank; d++) {
    if (low[d] < 0) crop[d] = -low[d], low[d] = 0;
    if (low[d] > out->dim[d]) low[d] = out->dim[d];
    inside[d] = in->dim[d] - crop[d];
    if (inside[d] > out->dim[d] - low[d]) inside[d] = out->dim[d] - low[d];
    if (inside[d] < 0) inside[d] = 0;
  }
  p->to = out->data;
  if (i == 0) {
    p->from = in->data;
    for (int d = 0; d < in->rank; d++) {
      add(p, inside[d], out->stride[d], in->stride[d]);
      p->to += low[d] * out->stride[d] * size;
      p->from += crop[d] * in->stride[d] * size;
    }
    return INGOT_OK;
  }
  int axis = (int)(i - 1) / 2;
  p->from = ingot__has_in(call, 2) ? call->in[2].data : (const void *)&zero;
  for (int d = 0; d < in->rank; d++) {
    int64_t first = d < axis ? low[d] : 0, count = d < axis ? inside[d] : out->dim[d];
    if (d == axis && i % 2 == 1) count = low[d];
    if (d == axis && i % 2 == 0) first = low[d] + inside[d], count = out->dim[d] - first;
    add(p, count, out->stride[d], 0);
    p->to += first * out->stride[d] * size;
  }
  return INGOT_OK;
}

/* The channels of the deep side are (b, b, C) or, CRD, (C, b, b); `deep` and `flat` are the strides' owners. */
static void depth_space(ingot__piece *p, const ingot__view *deep, const ingot__view *flat, int64_t b, bool crd, bool to_flat) {
  int64_t c = flat->dim[1], cs = deep->stride[1];
  struct { int64_t dim, deep, flat; } axis[6] = {
    {flat->dim[0], deep->stride[0], flat->stride[0]},
    {c, crd ? cs * b * b : cs, flat->stride[1]},
    {deep->dim[2], deep->stride[2], flat->stride[2] * b},
    {b, (crd ? cs : cs * c) * b, flat->stride[2]},
    {deep->dim[3], deep->stride[3], flat->stride[3] * b},
    {b, crd ? cs : cs * c, flat->stride[3]},
  };
  for (int i = 0; i < 6; i++) add(p, axis[i].dim, to_flat ? axis[i].flat : axis[i].deep, to_flat ? axis[i].deep : axis[i].flat);
}

static void transpose_piece(const ingot__call *call, ingot__piece *p) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  const ingot__ints *perm = &INGOT__ATTRS(call, Transpose)->perm;
  for (int i = 0; i < out->rank; i++) {
    int64_t axis = perm->n ? perm->v[i] : out->rank - 1 - i; /* may count from the end */
    add(p, out->dim[i], out->stride[i], in->stride[axis < 0 ? axis + out->rank : axis]);
  }
}

ingot_status ingot__piece_get(const ingot__call *call, size_t i, ingot__piece *p) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  p->move.rank = 0;
  p->from = in->data, p->to = out->data;
  switch (call->node->op) {
    case INGOT__OP_Concat: return concat_piece(call, i, p);
    case INGOT__OP_Split: return split_piece(call, i, p);
    case INGOT__OP_Slice: return slice_piece(call, p);
    case INGOT__OP_Pad: return pad_piece(call, i, p);
    case INGOT__OP_Transpose: transpose_piece(call, p); break;
    case INGOT__OP_Expand:
      for (int d = 0; d < out->rank; d++) {
        int j = d - (out->rank - in->rank);
        add(p, out->dim[d], out->stride[d], j < 0 || in->dim[j] == 1 ? 0 : in->stride[j]);
      }
      break;
    case INGOT__OP_Tile:
      for (int d = 0; d < out->rank; d++) {
        add(p, in->dim[d] ? out->dim[d] / in->dim[d] : 0, out->stride[d] * in->dim[d], 0);
        add(p, in->dim[d], out->stride[d], in->stride[d]);
      }
      break;
    case INGOT__OP_DepthToSpace: {
      const ingot__attrs_DepthToSpace *a = INGOT__ATTRS(call, DepthToSpace);
      depth_space(p, in, out, a->blocksize, strcmp(a->mode, "CRD") == 0, true);
      break;
    }
    case INGOT__OP_SpaceToDepth: {
      const ingot__attrs_SpaceToDepth *a = INGOT__ATTRS(call, SpaceToDepth);
      depth_space(p, out, in, a->blocksize, strcmp(a->mode, "CRD") == 0, false);
      break;
    }
    default: copy_all(p, out, in);
  }
  return INGOT_OK;
}
