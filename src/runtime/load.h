/* Loading: an engine from its file, made ready for the device at hand. */
#ifndef INGOT_RUNTIME_LOAD_H
#define INGOT_RUNTIME_LOAD_H
#include "runtime/state.h"
/* Where an engine is wanted, instead of where it was built: the kind must be the same. */
typedef struct ingot__target { const char *backend; int index; } ingot__target;
ingot_status ingot__load_file(const ingot_env *env, const char *path, const ingot__target *target, ingot__diag *diag, ingot_engine **engine);
ingot_status ingot__load_memory(const ingot_env *env, const void *data, size_t size, const ingot__target *target, ingot__diag *diag,
                                ingot_engine **engine);
/* A view of a value as the engine was tuned for it; false where that can't be told. */
bool ingot__load_view(const ingot_engine *engine, const ingot__value *value, ingot__view *view);
/* Whether values lie where those who make and read them run, on the host or on the device. */
ingot_status ingot__load_check_sides(const ingot_engine *engine, ingot__diag *diag);
/* Device code that was made for another architecture, or for kernels that were replaced, is compiled anew. */
ingot_status ingot__load_renew_code(ingot_engine *engine, ingot__diag *diag);
#endif
