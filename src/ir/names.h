/* The names in use in a network: of values and, apart from them, of nodes. */
#ifndef INGOT_IR_NAMES_H
#define INGOT_IR_NAMES_H
#include "ir/network.h"

typedef enum ingot__name_of { INGOT__NAME_OF_VALUE, INGOT__NAME_OF_NODE } ingot__name_of;

bool ingot__names_init(ingot__network *network);
void ingot__names_free(ingot__network *network);
/* A copy of `wanted` in the network's arena, with a suffix if it is taken, now standing for `object`; NULL: no memory. */
const char *ingot__names_add(ingot__network *network, ingot__name_of of, const char *wanted, void *object);
void ingot__names_remove(ingot__network *network, ingot__name_of of, const char *name);
void *ingot__names_find(const ingot__network *network, ingot__name_of of, const char *name); /* NULL: free */
void ingot__names_set(ingot__network *network, ingot__name_of of, const char *name, void *object); /* of a name in use */
#endif
