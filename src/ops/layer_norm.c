/* LayerNormalization and RMSNormalization over the trailing dims from `axis`, with scale and bias that broadcast to the whole; in double. */
#include "ops/ints.h"
#include "ops/rows.h"
#include "ops/steps.h"
#include <math.h>


/* LayerNormalization and RMSNormalization have the same attributes, in the same order. */
static ingot_status infer_trailing(ingot__infer *infer, int64_t axis_attr) {
  bool unknown;
  int axis;
  INGOT_TRY(ingot__infer_rank(infer, 0, 1, -1, &unknown));
  const ingot__type *x = infer->in[0];
  for (size_t i = 0; i < infer->n_in; i++) {
    if (infer->in[i] && !ingot__dtype_is_real(infer->in[i]->dtype)) {
      return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(infer->in[i]->dtype));
    }
  }
  for (size_t i = 1; i < infer->n_out; i++) ingot__type_unknown(&infer->out[i], INGOT_FLOAT32);
  if (unknown) return INGOT_OK;
  INGOT_TRY(ingot__infer_axis(infer, axis_attr, x->rank, &axis));
  infer->out[0] = *x;
  for (size_t i = 1; i < infer->n_out; i++) {
    infer->out[i] = *x;
    infer->out[i].dtype = INGOT_FLOAT32; /* stash_type 1 */
    for (int k = axis; k < x->rank; k++) infer->out[i].dim[k] = 1;
  }
  for (size_t i = 1; i < infer->n_in; i++) {
    const ingot__type *s = infer->in[i];
    if (!s || s->rank < 0) continue;
    bool fits = s->rank <= x->rank;
    for (int k = 1; fits && k <= s->rank; k++) {
      ingot__dim have = s->dim[s->rank - k], want = x->dim[x->rank - k];
      fits = have == 1 || have < 0 || want < 0 || have == want;
    }
    if (!fits) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "input %zu does not broadcast to the first", i);
  }
  return INGOT_OK;
}

ingot_status ingot__infer_LayerNormalization(ingot__infer *infer) {
  const ingot__attrs_LayerNormalization *a = INGOT__ATTRS(infer, LayerNormalization);
  if (a->stash_type != 1) return INGOT__FAIL_INFER(infer, INGOT_E_UNSUPPORTED, "stash_type %lld", (long long)a->stash_type);
  return infer_trailing(infer, a->axis);
}
ingot_status ingot__infer_RMSNormalization(ingot__infer *infer) { return infer_trailing(infer, INGOT__ATTRS(infer, RMSNormalization)->axis); }

/* Multiplies by in[1] and adds in[2], if they are there, element by element. They broadcast to the whole of out: the usual case, a vector
 * over the trailing dims, is a run for each row. */
static void affine(const ingot__call *call) {
  const ingot__view *out = &call->out[0];
  double row[INGOT__ROW], other[INGOT__ROW];
  for (size_t k = 1; k < 3; k++) {
    if (!ingot__has_in(call, k)) continue;
    const ingot__view *v = &call->in[k];
    ingot__steps s;
    ingot__steps_init(&s, out->rank, out->dim);
    ingot__steps_add(&s, out);
    ingot__steps_add(&s, v);
    if (!ingot__steps_start(&s)) return;
    do {
      for (size_t i = 0; i < s.run; i += INGOT__ROW) {
        size_t m = s.run - i < INGOT__ROW ? s.run - i : INGOT__ROW;
        ingot__row_load(out->dtype, out->data, s.at[0] + (int64_t)i * s.step[0], s.step[0], m, row);
        ingot__row_load(v->dtype, v->data, s.at[1] + (int64_t)i * s.step[1], s.step[1], m, other);
        for (size_t e = 0; e < m; e++) row[e] = k == 1 ? row[e] * other[e] : row[e] + other[e];
        ingot__row_store(out->dtype, out->data, s.at[0] + (int64_t)i * s.step[0], s.step[0], m, row);
      }
    } while (ingot__steps_next(&s));
  }
}

/* A vector's scale and bias are applied in double at once; anything else after, rounding to the type between. */
static bool is_trailing(const ingot__call *call, size_t k, int axis, int64_t n) {
  if (!ingot__has_in(call, k)) return true;
  const ingot__view *v = &call->in[k];
  return v->rank <= call->out[0].rank - axis && ingot__view_count(v) == n;
}

static ingot_status normalise(const ingot__call *call, int64_t axis, double epsilon, bool centre) {
  const ingot__view *x = &call->in[0], *out = &call->out[0];
  int64_t rows = 1, n = 1;
  if (axis < 0) axis += x->rank;
  for (int i = 0; i < x->rank; i++) *(i < axis ? &rows : &n) *= x->dim[i];
  if (n == 0) return INGOT_OK;
  bool at_once = is_trailing(call, 1, (int)axis, n) && is_trailing(call, 2, (int)axis, n);
  double row[INGOT__ROW], factor[INGOT__ROW], bias[INGOT__ROW];
  for (int64_t r = 0; r < rows; r++) {
    double mean = 0, square = 0;
    for (int64_t i = 0; centre && i < n; i += INGOT__ROW) {
      size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
      ingot__row_load(x->dtype, x->data, r * n + i, 1, m, row);
      for (size_t e = 0; e < m; e++) mean += row[e];
    }
    mean /= (double)n;
    for (int64_t i = 0; i < n; i += INGOT__ROW) {
      size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
      ingot__row_load(x->dtype, x->data, r * n + i, 1, m, row);
      for (size_t e = 0; e < m; e++) square += (row[e] - mean) * (row[e] - mean);
    }
    double inverse = 1 / sqrt(square / (double)n + epsilon);
    for (int64_t i = 0; i < n; i += INGOT__ROW) {
      size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
      ingot__row_load(x->dtype, x->data, r * n + i, 1, m, row);
      for (size_t e = 0; e < m; e++) row[e] = (row[e] - mean) * inverse;
      if (at_once && ingot__has_in(call, 1)) {
        ingot__row_load(call->in[1].dtype, call->in[1].data, i, 1, m, factor);
        for (size_t e = 0; e < m; e++) row[e] *= factor[e];
      }
      if (at_once && ingot__has_in(call, 2)) {
        ingot__row_load(call->in[2].dtype, call->in[2].data, i, 1, m, bias);
        for (size_t e = 0; e < m; e++) row[e] += bias[e];
      }
      ingot__row_store(out->dtype, out->data, r * n + i, 1, m, row);
    }
    if (ingot__has_out(call, 1)) ingot__set_double(call->out[1].dtype, call->out[1].data, (size_t)r, mean);
    if (ingot__has_out(call, 2)) ingot__set_double(call->out[2].dtype, call->out[2].data, (size_t)r, inverse);
  }
  if (!at_once) affine(call);
  return INGOT_OK;
}

ingot_status ingot__ref_LayerNormalization(const ingot__call *call) {
  const ingot__attrs_LayerNormalization *a = INGOT__ATTRS(call, LayerNormalization);
  return normalise(call, a->axis, (double)a->epsilon, true);
}
ingot_status ingot__ref_RMSNormalization(const ingot__call *call) {
  const ingot__attrs_RMSNormalization *a = INGOT__ATTRS(call, RMSNormalization);
  return normalise(call, a->axis, (double)a->epsilon, false);
}
