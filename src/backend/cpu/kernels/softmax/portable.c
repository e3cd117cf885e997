#define INGOT__ISA portable
#include "backend/cpu/kernels/softmax/softmax.inc"
