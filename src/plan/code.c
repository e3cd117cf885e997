/* Device code for the steps that run on one: compiled, or out of the caches, and kept in the engine. Compiling takes half a second a text, so
 * before kernels are timed all candidates' texts are compiled, by as many threads as the build has. */
#include "plan/plan.h"
#include <stdatomic.h>
#include <stdlib.h>

static bool has_code(const ingot__kernel *kernel) { return kernel && kernel->on_device && kernel->functions->source; }

/* ---- Ahead of timing */

typedef struct job { const ingot__kernel *kernel; ingot__call call; uint64_t key; } job;
typedef struct jobs {
  ingot__planner *planner;
  job *job;
  size_t n, capacity;
  _Atomic size_t next, done;
} jobs;

static void work(void *arg, int i, int n) {
  jobs *all = arg;
  const ingot_engine *e = all->planner->engine;
  (void)n;
  for (size_t at; (at = atomic_fetch_add(&all->next, 1)) < all->n;) {
    const void *code;
    size_t size;
    e->backend->device->compile(e->opened, all->job[at].kernel, &all->job[at].call, NULL, &code, &size); /* who needs it hears of a failure */
    size_t done = atomic_fetch_add(&all->done, 1) + 1;
    if (i == 0) ingot__progressed(all->planner->progress, "compiling kernels", done, all->n);
  }
}

/* One job for each text: layers share most of them, and threads would compile the same one side by side. */
static int by_key(const void *a, const void *b) {
  const uint64_t x = ((const job *)a)->key, y = ((const job *)b)->key;
  return (x > y) - (x < y);
}
static void leave_out_repeated(jobs *all) {
  size_t n = 0;
  if (all->n) qsort(all->job, all->n, sizeof *all->job, by_key);
  for (size_t i = 0; i < all->n; i++)
    if (!i || !all->job[i].key || all->job[i].key != all->job[i - 1].key) all->job[n++] = all->job[i];
  all->n = n;
}

ingot_status ingot__plan_prepare(ingot__planner *p) {
  const ingot__network *net = p->engine->network;
  jobs all = {.planner = p};
  if (!p->engine->backend->device || !p->time) return INGOT_OK;
  for (size_t k = 0; k < net->n_node; k++) {
    const ingot__node *n = net->node[k];
    for (int c = 0; n && c < INGOT__CONFIGS; c++) {
      const ingot__kernel *list[INGOT__MAX_CANDIDATES];
      ingot__candidate candidate[INGOT__MAX_CANDIDATES];
      ingot__view *in = INGOT_NEW_ARRAY(p->arena, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
      ingot__call call;
      if (!in) return ingot__no_memory(p->diag);
      ingot__layout from = (ingot__layout)(c >> 1), to = (ingot__layout)(c & 1);
      if (!ingot__plan_call(p, n, from, to, in, out, &call)) continue;
      size_t count = ingot__plan_kernels(p, &call, list);
      for (size_t i = 0; i < count; i++) candidate[i] = ingot__plan_candidate(p, list[i], &call, from, to);
      count = ingot__plan_shortlist(candidate, count);
      for (size_t i = 0; i < count; i++) {
        if (!has_code(candidate[i].kernel)) continue;
        if (!ingot__arena_grow(p->arena, (void **)&all.job, &all.capacity, all.n + 1, sizeof *all.job)) return ingot__no_memory(p->diag);
        all.job[all.n++] = (job){candidate[i].kernel, call, p->engine->backend->device->text_key(p->engine->opened, candidate[i].kernel, &call)};
      }
    }
  }
  leave_out_repeated(&all);
  const double start = ingot__now();
  ingot__pool_run(p->pool, work, &all);
  p->seconds_compiling = ingot__now() - start;
  return INGOT_OK;
}

/* ---- What was chosen. As far as define() goes, the views at the optimum tell all. */

static ingot_status compile(ingot__planner *p, const ingot__node *n, ingot__step *step) {
  ingot_engine *e = p->engine;
  if (!has_code(step->kernel)) return INGOT_OK;
  ingot__view *in = INGOT_NEW_ARRAY(p->arena, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
  ingot__call call;
  if (!in) return ingot__no_memory(p->diag);
  ingot__layout to = n->n_out && n->out[0] ? (ingot__layout)e->place[n->out[0]->id].layout : INGOT__PLAIN;
  ingot__layout from = n->in[0] ? (ingot__layout)e->place[n->in[0]->id].layout : INGOT__PLAIN;
  if (!ingot__plan_call(p, n, from, to, in, out, &call)) return INGOT__FAIL_NODE(p->diag, INGOT_E_INTERNAL, n, "its types aren't known");
  return e->backend->device->compile(e->opened, step->kernel, &call, p->diag, &step->code, &step->code_size);
}

ingot_status ingot__plan_code(ingot__planner *p) {
  const ingot__network *net = p->engine->network;
  if (!p->engine->backend->device) return INGOT_OK;
  for (size_t i = 0; i < net->n_node; i++) {
    ingot__step *step = &p->engine->step[i];
    if (!net->node[i]) continue;
    INGOT_TRY(compile(p, net->node[i], step));
    for (uint8_t k = 0; k < step->n_other; k++) INGOT_TRY(compile(p, net->node[i], &step->other[k]));
    if (!ingot__progressed(p->progress, "compiling kernels", i + 1, net->n_node))
      return ingot__fail(p->diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  }
  return INGOT_OK;
}
