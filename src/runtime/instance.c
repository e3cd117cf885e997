/* Instances: the arrays by value id and the frames of graphs, for one set of input shapes. */
#include "runtime/state.h"
#include <string.h>

ingot_status ingot__instance_new(ingot_context *context, ingot__diag *diag, ingot__instance **out) {
  const ingot__network *net = context->engine->network;
  ingot__instance *inst = ingot__calloc(&context->heap, 1, sizeof *inst);
  if (!inst) return ingot__no_memory(diag);
  inst->context = context;
  ingot__arena_init(&inst->arena, &context->heap);
  ingot__arena *a = &inst->arena;
  inst->input_dims = INGOT_NEW_ARRAY(a, context->n_in * INGOT_MAX_RANK + 1, int64_t);
  inst->type = INGOT_NEW_ARRAY(a, net->n_value, ingot__type);
  inst->known = ingot__arena_array(a, net->n_value, sizeof *inst->known);
  inst->view = INGOT_NEW_ARRAY(a, net->n_value, ingot__view);
  inst->source = INGOT_NEW_ARRAY(a, net->n_value, int);
  inst->offset = INGOT_NEW_ARRAY(a, net->n_value, size_t);
  inst->buffer = INGOT_NEW_ARRAY(a, net->n_value, ingot__buffer);
  inst->early = INGOT_NEW_ARRAY(a, context->n_io + 1, bool);
  inst->object = INGOT_NEW_ARRAY(a, net->n_value, ingot__object *);
  if (!inst->early || !inst->input_dims || !inst->type || !inst->known || !inst->view || !inst->source || !inst->offset || !inst->buffer ||
      !inst->object) {
    ingot__instance_free(inst);
    return ingot__no_memory(diag);
  }
  for (size_t i = 0; i < net->n_value; i++) {
    const ingot__value *v = net->value[i];
    inst->type[i] = (ingot__type){.rank = -1};
    if (!v || v->producer || v->is_input) continue;
    inst->type[i] = v->type;
    int64_t dim[INGOT_MAX_RANK] = {0};
    for (int d = 0; d < v->type.rank; d++) dim[d] = v->type.dim[d];
    ingot__view_set(&inst->view[i], v->type.dtype, v->type.rank, dim, INGOT__PLAIN);
    inst->view[i].constant = true;
    static const _Alignas(64) char nothing[64]; /* kernels may take addresses in tensors without elements, so NULL won't do */
    inst->view[i].data = v->data ? (void *)v->data : ingot__view_count(&inst->view[i]) == 0 ? (void *)nothing : NULL;
    inst->source[i] = INGOT__SOURCE_FIXED;
  }
  *out = inst;
  return INGOT_OK;
}

void ingot__instance_free(ingot__instance *inst) {
  if (!inst) return;
  ingot__heap *heap = &inst->context->heap;
  for (size_t f = 0; f < inst->n_frame; f++) ingot__slots_free(inst->frame[f]);
  if (inst->buffer)
    for (size_t i = 0; i < inst->context->engine->network->n_value; i++) ingot__free(heap, inst->buffer[i].data, inst->buffer[i].size);
  if (inst->object)
    for (size_t i = 0; i < inst->context->engine->network->n_value; i++) ingot__object_release(inst->object[i]);
  ingot__arena_free(&inst->arena);
  ingot__free(heap, inst, sizeof *inst);
}

ingot_status ingot__instance_frame(ingot__instance *inst, const ingot__graph *graph, ingot__frame **out) {
  for (size_t i = 0; i < inst->n_frame; i++)
    if (inst->frame[i]->graph == graph) {
      *out = inst->frame[i];
      return INGOT_OK;
    }
  ingot__frame *frame = INGOT_NEW(&inst->arena, ingot__frame);
  if (!frame || !ingot__arena_grow(&inst->arena, (void **)&inst->frame, &inst->frame_capacity, inst->n_frame + 1, sizeof *inst->frame))
    return ingot__no_memory(inst->diag);
  frame->instance = inst;
  frame->graph = graph;
  if (graph->outer) {
    if (ingot__shapes_captured(&inst->arena, graph, &frame->captured, &frame->n_captured) != INGOT_OK) return ingot__no_memory(inst->diag);
    frame->key = INGOT_NEW_ARRAY(&inst->arena, (frame->n_captured + graph->n_input) * (2 * INGOT_MAX_RANK + 2) + 1, int64_t);
    if (!frame->key) return ingot__no_memory(inst->diag);
  }
  inst->frame[inst->n_frame++] = frame;
  *out = frame;
  return INGOT_OK;
}
