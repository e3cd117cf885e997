#define INGOT__ISA portable
#include "backend/cpu/kernels/sample/grid.inc"
#include "backend/cpu/kernels/sample/roi.inc"
#include "backend/cpu/kernels/sample/deform.inc"
