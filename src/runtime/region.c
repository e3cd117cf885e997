/* Planning a region: which nodes it takes, where their values lie, and the calls that run them. Region 0 of a graph depends on the shapes
 * of its inputs alone, later ones on what was computed before them; slot.c keeps the plans. */
#include "runtime/state.h"
#include <string.h>

typedef struct planner {
  ingot__frame *frame;
  ingot__instance *inst;
  ingot__region *region;
  const ingot_engine *engine;
  uint32_t *step_of;        /* by node id: position in the region, NONE outside */
  uint32_t *block_of;       /* by value id of roots: block index, NONE */
  uint32_t *merged;         /* by value id of roots: the root whose block it shares (in place), or itself */
  ingot__block *block;
  size_t n_block;
  size_t n_node;
  size_t n_patch;
} planner;
enum { NONE = 0xffffffffu };

/* Only a kernel that runs can tell the shape of its output, and only when its inputs have theirs. */
static ingot_status can_tell(const ingot__instance *inst, const ingot__node *n) {
  const ingot__kernel *kernel = inst->context->engine->step[n->id].kernel;
  bool can = kernel && !(kernel->flags & INGOT__K_VIEW) && !strcmp(kernel->name, "reference");
  for (size_t i = 0; i < n->n_in; i++) {
    const ingot__type *type = n->in[i] ? &inst->type[n->in[i]->id] : NULL;
    if (!type || type->kind != INGOT__TENSOR) continue;
    can = can && type->rank >= 0;
    for (int d = 0; d < type->rank; d++) can = can && ingot__dim_is_number(type->dim[d]);
  }
  return can ? INGOT_OK : INGOT__FAIL_NODE(inst->diag, INGOT_E_SHAPE, n, "the shape of its output can't be told from its inputs");
}

/* Sets region->after, n_node and dynamic_end. */
ingot_status ingot__region_take(ingot__frame *frame, ingot__region *region, bool with_data) {
  ingot__instance *inst = frame->instance;
  ingot__segments_forget(inst->context, region);
  region->n_segment = 0;
  ingot__arena_reset(&region->arena);
  region->dynamic_end = false;
  region->n_node = 0;
  for (const ingot__node *n = region->first; n; n = n->next) {
    bool complete;
    for (size_t i = 0; i < n->n_out; i++)
      if (n->out[i]) inst->view[n->out[i]->id].dtype = INGOT_UNDEFINED;
    INGOT_TRY(ingot__shapes_node(inst, n, with_data, &region->arena, &complete));
    if (!complete && !(with_data && n == region->first)) {
      region->after = n;
      return INGOT_OK;
    }
    region->n_node++;
    if (!complete) {
      INGOT_TRY(can_tell(inst, n));
      region->dynamic_end = true;
      region->after = n->next;
      return INGOT_OK;
    }
  }
  region->after = NULL;
  return INGOT_OK;
}

static bool in_region(const planner *p, const ingot__value *v) { return v->producer && p->step_of[v->producer->id] != NONE; }

/* The main graph's output that wants root `r` (or a value that is all of it) in the caller's memory; -1: none. */
static int output_of_root(planner *p, const ingot__value *r) {
  ingot_context *context = p->inst->context;
  if (p->frame->graph->outer) return -1;
  for (size_t i = context->n_in; i < context->n_io; i++) {
    ingot__value *v = context->io[i].value;
    if (!in_region(p, v) || ingot__root(p->engine, v) != r) continue;
    if (p->inst->view[v->id].layout == INGOT__PLAIN && ingot__view_covers(&p->inst->view[v->id], &p->inst->view[r->id])) return (int)i;
  }
  return -1;
}

/* A root in the device's memory that a Transfer brings from an input or to an output of the main graph, whole, may lie in that one's twin
 * there, which is the caller's own memory where the caller's is on the device. -1: none. */
static int twin_of_root(planner *p, const ingot__value *r) {
  ingot_context *context = p->inst->context;
  if (p->frame->graph->outer || !p->engine->place[r->id].on_device) return -1;
  const ingot__value *from = r->producer && r->producer->op == INGOT__OP_Transfer ? r->producer->in[0] : NULL;
  for (size_t i = 0; from && i < context->n_in; i++)
    if (context->io[i].value == from && !context->io[i].host_user) return INGOT__SOURCE_TWIN + (int)i;
  for (size_t i = context->n_in; i < context->n_io; i++) {
    const ingot__io *io = &context->io[i];
    if (io->host_user || !in_region(p, io->value)) continue;
    ingot__value *v = io->value->producer->in[0];
    if (ingot__root(p->engine, v) != r || !in_region(p, v)) continue;
    if (p->inst->view[v->id].layout == INGOT__PLAIN && ingot__view_covers(&p->inst->view[v->id], &p->inst->view[r->id]))
      return INGOT__SOURCE_TWIN + (int)i;
  }
  return -1;
}

static void extend(planner *p, const ingot__value *v, uint32_t step) {
  uint32_t b = p->block_of[ingot__root(p->engine, (ingot__value *)v)->id];
  if (b == NONE) return;
  if (step < p->block[b].first) p->block[b].first = step;
  if (step > p->block[b].last) p->block[b].last = step;
}

/* Views of everything the region computes, a block for each root in its slab, lifetimes. */
static ingot_status place_values(planner *p) {
  ingot__instance *inst = p->inst;
  uint32_t s = 0;
  for (const ingot__node *n = p->region->first; s < p->n_node; n = n->next, s++) {
    bool dynamic = p->region->dynamic_end && s + 1 == p->n_node;
    for (size_t i = 0; i < n->n_out; i++) {
      ingot__value *v = n->out[i];
      if (!v) continue;
      if (inst->type[v->id].kind != INGOT__TENSOR) {
        ingot__view_object(&inst->view[v->id], &inst->type[v->id], &inst->object[v->id]);
        inst->source[v->id] = INGOT__SOURCE_FIXED;
        continue;
      }
      if (dynamic) {
        inst->source[v->id] = INGOT__SOURCE_DYNAMIC;
        inst->view[v->id] = (ingot__view){.dtype = inst->type[v->id].dtype, .rank = 1}; /* nothing, until its kernel says what */
        continue;
      }
      size_t offset;
      INGOT_TRY(ingot__view_value(inst, v, &offset));
      inst->offset[v->id] = offset;
    }
  }
  s = 0;
  uint32_t known = (uint32_t)p->n_node - (p->region->dynamic_end ? 1 : 0);
  for (const ingot__node *n = p->region->first; s < known; n = n->next, s++)
    for (size_t i = 0; i < n->n_out; i++) {
      ingot__value *v = n->out[i], *r = v ? ingot__root(p->engine, v) : NULL;
      if (!v || !in_region(p, r) || p->block_of[r->id] != NONE || !ingot__is_tensor(&inst->view[r->id])) continue;
      int io = p->engine->place[r->id].on_device ? twin_of_root(p, r) : output_of_root(p, r);
      size_t bytes;
      if (!ingot__dtype_bytes(inst->view[r->id].dtype, (size_t)ingot__view_count(&inst->view[r->id]), &bytes))
        return ingot__fail(inst->diag, INGOT_E_LIMIT, r->name, "the tensor is too large");
      inst->source[r->id] = io >= 0 ? io : INGOT__SOURCE_SLAB;
      if (io >= 0) continue;
      p->block_of[r->id] = (uint32_t)p->n_block;
      p->block[p->n_block++] = (ingot__block){.size = bytes, .first = NONE, .last = 0, .space = p->engine->place[r->id].on_device};
    }
  s = 0;
  for (const ingot__node *n = p->region->first; s < p->n_node; n = n->next, s++) {
    for (size_t i = 0; i < n->n_in; i++)
      if (n->in[i]) extend(p, n->in[i], s);
    for (size_t i = 0; i < n->n_out; i++) {
      const ingot__value *v = n->out[i];
      if (!v) continue;
      extend(p, v, s);
      bool outside = v->is_output;
      for (size_t u = 0; u < v->n_user && !outside; u++) outside = p->step_of[v->user[u]->id] == NONE;
      if (outside) extend(p, v, (uint32_t)p->n_node);
    }
  }
  return INGOT_OK;
}

/* Lets a node write over its first input where the kernel can and nobody needs it afterwards. */
static void merge_in_place(planner *p) {
  uint32_t s = 0;
  for (const ingot__node *n = p->region->first; s < p->n_node; n = n->next, s++) {
    const ingot__step *step = &p->engine->step[n->id];
    if (!step->kernel || !(step->kernel->flags & INGOT__K_IN_PLACE) || !n->n_in || !n->in[0] || !n->out[0]) continue;
    ingot__value *v = n->out[0], *from = ingot__root(p->engine, n->in[0]);
    uint32_t b = p->block_of[v->id], a = p->block_of[from->id];
    if (a == NONE || b == NONE || ingot__root(p->engine, v) != v) continue;
    a = p->block_of[p->merged[from->id]];
    const ingot__view *x = &p->inst->view[n->in[0]->id], *y = &p->inst->view[v->id];
    if (p->block[a].last != s || x->layout != y->layout || x->rank != y->rank || memcmp(x->dim, y->dim, sizeof x->dim[0] * x->rank) ||
        !ingot__view_covers(x, &p->inst->view[from->id]) || x->dtype != y->dtype || p->block[a].size < p->block[b].size)
      continue;
    bool shared = false;
    for (size_t i = 1; i < n->n_in && !shared; i++)
      shared = n->in[i] && n->in[i] != n->in[0] && ingot__root(p->engine, n->in[i]) == from;
    if (shared) continue;
    p->merged[v->id] = p->merged[from->id];
    if (p->block[b].last > p->block[a].last) p->block[a].last = p->block[b].last;
    p->block[b].size = 0;
  }
}

/* Makes *slot follow the value's memory; kernel: of the call that the slot is in, NULL for views; input: which one of it. */
static bool bind(planner *p, void **slot, const ingot__value *v, const ingot__kernel *kernel, size_t input) {
  ingot__instance *inst = p->inst;
  const ingot__value *r = ingot__root(p->engine, (ingot__value *)v);
  void *const *base = NULL;
  size_t offset = v == r ? 0 : inst->offset[v->id];
  const bool outside = (v->producer || v->is_input) && !in_region(p, v); /* its own region has put its address into its view */
  if (!v->producer && !v->is_input) { /* a constant */
    bool there = kernel && kernel->on_device && !(input < 32 && (kernel->functions->host_inputs >> input & 1));
    *slot = there ? p->engine->resident[v->id] : inst->view[v->id].data;
    return true;
  }
  if (p->block_of[r->id] != NONE) {
    base = &p->region->slab[p->engine->place[r->id].on_device];
    offset += p->block[p->block_of[p->merged[r->id]]].offset;
  } else if (outside) {
    base = &inst->view[v->id].data;
    offset = 0;
  } else if (inst->source[r->id] >= 0 && !p->frame->graph->outer && !r->graph->outer) {
    int source = inst->source[r->id];
    base = source >= INGOT__SOURCE_TWIN ? &inst->context->io[source - INGOT__SOURCE_TWIN].twin : &inst->context->io[source].data;
  } else {
    base = &inst->view[r->id].data;
    if (slot == base) return true;
  }
  p->region->patch[p->n_patch++] = (ingot__patch){slot, base, offset, kernel && kernel->on_device && kernel->op != INGOT__OP_Transfer};
  return true;
}

static size_t count_slots(const planner *p) {
  size_t n = 0, s = 0;
  for (const ingot__node *node = p->region->first; s < p->n_node; node = node->next, s++) n += node->n_in + 2 * node->n_out + 1;
  return n;
}

/* The step that was chosen for the size nearest to the call's, by their ratio. */
static const ingot__step *step_for(const ingot__step *base, const ingot__call *call) {
  if (!base->n_other) return base;
  const ingot__step *best = base;
  float size = ingot__call_size(call) + 1, least = 0;
  for (int i = -1; i < base->n_other; i++) {
    const ingot__step *step = i < 0 ? base : &base->other[i];
    float s = step->size + 1, ratio = s > size ? s / size : size / s;
    if (i < 0 || ratio < least) best = step, least = ratio;
  }
  return best;
}

/* What else of the step the call takes. */
static void take_step(const ingot__step *step, ingot__run_step *run) {
  run->step = step;
  run->call.packed = step->kernel->on_device ? step->packed_on_device : step->packed;
  run->call.code = step->loaded;
}

/* Bytes that the kernel wants. A vendor's library may have nothing for these shapes: then one of ours beside it is taken. */
static ingot_status ask_workspace(const planner *p, ingot__run_step *run, size_t *size) {
  const ingot__step *base = &p->engine->step[run->node->id];
  const ingot__library *library = run->step->kernel->functions->library;
  size_t (*workspace)(const ingot__call *) = run->step->kernel->functions->workspace;
  *size = workspace ? workspace(&run->call) : 0;
  for (int i = -1; *size == SIZE_MAX && library && i < base->n_other; i++) {
    const ingot__step *other = i < 0 ? base : &base->other[i];
    if (!other->kernel->on_device || other->kernel->functions->library) continue;
    take_step(other, run);
    workspace = other->kernel->functions->workspace;
    *size = workspace ? workspace(&run->call) : 0;
  }
  if (*size != SIZE_MAX) return INGOT_OK;
  if (library) return INGOT__FAIL_NODE(p->inst->diag, INGOT_E_UNSUPPORTED, run->node, "%s has nothing for these shapes", library->name);
  return INGOT__FAIL_NODE(p->inst->diag, INGOT_E_LIMIT, run->node, "needs more workspace than there can be");
}

static ingot_status make_call(planner *p, const ingot__node *n, ingot__run_step *run) {
  ingot__instance *inst = p->inst;
  ingot__arena *arena = &p->region->arena;
  ingot__view *in = INGOT_NEW_ARRAY(arena, n->n_in + n->n_out, ingot__view), *out = in + n->n_in;
  if (!in) return ingot__no_memory(inst->diag);
  /* Kernels that are asked for their workspace see the data of constants alone: the rest is of an earlier run. */
  for (size_t i = 0; i < n->n_in; i++) {
    if (!n->in[i]) continue;
    in[i] = inst->view[n->in[i]->id];
    if (n->in[i]->producer || n->in[i]->is_input) in[i].data = NULL;
  }
  for (size_t i = 0; i < n->n_out; i++) {
    if (!n->out[i]) continue;
    out[i] = inst->view[n->out[i]->id];
    if (ingot__is_tensor(&out[i])) out[i].data = NULL; /* where an object is kept never changes */
  }
  run->node = n;
  run->call = (ingot__call){.node = n, .attrs = n->attrs, .in = in, .out = out, .n_in = n->n_in, .n_out = n->n_out};
  const ingot__step *step = step_for(&p->engine->step[n->id], &run->call);
  take_step(step, run);
  run->call.queue = step->kernel->on_device ? inst->context->queue : NULL;
  run->call.pool = step->one_thread ? NULL : inst->context->pool;
  run->call.threads = step->one_thread ? 1 : inst->context->threads;
  return INGOT_OK;
}

static bool computes_nothing(const ingot__call *call) {
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i) && ingot__view_count(&call->out[i])) return false;
  return true;
}

static bool dense_and_plain(const ingot__call *call) {
  for (size_t i = 0; i < call->n_in; i++) {
    const ingot__view *v = &call->in[i];
    if (ingot__has_in(call, i) && (!v->dense || v->layout != INGOT__PLAIN || (v->constant && !v->data && ingot__view_count(v)))) return false;
  }
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i) && (!call->out[i].dense || call->out[i].layout != INGOT__PLAIN)) return false;
  return true;
}

/* Kernels were chosen for one set of shapes: where they don't take these, the reference does. */
static ingot_status fall_back(planner *p, ingot__run_step *run) {
  const ingot__backend *backend = p->engine->backend;
  const ingot__kernel_functions *functions = run->step->kernel->functions;
  if (!functions->supports || functions->supports(&run->call)) return INGOT_OK;
  if (run->step->kernel->on_device)
    return INGOT__FAIL_NODE(p->inst->diag, INGOT_E_SHAPE, run->node, "kernel %s doesn't take these shapes; build the engine with a profile for them",
                            run->step->kernel->name);
  if (!dense_and_plain(&run->call)) return INGOT_OK;
  const ingot__kernel *reference = backend->find("reference");
  ingot__step *step = reference && backend->fits(reference, &run->call) ? INGOT_NEW(&p->region->arena, ingot__step) : NULL;
  if (!step) return reference ? ingot__no_memory(p->inst->diag) : INGOT_OK;
  *step = *run->step;
  step->kernel = reference;
  step->packed = NULL;
  run->step = step;
  run->call.packed = NULL;
  return INGOT_OK;
}

/* Puts down what was found out, for when the region runs again. */
static ingot_status record(planner *p) {
  ingot__region *region = p->region;
  ingot__instance *inst = p->inst;
  size_t outs = 0, ins = 0, s = 0;
  for (const ingot__node *n = region->first; s < p->n_node; n = n->next, s++) outs += n->n_out, ins += n->n_in;
  region->placed = INGOT_NEW_ARRAY(&region->arena, outs + 1, ingot__placed);
  region->read = INGOT_NEW_ARRAY(&region->arena, ins + 1, ingot__view);
  if (!region->placed || !region->read) return ingot__no_memory(inst->diag);
  region->n_placed = region->n_read = s = 0;
  for (const ingot__node *n = region->first; s < p->n_node; n = n->next, s++) {
    for (size_t i = 0; i < n->n_out; i++) {
      const ingot__value *v = n->out[i];
      if (!v) continue;
      region->placed[region->n_placed++] = (ingot__placed){.id = v->id, .source = inst->source[v->id], .offset = inst->offset[v->id],
          .type = inst->type[v->id], .known = inst->known[v->id], .view = inst->view[v->id]};
    }
    for (size_t i = 0; i < n->n_in; i++)
      if (n->in[i] && (n->in[i]->producer || n->in[i]->is_input) && !in_region(p, n->in[i]))
        region->read[region->n_read++] = inst->view[n->in[i]->id];
  }
  return INGOT_OK;
}

ingot_status ingot__region_place(ingot__frame *frame, ingot__region *region, bool again) {
  ingot__instance *inst = frame->instance;
  const ingot__network *net = inst->context->engine->network;
  ingot__arena *arena = &region->arena;
  planner p = {.frame = frame, .inst = inst, .region = region, .engine = inst->context->engine, .n_node = region->n_node};
  size_t values = 0, s = 0;
  for (const ingot__node *n = region->first; s < p.n_node; n = n->next, s++) values += n->n_out + 1;
  p.step_of = INGOT_NEW_ARRAY(arena, net->n_node + 1, uint32_t);
  p.block_of = INGOT_NEW_ARRAY(arena, net->n_value + 1, uint32_t);
  p.merged = INGOT_NEW_ARRAY(arena, net->n_value + 1, uint32_t);
  p.block = INGOT_NEW_ARRAY(arena, values + 1, ingot__block);
  uint32_t *order = INGOT_NEW_ARRAY(arena, values + 1, uint32_t);
  region->patch = INGOT_NEW_ARRAY(arena, count_slots(&p) + 1, ingot__patch);
  region->step = INGOT_NEW_ARRAY(arena, p.n_node + 1, ingot__run_step);
  if (!p.step_of || !p.block_of || !p.merged || !p.block || !order || !region->patch || !region->step) return ingot__no_memory(inst->diag);
  memset(p.step_of, 0xff, net->n_node * sizeof *p.step_of);
  memset(p.block_of, 0xff, net->n_value * sizeof *p.block_of);
  for (size_t i = 0; i < net->n_value; i++) p.merged[i] = (uint32_t)i;
  s = 0;
  for (const ingot__node *n = region->first; s < p.n_node; n = n->next, s++) p.step_of[n->id] = (uint32_t)s;
  INGOT_TRY(place_values(&p));
  merge_in_place(&p);

  /* calls, and their workspaces as blocks of one step */
  uint32_t *workspace_block = INGOT_NEW_ARRAY(arena, p.n_node + 1, uint32_t);
  if (!workspace_block) return ingot__no_memory(inst->diag);
  s = 0;
  region->n_step = 0;
  region->workspace_size = 0;
  for (const ingot__node *n = region->first; s < p.n_node; n = n->next, s++) {
    const ingot__kernel *kernel = p.engine->step[n->id].kernel;
    if (!kernel || (kernel->flags & INGOT__K_VIEW)) continue;
    ingot__run_step *run = &region->step[region->n_step];
    INGOT_TRY(make_call(&p, n, run));
    bool dynamic = region->dynamic_end && s + 1 == p.n_node;
    if (!dynamic && computes_nothing(&run->call)) continue;
    INGOT_TRY(fall_back(&p, run));
    size_t size;
    INGOT_TRY(ask_workspace(&p, run, &size));
    kernel = run->step->kernel;
    run->call.workspace_size = size;
    workspace_block[region->n_step++] = size ? (uint32_t)p.n_block : NONE;
    if (size) p.block[p.n_block++] = (ingot__block){.size = size, .first = (uint32_t)s, .last = (uint32_t)s, .space = kernel->on_device};
    if (size > region->workspace_size) region->workspace_size = size;
  }
  for (int space = 0; space < INGOT__SPACES; space++) region->slab_size[space] = ingot__memory_plan(p.block, p.n_block, space, order);
  if (region->slab_size[INGOT__HOST] == SIZE_MAX || region->slab_size[INGOT__DEVICE] == SIZE_MAX)
    return ingot__fail(inst->diag, INGOT_E_LIMIT, NULL, "activations need more memory than there can be");

  /* pointers */
  s = 0;
  for (const ingot__node *n = region->first; s < p.n_node; n = n->next, s++)
    for (size_t i = 0; i < n->n_out; i++)
      if (n->out[i] && ingot__is_tensor(&inst->view[n->out[i]->id]) && inst->source[n->out[i]->id] != INGOT__SOURCE_DYNAMIC)
        bind(&p, &inst->view[n->out[i]->id].data, n->out[i], NULL, 0);
  for (size_t k = 0; k < region->n_step; k++) {
    ingot__run_step *run = &region->step[k];
    const ingot__node *n = run->node;
    bool dynamic = region->dynamic_end && p.step_of[n->id] + 1 == p.n_node;
    for (size_t i = 0; i < n->n_in; i++)
      if (n->in[i]) bind(&p, &((ingot__view *)run->call.in)[i].data, n->in[i], run->step->kernel, i);
    for (size_t i = 0; i < n->n_out && !dynamic; i++)
      if (n->out[i] && ingot__is_tensor(&run->call.out[i])) bind(&p, &run->call.out[i].data, n->out[i], run->step->kernel, 0);
    const ingot__kernel *kernel = run->step->kernel;
    if (workspace_block[k] != NONE)
      region->patch[p.n_patch++] = (ingot__patch){&run->call.workspace, &region->slab[kernel->on_device],
                                                     p.block[workspace_block[k]].offset, kernel->on_device};
  }
  region->n_patch = p.n_patch;
  if (inst->context->queue) INGOT_TRY(ingot__segments_find(inst, region, !frame->graph->outer && region->first == frame->graph->first, inst->diag));
  return again ? record(&p) : INGOT_OK;
}
