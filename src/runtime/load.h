/* Loading: an engine from its file, made ready for the device at hand. */
#ifndef INGOT_RUNTIME_LOAD_H
#define INGOT_RUNTIME_LOAD_H
#include "runtime/state.h"
ingot_status ingot__load_file(const ingot_env *env, const char *path, ingot__diag *diag, ingot_engine **engine);
ingot_status ingot__load_memory(const ingot_env *env, const void *data, size_t size, ingot__diag *diag, ingot_engine **engine);
#endif
