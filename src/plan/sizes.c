/* Other sizes than the optimum. The plan is made at the first profile's optimum; here each layer's kernel and threads are chosen again at points
 * between the least and the largest shapes of all profiles, with the layouts as they are. An engine keeps what differs, and a context takes for
 * each layer what was chosen nearest to the size it meets. */
#include "plan/plan.h"
#include <math.h>
#include <string.h>

enum { MOST_POINTS = 12 };
#define FARTHEST 16.0           /* times the elements of an optimum: what lies beyond is taken to be alike */
#define MOST_BYTES (1u << 28)   /* of one layer's values */
#define WORTH 0.95              /* of the first kernel's time: another one must take less, for its weights may be packed in another way */

typedef struct points {
  ingot__profile *point[MOST_POINTS]; /* by input; opt is the point */
  size_t n, n_input;
} points;

static double elements(const ingot__planner *p, const int64_t (*dims)[INGOT_MAX_RANK]) {
  const ingot__graph *g = p->engine->network->main;
  double total = 0;
  for (size_t i = 0; i < g->n_input; i++) {
    double n = 1;
    for (int d = 0; d < g->input[i]->type.rank; d++) n *= dims[i][d] > 1 ? (double)dims[i][d] : 1;
    total += n;
  }
  return total;
}

static int64_t common_divisor(int64_t a, int64_t b) {
  while (b) {
    int64_t r = a % b;
    a = b, b = r;
  }
  return a;
}

/* A point t of the way from each dim's `from` to its `to`, in proportion; a multiple of what the profile's dims are multiples of. */
static ingot_status add_point(ingot__planner *p, points *ps, const ingot__profile *profile, const int64_t (*to)[INGOT_MAX_RANK], double t) {
  const ingot__graph *g = p->engine->network->main;
  if (ps->n == MOST_POINTS) return INGOT_OK;
  ingot__profile *made = ingot__arena_copy(p->arena, profile, (ps->n_input + 1) * sizeof *made);
  if (!made) return ingot__no_memory(p->diag);
  for (size_t i = 0; i < g->n_input; i++)
    for (int d = 0; d < g->input[i]->type.rank; d++) {
      int64_t from = profile[i].opt[d] > 1 ? profile[i].opt[d] : 1, end = to[i][d] > 1 ? to[i][d] : 1;
      int64_t unit = common_divisor(common_divisor(profile[i].min[d], profile[i].opt[d]), profile[i].max[d]);
      int64_t at = t == 1 ? to[i][d] : llround((double)from * pow((double)end / (double)from, t));
      if (t != 1 && unit > 1 && at <= INT64_MAX - unit / 2) at = (at + unit / 2) / unit * unit;
      made[i].opt[d] = at < profile[i].min[d] ? profile[i].min[d] : at > profile[i].max[d] ? profile[i].max[d] : at;
    }
  for (size_t k = 0; k <= ps->n; k++) { /* the same as the optimum or another point */
    const ingot__profile *other = k ? ps->point[k - 1] : p->engine->profile;
    bool same = true;
    for (size_t i = 0; i < g->n_input; i++) same = same && !memcmp(made[i].opt, other[i].opt, sizeof other[i].opt);
    if (same) return INGOT_OK;
  }
  ps->point[ps->n++] = made;
  return INGOT_OK;
}

/* From a profile's optimum towards its least or largest shapes: the end, or what is FARTHEST; and the middle when that is far. */
static ingot_status add_towards(ingot__planner *p, points *ps, const ingot__profile *profile, bool largest) {
  int64_t(*opt)[INGOT_MAX_RANK] = ingot__arena_array(p->arena, ps->n_input + 1, sizeof *opt);
  int64_t(*to)[INGOT_MAX_RANK] = ingot__arena_array(p->arena, ps->n_input + 1, sizeof *to);
  if (!opt || !to) return ingot__no_memory(p->diag);
  for (size_t i = 0; i < ps->n_input; i++) {
    memcpy(opt[i], profile[i].opt, sizeof opt[i]);
    memcpy(to[i], largest ? profile[i].max : profile[i].min, sizeof to[i]);
  }
  double ratio = fabs(log(elements(p, (const int64_t(*)[INGOT_MAX_RANK])to) / elements(p, (const int64_t(*)[INGOT_MAX_RANK])opt)));
  double far = ratio < log(FARTHEST) ? ratio : log(FARTHEST);
  if (far < log(1.4)) return INGOT_OK;
  if (far > log(3)) INGOT_TRY(add_point(p, ps, profile, (const int64_t(*)[INGOT_MAX_RANK])to, far / 2 / ratio));
  return add_point(p, ps, profile, (const int64_t(*)[INGOT_MAX_RANK])to, far / ratio);
}

static ingot_status list_points(ingot__planner *p, points *ps) {
  const ingot_engine *e = p->engine;
  for (size_t k = 0; k < e->n_profile; k++) {
    const ingot__profile *profile = e->profile + k * ps->n_input;
    int64_t(*opt)[INGOT_MAX_RANK] = ingot__arena_array(p->arena, ps->n_input + 1, sizeof *opt);
    if (!opt) return ingot__no_memory(p->diag);
    for (size_t i = 0; i < ps->n_input; i++) memcpy(opt[i], profile[i].opt, sizeof opt[i]);
    if (k) INGOT_TRY(add_point(p, ps, profile, (const int64_t(*)[INGOT_MAX_RANK])opt, 1));
  }
  for (size_t k = 0; k < e->n_profile; k++)
    for (int largest = 0; largest < 2; largest++) INGOT_TRY(add_towards(p, ps, e->profile + k * ps->n_input, largest));
  return INGOT_OK;
}

/* Dims in the middle may not suit the network (halved and doubled again, they aren't what they were): kernels must not see those. */
static bool consistent(ingot__planner *p, const ingot__call *call) {
  enum { FEW = 16 };
  ingot__type in[FEW], out[FEW];
  const ingot__type *in_type[FEW];
  const ingot__view *data[FEW];
  const ingot__dim *known[FEW] = {0}, *out_known[FEW] = {0};
  if (call->n_in > FEW || call->n_out > FEW) return false;
  for (size_t i = 0; i < call->n_in; i++) {
    const ingot__view *v = &call->in[i];
    in[i] = (ingot__type){.dtype = v->dtype, .rank = (int8_t)v->rank, .kind = v->kind};
    for (int d = 0; d < v->rank; d++) in[i].dim[d] = v->dim[d];
    in_type[i] = ingot__has_in(call, i) ? &in[i] : NULL;
    data[i] = v->constant && v->data ? v : NULL;
  }
  for (size_t i = 0; i < call->n_out; i++) out[i] = (ingot__type){.rank = -1};
  ingot__infer infer = {.node = call->node, .attrs = call->attrs, .arena = p->arena, .in = in_type, .data = data, .known = known,
                        .n_in = call->n_in, .n_out = call->n_out, .out = out, .out_known = out_known};
  if (ingot__op_functions_get(call->node->op)->infer(&infer) != INGOT_OK) return false;
  for (size_t i = 0; i < call->n_out; i++) {
    if (!ingot__has_out(call, i) || out[i].rank < 0) continue;
    if (out[i].rank != call->out[i].rank) return false;
    for (int d = 0; d < out[i].rank; d++)
      if (out[i].dim[d] >= 0 && out[i].dim[d] != call->out[i].dim[d]) return false;
  }
  return true;
}

static bool fits_in_memory(const ingot__call *call) {
  return ingot__call_size(call) * 4 < (float)MOST_BYTES;
}

/* A kernel that was considered at the optimum, in the layouts that were chosen, and that can take what the chosen one can. */
static bool may_replace(const ingot__planner *p, const ingot__node *n, const ingot__kernel *kernel, ingot__layout from, ingot__layout to) {
  const ingot__kernel *chosen = p->engine->step[n->id].kernel;
  if (kernel->on_device != chosen->on_device || kernel->functions->host_inputs != chosen->functions->host_inputs) return false;
  if ((kernel->flags & chosen->flags) != chosen->flags || (kernel->flags & INGOT__K_VIEW) || !strcmp(kernel->name, "reference")) return false;
  if (kernel == chosen) return true;
  const ingot__choice *choice = &p->choice[n->id];
  for (size_t i = 0; i < choice->n_candidate; i++) {
    const ingot__candidate *c = &choice->candidate[i];
    if (c->kernel == kernel && c->in_layout == (uint8_t)from && c->out_layout == (uint8_t)to) return true;
  }
  return false;
}

/* What is best for a node at the point that the engine's profile has for its optimum now; *made stays as it is where nothing can be told. */
static void choose_at_point(ingot__planner *p, const ingot__node *n, ingot__view *in, ingot__view *out, ingot__step *made, bool *found) {
  const ingot_engine *e = p->engine;
  const ingot__step *base = &e->step[n->id];
  ingot__layout to = n->n_out && n->out[0] ? (ingot__layout)e->place[n->out[0]->id].layout : INGOT__PLAIN;
  ingot__layout from = n->n_in && n->in[0] ? (ingot__layout)e->place[n->in[0]->id].layout : INGOT__PLAIN;
  const ingot__kernel *list[INGOT__MAX_CANDIDATES];
  ingot__candidate c[INGOT__MAX_CANDIDATES];
  ingot__call call;
  *found = false;
  if (!ingot__plan_call(p, n, from, to, in, out, &call) || !fits_in_memory(&call) || !consistent(p, &call)) return;
  float size = ingot__call_size(&call);
  if (size > base->size * 0.9f && size < base->size * 1.1f) return;
  size_t count = ingot__plan_kernels(p, &call, list), k = 0;
  for (size_t i = 0; i < count; i++)
    if (may_replace(p, n, list[i], from, to))
      c[k++] = ingot__plan_candidate(p, list[i], &call, from, to);
  if (!k) return;
  const ingot__candidate *best = ingot__plan_rank(p, &call, c, k), *same = NULL;
  for (size_t i = 0; i < k; i++)
    if (c[i].kernel == base->kernel && (c[i].measured >= 0) == (best->measured >= 0)) same = &c[i];
  if (same && ingot__plan_candidate_seconds(best) > WORTH * ingot__plan_candidate_seconds(same)) best = same;
  if (p->time && best->measured < 0 && k > 1) return; /* the budget is spent */
  *made = (ingot__step){.kernel = best->kernel, .one_thread = best->one_thread, .size = size,
                        .microseconds = (float)(ingot__plan_candidate_seconds(best) * 1e6)};
  *found = true;
}

/* Keeps a node's choices if any differs from the first. */
static ingot_status keep(ingot__planner *p, const ingot__node *n, const ingot__step *made, size_t count) {
  ingot__step *base = &p->engine->step[n->id];
  bool differs = false;
  for (size_t i = 0; i < count; i++) differs = differs || made[i].kernel != base->kernel || made[i].one_thread != base->one_thread;
  if (!differs) {
    base->size = 0;
    return INGOT_OK;
  }
  base->other = ingot__arena_copy(&p->engine->arena, made, count * sizeof *made);
  if (!base->other) return ingot__no_memory(p->diag);
  base->n_other = (uint8_t)count;
  return INGOT_OK;
}

ingot_status ingot__plan_sizes(ingot__planner *p) {
  ingot_engine *e = p->engine;
  const ingot__network *net = e->network;
  points ps = {.n_input = net->main->n_input};
  INGOT_TRY(list_points(p, &ps));
  if (!ps.n) return INGOT_OK;
  size_t most = 0, n_node = p->n_choice;
  for (const ingot__node *n = net->main->first; n; n = n->next) most = n->n_in + n->n_out > most ? n->n_in + n->n_out : most;
  ingot__view *views = INGOT_NEW_ARRAY(p->arena, most + 1, ingot__view);
  ingot__step(*made)[MOST_POINTS] = ingot__arena_array(p->arena, n_node + 1, sizeof *made);
  uint8_t *count = INGOT_NEW_ARRAY(p->arena, n_node + 1, uint8_t);
  if (!views || !made || !count) return ingot__no_memory(p->diag);
  ingot__profile *first = e->profile;
  for (size_t k = 0; k <= ps.n; k++) { /* the optimum itself: its sizes; then the points, each for all nodes */
    if (k) e->profile = ps.point[k - 1];
    for (const ingot__node *n = net->main->first; n; n = n->next) {
      ingot__step *base = &e->step[n->id];
      if (n->id >= n_node || !base->kernel || (base->kernel->flags & INGOT__K_VIEW) || !strcmp(base->kernel->name, "reference")) continue;
      ingot__call call;
      bool found = false;
      if (!k) {
        if (ingot__plan_call(p, n, INGOT__PLAIN, INGOT__PLAIN, views, views + n->n_in, &call)) base->size = ingot__call_size(&call);
      } else if (base->size > 0) choose_at_point(p, n, views, views + n->n_in, &made[n->id][count[n->id]], &found);
      count[n->id] = (uint8_t)(count[n->id] + found);
    }
    e->profile = first;
    if (!ingot__progressed(p->progress, "other sizes", k, ps.n + 1)) return ingot__fail(p->diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  }
  for (const ingot__node *n = net->main->first; n; n = n->next)
    if (n->id < n_node && count[n->id]) INGOT_TRY(keep(p, n, made[n->id], count[n->id]));
    else e->step[n->id].size = 0;
  return INGOT_OK;
}
