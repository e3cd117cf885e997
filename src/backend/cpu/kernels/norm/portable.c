#define INGOT__ISA portable
#include "backend/cpu/kernels/norm/norm.inc"
