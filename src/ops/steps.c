/* Walking several tensors in step. */
#include "ops/steps.h"

void ingot__steps_init(ingot__steps *s, int rank, const int64_t *dim) {
  s->rank = rank;
  s->n = 0;
  for (int i = 0; i < rank; i++) s->dim[i] = dim[i];
}

void ingot__steps_add_strides(ingot__steps *s, const int64_t *stride) {
  for (int i = 0; i < s->rank; i++) s->stride[s->n][i] = stride[i];
  s->n++;
}

void ingot__steps_add(ingot__steps *s, const ingot__view *view) {
  int64_t stride[INGOT_MAX_RANK];
  int lead = s->rank - view->rank;
  for (int i = 0; i < s->rank; i++) {
    int k = i - lead;
    stride[i] = k < 0 || (view->dim[k] == 1 && s->dim[i] != 1) ? 0 : view->stride[k];
  }
  ingot__steps_add_strides(s, stride);
}

bool ingot__steps_start(ingot__steps *s) {
  for (int i = 0; i < s->rank; i++)
    if (s->dim[i] == 0) return false;
  /* Dims of 1 go; neighbours that all tensors pass through evenly become one. */
  int rank = 0;
  for (int i = 0; i < s->rank; i++) {
    if (s->dim[i] == 1) continue;
    bool merge = rank > 0;
    for (int k = 0; merge && k < s->n; k++) merge = s->stride[k][rank - 1] == s->stride[k][i] * s->dim[i];
    int to = merge ? rank - 1 : rank++;
    s->dim[to] = merge ? s->dim[to] * s->dim[i] : s->dim[i];
    for (int k = 0; k < s->n; k++) s->stride[k][to] = s->stride[k][i];
  }
  s->rank = rank;
  s->run = rank ? (size_t)s->dim[rank - 1] : 1;
  for (int k = 0; k < s->n; k++) {
    s->step[k] = rank ? s->stride[k][rank - 1] : 0;
    s->at[k] = 0;
  }
  for (int i = 0; i < rank; i++) s->count[i] = 0;
  return true;
}

bool ingot__steps_next(ingot__steps *s) {
  for (int i = s->rank - 2; i >= 0; i--) {
    if (++s->count[i] < s->dim[i]) {
      for (int k = 0; k < s->n; k++) s->at[k] += s->stride[k][i];
      return true;
    }
    s->count[i] = 0;
    for (int k = 0; k < s->n; k++) s->at[k] -= s->stride[k][i] * (s->dim[i] - 1);
  }
  return false;
}
