/* Repeating elements: Expand (broadcast to a shape), Tile (copies side by side). */
#include "ops/ints.h"
#include "ops/move.h"

/* How in's elements fill out's dims, in's aligned at the last and repeated where they are 1. */
static void broadcast(const int64_t *in, int in_rank, const int64_t *out, int out_rank, ingot__move *m) {
  int64_t from = 1, to = 1;
  m->rank = out_rank;
  for (int i = out_rank - 1; i >= 0; i--) {
    int j = i - (out_rank - in_rank);
    int64_t d = j >= 0 ? in[j] : 1;
    m->dim[i] = out[i], m->to[i] = to, m->from[i] = d == 1 ? 0 : from;
    to *= out[i], from *= d;
  }
}

ingot_status ingot__infer_Expand(ingot__infer *f) {
  if (!ingot__infer_has(f, 0) || !ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "data and shape are needed");
  const ingot__type *in = f->in[0];
  size_t n;
  if (in->rank < 0 || !ingot__ints_count(f, 1, &n)) {
    ingot__type_unknown(&f->out[0], in->dtype);
    return INGOT_OK;
  }
  if (n > INGOT_MAX_RANK) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "rank %zu is asked for; the most is %d", n, INGOT_MAX_RANK);
  ingot__type shape = {.dtype = in->dtype, .rank = (int8_t)n};
  for (size_t k = 0; k < n; k++) {
    int64_t number;
    shape.dim[k] = ingot__ints_get(f, 1, k);
    if (!ingot__element_number(f, shape.dim[k], &number)) continue;
    if (number == -1) number = 1; /* PyTorch's 'as it is' */
    if (number < 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the shape asked for has %lld at %zu", (long long)number, k);
    shape.dim[k] = number;
  }
  INGOT_TRY(ingot__infer_broadcast(f, in, &shape, &f->out[0]));
  f->out[0].dtype = in->dtype;
  size_t total, count;
  ingot__dim *known;
  if (ingot__known_count(f, 0, &count) && ingot__type_count(&f->out[0], &total) && (known = ingot__infer_known(f, 0, total))) {
    ingot__move m;
    broadcast(in->dim, in->rank, f->out[0].dim, f->out[0].rank, &m);
    ingot__move_run(&m, sizeof *known, known, f->known[0]);
    f->out_known[0] = known;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Expand(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  ingot__view *out = &call->out[0];
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  for (int i = 0; i < in->rank; i++) {
    int j = i + out->rank - in->rank;
    if (j < 0 || (in->dim[i] != 1 && in->dim[i] != out->dim[j])) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "dim %d, %lld, can't be expanded to the output's", i, (long long)in->dim[i]);
    }
  }
  ingot__move m;
  broadcast(in->dim, in->rank, out->dim, out->rank, &m);
  ingot__move_run(&m, size, out->data, in->data);
  return INGOT_OK;
}

static void tiled(const int64_t *in, const int64_t *out, int rank, ingot__move *m) {
  int64_t from = 1, to = 1;
  m->rank = 2 * rank;
  for (int i = rank - 1; i >= 0; i--) {
    m->dim[2 * i] = in[i] ? out[i] / in[i] : 0, m->to[2 * i] = to * in[i], m->from[2 * i] = 0;
    m->dim[2 * i + 1] = in[i], m->to[2 * i + 1] = to, m->from[2 * i + 1] = from;
    to *= out[i], from *= in[i];
  }
}

ingot_status ingot__infer_Tile(ingot__infer *f) {
  if (!ingot__infer_has(f, 0) || !ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "data and repeats are needed");
  const ingot__type *in = f->in[0];
  ingot__type *out = &f->out[0];
  *out = *in;
  if (in->rank < 0) return INGOT_OK;
  size_t n;
  if (ingot__ints_count(f, 1, &n) && n != (size_t)in->rank) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%zu repeats are given for rank %d", n, in->rank);
  }
  for (int i = 0; i < in->rank; i++) {
    ingot__dim r = ingot__ints_get(f, 1, (size_t)i);
    int64_t number;
    if (ingot__element_number(f, r, &number) && number < 0) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "repeat %d is %lld", i, (long long)number);
    }
    out->dim[i] = ingot__element_do(f, INGOT__EL_MUL, in->dim[i], r);
  }
  size_t total, count;
  ingot__dim *known;
  if (ingot__known_count(f, 0, &count) && ingot__type_count(out, &total) && (known = ingot__infer_known(f, 0, total))) {
    ingot__move m;
    tiled(in->dim, out->dim, in->rank, &m);
    ingot__move_run(&m, sizeof *known, known, f->known[0]);
    f->out_known[0] = known;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Tile(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  ingot__view *out = &call->out[0];
  size_t size;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  int64_t dim[INGOT_MAX_RANK];
  if (ingot__view_count(&call->in[1]) != in->rank) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "repeats doesn't fit rank %d", in->rank);
  for (int i = 0; i < in->rank; i++)
    if (__builtin_mul_overflow(in->dim[i], ingot__get_int(call->in[1].dtype, call->in[1].data, (size_t)i), &dim[i])) dim[i] = -1;
  INGOT_TRY(ingot__check_out(call, 0, in->rank, dim));
  ingot__move m;
  tiled(in->dim, out->dim, in->rank, &m);
  ingot__move_run(&m, size, out->data, in->data);
  return INGOT_OK;
}
