/* FusedAttention: softmax(Q K^T * scale + mask) V for Q (.., L, D), K (.., S, D), V (.., S, E); leading dims broadcast. scale 0 stands for
 * 1/sqrt(D). A mask of bools keeps where it is true. The reference computes a query at a time, in double. */
#include "ops/ints.h"
#include "ops/rows.h"
#include <math.h>

ingot_status ingot__infer_FusedAttention(ingot__infer *infer) {
  bool unknown[3];
  for (size_t i = 0; i < 3; i++) {
    INGOT_TRY(ingot__infer_rank(infer, i, 2, -1, &unknown[i]));
    if (infer->in[i]->dtype != infer->in[0]->dtype) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the inputs have different types");
  }
  const ingot__type *q = infer->in[0], *k = infer->in[1], *v = infer->in[2];
  ingot_dtype t = q->dtype;
  if (t != INGOT_FLOAT32 && t != INGOT_FLOAT64 && t != INGOT_FLOAT16 && t != INGOT_BFLOAT16) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(t));
  }
  ingot__type *out = &infer->out[0], lead[3], scores;
  if (unknown[0] || unknown[1] || unknown[2]) {
    ingot__type_unknown(out, t);
    return INGOT_OK;
  }
  ingot__dim d, s;
  INGOT_TRY(ingot__dim_merge(infer, q->dim[q->rank - 1], k->dim[k->rank - 1], "features of Q and K", &d));
  INGOT_TRY(ingot__dim_merge(infer, k->dim[k->rank - 2], v->dim[v->rank - 2], "positions of K and V", &s));
  for (int i = 0; i < 3; i++) {
    lead[i] = *infer->in[i];
    lead[i].rank = (int8_t)(lead[i].rank - 2);
  }
  INGOT_TRY(ingot__infer_broadcast(infer, &lead[0], &lead[1], out));
  INGOT_TRY(ingot__infer_broadcast(infer, out, &lead[2], out));
  out->dim[out->rank++] = q->dim[q->rank - 2];
  scores = *out;
  out->dim[out->rank++] = v->dim[v->rank - 1];
  if (!ingot__infer_has(infer, 3) || infer->in[3]->rank < 0) return INGOT_OK;
  const ingot__type *m = infer->in[3];
  if (m->dtype != t && m->dtype != INGOT_BOOL) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the mask is %s", ingot_dtype_name(m->dtype));
  scores.dim[scores.rank++] = s;
  bool fits = m->rank <= scores.rank;
  for (int i = 1; fits && i <= m->rank; i++) {
    ingot__dim have = m->dim[m->rank - i], want = scores.dim[scores.rank - i];
    fits = have == 1 || have < 0 || want < 0 || have == want;
  }
  return fits ? INGOT_OK : INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the mask does not broadcast to the scores");
}

static size_t scores_bytes(const ingot__call *call) { /* of one thread */
  size_t bytes, s = (size_t)call->in[1].dim[call->in[1].rank - 2];
  return ingot__mul(s, sizeof(double), &bytes) && bytes < SIZE_MAX / 4 ? ingot__align(bytes, 64) : SIZE_MAX;
}

size_t ingot__workspace_FusedAttention(const ingot__call *call) {
  size_t bytes = scores_bytes(call), threads = (size_t)(call->threads > 1 ? call->threads : 1);
  return bytes != SIZE_MAX && ingot__mul(bytes, threads, &bytes) ? bytes : SIZE_MAX;
}

typedef struct job {
  const ingot__call *call;
  double scale;
  int64_t length, positions, features, width; /* L, S, D, E */
} job;

/* The offset of input i for the leading dims' number `batch`; trailing strides 0 where a mask's dims are 1 or missing. */
static int64_t offset(const job *j, size_t i, int64_t batch) {
  const ingot__view *out = &j->call->out[0], *v = &j->call->in[i];
  int64_t at = 0;
  for (int d = out->rank - 3, k = v->rank - 3; d >= 0; d--, k--) {
    int64_t c = batch % out->dim[d];
    batch /= out->dim[d];
    if (k >= 0 && v->dim[k] != 1) at += c * v->stride[k];
  }
  return at;
}

static double dot(const job *j, int64_t q, int64_t k) {
  double a[INGOT__ROW], b[INGOT__ROW], sum = 0;
  for (int64_t d = 0; d < j->features; d += INGOT__ROW) {
    size_t m = (size_t)(j->features - d < INGOT__ROW ? j->features - d : INGOT__ROW);
    ingot__row_load(j->call->in[0].dtype, j->call->in[0].data, q + d, 1, m, a);
    ingot__row_load(j->call->in[1].dtype, j->call->in[1].data, k + d, 1, m, b);
    for (size_t i = 0; i < m; i++) sum += a[i] * b[i];
  }
  return sum;
}

static void add_mask(const job *j, int64_t batch, int64_t l, double *score) {
  const ingot__view *m = &j->call->in[3];
  int64_t row = m->rank >= 2 && m->dim[m->rank - 2] != 1 ? m->stride[m->rank - 2] : 0;
  int64_t step = m->rank >= 1 && m->dim[m->rank - 1] != 1 ? m->stride[m->rank - 1] : 0, at = offset(j, 3, batch) + l * row;
  for (int64_t s = 0; s < j->positions; s++) {
    double v = ingot__get_double(m->dtype, m->data, (size_t)(at + s * step));
    score[s] = m->dtype != INGOT_BOOL ? score[s] + v : v != 0 ? score[s] : -INFINITY;
  }
}

static void query(const job *j, int64_t batch, int64_t l, double *score) {
  const ingot__call *call = j->call;
  int64_t q = offset(j, 0, batch) + l * j->features, k = offset(j, 1, batch), v = offset(j, 2, batch);
  double max = -INFINITY, sum = 0, row[INGOT__ROW], acc[INGOT__ROW];
  for (int64_t s = 0; s < j->positions; s++) score[s] = dot(j, q, k + s * j->features) * j->scale;
  if (ingot__has_in(call, 3)) add_mask(j, batch, l, score);
  for (int64_t s = 0; s < j->positions; s++) max = score[s] > max || isnan(score[s]) ? score[s] : max;
  for (int64_t s = 0; s < j->positions; s++) sum += score[s] = exp(score[s] - max);
  for (int64_t e = 0; e < j->width; e += INGOT__ROW) {
    size_t m = (size_t)(j->width - e < INGOT__ROW ? j->width - e : INGOT__ROW);
    for (size_t i = 0; i < m; i++) acc[i] = 0;
    for (int64_t s = 0; s < j->positions; s++) {
      ingot__row_load(call->in[2].dtype, call->in[2].data, v + s * j->width + e, 1, m, row);
      for (size_t i = 0; i < m; i++) acc[i] += score[s] * row[i];
    }
    for (size_t i = 0; i < m && j->positions; i++) acc[i] /= sum; /* of no positions: 0 */
    ingot__row_store(call->out[0].dtype, call->out[0].data, (batch * j->length + l) * j->width + e, 1, m, acc);
  }
}

static void work(void *arg, int i, int n) {
  const job *j = arg;
  size_t begin, end, rows = (size_t)(ingot__view_count(&j->call->out[0]) / j->width);
  double *score = (double *)((char *)j->call->workspace + (size_t)i * scores_bytes(j->call));
  ingot__share(rows, 1, i, n, &begin, &end);
  for (size_t u = begin; u < end; u++) query(j, (int64_t)u / j->length, (int64_t)u % j->length, score);
}

ingot_status ingot__ref_FusedAttention(const ingot__call *call) {
  const ingot__view *q = &call->in[0], *k = &call->in[1], *out = &call->out[0];
  if (ingot__view_count(out) == 0) return INGOT_OK;
  job j = {.call = call, .scale = (double)INGOT__ATTRS(call, FusedAttention)->scale, .length = out->dim[out->rank - 2],
           .positions = k->dim[k->rank - 2], .features = q->dim[q->rank - 1], .width = out->dim[out->rank - 1]};
  if (j.scale == 0) j.scale = 1 / sqrt((double)j.features);
  size_t threads = (size_t)ingot__pool_threads(call->pool);
  if (call->workspace_size < scores_bytes(call) * threads) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has too little workspace");
  ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}
