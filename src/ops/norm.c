/* Normalisations of (N, C, spatial) tensors by channel: BatchNormalization (with given statistics), InstanceNormalization,
 * GroupNormalization. Sums and statistics in double. */
#include "ops/ints.h"
#include "ops/rows.h"
#include <math.h>


/* X of rank >= 2 or more, and vectors of C elements after it, whose types may differ from X's. */
static ingot_status infer_by_channel(ingot__infer *infer, int min_rank, bool *unknown) {
  INGOT_TRY(ingot__infer_rank(infer, 0, min_rank, -1, unknown));
  const ingot__type *x = infer->in[0];
  for (size_t i = 0; i < infer->n_in; i++) {
    const ingot__type *v = infer->in[i];
    if (!v) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "lacks input %zu", i);
    if (!ingot__dtype_is_real(v->dtype)) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(v->dtype));
    if (i == 0 || *unknown || v->rank < 0) continue;
    if (v->rank != 1 || (v->dim[0] >= 0 && x->dim[1] >= 0 && v->dim[0] != x->dim[1])) {
      return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "input %zu must have one value for each of %lld channels", i, (long long)x->dim[1]);
    }
  }
  infer->out[0] = *x;
  return INGOT_OK;
}

ingot_status ingot__infer_BatchNormalization(ingot__infer *infer) {
  bool unknown;
  return infer_by_channel(infer, 2, &unknown);
}
ingot_status ingot__infer_InstanceNormalization(ingot__infer *infer) {
  bool unknown;
  return infer_by_channel(infer, 3, &unknown);
}
ingot_status ingot__infer_GroupNormalization(ingot__infer *infer) {
  bool unknown;
  INGOT_TRY(infer_by_channel(infer, 2, &unknown));
  int64_t groups = INGOT__ATTRS(infer, GroupNormalization)->num_groups;
  ingot__dim c = unknown ? INGOT__DIM_UNKNOWN : infer->in[0]->dim[1];
  if (groups < 1 || (c >= 0 && c % groups)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "%lld channels do not divide into %lld groups", (long long)c, (long long)groups);
  }
  return INGOT_OK;
}

static double value(const ingot__view *v, int64_t i) { return ingot__get_double(v->dtype, v->data, (size_t)i); }

/* n elements from `at`: x * factor + shift. */
static void scale(const ingot__call *call, int64_t at, int64_t n, double factor, double mean, double shift) {
  double row[INGOT__ROW];
  for (int64_t i = 0; i < n; i += INGOT__ROW) {
    size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
    ingot__row_load(call->in[0].dtype, call->in[0].data, at + i, 1, m, row);
    for (size_t k = 0; k < m; k++) row[k] = (row[k] - mean) * factor + shift;
    ingot__row_store(call->out[0].dtype, call->out[0].data, at + i, 1, m, row);
  }
}

/* Mean and 1 / sqrt(variance + epsilon) of n elements from `at`. */
static void statistics(const ingot__view *x, int64_t at, int64_t n, double epsilon, double *mean, double *inverse) {
  double row[INGOT__ROW], sum = 0, square = 0;
  for (int64_t i = 0; i < n; i += INGOT__ROW) {
    size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
    ingot__row_load(x->dtype, x->data, at + i, 1, m, row);
    for (size_t k = 0; k < m; k++) sum += row[k];
  }
  *mean = sum / (double)n;
  for (int64_t i = 0; i < n; i += INGOT__ROW) {
    size_t m = (size_t)(n - i < INGOT__ROW ? n - i : INGOT__ROW);
    ingot__row_load(x->dtype, x->data, at + i, 1, m, row);
    for (size_t k = 0; k < m; k++) square += (row[k] - *mean) * (row[k] - *mean);
  }
  *inverse = 1 / sqrt(square / (double)n + epsilon);
}

static void plane_of(const ingot__view *x, int64_t *plane) {
  *plane = 1;
  for (int i = 2; i < x->rank; i++) *plane *= x->dim[i];
}

ingot_status ingot__ref_BatchNormalization(const ingot__call *call) {
  double epsilon = (double)INGOT__ATTRS(call, BatchNormalization)->epsilon;
  const ingot__view *x = &call->in[0];
  int64_t plane;
  plane_of(x, &plane);
  for (int64_t n = 0; n < x->dim[0]; n++)
    for (int64_t c = 0; c < x->dim[1]; c++) {
      double factor = value(&call->in[1], c) / sqrt(value(&call->in[4], c) + epsilon);
      scale(call, (n * x->dim[1] + c) * plane, plane, factor, value(&call->in[3], c), value(&call->in[2], c));
    }
  return INGOT_OK;
}

static ingot_status by_group(const ingot__call *call, int64_t groups, float epsilon) {
  const ingot__view *x = &call->in[0];
  int64_t plane, channels = x->dim[1] / groups;
  plane_of(x, &plane);
  for (int64_t n = 0; n < x->dim[0]; n++)
    for (int64_t g = 0; g < groups; g++) {
      int64_t at = (n * groups + g) * channels * plane;
      double mean, inverse;
      statistics(x, at, channels * plane, (double)epsilon, &mean, &inverse);
      for (int64_t k = 0; k < channels; k++) {
        int64_t c = g * channels + k;
        scale(call, at + k * plane, plane, inverse * value(&call->in[1], c), mean, value(&call->in[2], c));
      }
    }
  return INGOT_OK;
}

ingot_status ingot__ref_InstanceNormalization(const ingot__call *call) {
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  return by_group(call, call->in[0].dim[1], INGOT__ATTRS(call, InstanceNormalization)->epsilon);
}
ingot_status ingot__ref_GroupNormalization(const ingot__call *call) {
  const ingot__attrs_GroupNormalization *a = INGOT__ATTRS(call, GroupNormalization);
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  return by_group(call, a->num_groups, a->epsilon);
}
