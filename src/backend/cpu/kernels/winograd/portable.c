/* Winograd's transforms for portable. */
#include "backend/cpu/kernels/gemm/vectors_portable.inc"
#define WINOGRAD ingot__winograd_portable
#define TILES ingot__tiles_portable
#include "backend/cpu/kernels/winograd/transform.inc"
