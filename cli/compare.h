/* The parts of `ingot compare`: where expected outputs come from, and looking for the first layer that differs. */
#ifndef INGOT_CLI_COMPARE_H
#define INGOT_CLI_COMPARE_H
#include "difference.h"
#include "inputs.h"

/* The folders with input_*.pb under `folder`: itself, or its test_data_set_*, sorted. */
typedef struct cli__folders { size_t count; char **paths; } cli__folders;
ingot_status cli__folders_find(const char *folder, cli__folders *folders);
void cli__folders_free(cli__folders *folders);
/* Reads input_0.pb, ... as the model's inputs in their order, and output_0.pb, ... as its outputs, named so. Fewer outputs than the
 * model has are allowed. Free both lists, also after a failure. */
ingot_status cli__folder_load(const char *folder, const cli__model *model, cli__arrays *inputs, cli__arrays *golden);
/* Reads expected outputs by name. When no name is an output's and the counts agree, they are taken in order, with a remark. */
ingot_status cli__golden_load(const char *path, const cli__model *model, cli__arrays *golden);

/* Runs both engines, compares the tensors that both compute, and prints the first that differs (`all`: a table of all). `network` (may be
 * NULL) tells which layer makes it. */
ingot_status cli__compare_layers(ingot_engine *engine, ingot_engine *reference, const ingot_network *network, int64_t threads,
                                 const cli__arrays *inputs, const cli__tolerance *tolerance, bool all);
#endif
