/* Sorted lists of values' names: what one step of a build found out about values, for another that has a network of its own. */
#ifndef INGOT_IR_NAME_LIST_H
#define INGOT_IR_NAME_LIST_H
#include <stdbool.h>
#include <stddef.h>

typedef struct ingot__name_list { const char **name; size_t n; } ingot__name_list;

void ingot__name_list_sort(ingot__name_list *list);
bool ingot__name_list_has(const ingot__name_list *list, const char *name); /* of a sorted one; NULL: an empty one */
#endif
