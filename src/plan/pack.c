/* Constants rearranged for the kernels that were chosen: first it is found what is to be packed and where to, then threads pack it. */
#include "plan/plan.h"
#include <stdatomic.h>
#include <string.h>

/* Whether `step` reads what `other` has packed already. */
static bool shares(const ingot__step *step, const ingot__step *other) {
  const ingot__kernel_functions *a = step->kernel->functions, *b = other->kernel->functions;
  return other->packed && a->pack_format && b->pack_format && !strcmp(a->pack_format, b->pack_format);
}

/* A node's kernels share a packed form, and so do nodes that read the same constants, as an unrolled recurrent network's steps do. By hash. */
typedef struct packed { const ingot__node *node; const ingot__step *step; struct packed *next; } packed;
enum { BUCKETS = 1024 };

/* Whether two nodes' packed forms are the same: same attributes and inputs, but for inputs that aren't constants, of which only types count. */
static bool packs_alike(const ingot__node *a, const ingot__node *b) {
  if (a == b) return true;
  if (a->op != b->op || a->n_in != b->n_in || memcmp(a->attrs, b->attrs, ingot__op_get(a->op)->attrs_size)) return false;
  for (size_t i = 0; i < a->n_in; i++) {
    const ingot__value *x = a->in[i], *y = b->in[i];
    if (x == y) continue;
    if (!x || !y || (!x->producer && !x->is_input) || (!y->producer && !y->is_input) || !ingot__type_same(&x->type, &y->type)) return false;
  }
  return true;
}

static size_t bucket_of(const ingot__node *n) {
  size_t h = (size_t)n->op;
  for (size_t i = 0; i < n->n_in; i++)
    if (n->in[i] && !n->in[i]->producer && !n->in[i]->is_input) h = h * 31 + n->in[i]->id;
  return h % BUCKETS;
}

typedef struct job { void (*pack)(const ingot__call *call, void *packed); ingot__call call; void *to; size_t size; } job;
typedef struct jobs {
  ingot__planner *planner;
  job *job;
  size_t n, capacity;
  packed **table;
  _Atomic size_t next, done;
  _Atomic bool cancelled;
} jobs;

static void work(void *arg, int i, int n) {
  jobs *all = arg;
  (void)n;
  for (size_t at; !all->cancelled && (at = atomic_fetch_add(&all->next, 1)) < all->n;) {
    job *j = &all->job[at];
    memset(j->to, 0, j->size); /* gaps too: the same network makes the same engine */
    j->pack(&j->call, j->to);
    const size_t done = atomic_fetch_add(&all->done, 1) + 1;
    if (i == 0 && !ingot__progressed(all->planner->progress, "packing weights", done, all->n)) all->cancelled = true;
  }
}

static ingot_status add(jobs *all, const ingot__node *n, ingot__step *step) {
  ingot__planner *p = all->planner;
  ingot_engine *e = p->engine;
  const ingot__kernel_functions *f = step->kernel->functions;
  if (!f->pack_size) return INGOT_OK;
  ingot__view *in = INGOT_NEW_ARRAY(p->arena, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
  ingot__call call;
  if (!in) return ingot__no_memory(p->diag);
  ingot__layout to = n->n_out && n->out[0] ? (ingot__layout)e->place[n->out[0]->id].layout : INGOT__PLAIN;
  ingot__layout from = n->in[0] ? (ingot__layout)e->place[n->in[0]->id].layout : INGOT__PLAIN;
  if (!ingot__plan_call(p, n, from, to, in, out, &call)) return INGOT_OK;
  size_t size = f->pack_size(&call);
  if (!size) return INGOT_OK;
  packed **bucket = &all->table[bucket_of(n)], *made = INGOT_NEW(p->arena, packed);
  if (!made) return ingot__no_memory(p->diag);
  for (const packed *s = *bucket; s; s = s->next) {
    if (!shares(step, s->step) || s->step->packed_size != size || !packs_alike(s->node, n)) continue;
    step->packed = s->step->packed;
    step->packed_size = size;
    return INGOT_OK;
  }
  *made = (packed){.node = n, .step = step, .next = *bucket};
  *bucket = made;
  char *packed = size < SIZE_MAX - 64 ? ingot__arena_raw(&e->arena, size + 64) : NULL;
  if (!packed || !ingot__arena_grow(p->arena, (void **)&all->job, &all->capacity, all->n + 1, sizeof *all->job)) return ingot__no_memory(p->diag);
  packed = (char *)ingot__align((size_t)packed, 64);
  all->job[all->n++] = (job){f->pack, call, packed, size};
  step->packed = packed;
  step->packed_size = size;
  return INGOT_OK;
}

ingot_status ingot__plan_pack(ingot__planner *p) {
  const ingot__network *net = p->engine->network;
  jobs all = {.planner = p, .table = INGOT_NEW_ARRAY(p->arena, BUCKETS, packed *)};
  if (!all.table) return ingot__no_memory(p->diag);
  for (size_t i = 0; i < net->n_node; i++) {
    ingot__step *step = &p->engine->step[i];
    if (net->node[i] && step->kernel) INGOT_TRY(add(&all, net->node[i], step));
    for (uint8_t k = 0; net->node[i] && k < step->n_other; k++) INGOT_TRY(add(&all, net->node[i], &step->other[k]));
  }
  ingot__pool_run(p->pool, work, &all);
  return all.cancelled ? ingot__fail(p->diag, INGOT_E_CANCELLED, NULL, "the build was cancelled") : INGOT_OK;
}

ingot_status ingot__plan(ingot__planner *p) {
  INGOT_TRY(ingot__plan_prepare(p));
  INGOT_TRY(ingot__plan_layouts(p));
  INGOT_TRY(ingot__plan_spaces(p));
  INGOT_TRY(ingot__plan_homes(p));
  INGOT_TRY(ingot__plan_sizes(p));
  INGOT_TRY(ingot__plan_stand_ins(p));
  INGOT_TRY(ingot__plan_pack(p));
  return ingot__plan_code(p);
}
