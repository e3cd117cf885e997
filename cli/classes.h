/* The best classes of a classification, with their names. */
#ifndef INGOT_CLI_CLASSES_H
#define INGOT_CLI_CLASSES_H
#include "array.h"
#include <stdio.h>

typedef struct cli__labels { size_t count; char **lines; unsigned char *text; } cli__labels;

/* One label a line. Lines that begin with their own number ("0,tench" or "0 tench") lose it. */
ingot_status cli__labels_load(const char *path, cli__labels *labels);
void cli__labels_free(cli__labels *labels);
/* For the first output: its last dim (or the only one that isn't 1) holds the classes, the dims before are pictures. `labels` may be NULL. */
ingot_status cli__classes_print(const cli__arrays *outputs, size_t top, const cli__labels *labels, FILE *file);
#endif
