/* The plans of a frame's regions, kept for shapes that come again: the bodies of loops and branches run once a trip, and what follows a node
 * whose output's size depends on data runs after it each time.
 *
 * A subgraph's first region depends on the views of its inputs and of the values it captures: that is its key. What a later one depends on can't
 * be told before, for inference may read what was computed; so its shapes are inferred each time, which is quick, and the plan made for the
 * same shapes is taken. Plans of one place write to the same arrays by value id, so what a plan had there is put back before it runs. */
#include "runtime/state.h"
#include <string.h>

/* Makes the slot when it is met first. */
static ingot_status get_slot(ingot__frame *frame, size_t index, ingot__slot **out) {
  ingot__instance *inst = frame->instance;
  if (index >= frame->n_slot) {
    ingot__slot *slot = INGOT_NEW(&inst->arena, ingot__slot);
    if (!slot || !ingot__arena_grow(&inst->arena, (void **)&frame->slot, &frame->slot_capacity, index + 1, sizeof *frame->slot) ||
        !ingot__arena_grow(&inst->arena, (void **)&frame->region, &frame->region_capacity, index + 1, sizeof *frame->region))
      return ingot__no_memory(inst->diag);
    frame->slot[index] = slot;
    frame->region[index] = NULL;
    frame->n_slot = index + 1;
  }
  ingot__slot *slot = frame->slot[index];
  if (!slot->spare) {
    if (!(slot->spare = INGOT_NEW(&inst->arena, ingot__region))) return ingot__no_memory(inst->diag);
    ingot__arena_init(&slot->spare->arena, &inst->context->heap);
  }
  *out = slot;
  return INGOT_OK;
}

/* The spare one has been planned: it joins the others, the one not used for longest becomes the spare. */
static ingot__region *keep(ingot__slot *slot) {
  ingot__region *made = slot->spare;
  slot->spare = NULL;
  if (slot->n_plan < INGOT__MAX_PLANS) {
    slot->plan[slot->n_plan++] = made;
  } else {
    size_t oldest = 0;
    for (size_t i = 1; i < slot->n_plan; i++)
      if (slot->plan[i]->used < slot->plan[oldest]->used) oldest = i;
    slot->spare = slot->plan[oldest];
    slot->plan[oldest] = made;
  }
  return made;
}

static void use(ingot__frame *frame, size_t index, ingot__region *region) {
  ingot__slot *slot = frame->slot[index];
  region->used = ++slot->clock;
  frame->region[index] = region;
  if (index >= frame->n_region) frame->n_region = index + 1;
  slot->applied = region;
  slot->stamp = frame->instance->stamp;
}

static void put_back(ingot__instance *inst, const ingot__region *region, bool known) {
  for (size_t i = 0; i < region->n_placed; i++) {
    const ingot__placed *p = &region->placed[i];
    inst->source[p->id] = p->source;
    inst->offset[p->id] = p->offset;
    inst->type[p->id] = p->type;
    inst->view[p->id] = p->view;
    if (known) inst->known[p->id] = p->known;
  }
}

static bool same_dims(const int64_t *a, const int64_t *b, int n) { /* shorter than a call of memcmp */
  for (int i = 0; i < n; i++)
    if (a[i] != b[i]) return false;
  return true;
}

static bool same_type(const ingot__type *a, const ingot__type *b) {
  return a->dtype == b->dtype && a->rank == b->rank && a->kind == b->kind && same_dims(a->dim, b->dim, a->rank);
}

static bool same_view(const ingot__view *a, const ingot__view *b) {
  return a->dtype == b->dtype && a->kind == b->kind && a->rank == b->rank && a->layout == b->layout && a->dense == b->dense &&
         same_dims(a->dim, b->dim, a->rank) && same_dims(a->stride, b->stride, a->rank);
}

/* ---- A graph's first region */

/* A subgraph's inputs take the views they are given; the frame's key is made of them. Returns the key's length. */
static size_t take_inputs(ingot__frame *frame, const ingot__view *in, size_t n_in) {
  ingot__instance *inst = frame->instance;
  size_t n = 0;
  for (size_t k = 0; k < frame->n_captured + frame->graph->n_input; k++) {
    const ingot__view *view;
    if (k < frame->n_captured) view = &inst->view[frame->captured[k]->id];
    else {
      size_t i = k - frame->n_captured;
      const ingot__value *v = frame->graph->input[i];
      if (i < n_in) {
        inst->view[v->id] = in[i];
        inst->known[v->id] = NULL;
        inst->type[v->id].dtype = in[i].dtype;
        inst->type[v->id].kind = in[i].kind;
        inst->type[v->id].rank = ingot__is_tensor(&in[i]) ? (int8_t)in[i].rank : -1;
        for (int d = 0; d < in[i].rank; d++) inst->type[v->id].dim[d] = in[i].dim[d];
        inst->source[v->id] = INGOT__SOURCE_FIXED;
      }
      view = &inst->view[v->id];
    }
    frame->key[n++] = (int64_t)view->dtype | (int64_t)view->rank << 16 | (int64_t)view->layout << 24 | (int64_t)view->dense << 32 |
                      (int64_t)view->kind << 40;
    for (int d = 0; d < view->rank; d++) frame->key[n++] = view->dim[d];
    for (int d = 0; d < view->rank && !view->dense; d++) frame->key[n++] = view->stride[d];
  }
  return n;
}

ingot_status ingot__slot_first(ingot__frame *frame, const ingot__view *in, size_t n_in) {
  ingot__instance *inst = frame->instance;
  size_t length = frame->graph->outer ? take_inputs(frame, in, n_in) : 0; /* the main one: an instance is for one set of shapes */
  ingot__slot *slot = frame->n_slot ? frame->slot[0] : NULL;
  for (size_t i = 0; slot && i < slot->n_plan; i++) {
    ingot__region *plan = slot->plan[i];
    if (plan->key_length != length || (length && memcmp(plan->key, frame->key, length * sizeof *plan->key))) continue;
    if (slot->applied != plan || slot->stamp != inst->stamp) put_back(inst, plan, true);
    if (i) slot->plan[i] = slot->plan[0], slot->plan[0] = plan; /* looked at first the next time */
    use(frame, 0, plan);
    return INGOT_OK;
  }
  INGOT_TRY(get_slot(frame, 0, &slot));
  ingot__region *made = slot->spare;
  made->first = frame->graph->first;
  INGOT_TRY(ingot__region_take(frame, made, false));
  INGOT_TRY(ingot__region_place(frame, made, frame->graph->outer != NULL));
  made->key_length = length;
  made->key = length ? ingot__arena_copy(&made->arena, frame->key, length * sizeof *made->key) : INGOT_NEW(&made->arena, int64_t);
  if (!made->key) return ingot__no_memory(inst->diag);
  use(frame, 0, keep(slot));
  return INGOT_OK;
}

/* ---- Later ones */

static bool same_plan(const ingot__instance *inst, const ingot__region *plan, const ingot__region *found) {
  if (plan->first != found->first || plan->n_node != found->n_node || plan->dynamic_end != found->dynamic_end) return false;
  for (size_t i = 0; i < plan->n_placed; i++)
    if (!same_type(&plan->placed[i].type, &inst->type[plan->placed[i].id])) return false;
  size_t s = 0, read = 0;
  for (const ingot__node *n = plan->first; s < plan->n_node; n = n->next, s++)
    for (size_t i = 0; i < n->n_in; i++) {
      const ingot__value *v = n->in[i];
      if (!v || (!v->producer && !v->is_input) || inst->view[v->id].dtype == INGOT_UNDEFINED) continue; /* undefined: made in this region */
      if (read == plan->n_read || !same_view(&plan->read[read++], &inst->view[v->id])) return false;
    }
  return read == plan->n_read;
}

ingot_status ingot__slot_next(ingot__frame *frame, size_t index, const ingot__node *first) {
  ingot__instance *inst = frame->instance;
  ingot__slot *slot;
  INGOT_TRY(get_slot(frame, index, &slot));
  ingot__region *found = slot->spare;
  found->first = first;
  INGOT_TRY(ingot__region_take(frame, found, true));
  for (size_t i = 0; i < slot->n_plan; i++) {
    ingot__region *plan = slot->plan[i];
    if (!same_plan(inst, plan, found)) continue;
    put_back(inst, plan, false); /* known elements may be others: inference has just found them */
    use(frame, index, plan);
    return INGOT_OK;
  }
  INGOT_TRY(ingot__region_place(frame, found, true));
  use(frame, index, keep(slot));
  return INGOT_OK;
}

void ingot__slots_free(ingot__frame *frame) {
  ingot__heap *heap = &frame->instance->context->heap;
  for (size_t i = 0; i < frame->n_slot; i++) {
    ingot__slot *slot = frame->slot[i];
    for (size_t k = 0; k < slot->n_plan; k++) ingot__segments_forget(frame->instance->context, slot->plan[k]),
        ingot__arena_free(&slot->plan[k]->arena);
    if (slot->spare) ingot__segments_forget(frame->instance->context, slot->spare), ingot__arena_free(&slot->spare->arena);
    ingot__free(heap, slot->slab[INGOT__HOST].data, slot->slab[INGOT__HOST].size);
    ingot__device_free(frame->instance->context, &slot->slab[INGOT__DEVICE]);
  }
}
