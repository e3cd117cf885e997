/* Engines in memory: made, shared, freed. */
#include "engine/engine.h"
#include <sys/mman.h>

ingot_engine *ingot__engine_new(const ingot_env *env) {
  ingot__heap heap;
  ingot__heap_init(&heap, env);
  ingot_engine *engine = ingot__calloc(&heap, 1, sizeof *engine);
  if (!engine) return NULL;
  ingot__heap_init(&engine->heap, env);
  engine->heap.used = sizeof *engine;
  ingot__arena_init(&engine->arena, &engine->heap);
  ingot__log_init(&engine->log, env);
  engine->references = 1;
  return engine;
}

void ingot__engine_release(ingot_engine *engine) {
  if (!engine || --engine->references) return;
  ingot__engine_leave_device(engine);
  ingot__network_free(engine->network);
  if (engine->file_mapped) munmap((void *)engine->file, engine->file_size);
  else ingot__free(&engine->heap, (void *)engine->file, engine->file_size);
  ingot__arena_free(&engine->arena);
  ingot__heap heap = engine->heap;
  ingot__free(&heap, engine, sizeof *engine);
}

float ingot__call_size(const ingot__call *call) {
  float n = 0;
  for (size_t i = 0; i < call->n_in; i++)
    if (ingot__has_in(call, i) && !call->in[i].constant) n += (float)ingot__view_count(&call->in[i]);
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i)) n += (float)ingot__view_count(&call->out[i]);
  return n;
}

bool ingot__engine_packed_away(const ingot_engine *e, const ingot__value *v) {
  if (v->is_output || !v->n_user) return false;
  for (size_t u = 0; u < v->n_user; u++) {
    const ingot__node *user = v->user[u];
    const ingot__step *base = &e->step[user->id];
    for (int k = -1; k < base->n_other; k++) {
      const ingot__step *step = k < 0 ? base : &base->other[k];
      if (!step->packed || !step->kernel) return false;
      for (size_t i = 0; i < user->n_in; i++)
        if (user->in[i] == v && (i > 31 || !(step->kernel->functions->packs_inputs >> i & 1))) return false;
    }
  }
  return true;
}
