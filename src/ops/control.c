/* If and Loop (Scan is in scan.c): their subgraphs are run through call->subgraph.
 *
 * Loop keeps its carried values in its own outputs: before each iteration they are the body's inputs, after it the body's outputs are copied
 * there. Scan outputs grow as iterations need them. */
#include "ops/control.h"
#include "ops/objects.h"

static bool same_type(const ingot__type *a, const ingot__type *b) {
  if (a->dtype != b->dtype || a->kind != b->kind || a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i]) return false;
  return true;
}

/* ---- If */

ingot_status ingot__infer_If(ingot__infer *f) {
  const ingot__attrs_If *a = f->attrs;
  if (!ingot__infer_has(f, 0) || f->in[0]->dtype != INGOT_BOOL) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the condition must be a bool");
  if (!a->then_branch || !a->else_branch) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "then_branch and else_branch are needed");
  if (a->then_branch->n_output != f->n_out || a->else_branch->n_output != f->n_out) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "the branches have %zu and %zu outputs for %zu", a->then_branch->n_output, a->else_branch->n_output,
                             f->n_out);
  }
  size_t n;
  int64_t condition;
  if (ingot__type_count(f->in[0], &n) && n != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the condition has %zu elements", n);
  if (ingot__ints_number(f, 0, 0, &condition)) {
    return f->subgraph(f, condition ? a->then_branch : a->else_branch, NULL, 0, f->out, f->n_out);
  }
  ingot__type *other = INGOT_NEW_ARRAY(f->arena, f->n_out, ingot__type);
  if (!other) return ingot__no_memory(f->diag);
  /* Models hold branches for shapes that they don't get here (exported `if x.dim() == 3`): one that can't be inferred is an error when it
   * runs, not before. */
  ingot__diag *diag = f->diag;
  f->diag = NULL;
  ingot_status then = f->subgraph(f, a->then_branch, NULL, 0, f->out, f->n_out);
  ingot_status otherwise = f->subgraph(f, a->else_branch, NULL, 0, other, f->n_out);
  f->diag = diag;
  if (then == INGOT_E_MEMORY || otherwise == INGOT_E_MEMORY) return ingot__no_memory(diag);
  if (then != INGOT_OK && otherwise != INGOT_OK) return f->subgraph(f, a->then_branch, NULL, 0, f->out, f->n_out);
  if (otherwise != INGOT_OK) return INGOT_OK;
  for (size_t i = 0; i < f->n_out; i++) {
    if (then != INGOT_OK || f->out[i].dtype == INGOT_UNDEFINED) {
      f->out[i] = other[i];
      if (then == INGOT_OK) f->out[i].rank = -1;
      continue;
    }
    if (other[i].dtype == INGOT_UNDEFINED) {
      f->out[i].rank = -1;
      continue;
    }
    if (f->out[i].dtype != other[i].dtype || f->out[i].kind != other[i].kind) {
      return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "output %zu is %s in one branch and %s in the other", i, ingot_dtype_name(f->out[i].dtype),
                               ingot_dtype_name(other[i].dtype));
    }
    ingot__type_meet(&f->out[i], &other[i]);
  }
  return INGOT_OK;
}

static bool true_at(const ingot__view *v) { return *(const uint8_t *)v->data != 0; }

size_t ingot__control_bytes(const ingot__view *v) {
  if (!ingot__is_tensor(v)) return sizeof(ingot__object *);
  size_t n = (size_t)ingot__view_count(v), bytes = 0;
  return ingot__dtype_bytes(v->dtype, n, &bytes) ? bytes : 0;
}

ingot_status ingot__control_take(const ingot__call *call, size_t i, const ingot__view *from) {
  if (!ingot__is_tensor(from)) {
    if (!ingot__has_out(call, i)) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "output %zu has no name, but the loop needs it", i);
    return ingot__out_object(call, i, ingot__view_to_object(call, from));
  }
  if (!from->dense || from->layout != INGOT__PLAIN) {
    return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a subgraph's output isn't dense and plain");
  }
  call->out[i].dtype = from->dtype;
  INGOT_TRY(ingot__set_out(call, i, from->rank, from->dim));
  size_t bytes = ingot__control_bytes(from);
  if (bytes && !call->out[i].data) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "output %zu has no name, but the loop needs it", i);
  if (bytes && call->out[i].data != from->data) memmove(call->out[i].data, from->data, bytes);
  return INGOT_OK;
}

ingot_status ingot__ref_If(const ingot__call *call) {
  const ingot__attrs_If *a = INGOT__ATTRS(call, If);
  enum { AT_ONCE = 32 };
  ingot__view result[AT_ONCE];
  if (call->n_out > AT_ONCE) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has more than %d outputs", AT_ONCE);
  if (ingot__view_count(&call->in[0]) != 1) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the condition must be one element");
  INGOT_TRY(call->subgraph(call->user, (ingot__call *)call, true_at(&call->in[0]) ? a->then_branch : a->else_branch, NULL, 0, result, call->n_out));
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i)) INGOT_TRY(ingot__control_take(call, i, &result[i]));
  return INGOT_OK;
}

/* ---- Loop: M, condition, carried values -> carried values, scan outputs. The body: iteration, condition, carried -> condition, carried,
 * scanned. */

/* Whether the body's condition stays true: its output is a true constant or the condition that it was given. */
static bool always_on(const ingot__graph *body) {
  const ingot__value *v = body->output[0];
  while (v->producer && v->producer->op == INGOT__OP_Identity && v->producer->in[0]) v = v->producer->in[0];
  if (v->data) return v->type.dtype == INGOT_BOOL && *(const uint8_t *)v->data;
  return v == body->input[1];
}

static ingot_status check_loop(ingot__infer *f, const ingot__graph *body, size_t *carried, size_t *scanned) {
  if (!body) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "the body is missing");
  *carried = f->n_in - 2;
  if (f->n_in < 2 || body->n_input != *carried + 2 || f->n_out < *carried || body->n_output != f->n_out + 1) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "%zu inputs and %zu outputs don't fit a body with %zu and %zu", f->n_in, f->n_out, body->n_input,
                             body->n_output);
  }
  *scanned = f->n_out - *carried;
  if (body->n_input > INGOT__MAX_BODY || body->n_output > INGOT__MAX_BODY) {
    return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "has more than %d values", INGOT__MAX_BODY - 2);
  }
  if (ingot__infer_has(f, 0) && f->in[0]->dtype != INGOT_INT64) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the trip count must be int64");
  if (ingot__infer_has(f, 1) && f->in[1]->dtype != INGOT_BOOL) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the condition must be a bool");
  for (size_t i = 0; i < *carried; i++)
    if (!f->in[i + 2]) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "carried value %zu is missing", i);
  return INGOT_OK;
}

/* At most each dim and then the rank change once, so this ends. */
ingot_status ingot__control_infer(ingot__infer *f, const ingot__graph *body, ingot__type *in, ingot__type *out, size_t first, size_t out_first,
                                  size_t n) {
  for (bool changed = true; changed;) {
    INGOT_TRY(f->subgraph(f, body, in, body->n_input, out, body->n_output));
    changed = false;
    for (size_t i = 0; i < n; i++) {
      ingot__type *was = &in[first + i], now = *was;
      const ingot__type *made = &out[out_first + i];
      if (made->dtype != was->dtype && made->dtype != INGOT_UNDEFINED) {
        return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "carried value %zu is %s before and %s after an iteration", i, ingot_dtype_name(was->dtype),
                                 ingot_dtype_name(made->dtype));
      }
      /* An optional sequence may become a sequence for good. */
      if (made->dtype != INGOT_UNDEFINED && made->kind != was->kind && (was->kind != INGOT__OPTIONAL_SEQUENCE || made->kind != INGOT__SEQUENCE))
        return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "carried value %zu is of another kind after an iteration", i);
      ingot__type_meet(&now, made);
      changed = changed || !same_type(was, &now);
      *was = now;
    }
  }
  return INGOT_OK;
}

ingot_status ingot__infer_Loop(ingot__infer *f) {
  const ingot__graph *body = ((const ingot__attrs_Loop *)f->attrs)->body;
  size_t carried = 0, scanned = 0;
  INGOT_TRY(check_loop(f, body, &carried, &scanned));
  ingot__type in[INGOT__MAX_BODY], out[INGOT__MAX_BODY];
  in[0] = (ingot__type){.dtype = INGOT_INT64};
  in[1] = (ingot__type){.dtype = INGOT_BOOL};
  for (size_t i = 0; i < carried; i++) in[i + 2] = *f->in[i + 2];
  INGOT_TRY(ingot__control_infer(f, body, in, out, 2, 1, carried));
  for (size_t i = 0; i < carried; i++) {
    f->out[i] = in[i + 2];
    if (out[i + 1].dtype != INGOT_UNDEFINED) f->out[i].kind = out[i + 1].kind;
  }
  int64_t on = 1, number;
  ingot__dim trips = INGOT__DIM_UNKNOWN;
  if (ingot__infer_has(f, 0) && always_on(body) && (!ingot__infer_has(f, 1) || ingot__ints_number(f, 1, 0, &on))) {
    trips = on ? ingot__ints_get(f, 0, 0) : 0;
    if (ingot__element_number(f, trips, &number) && number < 0) trips = 0;
  }
  for (size_t i = 0; i < scanned; i++) {
    const ingot__type *t = &out[carried + 1 + i];
    ingot__type *s = &f->out[carried + i];
    *s = *t;
    if (t->kind != INGOT__TENSOR) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "scan output %zu is no tensor", i);
    if (t->rank < 0) continue;
    if (t->rank == INGOT_MAX_RANK) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "scan output %zu has a rank over %d", i, INGOT_MAX_RANK);
    s->rank = (int8_t)(t->rank + 1);
    s->dim[0] = trips;
    for (int d = 0; d < t->rank; d++) s->dim[d + 1] = t->dim[d];
  }
  return INGOT_OK;
}

/* Appends iteration t's value to scan output i, which has room for *room of them. */
static ingot_status append(const ingot__call *call, size_t i, int64_t t, int64_t trips, const ingot__view *value, int64_t *room) {
  ingot__view *out = &call->out[i];
  if (!ingot__is_tensor(value)) return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "scan output %zu is no tensor", i);
  if (!value->dense || value->layout != INGOT__PLAIN) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a subgraph's output isn't dense and plain");
  if (t > 0) {
    bool same = out->rank == value->rank + 1 && out->dtype == value->dtype;
    for (int d = 0; same && d < value->rank; d++) same = out->dim[d + 1] == value->dim[d];
    if (!same) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "scan output %zu changes its shape at iteration %lld", i, (long long)t);
  }
  if (t >= *room) {
    int64_t dim[INGOT_MAX_RANK];
    if (value->rank + 1 > INGOT_MAX_RANK) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "scan output %zu has a rank over %d", i, INGOT_MAX_RANK);
    *room = t == 0 ? (trips < 16 ? trips : 16) : *room < trips / 2 ? *room * 2 : trips;
    if (out->dtype == value->dtype && out->data && out->rank == value->rank + 1 && out->dim[0] == trips) *room = trips; /* planned so */
    dim[0] = *room;
    for (int d = 0; d < value->rank; d++) dim[d + 1] = value->dim[d];
    out->dtype = value->dtype;
    INGOT_TRY(ingot__set_out(call, i, value->rank + 1, dim));
  }
  size_t bytes = ingot__control_bytes(value);
  if (bytes) memcpy((char *)out->data + (size_t)t * bytes, value->data, bytes);
  return INGOT_OK;
}

/* Carried value first takes the memory of the one it comes from, that one of the next, round to first: byte by byte, no memory needed. */
static ingot_status rotate(const ingot__call *call, size_t first, const size_t *source, bool *done) {
  size_t bytes = ingot__control_bytes(&call->out[first]);
  for (size_t i = source[first]; i != first; i = source[i]) {
    if (ingot__control_bytes(&call->out[i]) != bytes) {
      return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "carried values of different sizes change places");
    }
  }
  for (size_t b = 0; b < bytes; b++) {
    char held = ((char *)call->out[first].data)[b];
    size_t i = first;
    for (; source[i] != first; i = source[i]) ((char *)call->out[i].data)[b] = ((char *)call->out[source[i]].data)[b];
    ((char *)call->out[i].data)[b] = held;
  }
  ingot__view held = call->out[first];
  size_t i = first;
  for (;; i = source[i]) { /* dims go with the elements, memory stays */
    ingot__view *to = &call->out[i], from = source[i] == first ? held : call->out[source[i]];
    done[i] = true;
    if (from.dtype != to->dtype || from.rank != to->rank || memcmp(from.dim, to->dim, from.rank * sizeof from.dim[0])) {
      return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "carried values of different shapes change places");
    }
    if (source[i] == first) return INGOT_OK;
  }
}

ingot_status ingot__control_carry(const ingot__call *call, size_t n, const ingot__view *from) {
  size_t source[INGOT__MAX_BODY]; /* the carried value that one comes from; n: none */
  bool done[INGOT__MAX_BODY] = {0};
  for (size_t i = 0; i < n; i++) {
    source[i] = n;
    for (size_t k = 0; k < n; k++)
      if (from[i].data && ingot__control_bytes(&from[i]) && from[i].data == call->out[k].data) source[i] = k;
    done[i] = source[i] == i;
  }
  for (size_t left = n; left; left--) {
    size_t ready = n, any = n;
    for (size_t i = 0; i < n && ready == n; i++) {
      if (done[i]) continue;
      any = i;
      bool needed = false;
      for (size_t k = 0; k < n; k++) needed = needed || (!done[k] && k != i && source[k] == i);
      if (!needed) ready = i;
    }
    if (any == n) return INGOT_OK;
    if (ready == n) {
      INGOT_TRY(rotate(call, any, source, done));
    } else {
      INGOT_TRY(ingot__control_take(call, ready, &from[ready]));
      done[ready] = true;
    }
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Loop(const ingot__call *call) {
  const ingot__graph *body = INGOT__ATTRS(call, Loop)->body;
  size_t carried = call->n_in - 2, scanned = call->n_out - carried;
  int64_t trips = INT64_MAX, t = 0, room[INGOT__MAX_BODY] = {0};
  uint8_t on = 1;
  if (ingot__has_in(call, 0)) trips = ingot__get_int(call->in[0].dtype, call->in[0].data, 0);
  if (ingot__has_in(call, 1)) on = true_at(&call->in[1]);
  for (size_t i = 0; i < carried; i++) INGOT_TRY(ingot__control_take(call, i, &call->in[i + 2]));
  ingot__view in[INGOT__MAX_BODY], out[INGOT__MAX_BODY];
  for (; t < trips && on; t++) {
    ingot__view_set(&in[0], INGOT_INT64, 0, NULL, INGOT__PLAIN);
    ingot__view_set(&in[1], INGOT_BOOL, 0, NULL, INGOT__PLAIN);
    in[0].data = &t, in[1].data = &on;
    for (size_t i = 0; i < carried; i++) in[i + 2] = call->out[i];
    INGOT_TRY(call->subgraph(call->user, (ingot__call *)call, body, in, carried + 2, out, body->n_output));
    if (ingot__view_count(&out[0]) != 1 || out[0].dtype != INGOT_BOOL) {
      return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "the body's condition isn't a bool");
    }
    uint8_t next = true_at(&out[0]);
    for (size_t i = 0; i < scanned; i++)
      if (ingot__has_out(call, carried + i)) INGOT_TRY(append(call, carried + i, t, trips, &out[carried + 1 + i], &room[i]));
    INGOT_TRY(ingot__control_carry(call, carried, out + 1));
    on = next;
  }
  for (size_t i = carried; i < call->n_out; i++) {
    if (!ingot__has_out(call, i)) continue;
    ingot__view *o = &call->out[i];
    int64_t dim[INGOT_MAX_RANK] = {0};
    int rank = o->rank;
    if (t == 0) { /* nothing was scanned: an empty tensor of what is known about its shape */
      const ingot__value *v = body->output[i + 1];
      rank = v->type.rank >= 0 && v->type.rank < INGOT_MAX_RANK ? v->type.rank + 1 : 1;
      for (int d = 1; d < rank; d++) dim[d] = v->type.dim[d - 1] > 0 ? v->type.dim[d - 1] : 0;
      o->dtype = v->type.dtype;
    } else {
      for (int d = 1; d < rank; d++) dim[d] = o->dim[d];
    }
    dim[0] = t;
    INGOT_TRY(ingot__set_out(call, i, rank, dim));
  }
  return INGOT_OK;
}
