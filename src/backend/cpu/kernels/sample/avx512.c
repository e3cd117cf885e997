#define INGOT__ISA avx512
#include "backend/cpu/kernels/sample/grid.inc"
#include "backend/cpu/kernels/sample/roi.inc"
#include "backend/cpu/kernels/sample/deform.inc"
