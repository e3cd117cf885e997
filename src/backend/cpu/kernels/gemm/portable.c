/* Tiles in the compiler's own vectors of 4 floats, for any CPU: 2 pixels by 16 channels. */
#include "backend/cpu/kernels/gemm/vectors_portable.inc"
#define TILES ingot__tiles_portable
#define TILES_ISA INGOT__ISA_PORTABLE
#define ROWS_1 2
#define ROWS_2 0
#define ROWS_4 0
#include "backend/cpu/kernels/gemm/tile.inc"
