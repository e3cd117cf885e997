/* Walks: joining dims, divisors, parts of at most 2^30 items. */
#include "backend/cuda/kernels/walk.h"

void ingot__walk_start(ingot__walk *w, const ingot__view *view) {
  w->rank = view->rank;
  w->n = 1;
  w->data[0] = view->data;
  w->size[0] = (int64_t)ingot__dtype_size(view->dtype);
  for (int i = 0; i < view->rank; i++) w->dim[i] = view->dim[i], w->stride[0][i] = view->stride[i];
}

void ingot__walk_add(ingot__walk *w, const ingot__view *view, int axis) {
  int k = w->n++;
  w->data[k] = view->data;
  w->size[k] = (int64_t)ingot__dtype_size(view->dtype);
  for (int i = 0; i < w->rank; i++) {
    int j = axis >= 0 ? (i == axis ? 0 : -1) : i - (w->rank - view->rank);
    w->stride[k][i] = j < 0 || j >= view->rank || view->dim[j] == 1 ? 0 : view->stride[j];
  }
}

static void move_dim(ingot__walk *w, int to, int from) {
  w->dim[to] = w->dim[from];
  for (int k = 0; k < w->n; k++) w->stride[k][to] = w->stride[k][from];
}

static int64_t magnitude(int64_t v) { return v < 0 ? -v : v; }

static void sort(ingot__walk *w) {
  int n = 0;
  for (int i = 0; i < w->rank; i++) {
    if (w->dim[i] == 1) continue;
    int64_t dim = w->dim[i], stride[INGOT__WALK_TENSORS];
    for (int k = 0; k < w->n; k++) stride[k] = w->stride[k][i];
    int at = n++;
    for (; at > 0 && magnitude(w->stride[0][at - 1]) < magnitude(stride[0]); at--) move_dim(w, at, at - 1);
    w->dim[at] = dim;
    for (int k = 0; k < w->n; k++) w->stride[k][at] = stride[k];
  }
  w->rank = n;
}

static bool joins(const ingot__walk *w, int outer, int inner) {
  for (int k = 0; k < w->n; k++)
    if (w->stride[k][outer] != w->stride[k][inner] * w->dim[inner]) return false;
  return true;
}

void ingot__walk_join(ingot__walk *w) {
  bool nothing = ingot__walk_count(w) == 0;
  sort(w);
  int rank = 0;
  for (int i = 0; i < w->rank && !nothing; i++) {
    if (rank > 0 && joins(w, rank - 1, i)) {
      int64_t dim = w->dim[rank - 1] * w->dim[i];
      move_dim(w, rank - 1, i);
      w->dim[rank - 1] = dim;
    } else {
      move_dim(w, rank++, i);
    }
  }
  w->rank = rank;
  if (rank > 0) return;
  w->rank = 1;
  w->dim[0] = nothing ? 0 : 1;
  for (int k = 0; k < w->n; k++) w->stride[k][0] = 1;
}

int64_t ingot__walk_count(const ingot__walk *w) {
  int64_t n = 1;
  for (int i = 0; i < w->rank; i++) n *= w->dim[i];
  return n;
}

/* The multiplier is 2^32 (2^shift - dim) / dim + 1 for the least 2^shift >= dim: Granlund and Montgomery's division by invariant integers. */
space_divisor ingot__walk_divisor(int64_t dim) {
  space_divisor d = {.dim = (uint32_t)dim};
  while (INT64_C(1) << d.shift < dim) d.shift++;
  d.multiplier = (uint32_t)((((uint64_t)1 << d.shift) - (uint64_t)dim) * ((uint64_t)1 << 32) / (uint64_t)dim + 1);
  return d;
}

bool ingot__walk_dims(const ingot__walk *w, space_dims *dims) {
  if (w->rank > SPACE_RANK) return false;
  dims->items = (uint32_t)ingot__walk_count(w);
  dims->rank = w->rank;
  for (int i = 0; i < w->rank; i++) dims->dim[i] = ingot__walk_divisor(w->dim[i]);
  return true;
}

enum { MOST_ITEMS = 1 << 30 };

ingot_status ingot__walk_launch(const ingot__walk *w, ingot_status (*launch)(const ingot__walk *part, void *user), void *user) {
  int64_t n = ingot__walk_count(w);
  if (n == 0) return INGOT_OK;
  if (n <= MOST_ITEMS) return launch(w, user);
  int d = 0;
  while (w->dim[d] == 1) d++;
  ingot__walk part = *w;
  part.dim[d] = w->dim[d] / 2;
  INGOT_TRY(ingot__walk_launch(&part, launch, user));
  for (int k = 0; k < w->n; k++) part.data[k] += part.dim[d] * w->stride[k][d] * w->size[k];
  part.dim[d] = w->dim[d] - part.dim[d];
  return ingot__walk_launch(&part, launch, user);
}
