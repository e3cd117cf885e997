/* Loading ONNX models: the importer's whole interface.
 *
 * Reads IR versions 1 to 14 and opsets 1 (where it is cheap; 7 in full) to 28 with our own bounded reader of protobuf's wire format; no
 * file can make it allocate more than a small multiple of its own size, recurse deeper than 32 or loop for long. */
#ifndef INGOT_IMPORT_ONNX_ONNX_H
#define INGOT_IMPORT_ONNX_ONNX_H
#include "ir/network.h"

/* Loads an ONNX model into a new network of newest-opset operators, sorted and with inferred types. Weights stay in the mapped file
 * where their alignment allows it, and external data likewise; both must not change while the network lives. All problems found are in
 * `diag` (may be NULL), one a line, each with the file and the node. */
ingot_status ingot__onnx_load(const ingot_env *env, const char *path, ingot__diag *diag, ingot__network **network);
/* The same from memory, of which nothing is needed afterwards. `folder` is where external data lies; NULL: none allowed. */
ingot_status ingot__onnx_load_memory(const ingot_env *env, const void *data, size_t size, const char *folder, ingot__diag *diag,
                                     ingot__network **network);

/* A TensorProto file (input_0.pb of a test_data_set) into `out`, whose data the arena owns; `name` (may be NULL) gets the tensor's name
 * ("" when it has none), in the arena too. Strings: data is const ingot_string *. */
ingot_status ingot__onnx_load_tensor(ingot__heap *heap, ingot__arena *arena, const void *data, size_t size, ingot__diag *diag,
                                     ingot__literal *out, const char **name);
#endif
