/* LinearAttention: a state S (a matrix for each head of keys) that every position changes and then reads,
 *   linear       S += k v^T                             gated        S = exp(g) S + k v^T
 *   delta        S += k (b (v - S^T k))^T               gated_delta  the same after S = exp(g) S
 *   o = scale S^T q
 * (Katharopoulos et al., Transformers are RNNs, 2020; Yang et al., Gated Delta Networks, 2024). Heads lie side by side in the last dim;
 * heads of queries may be a multiple of those of keys. Position by position, in float: what ONNX defines. */
#include "ops/ints.h"
#include "ops/rows.h"
#include <math.h>

enum { QUERY, KEY, VALUE, PAST, DECAY, BETA };

static bool is_value(ingot_dtype t) { return t == INGOT_FLOAT32 || t == INGOT_FLOAT16 || t == INGOT_BFLOAT16; }
static bool has_gate(const char *rule) { return !strcmp(rule, "gated") || !strcmp(rule, "gated_delta"); }
static bool has_delta(const char *rule) { return !strcmp(rule, "delta") || !strcmp(rule, "gated_delta"); }

static ingot_status check_inputs(ingot__infer *infer, const ingot__attrs_LinearAttention *a, ingot__type *type) {
  if (a->q_num_heads < 1 || a->kv_num_heads < 1 || a->q_num_heads % a->kv_num_heads) {
    return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "%lld heads of queries on %lld of keys", (long long)a->q_num_heads,
                             (long long)a->kv_num_heads);
  }
  if (strcmp(a->update_rule, "linear") != 0 && !has_gate(a->update_rule) && !has_delta(a->update_rule)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "the update rule '%.40s'", a->update_rule);
  }
  if (has_gate(a->update_rule) != ingot__infer_has(infer, DECAY) || has_delta(a->update_rule) != ingot__infer_has(infer, BETA)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "decay and beta must be given where the rule '%s' uses them, and only there", a->update_rule);
  }
  for (size_t i = 0; i < 6; i++) {
    type[i] = (ingot__type){.rank = -1};
    if (!ingot__infer_has(infer, i)) continue;
    bool unknown;
    INGOT_TRY(ingot__infer_rank(infer, i, i == PAST ? 4 : 3, i == PAST ? 4 : 3, &unknown));
    type[i] = *infer->in[i];
    if (!is_value(type[i].dtype) || (i != PAST && type[i].dtype != type[QUERY].dtype)) {
      return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s as input %zu", ingot_dtype_name(type[i].dtype), i);
    }
  }
  return INGOT_OK;
}

/* A last dim over `heads`: the width of one. */
static ingot_status width(ingot__infer *infer, const ingot__type *t, int64_t heads, ingot__dim *out) {
  *out = INGOT__DIM_UNKNOWN;
  if (t->rank < 0 || t->dim[2] < 0) return INGOT_OK;
  if (t->dim[2] % heads) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "%lld features on %lld heads", (long long)t->dim[2], (long long)heads);
  *out = t->dim[2] / heads;
  return INGOT_OK;
}

ingot_status ingot__infer_LinearAttention(ingot__infer *infer) {
  const ingot__attrs_LinearAttention *a = INGOT__ATTRS(infer, LinearAttention);
  ingot__type t[6];
  ingot__dim q_width, k_width, v_width, batch = INGOT__DIM_UNKNOWN, length = INGOT__DIM_UNKNOWN, key;
  INGOT_TRY(check_inputs(infer, a, t));
  INGOT_TRY(width(infer, &t[QUERY], a->q_num_heads, &q_width));
  INGOT_TRY(width(infer, &t[KEY], a->kv_num_heads, &k_width));
  INGOT_TRY(width(infer, &t[VALUE], a->kv_num_heads, &v_width));
  INGOT_TRY(ingot__dim_merge(infer, q_width, k_width, "features of queries and keys", &key));
  for (size_t i = 0; i < 6; i++) {
    if (t[i].rank < 0) continue;
    INGOT_TRY(ingot__dim_merge(infer, batch, t[i].dim[0], "batch elements", &batch));
    if (i != PAST) INGOT_TRY(ingot__dim_merge(infer, length, t[i].dim[1], "positions", &length));
  }
  if (t[DECAY].rank >= 0 && t[DECAY].dim[2] >= 0 && key >= 0 && t[DECAY].dim[2] != a->kv_num_heads &&
      t[DECAY].dim[2] != ingot__element_do(infer, INGOT__EL_MUL, key, a->kv_num_heads)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "decay has %lld features", (long long)t[DECAY].dim[2]);
  }
  if (t[BETA].rank >= 0 && t[BETA].dim[2] >= 0 && t[BETA].dim[2] != 1 && t[BETA].dim[2] != a->kv_num_heads) {
    return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "beta has %lld features", (long long)t[BETA].dim[2]);
  }
  if (t[PAST].rank >= 0) {
    ingot__dim heads;
    INGOT_TRY(ingot__dim_merge(infer, a->kv_num_heads, t[PAST].dim[1], "heads of the state", &heads));
    INGOT_TRY(ingot__dim_merge(infer, key, t[PAST].dim[2], "rows of the state", &key));
    INGOT_TRY(ingot__dim_merge(infer, v_width, t[PAST].dim[3], "columns of the state", &v_width));
  }
  ingot__dim features = v_width >= 0 ? ingot__element_do(infer, INGOT__EL_MUL, v_width, a->q_num_heads) : INGOT__DIM_UNKNOWN;
  infer->out[0] = (ingot__type){.dtype = t[QUERY].dtype, .rank = 3, .dim = {batch, length, features}};
  ingot_dtype state = ingot__infer_has(infer, PAST) ? t[PAST].dtype : t[QUERY].dtype;
  if (infer->n_out > 1) infer->out[1] = (ingot__type){.dtype = state, .rank = 4, .dim = {batch, a->kv_num_heads, key, v_width}};
  return INGOT_OK;
}

typedef struct job {
  const ingot__call *call;
  const ingot__attrs_LinearAttention *attrs;
  int64_t batch, length, heads, group, d, e;     /* heads: of keys */
  float scale;
  size_t per_thread;                             /* floats: the state, a row of it, and q, k, v of one position */
} job;

static ingot_status set_up(const ingot__call *call, job *j) {
  const ingot__attrs_LinearAttention *a = INGOT__ATTRS(call, LinearAttention);
  const ingot__view *k = &call->in[KEY], *v = &call->in[VALUE];
  *j = (job){.call = call, .attrs = a, .batch = k->dim[0], .length = k->dim[1], .heads = a->kv_num_heads, .group = a->q_num_heads / a->kv_num_heads,
             .d = k->dim[2] / a->kv_num_heads, .e = v->dim[2] / a->kv_num_heads, .scale = a->scale};
  if (j->scale == 0) j->scale = (float)(1 / sqrt((double)(j->d ? j->d : 1)));
  size_t d = (size_t)j->d, e = (size_t)j->e, state, rows;
  bool fits = ingot__mul(d, e, &state) && ingot__mul(d + e, 2, &rows) && ingot__add(state, rows, &state) && state < SIZE_MAX / 64;
  j->per_thread = fits ? ingot__align(state, 16) : SIZE_MAX;
  return fits ? INGOT_OK : INGOT_E_LIMIT;
}

size_t ingot__workspace_LinearAttention(const ingot__call *call) {
  job j;
  size_t bytes, threads = (size_t)(call->threads > 1 ? call->threads : 1);
  if (set_up(call, &j) != INGOT_OK) return SIZE_MAX;
  return ingot__mul(j.per_thread * sizeof(float), threads, &bytes) ? bytes : SIZE_MAX;
}

static void load(const ingot__view *v, int64_t at, int64_t n, float *to) {
  if (v->dtype == INGOT_FLOAT32) memcpy(to, (const float *)v->data + at, (size_t)n * sizeof *to);
  else for (int64_t i = 0; i < n; i++) to[i] = (float)ingot__get_double(v->dtype, v->data, (size_t)(at + i));
}

static void store(const ingot__view *v, int64_t at, int64_t n, const float *from) {
  if (v->dtype == INGOT_FLOAT32) memcpy((float *)v->data + at, from, (size_t)n * sizeof *from);
  else for (int64_t i = 0; i < n; i++) ingot__set_double(v->dtype, v->data, (size_t)(at + i), (double)from[i]);
}

/* row += f * x */
static void add_scaled(float *row, float f, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) row[i] += f * x[i];
}

static void decay(const job *j, int64_t row, int64_t h, float *state) {
  const ingot__view *g = &j->call->in[DECAY];
  bool single = g->dim[2] == j->heads; /* one for a head's whole state */
  for (int64_t d = 0; d < j->d; d++) {
    float f = expf((float)ingot__get_double(g->dtype, g->data, (size_t)(row * g->dim[2] + (single ? h : h * j->d + d))));
    for (int64_t i = 0; i < j->e; i++) state[d * j->e + i] *= f;
  }
}

static void head(const job *j, int64_t b, int64_t h, float *state) {
  const ingot__call *call = j->call;
  const int64_t d = j->d, e = j->e;
  float *row = state + d * e, *v = row + e, *k = v + e, *q = k + d;
  if (ingot__has_in(call, PAST)) load(&call->in[PAST], (b * j->heads + h) * d * e, d * e, state);
  else memset(state, 0, (size_t)(d * e) * sizeof *state);
  for (int64_t t = 0; t < j->length; t++) {
    int64_t at = b * j->length + t;
    load(&call->in[KEY], (at * j->heads + h) * d, d, k);
    load(&call->in[VALUE], (at * j->heads + h) * e, e, v);
    if (ingot__has_in(call, DECAY)) decay(j, at, h, state);
    if (ingot__has_in(call, BETA)) {
      const ingot__view *beta = &call->in[BETA];
      float f = (float)ingot__get_double(beta->dtype, beta->data, (size_t)(at * beta->dim[2] + (beta->dim[2] == 1 ? 0 : h)));
      memset(row, 0, (size_t)e * sizeof *row);
      for (int64_t i = 0; i < d; i++) add_scaled(row, k[i], state + i * e, e);
      for (int64_t i = 0; i < e; i++) v[i] = f * (v[i] - row[i]);
    }
    for (int64_t i = 0; i < d; i++) add_scaled(state + i * e, k[i], v, e);
    for (int64_t g = 0; ingot__has_out(call, 0) && g < j->group; g++) {
      int64_t to = at * j->heads * j->group + h * j->group + g;
      load(&call->in[QUERY], to * d, d, q);
      memset(row, 0, (size_t)e * sizeof *row);
      for (int64_t i = 0; i < d; i++) add_scaled(row, q[i], state + i * e, e);
      for (int64_t i = 0; i < e; i++) row[i] *= j->scale;
      store(&call->out[0], to * e, e, row);
    }
  }
  if (ingot__has_out(call, 1)) store(&call->out[1], (b * j->heads + h) * d * e, d * e, state);
}

static void work(void *arg, int index, int n) {
  const job *j = arg;
  float *state = (float *)j->call->workspace + (size_t)index * j->per_thread;
  size_t begin, end;
  ingot__share((size_t)(j->batch * j->heads), 1, index, n, &begin, &end);
  for (size_t u = begin; u < end; u++) head(j, (int64_t)u / j->heads, (int64_t)u % j->heads, state);
}

ingot_status ingot__ref_LinearAttention(const ingot__call *call) {
  job j;
  if (set_up(call, &j) != INGOT_OK || call->workspace_size / sizeof(float) / (size_t)ingot__pool_threads(call->pool) < j.per_thread) {
    return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has too little workspace");
  }
  ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}
