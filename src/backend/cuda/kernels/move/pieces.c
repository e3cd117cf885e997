/* From a node to the strided copies that it stands for. */
#include "backend/cuda/kernels/move/pieces.h"

static int64_t int_of(const ingot__view *v, int64_t i) { return ingot__get_int(v->dtype, v->data, (size_t)i); }
static int axis_of(int64_t axis, int rank) { return (int)(axis < 0 ? axis + rank : axis); }

size_t ingot__cuda_pieces(const ingot__call *call) {
  switch (call->node->op) {
  case INGOT__OP_Concat: return call->n_in;
  case INGOT__OP_Split: return call->n_out;
  default: return 1;
  }
}

static void add(ingot__walk *w, int64_t dim, int64_t to, int64_t from) {
  w->dim[w->rank] = dim;
  w->stride[0][w->rank] = to;
  w->stride[1][w->rank++] = from;
}

/* All of a view, to or from another of at least its dims. */
static void copy_all(ingot__walk *w, const ingot__view *dims, const ingot__view *to, const ingot__view *from) {
  for (int i = 0; i < dims->rank; i++) add(w, dims->dim[i], to->stride[i], from->stride[i]);
}

static void concat_piece(const ingot__call *call, size_t i, ingot__walk *w) {
  const ingot__view *out = &call->out[0], *in = &call->in[i];
  int axis = axis_of(INGOT__ATTRS(call, Concat)->axis, out->rank);
  int64_t before = 0;
  for (size_t k = 0; k < i; k++) before += call->in[k].dim[axis];
  copy_all(w, in, out, in);
  w->data[0] += before * out->stride[axis] * w->size[0];
  w->data[1] = in->data;
}

static ingot_status split_piece(const ingot__call *call, size_t i, ingot__walk *w) {
  const ingot__view *in = &call->in[0], *out = &call->out[i];
  int axis = axis_of(INGOT__ATTRS(call, Split)->axis, in->rank);
  int64_t n = in->dim[axis], count = (int64_t)call->n_out, before = 0, each = (n + count - 1) / count;
  if (!ingot__has_out(call, i)) {
    add(w, 0, 1, 1);
    return INGOT_OK;
  }
  for (size_t k = 0; k < i; k++) before += ingot__has_in(call, 1) ? int_of(&call->in[1], (int64_t)k) : each;
  if (before < 0 || before > n - out->dim[axis]) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "output %zu ends past the input", i);
  copy_all(w, out, out, in);
  w->data[0] = out->data;
  w->data[1] += before * in->stride[axis] * w->size[1];
  return INGOT_OK;
}

static ingot_status slice_piece(const ingot__call *call, ingot__walk *w) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  copy_all(w, out, out, in);
  int64_t n = ingot__view_count(&call->in[1]);
  for (int64_t k = 0; k < n; k++) {
    int axis = ingot__has_in(call, 3) ? axis_of(int_of(&call->in[3], k), in->rank) : (int)k;
    int64_t step = ingot__has_in(call, 4) ? int_of(&call->in[4], k) : 1, start = int_of(&call->in[1], k), dim = in->dim[axis];
    if (start < 0) start += dim;
    start = start < 0 ? 0 : step > 0 ? (start > dim ? dim : start) : start >= dim ? dim - 1 : start;
    int64_t count = out->dim[axis], last = start + (count - 1) * step;
    if (count > 0 && (last < 0 || last >= dim || start < 0 || start >= dim))
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "axis %d is sliced past its end", axis);
    w->data[1] += (count > 0 ? start : 0) * in->stride[axis] * w->size[1];
    w->stride[1][axis] = in->stride[axis] * step;
  }
  return INGOT_OK;
}

/* The channels of the deep side are (b, b, C) or, CRD, (C, b, b). */
static void depth_space(ingot__walk *w, const ingot__view *deep, const ingot__view *flat, int64_t b, bool crd, bool to_flat) {
  int64_t c = flat->dim[1], cs = deep->stride[1];
  struct { int64_t dim, deep, flat; } axis[6] = {
    {flat->dim[0], deep->stride[0], flat->stride[0]},
    {c, crd ? cs * b * b : cs, flat->stride[1]},
    {deep->dim[2], deep->stride[2], flat->stride[2] * b},
    {b, (crd ? cs : cs * c) * b, flat->stride[2]},
    {deep->dim[3], deep->stride[3], flat->stride[3] * b},
    {b, crd ? cs : cs * c, flat->stride[3]},
  };
  for (int i = 0; i < 6; i++) add(w, axis[i].dim, to_flat ? axis[i].flat : axis[i].deep, to_flat ? axis[i].deep : axis[i].flat);
}

ingot_status ingot__cuda_piece(const ingot__call *call, size_t i, ingot__walk *w) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  w->rank = 0, w->n = 2;
  w->data[0] = out->data, w->data[1] = in->data;
  w->size[0] = w->size[1] = (int64_t)ingot__dtype_size(in->dtype);
  switch (call->node->op) {
  case INGOT__OP_Concat: concat_piece(call, i, w); break;
  case INGOT__OP_Split: return split_piece(call, i, w);
  case INGOT__OP_Slice: return slice_piece(call, w);
  case INGOT__OP_Transpose: {
    const ingot__ints *perm = &INGOT__ATTRS(call, Transpose)->perm;
    for (int d = 0; d < out->rank; d++) {
      int64_t axis = perm->n ? perm->v[d] : out->rank - 1 - d; /* may count from the end */
      add(w, out->dim[d], out->stride[d], in->stride[axis < 0 ? axis + out->rank : axis]);
    }
    break;
  }
  case INGOT__OP_Expand:
    for (int d = 0; d < out->rank; d++) {
      int j = d - (out->rank - in->rank);
      add(w, out->dim[d], out->stride[d], j < 0 || in->dim[j] == 1 ? 0 : in->stride[j]);
    }
    break;
  case INGOT__OP_Tile:
    for (int d = 0; d < out->rank; d++) {
      add(w, in->dim[d] ? out->dim[d] / in->dim[d] : 0, out->stride[d] * in->dim[d], 0);
      add(w, in->dim[d], out->stride[d], in->stride[d]);
    }
    break;
  case INGOT__OP_DepthToSpace: {
    const ingot__attrs_DepthToSpace *a = INGOT__ATTRS(call, DepthToSpace);
    depth_space(w, in, out, a->blocksize, strcmp(a->mode, "CRD") == 0, true);
    break;
  }
  case INGOT__OP_SpaceToDepth: {
    const ingot__attrs_SpaceToDepth *a = INGOT__ATTRS(call, SpaceToDepth);
    depth_space(w, out, in, a->blocksize, strcmp(a->mode, "CRD") == 0, false);
    break;
  }
  default: copy_all(w, out, out, in);
  }
  return INGOT_OK;
}
