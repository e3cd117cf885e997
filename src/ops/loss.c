/* NegativeLogLikelihoodLoss: -weight[target] * input[target] for each sample; their sum, or their mean by weight. */
#include "ops/ints.h"

typedef enum reduction { NONE, SUM, MEAN, UNKNOWN } reduction;
static reduction reduction_of(const char *text) {
  return strcmp(text, "none") == 0 ? NONE : strcmp(text, "sum") == 0 ? SUM : strcmp(text, "mean") == 0 ? MEAN : UNKNOWN;
}

ingot_status ingot__infer_NegativeLogLikelihoodLoss(ingot__infer *f) {
  const ingot__attrs_NegativeLogLikelihoodLoss *a = INGOT__ATTRS(f, NegativeLogLikelihoodLoss);
  bool unknown, unknown_target;
  reduction r = reduction_of(a->reduction);
  INGOT_TRY(ingot__infer_rank(f, 0, 2, -1, &unknown));
  INGOT_TRY(ingot__infer_rank(f, 1, 1, -1, &unknown_target));
  const ingot__type *in = f->in[0], *target = f->in[1];
  bool real = in->dtype == INGOT_FLOAT32 || in->dtype == INGOT_FLOAT64 || in->dtype == INGOT_FLOAT16 || in->dtype == INGOT_BFLOAT16;
  if (!real) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(in->dtype));
  if (target->dtype != INGOT_INT64 && target->dtype != INGOT_INT32) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "targets are %s", ingot_dtype_name(target->dtype));
  }
  if (r == UNKNOWN) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "reduction is '%.40s', not none, sum or mean", a->reduction);
  ingot__dim d;
  if (ingot__infer_has(f, 2)) {
    const ingot__type *w = f->in[2];
    if (w->dtype != in->dtype) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "weights are %s", ingot_dtype_name(w->dtype));
    if (w->rank >= 0 && w->rank != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "weights have rank %d", w->rank);
    if (w->rank == 1 && !unknown) INGOT_TRY(ingot__dim_merge(f, w->dim[0], in->dim[1], "weights", &d));
  }
  ingot__type out = {.dtype = in->dtype, .rank = r == NONE ? -1 : 0};
  if (!unknown && !unknown_target) {
    if (target->rank != in->rank - 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "targets have rank %d, the input %d", target->rank, in->rank);
    for (int i = 0; i < target->rank; i++) INGOT_TRY(ingot__dim_merge(f, in->dim[i ? i + 1 : 0], target->dim[i], "input and targets", &out.dim[i]));
    if (r == NONE) out.rank = target->rank;
  }
  f->out[0] = out;
  return INGOT_OK;
}

ingot_status ingot__ref_NegativeLogLikelihoodLoss(const ingot__call *call) {
  const ingot__attrs_NegativeLogLikelihoodLoss *a = INGOT__ATTRS(call, NegativeLogLikelihoodLoss);
  const ingot__view *in = &call->in[0], *target = &call->in[1], *weight = &call->in[2], *out = &call->out[0];
  reduction r = reduction_of(a->reduction);
  int64_t classes = in->dim[1], plane = 1, samples = ingot__view_count(target);
  for (int i = 2; i < in->rank; i++) plane *= in->dim[i];
  bool fits = target->rank == in->rank - 1 && in->dim[0] == target->dim[0];
  for (int i = 2; fits && i < in->rank; i++) fits = in->dim[i] == target->dim[i - 1];
  if (!fits) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "targets don't have the input's shape");
  double sum = 0, total = 0;
  for (int64_t s = 0; s < samples; s++) {
    int64_t c = ingot__get_int(target->dtype, target->data, (size_t)s);
    double w = 0, loss = 0;
    if (a->ignore_index == INGOT__NO_INT || c != a->ignore_index) {
      if (c < 0 || c >= classes) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "target %lld is outside 0..%lld", (long long)c, (long long)classes - 1);
      w = ingot__has_in(call, 2) ? ingot__get_double(weight->dtype, weight->data, (size_t)c) : 1;
      loss = -w * ingot__get_double(in->dtype, in->data, (size_t)((s / plane * classes + c) * plane + s % plane));
    }
    if (r == NONE) ingot__set_double(out->dtype, out->data, (size_t)s, loss);
    sum += loss, total += w;
  }
  if (r != NONE) ingot__set_double(out->dtype, out->data, 0, r == MEAN ? sum / total : sum);
  return INGOT_OK;
}
