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
  ingot__network_free(engine->network);
  if (engine->file_mapped) munmap((void *)engine->file, engine->file_size);
  else ingot__free(&engine->heap, (void *)engine->file, engine->file_size);
  ingot__arena_free(&engine->arena);
  ingot__heap heap = engine->heap;
  ingot__free(&heap, engine, sizeof *engine);
}
