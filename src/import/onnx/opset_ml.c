/* Conversions of ai.onnx.ml's simple operators into tensor arithmetic: scaling, binarising, linear models. Trees are in opset_trees.c. */
#include "import/onnx/convert.h"

static ingot__value *floats_of(ingot__onnx_node *n, ingot__value *v) {
  ingot__node *cast = v ? ingot__onnx_emit(n, INGOT__OP_Cast, &v, 1) : NULL; /* to float32, the row's default */
  return cast ? cast->out[0] : NULL;
}

static ingot__value *constant(ingot__onnx_node *n, ingot_dtype dtype, const void *v, int rank, int64_t rows, int64_t columns) {
  ingot__literal l = {.dtype = dtype, .rank = rank, .dim = {rows, columns}, .data = v};
  l.bytes = (size_t)(rank == 2 ? rows * columns : rank == 1 ? rows : 1) * (dtype == INGOT_STRING ? sizeof(char *) : ingot__dtype_size(dtype));
  return ingot__onnx_constant(n, "const", &l);
}

/* A list of floats as a vector, or as a number where it has one. */
static ingot__value *vector(ingot__onnx_node *n, const ingot__floats *f) {
  return constant(n, INGOT_FLOAT32, f->v, f->n == 1 ? 0 : 1, (int64_t)f->n, 0);
}

ingot_status ingot__onnx_convert_scaler(ingot__onnx_node *n) {
  ingot__floats offset, scale;
  bool has_offset, has_scale;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_floats(n, "offset", &offset, &has_offset));
  INGOT_TRY(ingot__onnx_get_floats(n, "scale", &scale, &has_scale));
  ingot__value *v = floats_of(n, n->in[0]);
  if (offset.n) v = ingot__onnx_binary(n, INGOT__OP_Sub, v, vector(n, &offset));
  if (scale.n) v = ingot__onnx_binary(n, INGOT__OP_Mul, v, vector(n, &scale));
  INGOT__ONNX_NEED(n, v && ingot__onnx_finish(n, INGOT__OP_Identity, &v, 1));
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_binarizer(ingot__onnx_node *n) {
  float threshold;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_float(n, "threshold", 0, &threshold));
  ingot__value *in[] = {ingot__onnx_binary(n, INGOT__OP_Greater, n->in[0], ingot__onnx_float_like(n, threshold, n->in[0])), n->in[0]};
  INGOT__ONNX_NEED(n, in[0] && ingot__onnx_finish(n, INGOT__OP_CastLike, in, 2));
  return INGOT_OK;
}

/* Each row by its largest element, the sum of its magnitudes or its length; a row whose divisor is 0 stays. */
ingot_status ingot__onnx_convert_normalizer(ingot__onnx_node *n) {
  static const int64_t last = -1;
  const char *norm;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_string(n, "norm", "MAX", &norm));
  ingot__op op = strcmp(norm, "MAX") == 0 ? INGOT__OP_ReduceMax : strcmp(norm, "L1") == 0 ? INGOT__OP_ReduceL1 : INGOT__OP_ReduceL2;
  if (op == INGOT__OP_ReduceL2 && strcmp(norm, "L2") != 0) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "norm '%.40s' is none", norm);
  ingot__value *x = floats_of(n, n->in[0]), *by = ingot__onnx_binary(n, op, x, ingot__onnx_ints(n, &last, 1));
  ingot__value *choice[] = {ingot__onnx_binary(n, INGOT__OP_Equal, by, ingot__onnx_float(n, 0)), ingot__onnx_float(n, 1), by};
  ingot__node *safe = choice[0] && choice[1] ? ingot__onnx_emit(n, INGOT__OP_Where, choice, 3) : NULL;
  ingot__value *in[] = {x, safe ? safe->out[0] : NULL};
  INGOT__ONNX_NEED(n, safe && ingot__onnx_finish(n, INGOT__OP_Div, in, 2));
  return INGOT_OK;
}

/* Columns of the last axis; of a vector, as one row. */
ingot_status ingot__onnx_convert_feature_extractor(ingot__onnx_node *n) {
  static const int64_t flat = -1, row[] = {1, -1};
  INGOT_TRY(ingot__onnx_inputs(n, 2, 2));
  ingot__value *in[] = {n->in[0], ingot__onnx_binary(n, INGOT__OP_Reshape, n->in[1], ingot__onnx_ints(n, &flat, 1))};
  INGOT__ONNX_NEED(n, in[1]);
  bool one = ingot__onnx_type(n, n->in[0])->rank == 1;
  ingot__node *gather = one ? ingot__onnx_emit(n, INGOT__OP_Gather, in, 2) : ingot__onnx_finish(n, INGOT__OP_Gather, in, 2);
  INGOT__ONNX_NEED(n, gather);
  ((ingot__attrs_Gather *)gather->attrs)->axis = -1;
  if (!one) return INGOT_OK;
  ingot__value *shaped[] = {gather->out[0], ingot__onnx_ints(n, row, 2)};
  INGOT__ONNX_NEED(n, shaped[1] && ingot__onnx_finish(n, INGOT__OP_Reshape, shaped, 2));
  return INGOT_OK;
}

/* A value (0, or what is named; NaN means all NaNs) is replaced: by one number, or one a column. */
ingot_status ingot__onnx_convert_imputer(ingot__onnx_node *n) {
  ingot__floats floats;
  ingot__ints ints;
  float replaced;
  int64_t replaced_int;
  bool has_floats, has_ints;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_floats(n, "imputed_value_floats", &floats, &has_floats));
  INGOT_TRY(ingot__onnx_get_ints(n, "imputed_value_int64s", &ints, &has_ints));
  INGOT_TRY(ingot__onnx_get_float(n, "replaced_value_float", 0, &replaced));
  INGOT_TRY(ingot__onnx_get_int(n, "replaced_value_int64", 0, &replaced_int));
  if (has_floats == has_ints) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "must have either imputed_value_floats or imputed_value_int64s");
  ingot__value *x = n->in[0];
  ingot__value *by = has_floats ? vector(n, &floats) : constant(n, INGOT_INT64, ints.v, ints.n == 1 ? 0 : 1, (int64_t)ints.n, 0);
  ingot__value *old = has_floats ? ingot__onnx_float(n, replaced) : ingot__onnx_int(n, replaced_int);
  ingot__value *hit = has_floats && isnan(replaced) ? ingot__onnx_unary(n, INGOT__OP_IsNaN, x) : ingot__onnx_binary(n, INGOT__OP_Equal, x, old);
  ingot__value *in[] = {hit, by, x};
  INGOT__ONNX_NEED(n, hit && by && ingot__onnx_finish(n, INGOT__OP_Where, in, 3));
  return INGOT_OK;
}

/* 1 in the place of each element's category, in a new last axis. */
ingot_status ingot__onnx_convert_one_hot_encoder(ingot__onnx_node *n) {
  static const int64_t last = -1;
  ingot__ints cats;
  int64_t zeros;
  bool given;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_ints(n, "cats_int64s", &cats, &given));
  INGOT_TRY(ingot__onnx_get_int(n, "zeros", 1, &zeros));
  if (!given) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has categories that aren't numbers");
  ingot__node *whole = ingot__onnx_emit(n, INGOT__OP_Cast, n->in, 1);
  INGOT__ONNX_NEED(n, whole);
  ((ingot__attrs_Cast *)whole->attrs)->to = INGOT_INT64;
  ingot__value *wide = ingot__onnx_binary(n, INGOT__OP_Unsqueeze, whole->out[0], ingot__onnx_ints(n, &last, 1));
  ingot__value *same = ingot__onnx_binary(n, INGOT__OP_Equal, wide, constant(n, INGOT_INT64, cats.v, 1, (int64_t)cats.n, 0));
  INGOT__ONNX_NEED(n, same && ingot__onnx_finish(n, INGOT__OP_Cast, &same, 1));
  return INGOT_OK;
}

/* ---- Linear models */

/* What comes after the scores; the node stands for output `slot`. */
ingot_status ingot__onnx_ml_transform(ingot__onnx_node *n, size_t slot, ingot__value *scores, const char *kind) {
  ingot__op op = strcmp(kind, "LOGISTIC") == 0 ? INGOT__OP_Sigmoid : strcmp(kind, "SOFTMAX") == 0 ? INGOT__OP_Softmax : INGOT__OP_Identity;
  if (op == INGOT__OP_Identity && strcmp(kind, "NONE") != 0) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "post_transform %.40s", kind);
  if (slot >= n->n_out || !n->out_name[slot]) return INGOT_OK;
  INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, slot, op, &scores, 1)); /* Softmax's default axis is the last */
  return INGOT_OK;
}

/* X coefficients^T + intercepts, for matrices of `rows` rows. */
static ingot_status scores_of(ingot__onnx_node *n, int64_t *rows, ingot__value **out) {
  ingot__floats coefficients, intercepts;
  bool given;
  static const int64_t row[] = {1, -1};
  INGOT_TRY(ingot__onnx_get_floats(n, "coefficients", &coefficients, &given));
  INGOT_TRY(ingot__onnx_get_floats(n, "intercepts", &intercepts, &given));
  if (*rows < 1) *rows = intercepts.n ? (int64_t)intercepts.n : 1;
  if (!coefficients.n || coefficients.n % (size_t)*rows || (intercepts.n && intercepts.n != (size_t)*rows)) {
    return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "%zu coefficients and %zu intercepts don't fit %lld targets", coefficients.n, intercepts.n,
                            (long long)*rows);
  }
  ingot__value *x = floats_of(n, n->in[0]);
  if (x && ingot__onnx_type(n, n->in[0])->rank == 1) x = ingot__onnx_binary(n, INGOT__OP_Reshape, x, ingot__onnx_ints(n, row, 2));
  ingot__value *in[] = {x, constant(n, INGOT_FLOAT32, coefficients.v, 2, *rows, (int64_t)coefficients.n / *rows),
                        intercepts.n ? constant(n, INGOT_FLOAT32, intercepts.v, 1, *rows, 0) : NULL};
  ingot__node *product = in[0] && in[1] ? ingot__onnx_emit(n, INGOT__OP_Gemm, in, intercepts.n ? 3 : 2) : NULL;
  INGOT__ONNX_NEED(n, product);
  ((ingot__attrs_Gemm *)product->attrs)->transB = 1;
  *out = product->out[0];
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_linear_regressor(ingot__onnx_node *n) {
  const char *kind;
  int64_t targets;
  ingot__value *scores;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_int(n, "targets", 1, &targets));
  INGOT_TRY(ingot__onnx_get_string(n, "post_transform", "NONE", &kind));
  INGOT_TRY(scores_of(n, &targets, &scores));
  return ingot__onnx_ml_transform(n, 0, scores, kind);
}

/* The classes' names, numbers or strings; *count of them. */
ingot_status ingot__onnx_ml_labels(ingot__onnx_node *n, const char *ints_name, ingot__value **labels, size_t *count) {
  ingot__ints ints;
  ingot__strings strings = {0};
  bool given;
  INGOT_TRY(ingot__onnx_get_ints(n, ints_name, &ints, &given));
  const ingot__pb_attr *names = ingot__onnx_get(n, "classlabels_strings");
  if (names) INGOT_TRY(ingot__onnx_read_strings(n, names, &strings));
  *count = ints.n ? ints.n : strings.n;
  if (!*count) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has no class labels");
  *labels = ints.n ? constant(n, INGOT_INT64, ints.v, 1, (int64_t)ints.n, 0) : constant(n, INGOT_STRING, strings.v, 1, (int64_t)strings.n, 0);
  INGOT__ONNX_NEED(n, *labels);
  return INGOT_OK;
}

/* Output 0: the label of the largest score; of one score, the second label where it is above `limit`. */
ingot_status ingot__onnx_ml_choose(ingot__onnx_node *n, ingot__value *labels, ingot__value *scores, bool single, float limit) {
  static const int64_t flat = -1;
  ingot__value *index;
  if (!n->n_out || !n->out_name[0]) return INGOT_OK;
  if (single) {
    ingot__value *above = ingot__onnx_binary(n, INGOT__OP_Greater, scores, ingot__onnx_float(n, limit));
    ingot__node *cast = above ? ingot__onnx_emit(n, INGOT__OP_Cast, &above, 1) : NULL;
    INGOT__ONNX_NEED(n, cast);
    ((ingot__attrs_Cast *)cast->attrs)->to = INGOT_INT64;
    index = ingot__onnx_binary(n, INGOT__OP_Reshape, cast->out[0], ingot__onnx_ints(n, &flat, 1));
  } else {
    ingot__node *most = ingot__onnx_emit(n, INGOT__OP_ArgMax, &scores, 1);
    INGOT__ONNX_NEED(n, most);
    *(ingot__attrs_ArgMax *)most->attrs = (ingot__attrs_ArgMax){.axis = 1, .keepdims = 0};
    index = most->out[0];
  }
  ingot__value *in[] = {labels, index};
  INGOT__ONNX_NEED(n, index && ingot__onnx_finish_output(n, 0, INGOT__OP_Gather, in, 2));
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_linear_classifier(ingot__onnx_node *n) {
  const char *kind;
  int64_t multi, rows = 0;
  size_t count;
  ingot__value *scores, *labels;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(ingot__onnx_get_int(n, "multi_class", 0, &multi));
  INGOT_TRY(ingot__onnx_get_string(n, "post_transform", "NONE", &kind));
  INGOT_TRY(ingot__onnx_ml_labels(n, "classlabels_ints", &labels, &count));
  INGOT_TRY(scores_of(n, &rows, &scores));
  if (rows != (int64_t)count) {
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "has %lld rows of coefficients for %zu classes", (long long)rows, count);
  }
  INGOT_TRY(ingot__onnx_ml_choose(n, labels, scores, false, 0));
  return ingot__onnx_ml_transform(n, 1, scores, kind);
}
