/* Text tables: cells are added one after another, widths are found when all are there. */
#ifndef INGOT_CLI_TABLE_H
#define INGOT_CLI_TABLE_H
#include "error.h"
#include <stdio.h>

enum { CLI__COLUMNS_MAX = 16 };
typedef struct cli__table {
  size_t columns;
  const char *headings[CLI__COLUMNS_MAX];
  size_t count, capacity;
  char **cells;                /* owned */
  bool failed;                 /* a cell was lost: no memory */
} cli__table;

/* Headings with a leading '>' are columns of numbers, set to the right. A table that is zero-initialised after is free. */
void cli__table_init(cli__table *table, const char *const *headings, size_t columns);
/* Adds the next cell; texts longer than 56 characters are cut in the middle, but for the last column's. */
void cli__table_cell(cli__table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints and frees. */
ingot_status cli__table_print(cli__table *table, FILE *file);
#endif
