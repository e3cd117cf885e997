#include "ir/name_list.h"
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }
static int name_order(const void *name, const void *entry) { return strcmp(name, *(const char *const *)entry); }

void ingot__name_list_sort(ingot__name_list *list) {
  if (list->n) qsort(list->name, list->n, sizeof *list->name, by_name);
}

bool ingot__name_list_has(const ingot__name_list *list, const char *name) {
  return list && list->n && bsearch(name, list->name, list->n, sizeof *list->name, name_order);
}
