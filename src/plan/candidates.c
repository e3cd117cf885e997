/* The kernels that may compute a call: those that the build allows, the likeliest by the cost model, the best by their times. */
#include "plan/plan.h"
#include <string.h>

enum { TIMED = 4, TIMED_ON_DEVICE = 12 };
#define TINY 2e-6   /* seconds: estimated to take less, it isn't shared among threads */
#define SHORT 60e-6 /* timed to take less, it is timed on one thread too */
#define OTHER_SIDE 20e-6 /* seconds, of a step on the host among those of a device */

static void sort_candidates(ingot__candidate *c, size_t n) { /* few: by insertion, stable */
  for (size_t i = 1; i < n; i++)
    for (size_t j = i; j > 0 && c[j].estimated < c[j - 1].estimated; j--) {
      ingot__candidate t = c[j];
      c[j] = c[j - 1];
      c[j - 1] = t;
    }
}

/* What a vendor's library takes can't be told beforehand: its kernels are always worth it. */
static size_t add_libraries(ingot__candidate *c, size_t k, size_t n) {
  for (size_t i = k; i < n; i++) {
    if (!c[i].kernel->functions->library || c[i].estimated >= INGOT__NEVER) continue;
    ingot__candidate found = c[i];
    memmove(&c[k + 1], &c[k], (i - k) * sizeof *c);
    c[k++] = found;
  }
  return k;
}

size_t ingot__plan_shortlist(ingot__candidate *c, size_t n) {
  size_t k = 0, most = n && c[0].kernel->on_device ? TIMED_ON_DEVICE : TIMED;
  sort_candidates(c, n);
  /* The reference is slow, and may call back into a context that isn't there (If, Loop). */
  while (k < n && k < most && strcmp(c[k].kernel->name, "reference") && c[k].estimated <= 8 * c[0].estimated) k++;
  return add_libraries(c, k, n);
}

/* Times the likeliest of n candidates, in the order of their estimates; short ones on one thread as well, where sharing costs more than
 * it gains. */
static void measure(const ingot__planner *p, ingot__call *call, ingot__candidate *c, size_t n) {
  if (!ingot__plan_sizes_told(p->engine, call->node)) return;
  size_t worth = ingot__plan_shortlist(c, n);
  for (size_t i = 0; i < worth; i++) {
    if (c[i].kernel->flags & INGOT__K_VIEW) continue;
    if (c[i].kernel->on_device) {
      if (worth > 1 || !c[0].kernel->functions->cost) c[i].measured = p->time(p->time_user, c[i].kernel, call, c[i].estimated);
      continue;
    }
    int threads = call->threads;
    if (n > 1) c[i].measured = p->time(p->time_user, c[i].kernel, call, c[i].estimated);
    double shared = c[i].measured >= 0 ? c[i].measured : c[i].estimated;
    if (threads == 1 || shared > SHORT) continue;
    if (n == 1) c[i].measured = p->time(p->time_user, c[i].kernel, call, c[i].estimated);
    call->threads = 1;
    double alone = p->time(p->time_user, c[i].kernel, call, c[i].estimated * threads);
    call->threads = threads;
    c[i].one_thread = alone >= 0 && c[i].measured >= 0 && alone < c[i].measured;
    if (c[i].one_thread) c[i].measured = alone;
  }
}

double ingot__plan_side_seconds(const ingot__planner *p, const ingot__kernel *kernel) {
  return p->engine->backend->device && !kernel->on_device && !(kernel->flags & INGOT__K_VIEW) ? OTHER_SIDE : 0;
}

double ingot__plan_candidate_seconds(const ingot__candidate *c) {
  if (c->kernel->flags & INGOT__K_VIEW) return 0;
  return (c->measured >= 0 ? c->measured : c->estimated) + c->copies;
}

/* Times and estimates don't compare: where some were timed, it is one of those. */
static const ingot__candidate *best_of(const ingot__candidate *c, size_t n) {
  const ingot__candidate *best = NULL;
  bool timed = false;
  for (size_t i = 0; i < n; i++) timed |= c[i].measured >= 0;
  for (size_t i = 0; i < n; i++) {
    if (timed && c[i].measured < 0 && !(c[i].kernel->flags & INGOT__K_VIEW)) continue;
    if (!best || ingot__plan_candidate_seconds(&c[i]) < ingot__plan_candidate_seconds(best)) best = &c[i];
  }
  return best;
}

ingot__candidate ingot__plan_candidate(const ingot__planner *p, const ingot__kernel *kernel, const ingot__call *call, ingot__layout from,
                                       ingot__layout to) {
  double seconds = p->engine->backend->cost(kernel, call);
  return (ingot__candidate){.kernel = kernel, .in_layout = (uint8_t)from, .out_layout = (uint8_t)to, .one_thread = seconds < TINY,
                            .estimated = seconds, .measured = -1};
}

const ingot__candidate *ingot__plan_rank(const ingot__planner *p, ingot__call *call, ingot__candidate *c, size_t n) {
  sort_candidates(c, n);
  if (p->time) measure(p, call, c, n);
  return best_of(c, n);
}

/* Whether the call's float32 products may be rounded to TF32. */
static bool may_round(const ingot__planner *p, const ingot__node *n) {
  if (!p->tf32) return false;
  for (size_t i = 0; i < n->n_in; i++)
    if (n->in[i] && ingot__name_list_has(p->exact, n->in[i]->name)) return false;
  for (size_t i = 0; i < n->n_out; i++)
    if (n->out[i] && ingot__name_list_has(p->exact, n->out[i]->name)) return false;
  return true;
}

size_t ingot__plan_kernels(const ingot__planner *p, const ingot__call *call, const ingot__kernel **list) {
  size_t n = p->engine->backend->candidates(call, list, INGOT__MAX_CANDIDATES), kept = 0, least = 0;
  const bool tf32 = may_round(p, call->node);
  const ingot__kernel *modest = NULL; /* of those that want more workspace than is allowed the one that wants least: something must run */
  for (size_t i = 0; i < n; i++) {
    const ingot__kernel *k = list[i];
    if (!tf32 && strstr(k->name, "tf32")) continue;
    const ingot__library *library = k->functions->library; /* not opened for nothing: without times ours are taken */
    if (library && (!p->time || !(p->tactics & library->source) || !library->version(NULL))) continue;
    size_t wanted = p->workspace && k->functions->workspace ? k->functions->workspace(call) : 0;
    if (wanted <= p->workspace) list[kept++] = k;
    else if (!modest || wanted < least) modest = k, least = wanted;
  }
  if (!kept && modest) list[kept++] = modest;
  return kept;
}
