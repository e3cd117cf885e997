/* What an engine keeps on its device: constants that kernels there read, packed ones, loaded code. One block of memory holds them all. */
#include "engine/engine.h"
#include <string.h>

enum { ALIGN = 256 };

static bool on_device(const ingot__step *step) { return step->kernel && step->kernel->on_device; }

/* Whether the step reads constant input i itself, in the device's memory. */
static bool reads(const ingot__step *step, size_t i) {
  const ingot__kernel_functions *f = step->kernel->functions;
  bool packed = i < 32 && (f->packs_inputs >> i & 1) && step->packed, host = i < 32 && (f->host_inputs >> i & 1);
  return !packed && !host;
}

typedef struct copy { const void *from; size_t size, offset; struct copy *next; } copy; /* by the host's address */
enum { BUCKETS = 1024 };
typedef struct plan {
  ingot_engine *engine;
  ingot__arena arena;
  ingot__diag *diag;
  copy *bucket[BUCKETS];
  size_t size;
} plan;

/* Room for data of the host's; what several steps share is there once. */
static copy *room(plan *p, const void *from, size_t size) {
  copy **bucket = &p->bucket[((uintptr_t)from >> 6) % BUCKETS];
  for (copy *c = *bucket; c; c = c->next)
    if (c->from == from && c->size == size) return c;
  copy *c = INGOT_NEW(&p->arena, copy);
  if (!c || size > SIZE_MAX / 4 - p->size) return NULL;
  *c = (copy){.from = from, .size = size, .offset = p->size, .next = *bucket};
  *bucket = c;
  p->size += ingot__align(size, ALIGN);
  return c;
}

/* Calls `visit` for each step on the device and each of its packed forms and constants. */
typedef ingot_status (*visit_fn)(plan *p, ingot__step *step, const ingot__value *constant, const void *data, size_t size);
static ingot_status visit_step(plan *p, const ingot__node *n, ingot__step *step, visit_fn visit) {
  if (!on_device(step)) return INGOT_OK;
  if (step->packed) INGOT_TRY(visit(p, step, NULL, step->packed, step->packed_size));
  for (size_t i = 0; i < n->n_in; i++) {
    const ingot__value *v = n->in[i];
    if (!v || v->producer || v->is_input || !v->data || v->type.dtype == INGOT_STRING || !reads(step, i)) continue;
    INGOT_TRY(visit(p, step, v, v->data, v->bytes));
  }
  return INGOT_OK;
}

static ingot_status visit_all(plan *p, visit_fn visit) {
  ingot_engine *e = p->engine;
  for (size_t i = 0; i < e->network->n_node; i++) {
    const ingot__node *n = e->network->node[i];
    if (!n) continue;
    INGOT_TRY(visit_step(p, n, &e->step[i], visit));
    for (uint8_t k = 0; k < e->step[i].n_other; k++) INGOT_TRY(visit_step(p, n, &e->step[i].other[k], visit));
  }
  return INGOT_OK;
}

static ingot_status count(plan *p, ingot__step *step, const ingot__value *constant, const void *data, size_t size) {
  (void)step, (void)constant;
  return room(p, data, size) ? INGOT_OK : ingot__no_memory(p->diag);
}

static ingot_status place(plan *p, ingot__step *step, const ingot__value *constant, const void *data, size_t size) {
  const copy *c = room(p, data, size);
  void *there = (char *)p->engine->device_memory + c->offset;
  if (constant) p->engine->resident[constant->id] = there;
  else step->packed_on_device = there;
  return INGOT_OK;
}

static ingot_status load_step(ingot_engine *e, ingot__step *step, ingot__diag *diag) {
  if (!on_device(step) || !step->code || step->loaded) return INGOT_OK;
  for (size_t i = 0; i < e->network->n_node; i++) { /* steps that share code share what is loaded */
    const ingot__step *s = &e->step[i];
    if (s == step) break;
    if (s->loaded && s->code == step->code) {
      step->loaded = s->loaded;
      return INGOT_OK;
    }
  }
  return e->backend->device->load(e->opened, step->code, step->code_size, diag, &step->loaded);
}

static ingot_status make(plan *p) {
  ingot_engine *e = p->engine;
  const ingot__device_functions *d = e->backend->device;
  e->resident = ingot__arena_array(&e->arena, e->network->n_value + 1, sizeof *e->resident);
  if (!e->resident) return ingot__no_memory(p->diag);
  INGOT_TRY(visit_all(p, count));
  if (p->size) INGOT_TRY(d->allocate(e->opened, p->size, p->diag, &e->device_memory));
  e->device_memory_size = p->size;
  INGOT_TRY(visit_all(p, place));
  for (size_t b = 0; b < BUCKETS; b++)
    for (const copy *c = p->bucket[b]; c; c = c->next)
      INGOT_TRY(d->write(e->opened, (char *)e->device_memory + c->offset, c->from, c->size, p->diag));
  for (size_t i = 0; i < e->network->n_node; i++) {
    INGOT_TRY(load_step(e, &e->step[i], p->diag));
    for (uint8_t k = 0; k < e->step[i].n_other; k++) INGOT_TRY(load_step(e, &e->step[i].other[k], p->diag));
  }
  return INGOT_OK;
}

ingot_status ingot__engine_make_resident(ingot_engine *e, ingot__diag *diag) {
  const ingot__device_functions *d = e->backend->device;
  if (!d) return INGOT_OK;
  if (!e->opened) INGOT_TRY(d->open(e->device_index, diag, &e->opened));
  plan p = {.engine = e, .diag = diag};
  ingot__arena_init(&p.arena, &e->heap);
  ingot_status status = make(&p);
  ingot__arena_free(&p.arena);
  return status;
}

static void unload(ingot_engine *e, ingot__step *step) {
  void *loaded = step->loaded;
  if (!loaded) return;
  for (size_t i = 0; i < e->network->n_node; i++) {
    if (e->step[i].loaded == loaded) e->step[i].loaded = NULL;
    for (uint8_t k = 0; k < e->step[i].n_other; k++)
      if (e->step[i].other[k].loaded == loaded) e->step[i].other[k].loaded = NULL;
  }
  e->backend->device->unload(e->opened, loaded);
}

void ingot__engine_leave_device(ingot_engine *e) {
  if (!e->opened) return;
  for (size_t i = 0; e->step && e->network && i < e->network->n_node; i++) {
    unload(e, &e->step[i]);
    for (uint8_t k = 0; k < e->step[i].n_other; k++) unload(e, &e->step[i].other[k]);
  }
  e->backend->device->release(e->opened, e->device_memory);
  e->device_memory = NULL;
  e->backend->device->close(e->opened);
  e->opened = NULL;
}
