/* Operators that put the same elements in another order: Transpose, DepthToSpace, SpaceToDepth. */
#include "ops/ints.h"
#include "ops/move.h"

/* The permutation, checked; without one the dims are reversed. */
static bool permutation(const ingot__attrs_Transpose *a, int rank, int perm[INGOT_MAX_RANK]) {
  unsigned seen = 0;
  if (a->perm.n != 0 && a->perm.n != (size_t)rank) return false;
  for (int i = 0; i < rank; i++) {
    int64_t p = a->perm.n ? a->perm.v[i] : rank - 1 - i;
    if (p < 0) p += rank;
    if (p < 0 || p >= rank || (seen >> p & 1)) return false;
    seen |= 1u << p;
    perm[i] = (int)p;
  }
  return true;
}

static void permute(const int64_t *dim, int rank, const int *perm, ingot__move *m) {
  int64_t from[INGOT_MAX_RANK], to = 1, s = 1;
  for (int i = rank - 1; i >= 0; i--) from[i] = s, s *= dim[i];
  m->rank = rank;
  for (int i = rank - 1; i >= 0; i--) {
    m->dim[i] = dim[perm[i]], m->from[i] = from[perm[i]], m->to[i] = to;
    to *= m->dim[i];
  }
}

ingot_status ingot__infer_Transpose(ingot__infer *f) {
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  const ingot__type *in = f->in[0];
  const ingot__attrs_Transpose *a = f->attrs;
  ingot__type_unknown(&f->out[0], in->dtype);
  int rank = in->rank, perm[INGOT_MAX_RANK];
  if (rank < 0) {
    if (a->perm.n == 0 || a->perm.n > INGOT_MAX_RANK) return INGOT_OK;
    f->out[0].rank = (int8_t)a->perm.n;
    for (size_t i = 0; i < a->perm.n; i++) f->out[0].dim[i] = INGOT__DIM_UNKNOWN;
    return INGOT_OK;
  }
  if (!permutation(a, rank, perm)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "perm is not an order of the %d dims of the input", rank);
  f->out[0].rank = (int8_t)rank;
  for (int i = 0; i < rank; i++) f->out[0].dim[i] = in->dim[perm[i]];
  size_t n;
  ingot__dim *known;
  if (ingot__known_count(f, 0, &n) && (known = ingot__infer_known(f, 0, n))) {
    ingot__move m;
    permute(in->dim, rank, perm, &m);
    ingot__move_run(&m, sizeof *known, known, f->known[0]);
    f->out_known[0] = known;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Transpose(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  int perm[INGOT_MAX_RANK];
  size_t size;
  if (!permutation(call->attrs, in->rank, perm)) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "perm is not an order of the input's dims");
  INGOT_TRY(ingot__move_check(call, 0, &size));
  ingot__move m;
  permute(in->dim, in->rank, perm, &m);
  ingot__move_run(&m, size, call->out[0].data, in->data);
  return INGOT_OK;
}

static ingot_status check_blocks(ingot__infer *f, int64_t size, const char *mode, bool *unknown) {
  INGOT_TRY(ingot__infer_rank(f, 0, 4, 4, unknown));
  if (size < 1 || size > 32768) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "blocksize is %lld", (long long)size);
  if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "mode is '%s', not DCR or CRD", mode);
  return INGOT_OK;
}

ingot_status ingot__infer_DepthToSpace(ingot__infer *f) {
  const ingot__attrs_DepthToSpace *a = f->attrs;
  bool unknown = false;
  INGOT_TRY(check_blocks(f, a->blocksize, a->mode, &unknown));
  if (unknown) return INGOT_OK;
  ingot__type *out = &f->out[0];
  *out = *f->in[0];
  int64_t b = a->blocksize;
  if (ingot__dim_is_number(out->dim[1]) && out->dim[1] % (b * b) != 0) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%lld channels don't divide by %lld", (long long)out->dim[1], (long long)(b * b));
  }
  out->dim[1] = ingot__element_do(f, INGOT__EL_DIV, out->dim[1], b * b);
  out->dim[2] = ingot__element_do(f, INGOT__EL_MUL, out->dim[2], b);
  out->dim[3] = ingot__element_do(f, INGOT__EL_MUL, out->dim[3], b);
  return INGOT_OK;
}

ingot_status ingot__ref_DepthToSpace(const ingot__call *call) {
  const ingot__attrs_DepthToSpace *a = INGOT__ATTRS(call, DepthToSpace);
  const ingot__view *in = &call->in[0];
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  int64_t b = a->blocksize, c = in->dim[1] / (b * b), h = in->dim[2], w = in->dim[3];
  /* Input channel of (c, row in block, column in block): DCR (row, column, c), CRD (c, row, column). */
  bool dcr = a->mode[0] == 'D';
  int64_t plane = h * w, sc = dcr ? plane : b * b * plane, sr = dcr ? b * c * plane : b * plane, sw = dcr ? c * plane : plane;
  ingot__move m = {0};
  ingot__move_add(&m, in->dim[0], c * b * h * b * w, b * b * c * plane);
  ingot__move_add(&m, c, h * b * w * b, sc);
  ingot__move_add(&m, h, b * w * b, w);
  ingot__move_add(&m, b, w * b, sr);
  ingot__move_add(&m, w, b, 1);
  ingot__move_add(&m, b, 1, sw);
  ingot__move_run(&m, size, call->out[0].data, in->data);
  return INGOT_OK;
}

ingot_status ingot__infer_SpaceToDepth(ingot__infer *f) {
  const ingot__attrs_SpaceToDepth *a = f->attrs;
  bool unknown = false;
  INGOT_TRY(check_blocks(f, a->blocksize, a->mode, &unknown));
  if (unknown) return INGOT_OK;
  ingot__type *out = &f->out[0];
  *out = *f->in[0];
  int64_t b = a->blocksize;
  for (int i = 2; i < 4; i++) {
    if (ingot__dim_is_number(out->dim[i]) && out->dim[i] % b != 0) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "dim %d, %lld, doesn't divide by blocksize %lld", i, (long long)out->dim[i], (long long)b);
    }
    out->dim[i] = ingot__element_do(f, INGOT__EL_DIV, out->dim[i], b);
  }
  out->dim[1] = ingot__element_do(f, INGOT__EL_MUL, out->dim[1], b * b);
  return INGOT_OK;
}

ingot_status ingot__ref_SpaceToDepth(const ingot__call *call) {
  const ingot__attrs_SpaceToDepth *a = INGOT__ATTRS(call, SpaceToDepth);
  const ingot__view *in = &call->in[0];
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  int64_t b = a->blocksize, c = in->dim[1], h = in->dim[2] / b, w = in->dim[3] / b;
  /* Output channel of (c, row in block, column in block): DCR (row, column, c), CRD (c, row, column). */
  bool dcr = a->mode[0] == 'D';
  int64_t plane = h * w;
  ingot__move m = {0};
  ingot__move_add(&m, in->dim[0], b * b * c * plane, c * h * b * w * b);
  ingot__move_add(&m, b, dcr ? b * c * plane : b * plane, w * b);
  ingot__move_add(&m, b, dcr ? c * plane : plane, 1);
  ingot__move_add(&m, c, dcr ? plane : b * b * plane, h * b * w * b);
  ingot__move_add(&m, h, w, b * w * b);
  ingot__move_add(&m, w, 1, b);
  ingot__move_run(&m, size, call->out[0].data, in->data);
  return INGOT_OK;
}
