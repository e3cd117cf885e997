/* ReverseSequence: the first sequence_lens[b] steps of each batch element backwards, the others as they are. */
#include "ops/ints.h"
#include "ops/move.h"

ingot_status ingot__infer_ReverseSequence(ingot__infer *f) {
  const ingot__attrs_ReverseSequence *a = INGOT__ATTRS(f, ReverseSequence);
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 2, -1, &unknown));
  if (!ingot__infer_has(f, 1) || f->in[1]->dtype != INGOT_INT64) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "sequence_lens must be int64");
  if (a->batch_axis < 0 || a->batch_axis > 1 || a->time_axis != 1 - a->batch_axis) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "batch_axis and time_axis must be 0 and 1");
  }
  f->out[0] = *f->in[0];
  const ingot__type *lens = f->in[1];
  if (lens->rank < 0) return INGOT_OK;
  if (lens->rank != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "sequence_lens have rank %d", lens->rank);
  ingot__dim d;
  return unknown ? INGOT_OK : ingot__dim_merge(f, f->in[0]->dim[a->batch_axis], lens->dim[0], "sequence_lens", &d);
}

ingot_status ingot__ref_ReverseSequence(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *lens = &call->in[1];
  int64_t batch_axis = INGOT__ATTRS(call, ReverseSequence)->batch_axis, batches = in->dim[batch_axis], steps = in->dim[1 - batch_axis];
  size_t size, run = 1;
  INGOT_TRY(ingot__move_check(call, 0, &size));
  for (int i = 2; i < in->rank; i++) run *= (size_t)in->dim[i];
  run *= size;
  if (ingot__view_count(lens) != batches) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "sequence_lens are not %lld", (long long)batches);
  for (int64_t b = 0; b < batches; b++) {
    int64_t n = ((const int64_t *)lens->data)[b];
    if (n < 0 || n > steps) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "a sequence of %lld in %lld steps", (long long)n, (long long)steps);
    for (int64_t t = 0; t < steps; t++) {
      int64_t s = t < n ? n - 1 - t : t;
      size_t to = (size_t)(batch_axis ? t * batches + b : b * steps + t), from = (size_t)(batch_axis ? s * batches + b : b * steps + s);
      if (run > 0) memcpy((char *)call->out[0].data + to * run, (const char *)in->data + from * run, run);
    }
  }
  return INGOT_OK;
}
