/* TreeEnsembleRegressor and TreeEnsembleClassifier, the older forms: nodes named by tree and number, leaves among them. They become TreeEnsemble,
 * whose lists are indices and whose leaves are apart. */
#include "import/onnx/convert.h"
#include <stdlib.h>

typedef struct named { int64_t tree, node; size_t index; } named;
typedef struct forest {
  ingot__onnx_node *n;
  size_t count;
  ingot__ints tree, node, feature, yes, no, missing;
  const double *split;
  uint8_t *mode;     /* LEAF: not a branch */
  named *order;      /* sorted */
} forest;
enum { LEAF = 255 };

static int compare(const void *a, const void *b) {
  const named *x = a, *y = b;
  if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
  return x->node < y->node ? -1 : x->node > y->node;
}

static const named *find(const forest *f, int64_t tree, int64_t node) {
  named key = {.tree = tree, .node = node};
  return bsearch(&key, f->order, f->count, sizeof key, compare);
}

static ingot_status mode_of(ingot__onnx_node *n, const char *name, uint8_t *mode) {
  static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"};
  *mode = LEAF;
  if (strcmp(name, "LEAF") == 0) return INGOT_OK;
  for (uint8_t i = 0; i < 6; i++)
    if (strcmp(name, names[i]) == 0) return *mode = i, INGOT_OK;
  return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "a node's mode is '%.40s'", name);
}

/* A list of floats, or the tensor that may stand for it, as doubles; *count 0: neither is given. */
static ingot_status doubles(ingot__onnx_node *n, const char *name, const char *tensor_name, const double **out, size_t *count) {
  ingot__floats f;
  ingot__literal l;
  ingot__text ignored;
  bool given;
  INGOT_TRY(ingot__onnx_get_floats(n, name, &f, &given));
  const ingot__pb_attr *tensor = ingot__onnx_get(n, tensor_name);
  *count = f.n;
  if (tensor) {
    if (tensor->type != INGOT__PB_TENSOR) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute '%s' is no tensor", tensor_name);
    INGOT_TRY(ingot__onnx_read_tensor(n->o, tensor->s, &l, &ignored));
    if (!ingot__dtype_is_float(l.dtype)) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute '%s' isn't of floats", tensor_name);
    *count = l.bytes / ingot__dtype_size(l.dtype);
  }
  double *v = INGOT_NEW_ARRAY(n->o->arena, *count + 1, double);
  INGOT__ONNX_NEED(n, v);
  for (size_t i = 0; i < *count; i++) v[i] = tensor ? ingot__get_double(l.dtype, l.data, i) : (double)f.v[i];
  *out = v;
  return INGOT_OK;
}

static ingot_status read_forest(ingot__onnx_node *n, forest *f) {
  ingot__strings modes = {0};
  ingot__floats ignored_floats;
  bool given;
  size_t splits;
  *f = (forest){.n = n};
  INGOT_TRY(ingot__onnx_get_ints(n, "nodes_treeids", &f->tree, &given));
  INGOT_TRY(ingot__onnx_get_ints(n, "nodes_nodeids", &f->node, &given));
  INGOT_TRY(ingot__onnx_get_ints(n, "nodes_featureids", &f->feature, &given));
  INGOT_TRY(ingot__onnx_get_ints(n, "nodes_truenodeids", &f->yes, &given));
  INGOT_TRY(ingot__onnx_get_ints(n, "nodes_falsenodeids", &f->no, &given));
  INGOT_TRY(ingot__onnx_get_ints(n, "nodes_missing_value_tracks_true", &f->missing, &given));
  INGOT_TRY(ingot__onnx_get_floats(n, "nodes_hitrates", &ignored_floats, &given));
  INGOT_TRY(doubles(n, "nodes_values", "nodes_values_as_tensor", &f->split, &splits));
  ingot__onnx_get(n, "nodes_hitrates_as_tensor");
  const ingot__pb_attr *mode = ingot__onnx_get(n, "nodes_modes");
  if (mode) INGOT_TRY(ingot__onnx_read_strings(n, mode, &modes));
  f->count = f->tree.n;
  if (f->node.n != f->count || f->feature.n != f->count || f->yes.n != f->count || f->no.n != f->count || modes.n != f->count || splits != f->count ||
      (f->missing.n && f->missing.n != f->count))
    return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "its lists of nodes differ in length");
  f->mode = INGOT_NEW_ARRAY(n->o->scratch, f->count + 1, uint8_t);
  f->order = INGOT_NEW_ARRAY(n->o->scratch, f->count + 1, named);
  INGOT__ONNX_NEED(n, f->mode && f->order);
  for (size_t i = 0; i < f->count; i++) {
    INGOT_TRY(mode_of(n, modes.v[i], &f->mode[i]));
    f->order[i] = (named){f->tree.v[i], f->node.v[i], i};
  }
  qsort(f->order, f->count, sizeof *f->order, compare);
  for (size_t i = 1; i < f->count; i++)
    if (compare(&f->order[i - 1], &f->order[i]) == 0) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "two nodes of a tree have the same number");
  return INGOT_OK;
}

/* What the leaves add: (tree, node, target, weight), in lists called `prefix`_treeids and so on. */
typedef struct entries { ingot__ints tree, node, target; const double *weight; size_t n; } entries;
static ingot_status read_entries(ingot__onnx_node *n, const char *prefix, entries *e) {
  char name[64], tensor[64];
  bool given;
  snprintf(name, sizeof name, "%s_treeids", prefix);
  INGOT_TRY(ingot__onnx_get_ints(n, name, &e->tree, &given));
  snprintf(name, sizeof name, "%s_nodeids", prefix);
  INGOT_TRY(ingot__onnx_get_ints(n, name, &e->node, &given));
  snprintf(name, sizeof name, "%s_ids", prefix);
  INGOT_TRY(ingot__onnx_get_ints(n, name, &e->target, &given));
  snprintf(name, sizeof name, "%s_weights", prefix);
  snprintf(tensor, sizeof tensor, "%s_weights_as_tensor", prefix);
  INGOT_TRY(doubles(n, name, tensor, &e->weight, &e->n));
  if (e->tree.n != e->n || e->node.n != e->n || e->target.n != e->n) {
    return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "its lists of %s differ in length", prefix);
  }
  return INGOT_OK;
}

static int64_t *numbers(ingot__onnx_node *n, size_t count) { return INGOT_NEW_ARRAY(n->o->arena, count + 1, int64_t); }

/* The leaves' entries, gathered by leaf. leaf_of: a node's leaf, -1 where it is none. */
static ingot_status place_entries(const forest *f, const entries *e, const int64_t *leaf_of, size_t leaves, ingot__attrs_TreeEnsemble *a) {
  ingot__onnx_node *n = f->n;
  int64_t *first = numbers(n, leaves + 1), *target = numbers(n, e->n), *at = INGOT_NEW_ARRAY(n->o->scratch, e->n + 1, int64_t);
  double *weight = INGOT_NEW_ARRAY(n->o->arena, e->n + 1, double);
  INGOT__ONNX_NEED(n, first && target && at && weight);
  for (size_t i = 0; i < e->n; i++) {
    const named *found = find(f, e->tree.v[i], e->node.v[i]);
    at[i] = found ? leaf_of[found->index] : -1;
    if (at[i] < 0) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "a weight is of node %lld of tree %lld, which is no leaf", (long long)e->node.v[i],
                                           (long long)e->tree.v[i]);
    first[at[i] + 1]++;
  }
  for (size_t i = 0; i < leaves; i++) first[i + 1] += first[i];
  int64_t *next = INGOT_NEW_ARRAY(n->o->scratch, leaves + 1, int64_t);
  INGOT__ONNX_NEED(n, next);
  memcpy(next, first, leaves * sizeof *next);
  for (size_t i = 0; i < e->n; i++) {
    int64_t to = next[at[i]]++;
    target[to] = e->target.v[i], weight[to] = e->weight[i];
  }
  a->leaf_first = (ingot__ints){leaves + 1, first};
  a->leaf_targetids = (ingot__ints){e->n, target};
  a->leaf_weights = (ingot__literal){.dtype = INGOT_FLOAT64, .rank = 1, .dim = {(int64_t)e->n}, .data = weight, .bytes = e->n * sizeof *weight};
  return INGOT_OK;
}

static ingot_status build(const forest *f, const entries *e, ingot__attrs_TreeEnsemble *a) {
  ingot__onnx_node *n = f->n;
  size_t branches = 0, leaves = 0, roots = 0;
  int64_t *place = INGOT_NEW_ARRAY(n->o->scratch, f->count + 1, int64_t), *leaf_of = INGOT_NEW_ARRAY(n->o->scratch, f->count + 1, int64_t);
  INGOT__ONNX_NEED(n, place && leaf_of);
  for (size_t i = 0; i < f->count; i++) {
    bool root = i == 0 || f->tree.v[i] != f->tree.v[i - 1], leaf = f->mode[i] == LEAF;
    roots += root;
    leaf_of[i] = leaf ? (int64_t)leaves++ : -1;
    place[i] = leaf && !root ? -1 : (int64_t)branches++; /* a tree of one leaf: a branch whose both ways lead there */
  }
  int64_t *root = numbers(n, roots), *feature = numbers(n, branches), *yes = numbers(n, branches), *no = numbers(n, branches);
  int64_t *yes_leaf = numbers(n, branches), *no_leaf = numbers(n, branches), *missing = numbers(n, branches);
  uint8_t *mode = INGOT_NEW_ARRAY(n->o->arena, branches + 1, uint8_t);
  double *split = INGOT_NEW_ARRAY(n->o->arena, branches + 1, double);
  INGOT__ONNX_NEED(n, root && feature && yes && no && yes_leaf && no_leaf && missing && mode && split);
  roots = 0;
  for (size_t i = 0; i < f->count; i++) {
    int64_t p = place[i];
    if (i == 0 || f->tree.v[i] != f->tree.v[i - 1]) root[roots++] = p;
    if (p < 0) continue;
    const named *to[2] = {&(named){.index = i}, &(named){.index = i}};
    if (f->mode[i] != LEAF) {
      to[0] = find(f, f->tree.v[i], f->yes.v[i]), to[1] = find(f, f->tree.v[i], f->no.v[i]);
      if (!to[0] || !to[1]) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "a branch of tree %lld leads nowhere", (long long)f->tree.v[i]);
      mode[p] = f->mode[i], split[p] = f->split[i], feature[p] = f->feature.v[i];
      missing[p] = f->missing.n ? f->missing.v[i] : 0;
    }
    yes_leaf[p] = leaf_of[to[0]->index] >= 0, no_leaf[p] = leaf_of[to[1]->index] >= 0;
    yes[p] = yes_leaf[p] ? leaf_of[to[0]->index] : place[to[0]->index];
    no[p] = no_leaf[p] ? leaf_of[to[1]->index] : place[to[1]->index];
  }
  a->tree_roots = (ingot__ints){roots, root};
  a->nodes_featureids = (ingot__ints){branches, feature};
  a->nodes_truenodeids = (ingot__ints){branches, yes}, a->nodes_falsenodeids = (ingot__ints){branches, no};
  a->nodes_trueleafs = (ingot__ints){branches, yes_leaf}, a->nodes_falseleafs = (ingot__ints){branches, no_leaf};
  a->nodes_missing_value_tracks_true = (ingot__ints){branches, missing};
  a->nodes_modes = (ingot__literal){.dtype = INGOT_UINT8, .rank = 1, .dim = {(int64_t)branches}, .data = mode, .bytes = branches};
  a->nodes_splits = (ingot__literal){.dtype = INGOT_FLOAT64, .rank = 1, .dim = {(int64_t)branches}, .data = split, .bytes = branches * sizeof *split};
  return place_entries(f, e, leaf_of, leaves, a);
}

static ingot_status base_values(ingot__onnx_node *n, ingot__attrs_TreeEnsemble *a) {
  const double *v;
  size_t count;
  INGOT_TRY(doubles(n, "base_values", "base_values_as_tensor", &v, &count));
  float *base = INGOT_NEW_ARRAY(n->o->arena, count + 1, float);
  INGOT__ONNX_NEED(n, base);
  for (size_t i = 0; i < count; i++) base[i] = (float)v[i];
  a->base_values = (ingot__floats){count, base};
  return INGOT_OK;
}

static ingot_status index_of(ingot__onnx_node *n, const char *what, const char *const *names, const char *name, int64_t *out) {
  for (*out = 0; names[*out]; ++*out)
    if (strcmp(names[*out], name) == 0) return INGOT_OK;
  return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "%s '%.40s' is none", what, name);
}

ingot_status ingot__onnx_convert_tree_regressor(ingot__onnx_node *n) {
  static const char *const functions[] = {"AVERAGE", "SUM", "MIN", "MAX", NULL};
  static const char *const transforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT", NULL};
  ingot__attrs_TreeEnsemble a;
  forest f;
  entries e;
  const char *function, *transform;
  ingot__attrs_default(INGOT__OP_TreeEnsemble, &a);
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_string(n, "aggregate_function", "SUM", &function));
  INGOT_TRY(ingot__onnx_get_string(n, "post_transform", "NONE", &transform));
  INGOT_TRY(ingot__onnx_get_int(n, "n_targets", 1, &a.n_targets));
  INGOT_TRY(index_of(n, "aggregate_function", functions, function, &a.aggregate_function));
  INGOT_TRY(index_of(n, "post_transform", transforms, transform, &a.post_transform));
  INGOT_TRY(read_forest(n, &f));
  INGOT_TRY(read_entries(n, "target", &e));
  INGOT_TRY(build(&f, &e, &a));
  INGOT_TRY(base_values(n, &a));
  bool wide = ingot__onnx_type(n, n->in[0])->dtype == INGOT_FLOAT64;
  ingot__node *trees = wide ? ingot__onnx_emit(n, INGOT__OP_TreeEnsemble, n->in, 1) : ingot__onnx_finish(n, INGOT__OP_TreeEnsemble, n->in, 1);
  INGOT__ONNX_NEED(n, trees);
  *(ingot__attrs_TreeEnsemble *)trees->attrs = a;
  if (wide) INGOT__ONNX_NEED(n, ingot__onnx_finish(n, INGOT__OP_Cast, &trees->out[0], 1)); /* the result is float32 all the same */
  return INGOT_OK;
}

/* Two classes by one score: the second's share, and the first's from it. */
static ingot_status two_classes(ingot__onnx_node *n, ingot__value *labels, ingot__value *score, const char *transform, bool positive) {
  bool logistic = strcmp(transform, "LOGISTIC") == 0;
  INGOT_TRY(ingot__onnx_ml_choose(n, labels, score, true, positive ? 0.5f : 0));
  ingot__value *first = positive ? ingot__onnx_binary(n, INGOT__OP_Sub, ingot__onnx_float(n, 1), score) : ingot__onnx_unary(n, INGOT__OP_Neg, score);
  ingot__value *in[] = {first, score};
  for (int i = 0; i < 2 && logistic && !positive; i++) in[i] = ingot__onnx_unary(n, INGOT__OP_Sigmoid, in[i]);
  INGOT__ONNX_NEED(n, in[0] && in[1]);
  if (n->n_out < 2 || !n->out_name[1]) return INGOT_OK;
  ingot__node *both = ingot__onnx_finish_output(n, 1, INGOT__OP_Concat, in, 2);
  INGOT__ONNX_NEED(n, both);
  ((ingot__attrs_Concat *)both->attrs)->axis = 1;
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_tree_classifier(ingot__onnx_node *n) {
  ingot__attrs_TreeEnsemble a;
  forest f;
  entries e;
  const char *transform;
  ingot__value *labels;
  size_t count;
  ingot__attrs_default(INGOT__OP_TreeEnsemble, &a);
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_string(n, "post_transform", "NONE", &transform));
  INGOT_TRY(ingot__onnx_ml_labels(n, "classlabels_int64s", &labels, &count));
  INGOT_TRY(read_forest(n, &f));
  INGOT_TRY(read_entries(n, "class", &e));
  bool one = count == 2, positive = true;
  for (size_t i = 0; i < e.n; i++) one = one && e.target.v[i] == e.target.v[0], positive = positive && e.weight[i] >= 0;
  a.n_targets = one ? 1 : (int64_t)count;
  if (one) { /* whichever class it is written for */
    int64_t *zeros = numbers(n, e.n);
    INGOT__ONNX_NEED(n, zeros);
    e.target = (ingot__ints){e.n, zeros};
  }
  INGOT_TRY(build(&f, &e, &a));
  INGOT_TRY(base_values(n, &a));
  if (one && a.base_values.n == 2) a.base_values = (ingot__floats){1, a.base_values.v + 1};
  ingot__node *trees = ingot__onnx_emit(n, INGOT__OP_TreeEnsemble, n->in, 1);
  INGOT__ONNX_NEED(n, trees);
  *(ingot__attrs_TreeEnsemble *)trees->attrs = a;
  ingot__node *cast = ingot__onnx_emit(n, INGOT__OP_Cast, &trees->out[0], 1); /* scores are float32 even for doubles */
  INGOT__ONNX_NEED(n, cast);
  if (one) return two_classes(n, labels, cast->out[0], transform, positive);
  INGOT_TRY(ingot__onnx_ml_choose(n, labels, cast->out[0], false, 0));
  return ingot__onnx_ml_transform(n, 1, cast->out[0], transform);
}
