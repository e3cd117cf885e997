/* Attention's rows for avx512. */
#define ATTENTION ingot__attention_avx512
#define TILES ingot__tiles_avx512
#include "backend/cpu/kernels/attention/rows.inc"
