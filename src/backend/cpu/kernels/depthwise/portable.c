#define INGOT__ISA portable
#include "backend/cpu/kernels/depthwise/depthwise.inc"
