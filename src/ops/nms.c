/* NonMaxSuppression: greedy, each batch element and class on its own. */
#include "ops/ints.h"
#include "ops/move.h"

ingot_status ingot__infer_NonMaxSuppression(ingot__infer *f) {
  bool unknown = false;
  static const char *const names[] = {"boxes", "scores"};
  for (size_t i = 0; i < 2; i++) {
    if (!ingot__infer_has(f, i)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "%s are missing", names[i]);
    ingot_dtype dtype = f->in[i]->dtype;
    if (dtype != INGOT_FLOAT32) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "%s are %s, not float32", names[i], ingot_dtype_name(dtype));
    INGOT_TRY(ingot__infer_rank(f, i, 3, 3, &unknown));
  }
  f->out[0] = (ingot__type){.dtype = INGOT_INT64, .rank = 2, .dim = {INGOT__DIM_UNKNOWN, 3}};
  if (f->in[0]->rank < 0 || f->in[1]->rank < 0) return INGOT_OK;
  ingot__dim d;
  INGOT_TRY(ingot__dim_merge(f, f->in[0]->dim[0], f->in[1]->dim[0], "boxes and scores", &d));
  INGOT_TRY(ingot__dim_merge(f, f->in[0]->dim[1], f->in[1]->dim[2], "boxes and scores", &d));
  return ingot__dim_merge(f, f->in[0]->dim[2], 4, "boxes", &d);
}

typedef struct candidate { float score; int32_t box; } candidate;
typedef struct corners { float y0, x0, y1, x1, area; } corners;

size_t ingot__workspace_NonMaxSuppression(const ingot__call *call) {
  size_t n = call->in[0].rank == 3 ? (size_t)call->in[0].dim[1] : 0, bytes;
  return ingot__mul(n, 2 * sizeof(candidate) + sizeof(corners), &bytes) ? bytes : SIZE_MAX;
}

/* Best first; equal scores by index. Bottom-up merge sort; returns where the result is. */
static candidate *sort(candidate *a, candidate *b, size_t n) {
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t i = 0; i < n; i += 2 * width) {
      size_t middle = i + width < n ? i + width : n, end = i + 2 * width < n ? i + 2 * width : n, l = i, r = middle;
      for (size_t k = i; k < end; k++) b[k] = l < middle && (r >= end || a[l].score >= a[r].score) ? a[l++] : a[r++];
    }
    candidate *t = a;
    a = b, b = t;
  }
  return a;
}

static corners corners_of(const float *box, bool center) {
  corners c;
  if (center) { /* x, y, width, height */
    c = (corners){box[1] - box[3] / 2, box[0] - box[2] / 2, box[1] + box[3] / 2, box[0] + box[2] / 2, 0};
  } else { /* two opposite corners, in any order */
    c = (corners){box[0] < box[2] ? box[0] : box[2], box[1] < box[3] ? box[1] : box[3], box[0] < box[2] ? box[2] : box[0],
                  box[1] < box[3] ? box[3] : box[1], 0};
  }
  c.area = (c.y1 - c.y0) * (c.x1 - c.x0);
  return c;
}

static bool overlap(const corners *a, const corners *b, float threshold) {
  float y0 = a->y0 > b->y0 ? a->y0 : b->y0, x0 = a->x0 > b->x0 ? a->x0 : b->x0;
  float y1 = a->y1 < b->y1 ? a->y1 : b->y1, x1 = a->x1 < b->x1 ? a->x1 : b->x1;
  if (y1 <= y0 || x1 <= x0) return false;
  float both = (y1 - y0) * (x1 - x0);
  float either = a->area + b->area - both;
  return a->area > 0 && b->area > 0 && either > 0 && both / either > threshold;
}

static float number_at(const ingot__call *call, size_t i, float missing) {
  return ingot__has_in(call, i) && ingot__view_count(&call->in[i]) ? (float)ingot__get_double(call->in[i].dtype, call->in[i].data, 0) : missing;
}

typedef struct task {
  const ingot__call *call;
  candidate *list, *spare;
  corners *kept;
  int64_t limit;
  float overlap, score;
  bool has_score;
} task;

/* Selects for one batch element and class; kept box indices to `to` (three numbers each) where it isn't NULL. Returns how many. */
static size_t select_boxes(const task *t, size_t batch, size_t class, int64_t *to) {
  const ingot__view *boxes = &t->call->in[0], *scores = &t->call->in[1];
  size_t n = (size_t)boxes->dim[1], count = 0, kept = 0;
  const float *score = (const float *)scores->data + (batch * (size_t)scores->dim[1] + class) * n;
  const float *box = (const float *)boxes->data + batch * n * 4;
  bool center = INGOT__ATTRS(t->call, NonMaxSuppression)->center_point_box != 0;
  for (size_t i = 0; i < n; i++)
    if (!t->has_score || score[i] > t->score) t->list[count++] = (candidate){score[i], (int32_t)i};
  const candidate *list = sort(t->list, t->spare, count);
  for (size_t i = 0; i < count && (int64_t)kept < t->limit; i++) {
    corners c = corners_of(box + 4 * (size_t)list[i].box, center);
    bool free = true;
    for (size_t k = 0; k < kept && free; k++) free = !overlap(&c, &t->kept[k], t->overlap);
    if (!free) continue;
    if (to) to[3 * kept] = (int64_t)batch, to[3 * kept + 1] = (int64_t)class, to[3 * kept + 2] = list[i].box;
    t->kept[kept++] = c;
  }
  return kept;
}

ingot_status ingot__ref_NonMaxSuppression(const ingot__call *call) {
  const ingot__view *boxes = &call->in[0], *scores = &call->in[1];
  size_t n = (size_t)boxes->dim[1], total = 0;
  if (boxes->dim[1] > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "%zu boxes are too many", n);
  if (call->workspace_size < ingot__workspace_NonMaxSuppression(call)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "the workspace is too small");
  task t = {.call = call, .list = call->workspace, .overlap = number_at(call, 3, 0), .score = number_at(call, 4, 0)};
  t.spare = t.list + n;
  t.kept = (corners *)(t.spare + n);
  t.has_score = ingot__has_in(call, 4);
  t.limit = ingot__has_in(call, 2) && ingot__view_count(&call->in[2]) ? ingot__get_int(call->in[2].dtype, call->in[2].data, 0) : 0;
  /* Twice: the first time only counts, as the output has no memory yet. */
  for (size_t b = 0; b < (size_t)scores->dim[0]; b++)
    for (size_t c = 0; c < (size_t)scores->dim[1]; c++) total += select_boxes(&t, b, c, NULL);
  INGOT_TRY(ingot__set_out(call, 0, 2, (int64_t[]){(int64_t)total, 3}));
  int64_t *to = call->out[0].data;
  for (size_t b = 0; total && b < (size_t)scores->dim[0]; b++)
    for (size_t c = 0; c < (size_t)scores->dim[1]; c++) to += 3 * select_boxes(&t, b, c, to);
  return INGOT_OK;
}
