/* How far float16's rounding moves a network's outputs, by runs on random inputs in which results are rounded to halves as they are made. Where
 * that is more than is allowed (ingot_config_set_fp16_error), the layers at the front stay in float32, exactly (without TF32, which rounds as
 * much): as few as bring the error down to a share of it, found by bisection. The front, since most of a network's layers amplify the errors of
 * those before them: of YOLOX-nano's 113 convolutions, whose filters cancel, the first 50 left a tenth of the error, and the 48 of its roundings
 * that each matter most on their own a quarter, others on other pictures (docs/performance.md). And the last few where fewer stay then in all:
 * logits that a softmax or a sigmoid is taken of are where halves cost most (a text recogniser: 59 + 4 of 116 layers instead of 114).
 *
 * Logarithms make as much of small numbers as of large ones, and halves have few bits for those below 6e-5, none below 3e-8: networks with one are
 * measured on small inputs as well. Spectra of speech on a logarithmic scale, as recognisers begin with, are off by 0.7 to 1.4e-2 otherwise.
 *
 * Weights aren't rounded here (their errors come to about half as much: base/floats.h), and other inputs move outputs several times more or less.
 * What depends on decisions (comparisons, indices, levels) jumps where numbers are close, in any precision: what is compared is then the numbers
 * that they are taken from. */
#include "compile/measure.h"
#include "base/floats.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LARGE 4e9                /* operations a run; smaller networks take about as long in any precision: their kernels' starts */
#define ALLOWED 0.0025           /* unless the caller says otherwise: of small networks, */
#define ALLOWED_LARGE 0.015      /* and of others, that float32 would cost more */
#define SHARE 0.4                /* of what is allowed that is to be left, */
#define GOAL 0.004               /* or this, if it is less */
#define MOST_SECONDS 0.25        /* that a run may be expected to take: it may take ten */
#define MOST_TAKEN 1.0           /* seconds that the first one may have taken: operators without a fast kernel aren't foreseen */
#define QUIET 1e-3               /* of a signal in its pauses, which a logarithm makes as much of as of the rest */
#define STEPS 64                 /* what is kept is found to this part of all layers */
#define LAST 4                   /* layers at the back that stay, too, where fewer do so then */

typedef struct compared {
  const ingot__value *value;     /* NULL: isn't */
  float *truth;
  size_t count;
  double range;
} compared;

typedef struct rounder {
  ingot__probe *probe;
  bool *rounds;                  /* by value id: would be a half */
  compared *compared;            /* by value id */
  const ingot__node **order;     /* the main graph's steps, as they ran */
  size_t n_step, step;
  size_t from, until;            /* results of the steps from `from` up to `until` are rounded; from == SIZE_MAX: the run that makes the truth */
  double worst;                  /* difference, of the range */
  const char *worst_name;
} rounder;

static bool is_float(const ingot__value *v) { return v->type.kind == INGOT__TENSOR && v->type.dtype == INGOT_FLOAT32; }

/* Whether its results change little when its inputs do. */
static bool is_steady(const bool *steady, const ingot__node *n) {
  bool from_floats = false;
  if (ingot__node_jumps(n) || ingot__op_is_random(n->op) || ingot__op_has_graphs(n->op)) return false;
  for (size_t i = 0; i < n->n_in; i++) {
    if (n->in[i] && !steady[n->in[i]->id]) return false;
    from_floats |= n->in[i] && is_float(n->in[i]);
  }
  if (n->op == INGOT__OP_Shape || n->op == INGOT__OP_Size) return true;
  for (size_t i = 0; i < n->n_out; i++)
    if (n->out[i] && from_floats && !is_float(n->out[i])) return false;
  return true;
}

/* Chains of elementwise nodes are computed in float32 in between. */
static bool is_inside(const ingot__value *v) {
  if (v->is_output || v->n_user != 1) return false;
  return ingot__op_get(v->producer->op)->elementwise && ingot__op_get(v->user[0]->op)->elementwise;
}

/* Whether it is an output, or a decision is taken from it. */
static bool is_last(const bool *steady, const ingot__value *v) {
  for (size_t u = 0; u < v->n_user; u++)
    for (size_t k = 0; k < v->user[u]->n_out; k++)
      if (v->user[u]->out[k] && !steady[v->user[u]->out[k]->id]) return true;
  return v->is_output;
}

static void choose(rounder *r, bool *steady, bool *wanted) {
  const ingot_engine *e = r->probe->engine;
  const ingot__network *net = e->network;
  for (size_t i = 0; i < net->n_value; i++) steady[i] = net->value[i] && !net->value[i]->producer && !net->value[i]->graph->outer;
  for (const ingot__node *n = net->main->first; n; n = n->next) {
    bool is = is_steady(steady, n);
    for (size_t i = 0; i < n->n_out; i++)
      if (n->out[i]) steady[n->out[i]->id] = is;
  }
  for (const ingot__node *n = net->main->last; n; n = n->prev)
    for (size_t i = 0; i < n->n_out; i++) {
      const ingot__value *v = n->out[i];
      if (!v || !is_float(v)) continue;
      r->rounds[v->id] = ingot__narrows_to_half(n) && !is_inside(v) && !ingot__name_list_has(&r->probe->build->wide, v->name);
      if (!wanted[v->id] && !(steady[v->id] && is_last(steady, v))) continue;
      if (e->step[n->id].kernel) r->compared[v->id].value = v;
      for (size_t k = 0; k < n->n_in && !e->step[n->id].kernel; k++) /* put together in place, or seen in another shape: what it is made of */
        if (n->in[k]) wanted[n->in[k]->id] = true;
    }
}

static ingot_status round_view(rounder *r, const ingot__view *view) {
  const size_t count = (size_t)ingot__view_count(view);
  if (view->dense) {
    ingot__floats_round_f16(view->data, count);
    return INGOT_OK;
  }
  ingot__view plain;
  ingot__buffer copy = {0};
  INGOT_TRY(ingot__probe_plain(r->probe, view, &plain, &copy));
  ingot__floats_round_f16(plain.data, count);
  ingot__view_copy(view, &plain);
  ingot__free(&r->probe->context->heap, copy.data, copy.size);
  return INGOT_OK;
}

/* The truth, unless it isn't finite: the network can't bear such inputs. */
static bool remember(rounder *r, compared *c, const float *x, size_t count) {
  float low = INFINITY, high = -INFINITY;
  if (!(c->truth = ingot__arena_raw(&r->probe->arena, (count + 1) * sizeof *x))) return false;
  memcpy(c->truth, x, count * sizeof *x);
  bool finite = true;
  for (size_t i = 0; i < count; i++) {
    finite = finite && isfinite(x[i]);
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  c->count = count;
  c->range = finite && count ? (double)high - (double)low : 0;
  if (finite && count && c->range <= 0) c->range = fabs((double)high); /* one number, or all alike */
  if (!(c->range > 0)) c->value = NULL;
  return true;
}

static void differ(rounder *r, const compared *c, const float *x, size_t count) {
  double most = count == c->count ? 0 : INFINITY;
  for (size_t i = 0; i < count && count == c->count; i++) {
    const double error = fabs((double)x[i] - (double)c->truth[i]);
    if (!(error <= most)) most = isnan(error) ? INFINITY : error;
  }
  if (most / c->range <= r->worst) return;
  r->worst = most / c->range;
  r->worst_name = c->value->name;
}

static ingot_status watch(void *user, ingot__run_step *run, bool after, ingot__diag *diag) {
  rounder *r = user;
  const ingot__node *n = run->node;
  if (!after || n->graph->outer) return INGOT_OK;
  if (!ingot__progressed(&r->probe->build->config->progress, "measuring rounding", n->id, r->probe->engine->network->n_node + 1))
    return ingot__fail(diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  const bool truth = r->from == SIZE_MAX;
  const size_t step = r->step++;
  if (truth && step <= r->probe->engine->network->n_node) {
    r->order[step] = n;
    if (step == r->n_step) r->n_step++;
  }
  for (size_t i = 0; i < run->call.n_out; i++) {
    const ingot__view *view = &run->call.out[i];
    const ingot__value *v = n->out[i];
    if (!v || !ingot__is_tensor(view) || view->dtype != INGOT_FLOAT32 || !view->data) continue;
    if (step >= r->from && step < r->until && r->rounds[v->id]) INGOT_TRY(round_view(r, view));
    compared *c = &r->compared[v->id];
    if (!c->value) continue;
    ingot__view plain;
    ingot__buffer copy = {0};
    INGOT_TRY(ingot__probe_plain(r->probe, view, &plain, &copy));
    if (!truth) differ(r, c, plain.data, (size_t)ingot__view_count(view));
    else if (!remember(r, c, plain.data, (size_t)ingot__view_count(view))) return ingot__no_memory(diag);
    ingot__free(&r->probe->context->heap, copy.data, copy.size);
  }
  return INGOT_OK;
}

static ingot_status run(rounder *r, size_t from, size_t until) {
  r->from = from;
  r->until = until;
  r->step = 0;
  r->worst = 0;
  return ingot__probe_run(r->probe, watch, r);
}

/* Which layers stay: those before `from`, and those from `until` on. */
typedef struct kept { size_t from, until; double left; } kept;

static ingot_status keep(rounder *r, const kept *k) {
  ingot__build *b = r->probe->build;
  size_t most = 0;
  for (size_t s = 0; s < r->n_step; s++) most += r->order[s]->n_out;
  if (!(b->exact.name = INGOT_NEW_ARRAY(&b->arena, most + 1, const char *))) return ingot__no_memory(b->diag);
  for (size_t s = 0; s < r->n_step; s++)
    for (size_t i = 0; i < r->order[s]->n_out && (s < k->from || s >= k->until); i++) {
      const ingot__value *v = r->order[s]->out[i];
      if (v && is_float(v) && !(b->exact.name[b->exact.n++] = ingot__arena_string(&b->arena, v->name))) return ingot__no_memory(b->diag);
    }
  ingot__name_list_sort(&b->exact);
  return INGOT_OK;
}

/* The fewest at the front that are enough, the layers from `until` on being kept. */
static ingot_status bisect(rounder *r, double goal, size_t until, kept *k) {
  size_t low = 0, high = until; /* too few, and enough */
  k->left = 0;
  while (high - low > 1 + r->n_step / STEPS) {
    const size_t middle = low + (high - low) / 2;
    INGOT_TRY(run(r, middle, until));
    if (r->worst > goal) low = middle;
    else high = middle, k->left = r->worst;
  }
  k->from = high, k->until = until;
  return INGOT_OK;
}

/* Finds what must stay on the inputs there are, and adds it to what must on others. `inputs`: these, in words. */
static ingot_status measure(rounder *r, double allowed, const char *inputs, kept *all) {
  ingot__build *b = r->probe->build;
  INGOT_TRY(run(r, 0, SIZE_MAX));
  ingot__logf(&b->engine->log, INGOT_LOG_INFO, "float16's rounding moves outputs by %.2g of their range, on %s", r->worst, inputs);
  if (r->worst <= allowed) return INGOT_OK;
  const double moved = r->worst, goal = allowed * SHARE < GOAL ? allowed * SHARE : GOAL;
  const char *name = r->worst_name;
  kept best, other;
  INGOT_TRY(bisect(r, goal, r->n_step, &best));
  if (best.from > 2 * LAST) {
    INGOT_TRY(bisect(r, goal, r->n_step - LAST, &other));
    if (other.from + LAST < best.from) best = other;
  }
  char back[40] = "";
  if (best.until < r->n_step) snprintf(back, sizeof back, "and last %zu ", r->n_step - best.until);
  ingot__logf(&b->engine->log, INGOT_LOG_WARNING,
              "float16 would move '%s' by %.2g of its range, where %.2g is allowed (on %s): the first %zu %sof %zu layers stay in "
              "float32, which leaves %.2g", name, moved, allowed, inputs, best.from, back, r->n_step, best.left);
  if (best.from > all->from) all->from = best.from;
  if (best.until < all->until) all->until = best.until;
  return INGOT_OK;
}

static bool has_logarithms(const ingot__network *network) {
  for (const ingot__node *n = network->main->first; n; n = n->next)
    if (n->op == INGOT__OP_Log) return true;
  return false;
}

/* The inputs as they are in pauses. */
static void quieten(const ingot_context *context) {
  for (size_t i = 0; i < context->n_in; i++) {
    const ingot__io *io = &context->io[i];
    const ingot__type *type = &io->value->type;
    if (type->kind != INGOT__TENSOR || !ingot__dtype_is_float(type->dtype) || ingot__dtype_size(type->dtype) < 2) continue;
    size_t count = 1;
    for (int d = 0; d < type->rank; d++) count *= (size_t)io->dim[d];
    for (size_t k = 0; k < count; k++) ingot__set_double(type->dtype, io->address, k, ingot__get_double(type->dtype, io->address, k) * QUIET);
  }
}

static ingot_status measure_quiet(rounder *r, double allowed, kept *all) {
  quieten(r->probe->context);
  INGOT_TRY(run(r, SIZE_MAX, SIZE_MAX));
  return measure(r, allowed, "random inputs, a thousandth as large", all);
}

ingot_status ingot__measure_rounding(ingot__probe *probe) {
  ingot__build *b = probe->build;
  rounder r = {.probe = probe};
  kept all = {0, SIZE_MAX, 0};
  const size_t n = probe->engine->network->n_value, nodes = probe->engine->network->n_node;
  double allowed = b->config->fp16_error;
  if (allowed == INGOT__FP16_ERROR_AUTO) allowed = probe->operations > LARGE ? ALLOWED_LARGE : ALLOWED;
  const bool asked = b->config->precision & INGOT_PRECISION_FP16; /* by the caller, not by the network's own weights */
  if (allowed <= 0 || !asked || ingot__probe_seconds(probe) > MOST_SECONDS) return INGOT_OK;
  bool *steady = INGOT_NEW_ARRAY(&b->arena, n + 1, bool), *wanted = INGOT_NEW_ARRAY(&b->arena, n + 1, bool);
  r.rounds = INGOT_NEW_ARRAY(&b->arena, n + 1, bool);
  r.compared = INGOT_NEW_ARRAY(&b->arena, n + 1, compared);
  r.order = INGOT_NEW_ARRAY(&b->arena, nodes + 2, const ingot__node *);
  if (!steady || !wanted || !r.rounds || !r.compared || !r.order) return ingot__no_memory(&probe->diag);
  choose(&r, steady, wanted);
  const double start = ingot__now();
  INGOT_TRY(run(&r, SIZE_MAX, SIZE_MAX));
  if (ingot__now() - start > MOST_TAKEN) return INGOT_OK;
  INGOT_TRY(measure(&r, allowed, "random inputs", &all));
  const ingot_status status = has_logarithms(b->engine->network) ? measure_quiet(&r, allowed, &all) : INGOT_OK;
  if (all.from || all.until < SIZE_MAX) INGOT_TRY(keep(&r, &all)); /* what loud inputs asked for, whatever came of the quiet ones */
  return status;
}
