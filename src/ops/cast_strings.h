/* Casts between numbers and strings, for ops/cast.c. */
#ifndef INGOT_OPS_CAST_STRINGS_H
#define INGOT_OPS_CAST_STRINGS_H
#include "ops/ops.h"
/* in[0] is strings, out[0] numbers or bool: plain and scientific notation, INF and NaN in any case. INGOT_E_TYPE for other texts. */
ingot_status ingot__cast_from_strings(const ingot__call *call);
/* in[0] is numbers or bool, out[0] strings: the fewest digits that give the number back; INF, -INF, NaN; 1 and 0 for bools. */
ingot_status ingot__cast_to_strings(const ingot__call *call);
#endif
