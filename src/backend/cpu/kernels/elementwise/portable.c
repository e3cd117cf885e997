#define INGOT__ISA portable
#include "backend/cpu/kernels/elementwise/elementwise.inc"
