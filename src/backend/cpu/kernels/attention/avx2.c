/* Attention's rows for avx2. */
#define ATTENTION ingot__attention_avx2
#define TILES ingot__tiles_avx2
#include "backend/cpu/kernels/attention/rows.inc"
