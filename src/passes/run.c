/* Running the passes: timing, verification, dumps. */
#include "passes/passes.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const ingot__pass ingot__pass_list[] = {
#define INGOT_PASS(name, postcondition) {#name, postcondition, ingot__pass_##name},
#include "passes.def"
#undef INGOT_PASS
};
const size_t ingot__pass_count = sizeof ingot__pass_list / sizeof *ingot__pass_list;

const ingot__pass *ingot__pass_find(const char *name) {
  for (size_t i = 0; i < ingot__pass_count; i++)
    if (!strcmp(ingot__pass_list[i].name, name)) return &ingot__pass_list[i];
  return NULL;
}

static int to_file(void *user, const char *text, size_t n) { return fwrite(text, 1, n, user) == n ? 0 : -1; }

static ingot_status dump(const ingot__network *network, const char *folder, size_t number, const char *name, ingot__diag *diag) {
  char path[4096];
  int n = snprintf(path, sizeof path, "%s/%02zu_%s.txt", folder, number, name);
  if (n < 0 || (size_t)n >= sizeof path) return ingot__fail(diag, INGOT_E_ARGUMENT, folder, "the path is too long");
  FILE *file = fopen(path, "w");
  if (!file) return ingot__fail(diag, INGOT_E_IO, path, "can't be written: %s", strerror(errno));
  ingot_status status = ingot__network_print(network, to_file, file);
  if (fclose(file) && status == INGOT_OK) status = INGOT_E_IO;
  return status == INGOT_OK ? status : ingot__fail(diag, status, path, "can't be written");
}

static size_t count_nodes(const ingot__network *network) {
  size_t n = 0;
  for (size_t i = 0; i < network->n_node; i++) n += network->node[i] != NULL;
  return n;
}

ingot_status ingot__passes_run(ingot__network *network, const ingot__pass_context *context, const ingot__pass_options *options,
                               ingot__pass_record *records, size_t *n_records) {
  *n_records = 0;
  if (options->dump_folder && mkdir(options->dump_folder, 0777) != 0 && errno != EEXIST)
    return ingot__fail(context->diag, INGOT_E_IO, options->dump_folder, "the folder can't be made: %s", strerror(errno));
  if (options->dump_folder) INGOT_TRY(dump(network, options->dump_folder, 0, "imported", context->diag));
  for (size_t i = 0; i < ingot__pass_count; i++) {
    const ingot__pass *pass = &ingot__pass_list[i];
    ingot__pass_record *record = &records[(*n_records)++];
    *record = (ingot__pass_record){.name = pass->name};
    for (size_t k = 0; k < options->n_skip; k++) record->skipped |= !strcmp(options->skip[k], pass->name);
    double start = ingot__now();
    if (!record->skipped) INGOT_TRY(pass->run(network, context, &record->changed));
    record->seconds = ingot__now() - start;
    record->nodes_after = count_nodes(network);
#ifndef NDEBUG
    INGOT_TRY(ingot__network_verify(network, context->diag));
#endif
    ingot__logf(context->log, INGOT_LOG_VERBOSE, "pass %s: %s, %zu nodes, %.1f ms", pass->name, record->skipped ? "skipped" : record->changed
        ? "changed" : "unchanged",
                record->nodes_after, record->seconds * 1e3);
    if (options->dump_folder) INGOT_TRY(dump(network, options->dump_folder, i + 1, pass->name, context->diag));
    if (options->stop_after && !strcmp(options->stop_after, pass->name)) break;
  }
  return INGOT_OK;
}
