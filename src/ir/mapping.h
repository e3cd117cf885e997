/* Files that a network's constants point into. */
#ifndef INGOT_IR_MAPPING_H
#define INGOT_IR_MAPPING_H
#include "ir/network.h"

void ingot__mappings_free(ingot__network *network); /* unmaps all */
#endif
