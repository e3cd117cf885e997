#define INGOT__ISA portable
#include "backend/cpu/kernels/move/move.inc"
