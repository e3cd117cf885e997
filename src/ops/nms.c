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

/* Candidates and kept boxes of one class, and the indices selected in all classes. */
size_t ingot__workspace_NonMaxSuppression(const ingot__call *call) {
  const ingot__view *boxes = &call->in[0], *scores = &call->in[1];
  size_t n = boxes->rank == 3 ? (size_t)boxes->dim[1] : 0, bytes, chosen;
  if (!ingot__mul(n, sizeof(candidate) + sizeof(corners), &bytes) || scores->rank != 3) return SIZE_MAX;
  if (!ingot__mul((size_t)scores->dim[0], (size_t)scores->dim[1], &chosen) || !ingot__mul(chosen, n, &chosen)) return SIZE_MAX;
  return ingot__mul(chosen, sizeof(int32_t), &chosen) && ingot__add(bytes, chosen, &bytes) ? bytes : SIZE_MAX;
}

/* A heap, best first; equal scores by index. Most candidates are never asked for. */
static bool better(candidate a, candidate b) { return a.score > b.score || (a.score == b.score && a.box < b.box); }
static void sink(candidate *heap, size_t n, size_t at) {
  candidate c = heap[at];
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && better(heap[child + 1], heap[child])) child++;
    if (!better(heap[child], c)) break;
    heap[at] = heap[child];
  }
  heap[at] = c;
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
  candidate *heap;
  corners *kept;
  int64_t limit;
  float overlap, score;
  bool has_score;
} task;

/* Selects for one batch element and class, the boxes' indices to `to`. Returns how many. */
static size_t select_boxes(const task *t, size_t batch, size_t class, int32_t *to) {
  const ingot__view *boxes = &t->call->in[0], *scores = &t->call->in[1];
  size_t n = (size_t)boxes->dim[1], count = 0, kept = 0;
  const float *score = (const float *)scores->data + (batch * (size_t)scores->dim[1] + class) * n;
  const float *box = (const float *)boxes->data + batch * n * 4;
  bool center = INGOT__ATTRS(t->call, NonMaxSuppression)->center_point_box != 0;
  for (size_t i = 0; i < n; i++) {
    t->heap[count] = (candidate){score[i], (int32_t)i};
    count += !t->has_score || score[i] > t->score;
  }
  for (size_t i = count / 2; i-- > 0;) sink(t->heap, count, i);
  while (count > 0 && (int64_t)kept < t->limit) {
    int32_t best = t->heap[0].box;
    t->heap[0] = t->heap[--count];
    if (count) sink(t->heap, count, 0);
    corners c = corners_of(box + 4 * (size_t)best, center);
    bool free = true;
    for (size_t k = 0; k < kept && free; k++) free = !overlap(&c, &t->kept[k], t->overlap);
    if (!free) continue;
    to[kept] = best;
    t->kept[kept++] = c;
  }
  return kept;
}

ingot_status ingot__ref_NonMaxSuppression(const ingot__call *call) {
  const ingot__view *boxes = &call->in[0], *scores = &call->in[1];
  size_t n = (size_t)boxes->dim[1], classes = (size_t)scores->dim[1], pairs = (size_t)scores->dim[0] * classes, total = 0;
  if (boxes->dim[1] > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "%zu boxes are too many", n);
  if (call->workspace_size < ingot__workspace_NonMaxSuppression(call)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "the workspace is too small");
  task t = {.call = call, .heap = call->workspace, .overlap = number_at(call, 3, 0), .score = number_at(call, 4, 0)};
  t.kept = (corners *)(t.heap + n);
  t.has_score = ingot__has_in(call, 4);
  t.limit = ingot__has_in(call, 2) && ingot__view_count(&call->in[2]) ? ingot__get_int(call->in[2].dtype, call->in[2].data, 0) : 0;
  if (t.limit > (int64_t)n) t.limit = (int64_t)n;
  int32_t *chosen = (int32_t *)(t.kept + n);
  for (size_t p = 0; n && p < pairs; p++) { /* a class's end in its n places is marked where it isn't full */
    size_t kept = select_boxes(&t, p / classes, p % classes, chosen + p * n);
    if (kept < n) chosen[p * n + kept] = -1;
    total += kept;
  }
  INGOT_TRY(ingot__set_out(call, 0, 2, (int64_t[]){(int64_t)total, 3}));
  int64_t *to = call->out[0].data;
  for (size_t p = 0; total && p < pairs; p++)
    for (size_t k = 0; k < n && chosen[p * n + k] >= 0; k++, to += 3)
      to[0] = (int64_t)(p / classes), to[1] = (int64_t)(p % classes), to[2] = chosen[p * n + k];
  return INGOT_OK;
}
