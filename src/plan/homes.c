/* Values without a buffer of their own: reshapes share their input's, the parts of a Concat are written into its buffer, the outputs of a
 * Split or Slice are read where they lie. Each needs kernels around it that take strided views. */
#include "plan/plan.h"
#include <string.h>

static const ingot__kernel *kernel_of(const ingot_engine *e, const ingot__node *n) { return e->step[n->id].kernel; }

static bool lone(const ingot__dim *dim, int from, int to) { /* all 1 */
  for (int d = from; d < to; d++)
    if (dim[d] != 1) return false;
  return true;
}

/* Whether a part of `whole` along `axis` is one run of memory. */
static bool contiguous_part(const ingot__type *whole, ingot__layout layout, int axis) {
  if (layout == INGOT__PLAIN) return lone(whole->dim, 0, axis);
  if (axis == 1) return lone(whole->dim, 0, 1) && lone(whole->dim, 2, whole->rank);
  if (axis == 0) return true;
  return lone(whole->dim, 0, 1) && lone(whole->dim, 2, axis);
}

/* A slice that the strided kernels can take: channels of pixels, or inner-stride 1. */
static bool strided_part(const ingot__type *whole, ingot__layout layout, int axis) {
  return layout == INGOT__CHANNELS_LAST ? axis == 1 : axis < whole->rank - 1 || whole->dim[axis] != 1;
}

static bool has_view(const ingot_engine *e, const ingot__value *v) {
  for (size_t u = 0; u < v->n_user; u++) {
    const ingot__node *user = v->user[u];
    for (size_t i = 0; i < user->n_out; i++)
      if (user->out[i] && e->place[user->out[i]->id].home == INGOT__HOME_VIEW && e->place[user->out[i]->id].of == v->id) return true;
  }
  return false;
}

/* All readers of v take it strided (or, when it is one run, take it at all). */
static bool readers_agree(const ingot_engine *e, const ingot__value *v, bool contiguous) {
  if (v->is_output) return false;
  for (size_t u = 0; u < v->n_user; u++)
    if (v->user[u]->graph != v->graph) return false;
  if (contiguous) return true;
  if (has_view(e, v)) return false;
  for (size_t u = 0; u < v->n_user; u++) {
    const ingot__node *user = v->user[u];
    const ingot__kernel *k = kernel_of(e, user);
    if (!k) { /* a Concat or Split without work of its own takes anything */
      if (user->op == INGOT__OP_Concat || user->op == INGOT__OP_Split || user->op == INGOT__OP_Slice) continue;
      return false;
    }
    if (k->flags & INGOT__K_STRIDED_ALL) continue;
    for (size_t i = 0; i < user->n_in; i++) {
      if (user->in[i] != v) continue;
      bool residual = i == 3 && (user->op == INGOT__OP_Conv || user->op == INGOT__OP_ConvTranspose || user->op == INGOT__OP_MatMul);
      if (!(i == 0 && (k->flags & INGOT__K_STRIDED_IN)) && !(residual && (k->flags & INGOT__K_STRIDED_OUT))) return false;
    }
  }
  return true;
}

/* Whether a run knows all shapes before it starts. Outputs whose size depends on data are known when they have run, whatever size a model
 * declares for them: what comes behind is another region, whose values have no types yet when the first is laid out. */
static bool known_shapes(const ingot__graph *graph) {
  for (const ingot__node *n = graph->first; n; n = n->next) {
    if (n->op == INGOT__OP_NonZero || n->op == INGOT__OP_NonMaxSuppression || n->op == INGOT__OP_Unique || n->op == INGOT__OP_Compress) return false;
    for (size_t i = 0; i < n->n_out; i++) {
      const ingot__value *v = n->out[i];
      if (!v) continue;
      if (v->type.rank < 0 || v->type.kind != INGOT__TENSOR) return false;
      for (int d = 0; d < v->type.rank; d++)
        if (v->type.dim[d] == INGOT__DIM_UNKNOWN) return false;
    }
  }
  return true;
}

/* Along which axis a Concat, Split or Slice works. */
static int axis_of(const ingot__node *n, int rank) {
  int64_t axis;
  if (n->op == INGOT__OP_Concat) axis = ((const ingot__attrs_Concat *)n->attrs)->axis;
  else if (n->op == INGOT__OP_Split) axis = ((const ingot__attrs_Split *)n->attrs)->axis;
  else axis = n->n_in > 3 && n->in[3] ? ingot__get_int(n->in[3]->type.dtype, n->in[3]->data, 0) : 0;
  return (int)(axis < 0 ? axis + rank : axis);
}

static void place_concat(ingot_engine *e, const ingot__node *n) {
  ingot__value *whole = n->out[0];
  if (!ingot__dtype_size(whole->type.dtype)) return; /* parts of bytes */
  int axis = axis_of(n, whole->type.rank);
  ingot__layout layout = (ingot__layout)e->place[whole->id].layout;
  bool contiguous = contiguous_part(&whole->type, layout, axis) && e->place[whole->id].home == INGOT__HOME_OWN, all = true;
  if (!contiguous && !strided_part(&whole->type, layout, axis)) return;
  for (size_t i = 0; i < n->n_in; i++) {
    ingot__value *v = n->in[i];
    bool ok = v && v->producer && v->graph == n->graph && e->place[v->id].home == INGOT__HOME_OWN && v->producer->op != INGOT__OP_Loop &&
              v->producer->op != INGOT__OP_Scan && e->place[v->id].on_device == e->place[whole->id].on_device;
    for (size_t j = 0; ok && j < n->n_in; j++) ok = j == i || n->in[j] != v;
    if (ok) {
      const ingot__kernel *k = kernel_of(e, v->producer);
      bool writes = contiguous || (k && (k->flags & (INGOT__K_STRIDED_OUT | INGOT__K_STRIDED_ALL))) ||
                    (!k && v->producer->op == INGOT__OP_Concat);
      if (v->producer->out[0] != v) writes = writes && (contiguous || (k && (k->flags & INGOT__K_STRIDED_ALL)));
      ok = writes && readers_agree(e, v, contiguous);
    }
    if (ok) e->place[v->id] = (ingot__place){.layout = (uint8_t)layout, .home = INGOT__HOME_CONCAT, .on_device = e->place[whole->id].on_device,
                                         .index = (uint16_t)i, .of = whole->id};
    else all = false;
  }
  if (all) e->step[n->id].kernel = NULL;
}

bool ingot__plan_is_run(const ingot__node *n, const ingot__type *whole, ingot__layout layout) {
  return whole->rank < 1 || contiguous_part(whole, layout, axis_of(n, whole->rank));
}

bool ingot__plan_is_simple_slice(const ingot__node *n) {
  if (n->op != INGOT__OP_Slice) return true;
  size_t count;
  if (!n->in[1] || !n->in[1]->data || !ingot__type_count(&n->in[1]->type, &count) || count != 1) return false;
  if (n->n_in > 3 && n->in[3] && !n->in[3]->data) return false;
  if (n->n_in > 4 && n->in[4] && (!n->in[4]->data || ingot__get_int(n->in[4]->type.dtype, n->in[4]->data, 0) != 1)) return false;
  return true;
}

static void place_split(ingot_engine *e, const ingot__node *n) {
  ingot__value *whole = n->in[0];
  if ((!whole->producer && !whole->is_input) || !ingot__dtype_size(whole->type.dtype)) return;
  if (whole->graph != n->graph || !ingot__plan_is_simple_slice(n)) return;
  int axis = axis_of(n, whole->type.rank);
  ingot__layout layout = (ingot__layout)e->place[whole->id].layout;
  bool contiguous = contiguous_part(&whole->type, layout, axis) && e->place[whole->id].home == INGOT__HOME_OWN;
  if (!contiguous && !strided_part(&whole->type, layout, axis)) return;
  for (size_t i = 0; i < n->n_out; i++) {
    const ingot__value *v = n->out[i];
    if (!v || e->place[v->id].home != INGOT__HOME_OWN || e->place[v->id].layout != layout || !readers_agree(e, v, contiguous)) return;
  }
  for (size_t i = 0; i < n->n_out; i++)
    e->place[n->out[i]->id] = (ingot__place){.layout = (uint8_t)layout, .home = INGOT__HOME_SLICE, .on_device = e->place[whole->id].on_device,
                                             .index = (uint16_t)i, .of = whole->id};
  e->step[n->id].kernel = NULL;
}

ingot_status ingot__plan_homes(ingot__planner *p) {
  ingot_engine *e = p->engine;
  ingot__network *net = e->network;
  for (size_t i = 0; i < net->n_node; i++) { /* views first: they need their input whole */
    const ingot__node *n = net->node[i];
    if (!n || !e->step[i].kernel || !(e->step[i].kernel->flags & INGOT__K_VIEW)) continue;
    ingot__place *place = &e->place[n->out[0]->id];
    bool inside = n->in[0]->graph == n->graph && (n->in[0]->producer || n->in[0]->is_input);
    if (inside) {
      place->home = INGOT__HOME_VIEW;
      place->of = n->in[0]->id;
      e->step[i].kernel = NULL;
      continue;
    }
    e->step[i].kernel = e->backend->find("reference"); /* of an outer graph's value or a constant: a copy */
  }
  if (!known_shapes(net->main)) return INGOT_OK;
  for (ingot__node *n = net->main->last; n; n = n->prev) /* later Concats first: the earlier ones may lie in them */
    if (n->op == INGOT__OP_Concat && e->step[n->id].kernel) place_concat(e, n);
  for (ingot__node *n = net->main->first; n; n = n->next)
    if ((n->op == INGOT__OP_Split || n->op == INGOT__OP_Slice) && e->step[n->id].kernel) place_split(e, n);
  return INGOT_OK;
}
