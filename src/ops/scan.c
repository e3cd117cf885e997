/* Scan: a body run over the slices of tensors. Inputs: states, then tensors to scan; outputs: states, then what the body's other outputs
 * make, stacked along an axis.
 *
 * Forward scans along axis 0 hand the body views of the tensors themselves; other axes are copied slice by slice. `batched` is the form of opset
 * 8: input 0 has the sequences' lengths (or is left out), everything else a batch axis first, and each element of the batch is scanned by itself
 * along its first axis. */
#include "ops/control.h"
#include "ops/ints.h"
#include "ops/move.h"

typedef struct scan {
  const ingot__attrs_Scan *a;
  const ingot__graph *body;
  size_t first;              /* the first state's input */
  size_t n_state, n_in, n_out; /* n_in tensors are scanned, n_out stacked */
} scan;

/* NULL, or what is wrong. */
static const char *read_scan(const ingot__attrs_Scan *a, size_t n_in, size_t n_out, scan *s) {
  *s = (scan){.a = a, .body = a->body, .first = a->batched ? 1 : 0};
  if (!a->body) return "the body is missing";
  if (a->num_scan_inputs < 1 || n_in < s->first || (uint64_t)a->num_scan_inputs > n_in - s->first) return "num_scan_inputs doesn't fit its inputs";
  s->n_in = (size_t)a->num_scan_inputs, s->n_state = n_in - s->first - s->n_in;
  if (n_out < s->n_state) return "it has fewer outputs than states";
  s->n_out = n_out - s->n_state;
  if (a->body->n_input != s->n_state + s->n_in || a->body->n_output != n_out) return "its inputs and outputs don't fit the body's";
  if (n_in > INGOT__MAX_BODY || n_out > INGOT__MAX_BODY) return "it has too many inputs or outputs";
  const ingot__ints *lists[] = {&a->scan_input_axes, &a->scan_input_directions, &a->scan_output_axes, &a->scan_output_directions};
  for (int i = 0; i < 4; i++)
    if (lists[i]->n && lists[i]->n != (i < 2 ? s->n_in : s->n_out)) return "a list of axes or directions has a wrong length";
  for (int i = 1; i < 4; i += 2)
    for (size_t k = 0; k < lists[i]->n; k++)
      if (lists[i]->v[k] != 0 && lists[i]->v[k] != 1) return "a direction is neither 0 nor 1";
  return NULL;
}

static int64_t at(const ingot__ints *list, size_t i) { return list->n ? list->v[i] : 0; }

/* The type without its first dim. */
static ingot_status drop_batch(ingot__infer *f, size_t i, ingot__type *t, ingot__dim *batch) {
  if (t->rank < 0) return INGOT_OK;
  if (t->rank == 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "input %zu has no batch axis", i);
  INGOT_TRY(ingot__dim_merge(f, *batch, t->dim[0], "batch", batch));
  t->rank--;
  for (int d = 0; d < t->rank; d++) t->dim[d] = t->dim[d + 1];
  return INGOT_OK;
}

static ingot_status insert_dim(ingot__infer *f, ingot__type *t, int64_t axis, ingot__dim dim) {
  int to;
  if (t->rank < 0) return INGOT_OK;
  if (t->rank == INGOT_MAX_RANK) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "an output has a rank over %d", INGOT_MAX_RANK);
  INGOT_TRY(ingot__infer_axis(f, axis, t->rank + 1, &to));
  for (int d = t->rank; d > to; d--) t->dim[d] = t->dim[d - 1];
  t->dim[to] = dim;
  t->rank++;
  return INGOT_OK;
}

ingot_status ingot__infer_Scan(ingot__infer *f) {
  scan s;
  const char *wrong = read_scan(f->attrs, f->n_in, f->n_out, &s);
  if (wrong) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "%s", wrong);
  ingot__type in[INGOT__MAX_BODY], out[INGOT__MAX_BODY];
  ingot__dim batch = INGOT__DIM_UNKNOWN, trips = INGOT__DIM_UNKNOWN;
  if (s.first && f->in[0] && f->in[0]->dtype != INGOT_INT64) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "sequence_lens must be int64");
  for (size_t i = 0; i < s.n_state + s.n_in; i++) {
    if (!f->in[s.first + i]) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input %zu is missing", s.first + i);
    in[i] = *f->in[s.first + i];
    if (s.first) INGOT_TRY(drop_batch(f, s.first + i, &in[i], &batch));
    if (i < s.n_state || in[i].rank < 0) continue;
    int axis;
    if (in[i].rank == 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "input %zu has no axis to scan", s.first + i);
    if (in[i].kind != INGOT__TENSOR || !ingot__move_size(in[i].dtype)) {
      return INGOT__FAIL_INFER(f, INGOT_E_UNSUPPORTED, "scans %s", ingot_dtype_name(in[i].dtype));
    }
    INGOT_TRY(ingot__infer_axis(f, at(&s.a->scan_input_axes, i - s.n_state), in[i].rank, &axis));
    INGOT_TRY(ingot__dim_merge(f, trips, in[i].dim[axis], "scanned axes", &trips));
    in[i].rank--;
    for (int d = axis; d < in[i].rank; d++) in[i].dim[d] = in[i].dim[d + 1];
  }
  INGOT_TRY(ingot__control_infer(f, s.body, in, out, 0, 0, s.n_state));
  for (size_t i = 0; i < f->n_out; i++) {
    f->out[i] = i < s.n_state ? in[i] : out[i];
    if (i >= s.n_state) INGOT_TRY(insert_dim(f, &f->out[i], at(&s.a->scan_output_axes, i - s.n_state), trips));
    if (s.first) INGOT_TRY(insert_dim(f, &f->out[i], 0, batch));
  }
  return INGOT_OK;
}

/* ---- Running */

static int axis_in(int64_t axis, int rank) {
  if (axis < 0) axis += rank;
  return axis < 0 || axis >= rank ? -1 : (int)axis;
}

/* Slices along an axis that isn't the first are copied: how many bytes those of scanned input i take; 0: none. */
static size_t slice_bytes(const scan *s, const ingot__view *v, size_t i) {
  int skip = s->first ? 1 : 0, axis = axis_in(at(&s->a->scan_input_axes, i), v->rank - skip);
  if (axis <= 0) return 0;
  size_t bytes = ingot__move_size(v->dtype);
  for (int d = skip; d < v->rank; d++)
    if (d != axis + skip && !ingot__mul(bytes, (size_t)v->dim[d], &bytes)) return SIZE_MAX;
  return bytes > SIZE_MAX / 2 ? SIZE_MAX : ingot__align(bytes, 64);
}

size_t ingot__workspace_Scan(const ingot__call *call) {
  scan s;
  size_t total = 0;
  if (read_scan(call->attrs, call->n_in, call->n_out, &s)) return 0;
  for (size_t i = 0; i < s.n_in; i++) {
    size_t bytes = slice_bytes(&s, &call->in[s.first + s.n_state + i], i);
    if (bytes == SIZE_MAX || !ingot__add(total, bytes, &total)) return SIZE_MAX;
  }
  return total;
}

/* Slice t of a scanned tensor along `axis`, in place or in `space`. */
static ingot__view slice_of(const ingot__view *v, int axis, int64_t t, char **space) {
  int64_t dim[INGOT_MAX_RANK], outer = 1, inner = 1;
  size_t size = ingot__move_size(v->dtype);
  ingot__view s;
  for (int d = 0, k = 0; d < v->rank; d++) {
    if (d < axis) outer *= v->dim[d];
    if (d > axis) inner *= v->dim[d];
    if (d != axis) dim[k++] = v->dim[d];
  }
  ingot__view_set(&s, v->dtype, v->rank - 1, dim, INGOT__PLAIN);
  const char *from = (const char *)v->data + (size_t)(t * inner) * size;
  s.data = (void *)(uintptr_t)from;
  if (axis == 0) return s;
  s.data = *space;
  size_t run = (size_t)inner * size;
  for (int64_t o = 0; o < outer; o++) memcpy(*space + (size_t)o * run, from + (size_t)(o * v->dim[axis]) * run, run);
  *space += ingot__align((size_t)outer * run, 64);
  return s;
}

/* What an iteration made, into output i at place t of its axis. */
static ingot_status stack(const ingot__call *call, size_t i, int64_t axis_given, int64_t t, int64_t trips, const ingot__view *value, bool first) {
  ingot__view *out = &call->out[i];
  int rank = value->rank + 1, axis = axis_in(axis_given, rank);
  int64_t dim[INGOT_MAX_RANK], outer = 1, inner = 1;
  size_t size = ingot__move_size(value->dtype);
  if (rank > INGOT_MAX_RANK || axis < 0) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "output %zu has a wrong axis or too high a rank", i);
  if (!size || !value->dense || value->layout != INGOT__PLAIN) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "output %zu can't be stacked", i);
  for (int d = 0, k = 0; d < rank; d++) {
    dim[d] = d == axis ? trips : value->dim[k++];
    if (d < axis) outer *= dim[d];
    if (d > axis) inner *= dim[d];
  }
  if (first) {
    out->dtype = value->dtype;
    INGOT_TRY(ingot__set_out(call, i, rank, dim));
  } else if (out->rank != rank || out->dtype != value->dtype || memcmp(out->dim, dim, (size_t)rank * sizeof dim[0])) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "output %zu changes its shape at iteration %lld", i, (long long)t);
  }
  size_t run = (size_t)inner * size;
  char *to = (char *)out->data + (size_t)t * run;
  for (int64_t o = 0; run && o < outer; o++) memcpy(to + (size_t)(o * trips) * run, (const char *)value->data + (size_t)o * run, run);
  return INGOT_OK;
}

/* Scans without a batch; `steps` of the `trips` places of each axis. in: states, then scanned tensors. */
static ingot_status walk(const ingot__call *call, const scan *s, const ingot__view *in, int64_t trips, int64_t steps) {
  ingot__view from[INGOT__MAX_BODY], made[INGOT__MAX_BODY];
  for (size_t i = 0; i < s->n_state; i++) INGOT_TRY(ingot__control_take(call, i, &in[i]));
  for (int64_t t = 0; t < steps; t++) {
    char *space = call->workspace;
    for (size_t i = 0; i < s->n_state; i++) from[i] = call->out[i];
    for (size_t i = 0; i < s->n_in; i++) {
      const ingot__view *v = &in[s->n_state + i];
      int64_t place = at(&s->a->scan_input_directions, i) ? steps - 1 - t : t;
      from[s->n_state + i] = slice_of(v, axis_in(at(&s->a->scan_input_axes, i), v->rank), place, &space);
    }
    INGOT_TRY(call->subgraph(call->user, (ingot__call *)call, s->body, from, s->n_state + s->n_in, made, s->body->n_output));
    for (size_t i = 0; i < s->n_out; i++) {
      if (!ingot__has_out(call, s->n_state + i)) continue;
      int64_t place = at(&s->a->scan_output_directions, i) ? steps - 1 - t : t;
      INGOT_TRY(stack(call, s->n_state + i, at(&s->a->scan_output_axes, i), place, trips, &made[s->n_state + i], t == 0));
    }
    INGOT_TRY(ingot__control_carry(call, s->n_state, made));
  }
  return INGOT_OK;
}

/* Nothing was scanned: outputs that are there are empty, those whose dims aren't known have them from the body. */
static ingot_status empty_outputs(const ingot__call *call, const scan *s) {
  for (size_t i = s->n_state; i < call->n_out; i++) {
    const ingot__type *t = &s->body->output[i]->type;
    int rank = t->rank < 0 ? 0 : t->rank, axis = axis_in(at(&s->a->scan_output_axes, i - s->n_state), rank + 1);
    int64_t dim[INGOT_MAX_RANK];
    if (!ingot__has_out(call, i) || call->out[i].data || rank == INGOT_MAX_RANK || !call->resize) continue;
    for (int d = 0, k = 0; d <= rank; d++) dim[d] = d == axis ? 0 : t->dim[k] > 0 ? t->dim[k++] : (k++, 0);
    call->out[i].dtype = t->dtype;
    INGOT_TRY(ingot__set_out(call, i, rank + 1, dim));
  }
  return INGOT_OK;
}

/* The part of a tensor that belongs to element n of the batch. */
static ingot__view part_of(const ingot__view *v, int64_t n) {
  ingot__view part;
  if (v->dtype == INGOT_UNDEFINED) return *v;
  ingot__view_set(&part, v->dtype, v->rank - 1, v->dim + 1, INGOT__PLAIN);
  part.data = (char *)v->data + (size_t)(n * ingot__view_count(&part)) * ingot__move_size(v->dtype);
  return part;
}

static ingot_status walk_batch(const ingot__call *call, const scan *s, int64_t trips) {
  ingot__view in[INGOT__MAX_BODY], out[INGOT__MAX_BODY];
  int64_t batch = call->in[1].rank ? call->in[1].dim[0] : 0;
  for (size_t i = 0; i < call->n_out; i++) {
    const ingot__view *o = &call->out[i];
    if (!ingot__has_out(call, i)) continue;
    if (!o->data && ingot__view_count(o)) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "the shape of output %zu isn't known before it runs", i);
    if (o->rank == 0 || o->dim[0] != batch) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "output %zu hasn't the batch's size", i);
    if (i >= s->n_state && ingot__view_count(o)) memset(o->data, 0, ingot__control_bytes(o));
  }
  for (int64_t n = 0; n < batch; n++) {
    int64_t steps = ingot__has_in(call, 0) ? ((const int64_t *)call->in[0].data)[n] : trips;
    if (steps < 0 || steps > trips) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "sequence %lld has length %lld", (long long)n, (long long)steps);
    ingot__call one = *call;
    for (size_t i = 0; i < s->n_state + s->n_in; i++) in[i] = part_of(&call->in[1 + i], n);
    for (size_t i = 0; i < call->n_out; i++) out[i] = part_of(&call->out[i], n);
    one.out = out, one.resize = NULL;
    INGOT_TRY(walk(&one, s, in, trips, steps));
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Scan(const ingot__call *call) {
  scan s;
  const char *wrong = read_scan(call->attrs, call->n_in, call->n_out, &s);
  int64_t trips = -1;
  if (wrong) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "%s", wrong);
  size_t need = ingot__workspace_Scan(call);
  for (size_t i = 0; i < s.n_in; i++) {
    const ingot__view *v = &call->in[s.first + s.n_state + i];
    int skip = s.first ? 1 : 0, axis = axis_in(at(&s.a->scan_input_axes, i), v->rank - skip);
    if (axis < 0 || (trips >= 0 && v->dim[axis + skip] != trips)) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the scanned axes differ in length");
    trips = v->dim[axis + skip];
  }
  if (need > call->workspace_size) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "the workspace is too small");
  if (s.first) {
    if (ingot__has_in(call, 0) && (call->in[0].rank != 1 || call->in[0].dim[0] != call->in[1].dim[0])) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "sequence_lens doesn't fit the batch");
    }
    return walk_batch(call, &s, trips);
  }
  INGOT_TRY(walk(call, &s, call->in, trips, trips));
  return trips == 0 ? empty_outputs(call, &s) : INGOT_OK;
}
