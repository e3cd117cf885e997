/* Attention's rows for portable. */
#define ATTENTION ingot__attention_portable
#define TILES ingot__tiles_portable
#include "backend/cpu/kernels/attention/rows.inc"
