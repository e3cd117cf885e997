/* Descriptions of an engine and its layers. */
#ifndef INGOT_RUNTIME_INSPECT_H
#define INGOT_RUNTIME_INSPECT_H
#include "runtime/state.h"
/* JSON, freed with ingot__free(heap, json, size + 1). `context` (may be NULL) has the optimum's shapes planned: FLOPs and bytes come from it. */
ingot_status ingot__inspect(const ingot_engine *engine, const ingot_context *context, ingot__heap *heap, ingot__diag *diag, char **json,
    size_t *size);
/* Bytes a call reads and writes, each tensor once; constants in their packed form. */
/* What a step computes in: the type of its first input where that is a floating one, else of its output; "tf32" where the kernel rounds to that. */
const char *ingot__step_precision(const ingot__node *node, const ingot__kernel *kernel);
int64_t ingot__call_bytes(const ingot__call *call, size_t packed);
#endif
