/* Attention's softmax for portable. */
#define ATTENTION ingot__attention_portable
#define TILES ingot__tiles_portable
#include "backend/cpu/kernels/attention/softmax_rows.inc"
