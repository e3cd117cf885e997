/* Text tables. */
#include "table.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WIDEST = 56 };

void cli__table_init(cli__table *table, const char *const *headings, size_t columns) {
  *table = (cli__table){.columns = columns};
  for (size_t i = 0; i < columns; i++) table->headings[i] = headings[i];
}

/* Characters of UTF-8: the bytes that begin one. */
static size_t width_of(const char *text) {
  size_t n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
  return n;
}

static void shorten(char *text) {
  size_t n = strlen(text), head = WIDEST / 2, tail = WIDEST - head - 2;
  if (width_of(text) != n || n <= WIDEST) return; /* only plain names are cut */
  memmove(text + head + 2, text + n - tail, tail + 1);
  memcpy(text + head, "..", 2);
}

void cli__table_cell(cli__table *table, const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if ((table->count + 1) % table->columns) shorten(text); /* the last column may be long */
  if (table->failed) return;
  if (table->count == table->capacity) {
    size_t capacity = table->capacity ? 2 * table->capacity : 64;
    char **cells = realloc(table->cells, capacity * sizeof *cells);
    if (!cells) {
      table->failed = true;
      return;
    }
    table->cells = cells;
    table->capacity = capacity;
  }
  if (!(table->cells[table->count] = strdup(text))) table->failed = true;
  else table->count++;
}

static void print_row(const cli__table *table, const char *const *cells, const size_t *widths, FILE *file) {
  for (size_t c = 0; c < table->columns; c++) {
    bool right = table->headings[c][0] == '>';
    int pad = (int)(widths[c] - width_of(cells[c]));
    if (c) fputs("  ", file);
    if (right) fprintf(file, "%*s%s", pad, "", cells[c]);
    else fprintf(file, "%s%*s", cells[c], c + 1 == table->columns ? 0 : pad, "");
  }
  fputc('\n', file);
}

ingot_status cli__table_print(cli__table *table, FILE *file) {
  size_t widths[CLI__COLUMNS_MAX];
  const char *heads[CLI__COLUMNS_MAX];
  for (size_t c = 0; c < table->columns; c++) {
    heads[c] = table->headings[c] + (table->headings[c][0] == '>');
    widths[c] = width_of(heads[c]);
    for (size_t i = c; i < table->count; i += table->columns)
      if (width_of(table->cells[i]) > widths[c]) widths[c] = width_of(table->cells[i]);
  }
  bool failed = table->failed;
  if (!failed) {
    print_row(table, heads, widths, file);
    for (size_t i = 0; i + table->columns <= table->count; i += table->columns) print_row(table, (const char *const *)table->cells + i, widths,
        file);
  }
  for (size_t i = 0; i < table->count; i++) free(table->cells[i]);
  free(table->cells);
  *table = (cli__table){0};
  return failed ? cli__no_memory() : INGOT_OK;
}
