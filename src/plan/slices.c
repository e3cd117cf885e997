/* What it costs that a kernel doesn't take slices of larger buffers (homes.c): a value that could have been written into a Concat's buffer, or read
 * where a Split's whole lies, is copied then. Kernels are chosen before values have their places, so this is what the copies will be if all else
 * agrees. */
#include "plan/plan.h"

/* Bytes read and written a second, and what one copy takes beside that. */
#define HOST_RATE 15e9
#define HOST_START 1e-6
#define DEVICE_RATE 3e12
#define DEVICE_START 1.5e-6

double ingot__plan_copy_seconds(const ingot__planner *p, const ingot__value *v) {
  ingot__view view;
  size_t bytes;
  const bool device = p->engine->backend->device != NULL;
  if (!ingot__plan_view(p->engine, v, INGOT__PLAIN, &view) || !ingot__dtype_bytes(view.dtype, (size_t)ingot__view_count(&view), &bytes)) return 1e-3;
  return device ? DEVICE_START + (double)bytes * 2 / DEVICE_RATE : HOST_START + (double)bytes * 2 / HOST_RATE;
}

static ingot__layout layout_of(const ingot__value *v, ingot__layout layout) { return v->type.rank >= 3 ? layout : INGOT__PLAIN; }

/* Whether another reader of v than n is a Concat into which v goes by strides. */
static bool goes_into_concat(const ingot__value *v, const ingot__node *n, ingot__layout layout) {
  for (size_t u = 0; u < v->n_user; u++) {
    const ingot__node *user = v->user[u];
    if (user == n || user->op != INGOT__OP_Concat || user->graph != v->graph || user->n_in < 2) continue;
    if (!ingot__plan_is_run(user, &user->out[0]->type, layout_of(v, layout))) return true;
  }
  return false;
}

static bool is_part(const ingot__value *v, ingot__layout layout) {
  const ingot__node *n = v->producer;
  if (!n || (n->op != INGOT__OP_Split && n->op != INGOT__OP_Slice) || !n->in[0] || n->in[0]->graph != n->graph) return false;
  return ingot__plan_is_simple_slice(n) && !ingot__plan_is_run(n, &n->in[0]->type, layout_of(v, layout));
}

double ingot__plan_slice_seconds(const ingot__planner *p, const ingot__node *n, const ingot__kernel *kernel, ingot__layout from, ingot__layout to) {
  const ingot__value *in = n->n_in ? n->in[0] : NULL, *out = n->n_out ? n->out[0] : NULL;
  double seconds = 0;
  if (kernel->flags & (INGOT__K_STRIDED_ALL | INGOT__K_VIEW)) return 0;
  if (n->op == INGOT__OP_Concat || n->op == INGOT__OP_Split || n->op == INGOT__OP_Slice) return 0; /* they are the copies */
  if (out && !out->is_output && !(kernel->flags & INGOT__K_STRIDED_OUT) && goes_into_concat(out, n, to)) seconds += ingot__plan_copy_seconds(p, out);
  if (!in || !in->producer || in->graph != n->graph || in->is_output || kernel->flags & INGOT__K_STRIDED_IN) return seconds;
  return seconds + (is_part(in, from) || goes_into_concat(in, n, from) ? ingot__plan_copy_seconds(p, in) : 0);
}
