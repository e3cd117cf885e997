/* TreeEnsemble of ai.onnx.ml: decision trees over the features of each row of X; the leaves that a row reaches add to its targets.
 *
 * Nodes are rows of the attributes' arrays; a node's branches are other nodes, or leaves, each with a target and a weight. Ours: leaf_first, where
 * leaves have several targets (entries leaf_first[i] to leaf_first[i + 1]), and base_values, added to the sums. */
#include "ops/ints.h"
#include "ops/move.h"
#include <math.h>

enum { LEQ, LT, GTE, GT, EQ, NEQ, MEMBER, MODES };
enum { AVERAGE, SUM, MINIMUM, MAXIMUM };
enum { NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO, PROBIT };
typedef ingot__attrs_TreeEnsemble attrs;

static size_t literal_count(const ingot__literal *l) {
  size_t n = 1;
  for (int i = 0; i < l->rank; i++) n *= (size_t)l->dim[i];
  return l->data ? n : 0;
}

static bool indices_within(const ingot__ints *list, int64_t limit) {
  for (size_t i = 0; i < list->n; i++)
    if (list->v[i] < 0 || list->v[i] >= limit) return false;
  return true;
}

/* Branches lead to nodes, or to leaves where their flag says so. */
static bool branches_within(const ingot__ints *to, const ingot__ints *is_leaf, int64_t nodes, int64_t leaves) {
  for (size_t i = 0; i < to->n; i++)
    if (to->v[i] < 0 || to->v[i] >= (is_leaf->v[i] ? leaves : nodes)) return false;
  return true;
}

static const char *check(const attrs *a) {
  size_t nodes = a->nodes_featureids.n, entries = a->leaf_targetids.n, leaves = a->leaf_first.n ? a->leaf_first.n - 1 : entries;
  if (a->nodes_truenodeids.n != nodes || a->nodes_falsenodeids.n != nodes || a->nodes_trueleafs.n != nodes || a->nodes_falseleafs.n != nodes ||
      literal_count(&a->nodes_modes) != nodes || literal_count(&a->nodes_splits) != nodes)
    return "its lists of nodes differ in length";
  if (a->nodes_missing_value_tracks_true.n && a->nodes_missing_value_tracks_true.n != nodes) return "its lists of nodes differ in length";
  if (literal_count(&a->leaf_weights) != entries) return "its lists of leaves differ in length";
  if (a->nodes_modes.dtype != INGOT_UINT8 && a->nodes_modes.dtype != INGOT_INT64) return "nodes_modes isn't uint8";
  if (!ingot__dtype_is_float(a->nodes_splits.dtype) && nodes) return "nodes_splits isn't float";
  if (entries && !ingot__dtype_is_float(a->leaf_weights.dtype)) return "leaf_weights isn't float";
  if (a->membership_values.data && !ingot__dtype_is_float(a->membership_values.dtype)) return "membership_values isn't float";
  if (a->n_targets < 1 || a->n_targets > INT32_MAX || !indices_within(&a->leaf_targetids, a->n_targets)) return "a target is outside n_targets";
  if (!branches_within(&a->nodes_truenodeids, &a->nodes_trueleafs, (int64_t)nodes, (int64_t)leaves) ||
      !branches_within(&a->nodes_falsenodeids, &a->nodes_falseleafs, (int64_t)nodes, (int64_t)leaves) ||
      !indices_within(&a->tree_roots, (int64_t)nodes))
    return "a branch leads nowhere";
  for (size_t i = 0; i + 1 < a->leaf_first.n; i++)
    if (a->leaf_first.v[i] < 0 || a->leaf_first.v[i] > a->leaf_first.v[i + 1] || a->leaf_first.v[i + 1] > (int64_t)entries)
      return "a leaf's entries are outside";
  for (size_t i = 0; i < nodes; i++)
    if (ingot__get_int(a->nodes_modes.dtype, a->nodes_modes.data, i) >= MODES) return "a node's mode isn't known";
  for (size_t i = 0; i < nodes; i++)
    if (a->nodes_featureids.v[i] < 0) return "a feature is negative";
  if (a->aggregate_function < AVERAGE || a->aggregate_function > MAXIMUM) return "aggregate_function isn't known";
  if (a->post_transform < NONE || a->post_transform > PROBIT) return "post_transform isn't known";
  if (a->base_values.n > 1 && a->base_values.n != (size_t)a->n_targets) return "base_values isn't one a target";
  return NULL;
}

ingot_status ingot__infer_TreeEnsemble(ingot__infer *f) {
  const attrs *a = f->attrs;
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 1, 2, &unknown));
  ingot_dtype t = f->in[0]->dtype;
  bool whole = t == INGOT_INT64 || t == INGOT_INT32; /* those are TreeEnsembleRegressor's and Classifier's, which give float32 */
  if (t != INGOT_FLOAT32 && t != INGOT_FLOAT64 && t != INGOT_FLOAT16 && !whole) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(t));
  }
  const char *wrong = check(a);
  if (wrong) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "%s", wrong);
  f->out[0] = (ingot__type){.dtype = whole ? INGOT_FLOAT32 : t, .rank = 2, .dim = {INGOT__DIM_UNKNOWN, a->n_targets}};
  if (!unknown) f->out[0].dim[0] = f->in[0]->rank == 2 ? f->in[0]->dim[0] : 1;
  return INGOT_OK;
}

/* Where each node's members begin in membership_values; sets end with NaN, in the order of the nodes. Then a row's sums and what was hit. */
size_t ingot__workspace_TreeEnsemble(const ingot__call *call) {
  const attrs *a = call->attrs;
  size_t threads = (size_t)(call->threads > 1 ? call->threads : 1), sums, total;
  if (!ingot__mul((size_t)a->n_targets * 2 + 8, threads, &sums) || !ingot__add(sums, a->nodes_featureids.n, &total) || !ingot__mul(total, 8, &total))
    return SIZE_MAX;
  return total;
}

static void find_members(const attrs *a, size_t *first) {
  size_t at = 0, n = literal_count(&a->membership_values);
  for (size_t i = 0; i < a->nodes_featureids.n; i++) {
    if (ingot__get_int(a->nodes_modes.dtype, a->nodes_modes.data, i) != MEMBER) continue;
    first[i] = at;
    while (at < n && !isnan(ingot__get_double(a->membership_values.dtype, a->membership_values.data, at))) at++;
    if (at < n) at++;
  }
}

static bool goes_true(const attrs *a, size_t node, double x, const size_t *first) {
  if (isnan(x) && a->nodes_missing_value_tracks_true.n && a->nodes_missing_value_tracks_true.v[node]) return true;
  double split = ingot__get_double(a->nodes_splits.dtype, a->nodes_splits.data, node);
  switch (ingot__get_int(a->nodes_modes.dtype, a->nodes_modes.data, node)) {
  case LEQ: return x <= split;
  case LT: return x < split;
  case GTE: return x >= split;
  case GT: return x > split;
  case EQ: return x == split;
  case NEQ: return x != split;
  default:
    for (size_t i = first[node]; i < literal_count(&a->membership_values); i++) {
      double m = ingot__get_double(a->membership_values.dtype, a->membership_values.data, i);
      if (isnan(m)) return false;
      if (m == x) return true;
    }
    return false;
  }
}

/* The normal distribution's quantile times sqrt(2), by Winitzki's formula for the inverse error function, which ONNX's users compare with. */
static double probit(double p) {
  double x = 2 * p - 1, l = log((1 - x) * (1 + x)), v = 2 / (3.14159265358979323846 * 0.147) + 0.5 * l;
  return 1.41421356237309504880 * (x < 0 ? -1 : 1) * sqrt(sqrt(v * v - l / 0.147) - v);
}

static void post_transform(int64_t kind, double *v, size_t n) {
  double most = -INFINITY, sum = 0;
  for (size_t i = 0; i < n; i++) most = fmax(most, v[i]);
  for (size_t i = 0; i < n; i++) {
    if (kind == LOGISTIC) v[i] = 1 / (1 + exp(-v[i]));
    else if (kind == PROBIT) v[i] = probit(v[i]);
    else if (kind == SOFTMAX || (kind == SOFTMAX_ZERO && fabs(v[i]) > 1e-7)) sum += v[i] = exp(v[i] - most);
    else if (kind == SOFTMAX_ZERO) v[i] *= exp(-most);
  }
  for (size_t i = 0; i < n && sum > 0; i++) v[i] /= sum;
}

static void add_leaf(const attrs *a, size_t leaf, double *sum, double *hit) {
  size_t from = a->leaf_first.n ? (size_t)a->leaf_first.v[leaf] : leaf, to = a->leaf_first.n ? (size_t)a->leaf_first.v[leaf + 1] : leaf + 1;
  for (size_t e = from; e < to; e++) {
    size_t t = (size_t)a->leaf_targetids.v[e];
    double w = ingot__get_double(a->leaf_weights.dtype, a->leaf_weights.data, e);
    if (a->aggregate_function == MINIMUM) sum[t] = hit[t] != 0 ? fmin(sum[t], w) : w;
    else if (a->aggregate_function == MAXIMUM) sum[t] = hit[t] != 0 ? fmax(sum[t], w) : w;
    else sum[t] += w;
    hit[t] = 1;
  }
}

typedef struct job { const ingot__call *call; const size_t *first; double *sums; size_t rows, features; } job;

static void work(void *arg, int i, int threads) {
  const job *j = arg;
  const attrs *a = j->call->attrs;
  const ingot__view *x = &j->call->in[0], *out = &j->call->out[0];
  size_t begin, end, n = (size_t)a->n_targets, nodes = a->nodes_featureids.n;
  double *sum = j->sums + (size_t)i * (2 * n + 8), *hit = sum + n;
  ingot__share(j->rows, 1, i, threads, &begin, &end);
  for (size_t r = begin; r < end; r++) {
    memset(sum, 0, 2 * n * sizeof *sum);
    for (size_t t = 0; t < a->tree_roots.n; t++) {
      size_t node = (size_t)a->tree_roots.v[t];
      for (size_t steps = 0; steps <= nodes; steps++) { /* a tree that leads back into itself ends nowhere */
        size_t feature = (size_t)a->nodes_featureids.v[node];
        double v = feature < j->features ? ingot__get_double(x->dtype, x->data, r * j->features + feature) : NAN;
        bool yes = goes_true(a, node, v, j->first);
        size_t next = (size_t)(yes ? a->nodes_truenodeids.v[node] : a->nodes_falsenodeids.v[node]);
        if (yes ? a->nodes_trueleafs.v[node] : a->nodes_falseleafs.v[node]) {
          add_leaf(a, next, sum, hit);
          break;
        }
        node = next;
      }
    }
    for (size_t k = 0; k < n; k++) {
      if (a->aggregate_function == AVERAGE && a->tree_roots.n) sum[k] /= (double)a->tree_roots.n;
      if (a->base_values.n) sum[k] += (double)a->base_values.v[a->base_values.n == 1 ? 0 : k];
    }
    if (a->post_transform) post_transform(a->post_transform, sum, n);
    for (size_t k = 0; k < n; k++) ingot__set_double(out->dtype, out->data, r * n + k, sum[k]);
  }
}

ingot_status ingot__ref_TreeEnsemble(const ingot__call *call) {
  const attrs *a = call->attrs;
  const ingot__view *x = &call->in[0];
  size_t nodes = a->nodes_featureids.n;
  const char *wrong = check(a);
  if (wrong) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "%s", wrong);
  job j = {.call = call, .first = call->workspace, .rows = x->rank == 2 ? (size_t)x->dim[0] : 1, .features = (size_t)x->dim[x->rank - 1]};
  if (call->workspace_size < ingot__workspace_TreeEnsemble(call)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "the workspace is too small");
  find_members(a, call->workspace);
  j.sums = (double *)call->workspace + nodes;
  ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}
