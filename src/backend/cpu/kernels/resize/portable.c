#define INGOT__ISA portable
#include "backend/cpu/kernels/resize/resize.inc"
