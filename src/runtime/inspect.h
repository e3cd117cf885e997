/* Descriptions of an engine and its layers. */
#ifndef INGOT_RUNTIME_INSPECT_H
#define INGOT_RUNTIME_INSPECT_H
#include "runtime/state.h"
/* JSON, freed with ingot__free(heap, json, size + 1). `context` (may be NULL) has the optimum's shapes planned: FLOPs and bytes come from it. */
ingot_status ingot__inspect(const ingot_engine *engine, const ingot_context *context, ingot__heap *heap, ingot__diag *diag, char **json,
    size_t *size);
/* Bytes a call reads and writes, each tensor once; constants in their packed form. */
int64_t ingot__call_bytes(const ingot__call *call, size_t packed);
#endif
