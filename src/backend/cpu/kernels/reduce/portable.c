#define INGOT__ISA portable
#include "backend/cpu/kernels/reduce/reduce.inc"
