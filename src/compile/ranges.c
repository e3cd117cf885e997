/* What leaves float16's range: values that come near its end in a run on random inputs are remembered by name. Layers that read or make them stay in
 * float32 (passes/narrow_floats.c). */
#include "compile/measure.h"
#include "base/floats.h"

#define LARGEST (65504.0f / 4)   /* magnitude that is taken for too large: other inputs may give four times of it */

typedef struct meter {
  ingot__probe *probe;
  float *largest;                /* by value id: the finite magnitude; -1: not met */
} meter;

static ingot_status measure(meter *m, const ingot__value *v, const ingot__view *view) {
  if (!v || !v->producer || !ingot__is_tensor(view) || view->dtype != INGOT_FLOAT32 || !view->data) return INGOT_OK;
  ingot__view plain;
  ingot__buffer copy = {0};
  INGOT_TRY(ingot__probe_plain(m->probe, view, &plain, &copy));
  float largest = ingot__floats_largest(plain.data, (size_t)ingot__view_count(view));
  if (largest > m->largest[v->id]) m->largest[v->id] = largest;
  ingot__free(&m->probe->context->heap, copy.data, copy.size);
  return INGOT_OK;
}

/* Outputs after a step; before it, inputs that no step has made: parts and other shapes of what did, and what was put together in place. */
static ingot_status watch(void *user, ingot__run_step *run, bool after, ingot__diag *diag) {
  meter *m = user;
  const ingot__node *n = run->node;
  if (!ingot__progressed(&m->probe->build->config->progress, "measuring ranges", n->id, m->probe->engine->network->n_node + 1))
    return ingot__fail(diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  if (n->graph->outer) return INGOT_OK; /* never narrow */
  for (size_t i = 0; after && i < run->call.n_out; i++) INGOT_TRY(measure(m, n->out[i], &run->call.out[i]));
  for (size_t i = 0; !after && i < run->call.n_in; i++)
    if (n->in[i] && m->largest[n->in[i]->id] < 0) INGOT_TRY(measure(m, n->in[i], &run->call.in[i]));
  return INGOT_OK;
}

/* Views that no step reads, such as outputs of the network in another layout. */
static void views_too(meter *m) {
  const ingot_engine *e = m->probe->engine;
  for (size_t i = 0; i < e->network->n_value; i++) {
    size_t of = i;
    while (e->place[of].home == INGOT__HOME_VIEW) of = e->place[of].of;
    if (m->largest[i] < 0) m->largest[i] = m->largest[of];
  }
}

static bool makes_masks(const ingot__node *n) {
  return n->n_out == 1 && (n->op == INGOT__OP_Add || n->op == INGOT__OP_Where || n->op == INGOT__OP_Reshape || n->op == INGOT__OP_Expand ||
                           n->op == INGOT__OP_Slice);
}

/* Whether nothing comes of it but masks of attention, which are in float32 beside halves: no reason to warn. */
static bool is_mask(const ingot__value *v, int depth) {
  if (v->is_output || !v->n_user || !depth) return false;
  for (size_t i = 0; i < v->n_user; i++) {
    const ingot__node *u = v->user[i];
    const bool reads = u->op == INGOT__OP_FusedAttention && u->in[0] != v && u->in[1] != v && u->in[2] != v;
    if (!reads && !(makes_masks(u) && is_mask(u->out[0], depth - 1))) return false;
  }
  return true;
}

static ingot_status keep_names(meter *m) {
  enum { MASK_DEPTH = 4 };
  ingot__build *b = m->probe->build;
  const ingot__network *net = m->probe->engine->network;
  const ingot__value *most = NULL;
  size_t count = 0, masks = 0;
  views_too(m);
  for (size_t i = 0; i < net->n_value; i++) count += net->value[i] && m->largest[i] > LARGEST;
  if (!count) return INGOT_OK;
  if (!(b->wide.name = INGOT_NEW_ARRAY(&b->arena, count, const char *))) return ingot__no_memory(b->diag);
  for (size_t i = 0; i < net->n_value; i++) {
    const ingot__value *v = net->value[i];
    if (!v || !(m->largest[i] > LARGEST)) continue;
    if (!(b->wide.name[b->wide.n++] = ingot__arena_string(&b->arena, v->name))) return ingot__no_memory(b->diag);
    if (is_mask(v, MASK_DEPTH)) masks++;
    else if (!most || m->largest[i] > m->largest[most->id]) most = v;
  }
  ingot__name_list_sort(&b->wide);
  if (masks) ingot__logf(&b->engine->log, INGOT_LOG_INFO, "%zu values beyond float16's range are masks of attention, and stay in float32", masks);
  if (!most) return INGOT_OK;
  ingot__logf(&b->engine->log, INGOT_LOG_WARNING,
              "%zu values leave float16's range, or come near its end (up to %.3g in '%s'): their layers stay in float32", count - masks,
              (double)m->largest[most->id], most->name);
  return INGOT_OK;
}

ingot_status ingot__measure_ranges(ingot__probe *probe) {
  meter m = {.probe = probe};
  size_t n = probe->engine->network->n_value;
  if (!(m.largest = INGOT_NEW_ARRAY(&probe->build->arena, n + 1, float))) return ingot__no_memory(&probe->diag);
  for (size_t i = 0; i < n; i++) m.largest[i] = -1;
  INGOT_TRY(ingot__probe_run(probe, watch, &m));
  return keep_names(&m);
}
