/* The best classes. */
#include "classes.h"
#include "file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void cli__labels_free(cli__labels *labels) {
  free(labels->lines);
  free(labels->text);
  *labels = (cli__labels){0};
}

ingot_status cli__labels_load(const char *path, cli__labels *labels) {
  *labels = (cli__labels){0};
  size_t size, lines = 1;
  CLI_TRY(cli__read_file(path, (size_t)1 << 26, &labels->text, &size));
  for (size_t i = 0; i < size; i++) {
    if (labels->text[i] == 0) {
      cli__labels_free(labels);
      return cli__fail(INGOT_E_FORMAT, "%s: not a text file", path);
    }
    lines += labels->text[i] == '\n';
  }
  labels->lines = calloc(lines, sizeof *labels->lines);
  if (!labels->lines) {
    cli__labels_free(labels);
    return cli__no_memory();
  }
  for (char *line = (char *)labels->text; *line;) {
    char *end = line + strcspn(line, "\n"), *next = end + (*end == '\n');
    if (end > line && end[-1] == '\r') end--;
    *end = 0;
    char *rest;
    unsigned long number = strtoul(line, &rest, 10);
    bool numbered = rest != line && number == labels->count && strchr(",:; \t", *rest) && *rest;
    labels->lines[labels->count++] = numbered ? rest + strspn(rest, ",:; \t") : line;
    line = next;
  }
  return INGOT_OK;
}

/* In place, unless the values are a distribution already. */
static void make_probabilities(double *values, size_t count) {
  double sum = 0, min = INFINITY, max = -INFINITY;
  for (size_t i = 0; i < count; i++) sum += values[i], min = fmin(min, values[i]), max = fmax(max, values[i]);
  if (min >= 0 && fabs(sum - 1) <= 0.01) return;
  sum = 0;
  for (size_t i = 0; i < count; i++) sum += values[i] = exp(values[i] - max);
  for (size_t i = 0; i < count; i++) values[i] /= sum;
}

static void print_best(double *values, size_t count, size_t top, const cli__labels *labels, FILE *file) {
  for (size_t k = 0; k < top && k < count; k++) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
      if (values[i] > values[best] || isnan(values[best])) best = i;
    if (isnan(values[best]) || values[best] < 0) break;
    fprintf(file, "%6zu  %8.6f", best, values[best]);
    if (labels && best < labels->count) fprintf(file, "  %s", labels->lines[best]);
    fputc('\n', file);
    values[best] = -1; /* taken */
  }
}

ingot_status cli__classes_print(const cli__arrays *outputs, size_t top, const cli__labels *labels, FILE *file) {
  if (outputs->count == 0) return cli__fail(INGOT_E_ARGUMENT, "--top: the network has no outputs");
  const cli__array *a = &outputs->items[0];
  size_t classes = a->rank ? (size_t)a->dims[a->rank - 1] : 0;
  int axis = 1; /* N x classes x 1 x 1: the classes come before dims of 1 */
  for (int i = axis + 1; i < a->rank; i++)
    if (a->dims[i] != 1) axis = i;
  if (a->rank > 1) classes = (size_t)a->dims[axis];
  if (a->rank == 0 || a->count == 0 || !cli__is_float(a->dtype))
    return cli__fail(INGOT_E_SHAPE, "--top: output '%s' isn't a list of classes' scores", a->name);
  double *values = malloc(classes * sizeof *values);
  if (!values) return cli__no_memory();
  for (size_t n = 0; n < a->count / classes; n++) {
    if (a->count > classes) fprintf(file, "%s%zu:\n", n ? "\n" : "", n);
    for (size_t i = 0; i < classes; i++) values[i] = cli__array_get(a, n * classes + i);
    make_probabilities(values, classes);
    print_best(values, classes, top, labels, file);
  }
  free(values);
  return INGOT_OK;
}
