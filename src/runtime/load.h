/* Loading: an engine from its file, made ready for the device at hand. */
#ifndef INGOT_RUNTIME_LOAD_H
#define INGOT_RUNTIME_LOAD_H
#include "runtime/state.h"
/* Where an engine is wanted, instead of where it was built: the kind must be the same. */
typedef struct ingot__target { const char *backend; int index; } ingot__target;
ingot_status ingot__load_file(const ingot_env *env, const char *path, const ingot__target *target, ingot__diag *diag, ingot_engine **engine);
ingot_status ingot__load_memory(const ingot_env *env, const void *data, size_t size, const ingot__target *target, ingot__diag *diag,
                                ingot_engine **engine);
#endif
