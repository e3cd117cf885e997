/* FusedAttention (see attention.h): inference and a reference that computes a query at a time. In float32 and float64 it computes in
 * double; in float16 and bfloat16 each step is rounded to the type, as ONNX defines Attention by operators of that type, so that it shows
 * what these types do to a result; behind a mask of float32 sums and softmax are in float32. */
#include "ops/attention.h"
#include "ops/ints.h"
#include "ops/rows.h"
#include <math.h>


/* Lengths and offsets: one integer, or one for each batch element. */
static ingot_status check_counts(ingot__infer *infer, size_t i) {
  if (!ingot__infer_has(infer, i)) return INGOT_OK;
  const ingot__type *t = infer->in[i];
  if (t->kind != INGOT__TENSOR || (t->dtype != INGOT_INT64 && t->dtype != INGOT_INT32) || t->rank > 1) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "input %zu must be a number or a vector of int64 or int32", i);
  }
  ingot__dim have = t->rank == 1 ? t->dim[0] : 1, want = infer->out[0].rank > 2 ? infer->out[0].dim[0] : 1;
  if (have >= 0 && have != 1 && want >= 0 && have != want) {
    return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "input %zu has %lld elements for %lld of the batch", i, (long long)have, (long long)want);
  }
  return INGOT_OK;
}

static ingot_status check_mask(ingot__infer *infer, const ingot__type *scores, bool pads) {
  if (!ingot__infer_has(infer, 3)) return INGOT_OK;
  const ingot__type *m = infer->in[3];
  ingot_dtype t = infer->in[0]->dtype;
  if (m->kind != INGOT__TENSOR || (m->dtype != t && m->dtype != INGOT_BOOL && !(ingot__dtype_is_half(t) && m->dtype == INGOT_FLOAT32))) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the mask is %s", ingot_dtype_name(m->dtype));
  }
  bool fits = m->rank <= scores->rank && (!pads || m->rank != 0);
  for (int i = 1; fits && i <= m->rank; i++) {
    ingot__dim have = m->dim[m->rank - i], want = scores->dim[scores->rank - i];
    fits = have == 1 || have < 0 || want < 0 || have == want || (pads && i == 1 && have < want);
  }
  return fits ? INGOT_OK : INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the mask does not broadcast to the scores");
}

/* With heads before positions. */
static ingot__type swapped(const ingot__type *t, int64_t is) {
  ingot__type r = *t;
  if (is && r.rank > 2) r.dim[r.rank - 2] = t->dim[r.rank - 3], r.dim[r.rank - 3] = t->dim[r.rank - 2];
  return r;
}

/* The leading dims of an input; K's and V's heads as many as Q's where these are a multiple. */
static ingot__type leading(const ingot__type *t, const ingot__type *q) {
  ingot__type r = *t;
  r.rank = (int8_t)(t->rank - 2);
  if (r.rank < 1 || q->rank < 3) return r;
  ingot__dim heads = q->dim[q->rank - 3], *own = &r.dim[r.rank - 1];
  if (heads > 0 && *own > 1 && heads % *own == 0) *own = heads;
  return r;
}

ingot_status ingot__infer_FusedAttention(ingot__infer *infer) {
  const ingot__attrs_FusedAttention *attrs = INGOT__ATTRS(infer, FusedAttention);
  bool unknown[3];
  for (size_t i = 0; i < 3; i++) {
    INGOT_TRY(ingot__infer_rank(infer, i, 2, -1, &unknown[i]));
    if (infer->in[i]->dtype != infer->in[0]->dtype) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the inputs have different types");
  }
  const ingot__type types[] = {swapped(infer->in[0], attrs->swapped & 1), swapped(infer->in[1], attrs->swapped & 2),
                               swapped(infer->in[2], attrs->swapped & 4)}, *q = &types[0], *k = &types[1], *v = &types[2];
  if (!ingot__dtype_is_real(q->dtype)) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(q->dtype));
  if (attrs->precision && !ingot__dtype_is_real((ingot_dtype)attrs->precision)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the softmax's precision is type %lld", (long long)attrs->precision);
  }
  if (attrs->left < -1 || attrs->right < -1 || attrs->scores < 0 || attrs->scores > 3) {
    return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "a window is under -1, or the output of scores is not one of 0 to 3");
  }
  ingot__type *out = &infer->out[0];
  for (size_t i = 0; i < infer->n_out; i++) ingot__type_unknown(&infer->out[i], q->dtype);
  if (unknown[0] || unknown[1] || unknown[2]) return INGOT_OK;
  ingot__dim d, s;
  INGOT_TRY(ingot__dim_merge(infer, q->dim[q->rank - 1], k->dim[k->rank - 1], "features of Q and K", &d));
  INGOT_TRY(ingot__dim_merge(infer, k->dim[k->rank - 2], v->dim[v->rank - 2], "positions of K and V", &s));
  ingot__type lead[] = {leading(q, q), leading(k, q), leading(v, q)};
  INGOT_TRY(ingot__infer_broadcast(infer, &lead[0], &lead[1], out));
  INGOT_TRY(ingot__infer_broadcast(infer, out, &lead[2], out));
  out->dim[out->rank++] = q->dim[q->rank - 2];
  ingot__type scores = *out;
  out->dim[out->rank++] = v->dim[v->rank - 1];
  scores.dim[scores.rank++] = s;
  if (infer->n_out > 1) infer->out[1] = scores;
  INGOT_TRY(check_mask(infer, &scores, attrs->mask_pads != 0));
  INGOT_TRY(check_counts(infer, 4));
  INGOT_TRY(check_counts(infer, 5));
  *out = swapped(out, attrs->swapped & 8);
  return INGOT_OK;
}

static int64_t count_of(const ingot__call *call, size_t i, int64_t batch, int64_t absent) {
  if (!ingot__has_in(call, i)) return absent;
  static const int64_t most = (int64_t)1 << 40; /* whatever the tensor says: sums of these don't overflow */
  int64_t n = ingot__get_int(call->in[i].dtype, call->in[i].data, ingot__view_count(&call->in[i]) > 1 ? (size_t)batch : 0);
  return n > most ? most : n < -most ? -most : n;
}

ingot__view ingot__attention_view(const ingot__call *call, int i) {
  ingot__view v = i == INGOT__ATTENTION_OUT ? call->out[0] : call->in[i];
  if (!(INGOT__ATTRS(call, FusedAttention)->swapped >> i & 1) || v.rank < 3) return v;
  int64_t dim = v.dim[v.rank - 2], stride = v.stride[v.rank - 2];
  v.dim[v.rank - 2] = v.dim[v.rank - 3], v.stride[v.rank - 2] = v.stride[v.rank - 3];
  v.dim[v.rank - 3] = dim, v.stride[v.rank - 3] = stride;
  return v;
}

void ingot__attention_keys(const ingot__call *call, int64_t keys, int64_t batch, int64_t l, int64_t *begin, int64_t *end) {
  const ingot__attrs_FusedAttention *attrs = INGOT__ATTRS(call, FusedAttention);
  int64_t to = count_of(call, 4, batch, keys), from = 0;
  if (to > keys) to = keys;
  if (ingot__has_in(call, 3) && attrs->mask_pads && call->in[3].rank && call->in[3].dim[call->in[3].rank - 1] < to) {
    to = call->in[3].dim[call->in[3].rank - 1];
  }
  if (attrs->causal || attrs->left >= 0 || attrs->right >= 0) {
    int64_t at = count_of(call, 5, batch, 0) + l;
    if (attrs->causal && at < to) to = at + 1;
    if (attrs->right >= 0 && attrs->right < keys && at + attrs->right < to) to = at + attrs->right + 1;
    if (attrs->left >= 0 && attrs->left < at) from = at - attrs->left;
  }
  *end = to < 0 ? 0 : to;
  *begin = from < *end ? from : *end;
}

int64_t ingot__attention_group(const ingot__view *q, const ingot__view *v) {
  int64_t heads = q->rank > 2 ? q->dim[q->rank - 3] : 1, own = v->rank > 2 ? v->dim[v->rank - 3] : 1;
  return own > 1 && heads > own ? heads / own : 1;
}

static size_t scores_bytes(const ingot__call *call) { /* of one thread */
  ingot__view k = ingot__attention_view(call, 1);
  size_t bytes, s = (size_t)k.dim[k.rank - 2];
  return ingot__mul(s, sizeof(double), &bytes) && bytes < SIZE_MAX / 4 ? ingot__align(bytes, 64) : SIZE_MAX;
}

size_t ingot__workspace_FusedAttention(const ingot__call *call) {
  size_t bytes = scores_bytes(call), threads = (size_t)(call->threads > 1 ? call->threads : 1);
  return bytes != SIZE_MAX && ingot__mul(bytes, threads, &bytes) ? bytes : SIZE_MAX;
}

typedef struct job {
  const ingot__call *call;
  const ingot__attrs_FusedAttention *attrs;
  ingot__view in[4], out;                     /* heads before positions; `out` is the scores' where those alone are wanted */
  ingot_dtype type, sums, precision;          /* of the values, of scores with the mask, of the softmax */
  double scale, factor;                       /* factor: of Q and of K, rounded, where halves are scaled before the product; or 0 */
  int64_t length, positions, features, width; /* L, S, D, E */
} job;

/* Where the leading dims' number `batch` begins in a view. */
static int64_t offset(const job *j, const ingot__view *v, int64_t batch) {
  const ingot__view *out = &j->out;
  int64_t at = 0, group = v == &j->in[1] || v == &j->in[2] ? ingot__attention_group(&j->in[0], v) : 1;
  for (int d = out->rank - 3, k = v->rank - 3; d >= 0; d--, k--) {
    int64_t c = batch % out->dim[d];
    batch /= out->dim[d];
    if (k >= 0 && v->dim[k] != 1) at += (d == out->rank - 3 ? c / group : c) * v->stride[k];
  }
  return at;
}

static double dot(const job *j, int64_t q, int64_t k) {
  double a[INGOT__ROW], b[INGOT__ROW], sum = 0;
  for (int64_t d = 0; d < j->features; d += INGOT__ROW) {
    size_t m = (size_t)(j->features - d < INGOT__ROW ? j->features - d : INGOT__ROW);
    ingot__row_load(j->in[0].dtype, j->in[0].data, q + d, 1, m, a);
    ingot__row_load(j->in[1].dtype, j->in[1].data, k + d, 1, m, b);
    for (size_t i = 0; j->factor != 0 && i < m; i++) {
      a[i] = ingot__row_round(j->type, a[i] * j->factor);
      b[i] = ingot__row_round(j->type, b[i] * j->factor);
    }
    for (size_t i = 0; i < m; i++) sum += a[i] * b[i];
  }
  return ingot__row_round(j->type, j->factor != 0 ? sum : sum * j->scale);
}

static double capped(const job *j, double v) {
  double cap = (double)j->attrs->softcap;
  return ingot__row_round(j->type, cap * ingot__row_round(j->type, tanh(ingot__row_round(j->type, v / cap))));
}

/* A sum with a mask, whose magnitude may be such that nothing is left of the score: that is so in float32 as well. */
static double rounded_sum(const job *j, double v) { return j->sums == INGOT_FLOAT32 ? (double)(float)v : ingot__row_round(j->sums, v); }

/* Adds the mask and takes out what lies outside [begin, end); returns whether any key is left. */
static bool add_mask(const job *j, int64_t batch, int64_t l, int64_t begin, int64_t end, double *score) {
  const ingot__view *m = &j->in[3];
  bool has = ingot__has_in(j->call, 3), any = false;
  int64_t row = has && m->rank >= 2 && m->dim[m->rank - 2] != 1 ? m->stride[m->rank - 2] : 0;
  int64_t step = has && m->rank >= 1 && m->dim[m->rank - 1] != 1 ? m->stride[m->rank - 1] : 0, at = has ? offset(j, m, batch) + l * row : 0;
  for (int64_t s = 0; s < j->positions; s++) {
    double v = s >= begin && s < end ? 0 : -INFINITY;
    if (has && v == 0) {
      v = ingot__get_double(m->dtype, m->data, (size_t)(at + s * step));
      if (m->dtype == INGOT_BOOL) v = v != 0 ? 0 : -INFINITY;
    }
    any = any || v != -INFINITY;
    score[s] = v == -INFINITY ? v : rounded_sum(j, score[s] + v); /* also where the score is none */
  }
  return any;
}

/* In halves exponents are rounded, and their sum at its end. */
static void softmax(const job *j, bool any, double *score) {
  const ingot_dtype p = j->precision;
  double max = -INFINITY, sum = 0;
  for (int64_t s = 0; s < j->positions; s++) {
    score[s] = ingot__row_round(p, score[s]);
    max = score[s] > max || isnan(score[s]) ? score[s] : max;
  }
  for (int64_t s = 0; s < j->positions; s++) {
    double e = any && score[s] != -INFINITY ? ingot__row_round(p, exp(ingot__row_round(p, score[s] - max))) : 0;
    sum += e;
    score[s] = e;
  }
  sum = ingot__row_round(p, sum);
  for (int64_t s = 0; s < j->positions && sum != 0; s++) score[s] = ingot__row_round(j->type, ingot__row_round(p, score[s] / sum));
}

static void store_scores(const job *j, int64_t which, int64_t row, const double *score) {
  if (j->attrs->scores != which || !ingot__has_out(j->call, 1)) return;
  ingot__row_store(j->type, j->call->out[1].data, row * j->positions, 1, (size_t)j->positions, score);
}

static void query(const job *j, int64_t batch, int64_t l, double *score) {
  const ingot__call *call = j->call;
  const ingot__view *views = j->in;
  int64_t q = offset(j, &views[0], batch) + l * views[0].stride[views[0].rank - 2], k = offset(j, &views[1], batch), begin, end;
  int64_t v = offset(j, &views[2], batch), k_row = views[1].stride[views[1].rank - 2], v_row = views[2].stride[views[2].rank - 2];
  int64_t row = batch * j->length + l, lead = 1;
  double in[INGOT__ROW], acc[INGOT__ROW];
  for (int d = 1; d < j->out.rank - 2; d++) lead *= j->out.dim[d];
  ingot__attention_keys(call, j->positions, j->out.rank > 2 ? batch / lead : 0, l, &begin, &end);
  for (int64_t s = 0; s < j->positions; s++) score[s] = dot(j, q, k + s * k_row);
  store_scores(j, 0, row, score);
  for (int64_t s = 0; j->attrs->softcap > 0 && s < j->positions; s++) score[s] = capped(j, score[s]);
  store_scores(j, 1, row, score);
  bool any = add_mask(j, batch, l, begin, end, score);
  store_scores(j, 2, row, score);
  softmax(j, any, score);
  store_scores(j, 3, row, score);
  for (int64_t e = 0; ingot__has_out(call, 0) && e < j->width; e += INGOT__ROW) {
    size_t m = (size_t)(j->width - e < INGOT__ROW ? j->width - e : INGOT__ROW);
    for (size_t i = 0; i < m; i++) acc[i] = 0;
    for (int64_t s = begin; s < end; s++) {
      if (score[s] == 0) continue; /* what takes no part may be anything */
      ingot__row_load(j->type, views[2].data, v + s * v_row + e, 1, m, in);
      for (size_t i = 0; i < m; i++) acc[i] += score[s] * in[i];
    }
    ingot__row_store(j->type, j->out.data, offset(j, &j->out, batch) + l * j->out.stride[j->out.rank - 2] + e, 1, m, acc);
  }
}

static void work(void *arg, int i, int n) {
  const job *j = arg;
  size_t begin, end, rows = 1;
  for (int d = 0; d < j->out.rank - 1; d++) rows *= (size_t)j->out.dim[d];
  double *score = (double *)((char *)j->call->workspace + (size_t)i * scores_bytes(j->call));
  ingot__share(rows, 1, i, n, &begin, &end);
  for (size_t u = begin; u < end; u++) query(j, (int64_t)u / j->length, (int64_t)u % j->length, score);
}

ingot_status ingot__ref_FusedAttention(const ingot__call *call) {
  const ingot__attrs_FusedAttention *attrs = INGOT__ATTRS(call, FusedAttention);
  job j = {.call = call, .attrs = attrs, .type = call->in[0].dtype, .scale = (double)attrs->scale};
  for (int i = 0; i < 3; i++) j.in[i] = ingot__attention_view(call, i);
  if (ingot__has_in(call, 3)) j.in[3] = call->in[3];
  j.out = ingot__has_out(call, 0) ? ingot__attention_view(call, INGOT__ATTENTION_OUT) : call->out[1];
  j.length = j.in[0].dim[j.in[0].rank - 2], j.features = j.in[0].dim[j.in[0].rank - 1];
  j.positions = j.in[1].dim[j.in[1].rank - 2], j.width = j.in[2].dim[j.in[2].rank - 1];
  if (j.scale == 0) j.scale = 1 / sqrt((double)j.features);
  j.sums = ingot__has_in(call, 3) && call->in[3].dtype == INGOT_FLOAT32 ? INGOT_FLOAT32 : j.type;
  j.precision = attrs->precision ? (ingot_dtype)attrs->precision : j.sums;
  if (ingot__dtype_is_half(j.type) && j.scale > 0) j.factor = ingot__row_round(j.type, sqrt(j.scale));
  for (int i = 0; i < j.out.rank - 1; i++)
    if (j.out.dim[i] == 0) return INGOT_OK;
  size_t threads = (size_t)ingot__pool_threads(call->pool);
  if (call->workspace_size < scores_bytes(call) * threads) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has too little workspace");
  ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}
